"""The authenticate hook in a task of its own, with a handler of the operator's own."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticator

auth = Auth()
hook = authenticator(OIDCAuth.from_env())


@auth.authenticate
async def authenticate(headers: Any) -> Any:
    # A task runs in a copy of the request's context, as asyncio.wait_for does on Python 3.11.
    return await asyncio.ensure_future(hook(headers=headers))


@auth.on
async def own(ctx: Any, value: Any) -> dict[str, str]:
    if not ctx.permissions:
        raise Auth.exceptions.HTTPException(status_code=403, detail="missing permission")
    mine = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(mine)
    return mine
