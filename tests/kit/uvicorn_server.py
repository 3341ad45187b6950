"""Run a real server with uvicorn in a separate process, as in production."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kit.sample_users import configuration_for
from kit.server import GRAPH, HERE
from oidc_auth.cli.dev_server import ENVIRONMENT, DevServer, _free_port, _stop, _wait_until_ready
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from oidc_auth.testing import LocalIssuer

ZERO_CODE = "oidc_auth.langgraph:auth"


def environment(folder: Path, issuer: LocalIssuer, auth: str = ZERO_CODE, **http: Any) -> dict[str, str]:
    """Return the environment of a server with the roles of ``kit.sample_users``."""
    tables = configuration_for(issuer)
    # With inline keys, the server needs no provider.
    tables["issuer"]["jwks"] = issuer.key_set()
    return environment_for(folder, tables, auth, **http)


def environment_for(folder: Path, tables: Mapping[str, Any], auth: str = ZERO_CODE, **http: Any) -> dict[str, str]:
    """Return the environment of a server with a configuration."""
    configuration = folder / "oidc-auth.json"
    configuration.write_text(json.dumps(tables), "utf-8")
    return {
        **os.environ,
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE.parent), str(folder)]),
        "OIDC_AUTH_CONFIG": str(configuration),
        "MIGRATIONS_PATH": "__inmem",
        "DATABASE_URI": ":memory:",
        "REDIS_URI": "fake",
        "LANGGRAPH_RUNTIME_EDITION": "inmem",
        "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
        # The header of LangGraph Studio skips our hook, as on a LangSmith deployment.
        "LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev",
        "LANGGRAPH_AUTH": json.dumps({"path": auth}),
        "LANGSERVE_GRAPHS": json.dumps(dict.fromkeys(("agent", "other"), f"{GRAPH}:graph")),
        "LANGGRAPH_HTTP": json.dumps(http),
    }


@contextmanager
def running_uvicorn(
    folder: Path, environ: Mapping[str, str], loop: str = "auto", port: int | None = None
) -> Iterator[tuple[str, int]]:
    """Run ``uvicorn langgraph_api.server:app --loop LOOP`` and return its address."""
    port = port or _free_port()
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
