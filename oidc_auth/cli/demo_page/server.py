"""What langgraph.json of the demo names: ``auth`` and ``app``. Importing it reads the configuration."""

from __future__ import annotations

import os

from starlette.applications import Starlette

from ...authentication import OIDCAuth
from ...langgraph import protect
from ...web import install
from .feed import DecisionFeed
from .routes import demo_routes

feed = DecisionFeed()
# This observer shows persons, so only this machine can read the feed.
oidc = OIDCAuth.from_env(observer=feed)
auth = protect(oidc)
app = Starlette(routes=demo_routes(oidc, feed, os.environ["OIDC_ISSUER"]))
install(app, oidc)
