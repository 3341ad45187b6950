"""The real server as uvicorn runs it in production, in a process of its own, behind a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oidc_auth.cli.dev_server import QUIET, DevServer, _free_port, _stop, _wait_until_ready
from oidc_auth.testing.issuer import LOOPBACK
from world.people import document
from world.server import GRAPH, HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from oidc_auth.testing import LocalIssuer

ZERO_CODE = "oidc_auth.langgraph:auth"


def environment(folder: Path, issuer: LocalIssuer, auth: str = ZERO_CODE, **http: Any) -> dict[str, str]:
    """Return the variables of a server that loads ``auth`` for the people of ``world.people``."""
    configuration = folder / "oidc-auth.json"
    tables = document(issuer)
    # The keys are in the file, so that the server needs no provider.
    tables["issuer"]["jwks"] = issuer.key_set()
    configuration.write_text(json.dumps(tables), "utf-8")
    return {
        **os.environ,
        **QUIET,
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE.parent), str(folder)]),
        "OIDC_AUTH_CONFIG": str(configuration),
        "MIGRATIONS_PATH": "__inmem",
        "DATABASE_URI": ":memory:",
        "REDIS_URI": "fake",
        "LANGGRAPH_RUNTIME_EDITION": "inmem",
        "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
        # The header of LangGraph Studio skips our hook, as it does on a server of LangSmith.
        "LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev",
        "LANGGRAPH_AUTH": json.dumps({"path": auth}),
        "LANGSERVE_GRAPHS": json.dumps({"agent": f"{GRAPH}:graph"}),
        "LANGGRAPH_HTTP": json.dumps(http),
    }


@contextmanager
def running_uvicorn(folder: Path, environ: Mapping[str, str], loop: str) -> Iterator[tuple[str, int]]:
    """Run ``uvicorn langgraph_api.server:app --loop LOOP`` while the context lasts, and return its address."""
    port = _free_port()
    server = DevServer(f"http://{LOOPBACK}:{port}", folder / "server.log")
    command = [sys.executable, "-m", "uvicorn", "langgraph_api.server:app", "--loop", loop, "--port", str(port)]
    with server.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, cwd=folder, env=environ, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(server, process)
            yield LOOPBACK, port
        finally:
            _stop(process)
