"""``oidc-auth doctor``: checks of a deployment.

To add a check, write a function that yields findings and add a row to ``CHECKS`` of its module. The docstring of the
function is its section in docs/doctor.md.
"""

from __future__ import annotations

from . import aegra, configuration, introspection, langgraph_json, packages, provider, running_server, web

CHECKS = (
    configuration.CONFIGURATION,
    *provider.CHECKS,
    introspection.INTROSPECTION,
    *langgraph_json.CHECKS,
    *aegra.CHECKS,
    *web.CHECKS,
    *configuration.LOCATION,
    *packages.CHECKS,
    *running_server.CHECKS,
    *web.SERVER_CHECKS,
)
"""All checks, in the order of the output."""
