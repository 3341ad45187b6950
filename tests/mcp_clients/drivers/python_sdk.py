"""Runs the steps of a test with the Python SDK and the login of the documentation page, which is ``page_program``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx2
import page_program
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


async def run(job: dict[str, Any]) -> list[dict[str, Any]]:
    storage = page_program.Storage()
    page_program.CLIENT_METADATA_URL = job.get("client_metadata_url")
    if "token" in job:
        storage.tokens = OAuthToken(access_token=job["token"], scope=job["scope"])
    if "client_id" in job:
        storage.client = OAuthClientInformationFull(
            client_id=job["client_id"], redirect_uris=[page_program.CALLBACK], token_endpoint_auth_method="none"
        )
    results = []
    async with (
        httpx2.AsyncClient(auth=page_program.log_in_with(storage), timeout=60) as http,
        Client(streamable_http_client(page_program.URL, http_client=http)) as client,
    ):
        for step, *arguments in job["steps"]:
            results.append(await take(client, step, *arguments))
            if step == "call":
                results[-1]["token"] = storage.tokens.access_token
    return results


async def take(client: Client, step: str, *arguments: Any) -> dict[str, Any]:
    try:
        if step == "wait":
            await asyncio.sleep(*arguments)
            return {}
        if step == "list":
            return {"tools": sorted(tool.name for tool in (await client.list_tools()).tools)}
        answer = await client.call_tool(*arguments)
    except MCPError as error:
        return {"error": error.error.code, "message": error.error.message}
    return {"text": answer.content[0].text}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
