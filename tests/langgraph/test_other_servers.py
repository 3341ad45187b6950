"""Users of servers that these handlers do not support."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from kit.sample_users import configuration_for
from starlette.exceptions import HTTPException

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from oidc_auth.testing import LocalIssuer


class AegraUser(SimpleNamespace):
    """A user as Aegra passes it. The handlers recognize its module."""

    __module__ = "aegra_api.models.auth"


@pytest.mark.parametrize("event", EVENTS)
def test_aegra_user_is_denied(issuer: LocalIssuer, event: str) -> None:
    oidc = OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer)
    user = AegraUser(identity="alice", permissions=list(EVENTS), graphs=None)
    value: dict[str, Any] = {"metadata": {}, "thread_id": "t"}
    with pytest.raises(HTTPException) as refusal:
        asyncio.run(cast("Any", build_handler(event, oidc))(ctx=SimpleNamespace(user=user), value=value))
    assert refusal.value.status_code == 403
    assert "Aegra" in refusal.value.detail
    assert value == {"metadata": {}, "thread_id": "t"}
