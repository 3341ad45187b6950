"""The authenticate hook, called in a new task, and a custom handler."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticate_hook

auth = Auth()
hook = authenticate_hook(OIDCAuth.from_env())


@auth.authenticate
async def authenticate(headers: Any) -> Any:
    # A task runs in a copy of the request's context, as asyncio.wait_for does on Python 3.11.
    return await asyncio.ensure_future(hook(headers=headers))


@auth.on
async def filter_by_owner(ctx: Any, value: Any) -> dict[str, str]:
    if not ctx.permissions:
        raise Auth.exceptions.HTTPException(status_code=403, detail="missing permission")
    owner = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(owner)
    return owner
