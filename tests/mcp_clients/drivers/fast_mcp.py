"""Runs the steps of a test with FastMCP."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.auth.oauth import TokenStorageAdapter
from key_value.aio.stores.memory import MemoryStore
from mcp import MCPError
from mcp.shared.auth import OAuthToken


async def run(job: dict[str, Any]) -> list[dict[str, Any]]:
    store = MemoryStore()
    storage = TokenStorageAdapter(async_key_value=store, server_url=job["url"])
    if "token" in job:
        await storage.set_tokens(OAuthToken(access_token=job["token"], scope=job["scope"]))
    login = OAuth(
        token_storage=store,
        client_metadata_url=job.get("client_metadata_url"),
        client_id=job.get("client_id"),
        callback_host="127.0.0.1",
        callback_port=job["port"],
    )
    results = []
    async with Client(job["url"], auth=login) as client:
        for step, *arguments in job["steps"]:
            results.append(await take(client, step, *arguments))
            if step == "call":
                results[-1]["token"] = (await storage.get_tokens()).access_token
    return results


async def take(client: Client[Any], step: str, *arguments: Any) -> dict[str, Any]:
    try:
        if step == "wait":
            await asyncio.sleep(*arguments)
            return {}
        if step == "list":
            return {"tools": sorted(tool.name for tool in await client.list_tools())}
        answer = await client.call_tool(*arguments)
    except MCPError as error:
        return {"error": error.error.code, "message": error.error.message}
    return {"text": answer.content[0].text}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
