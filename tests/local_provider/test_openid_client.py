"""A certified client library logs in, renews, asks and logs out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from kit.node_packages import install_packages, missing_node, node_executable
from kit.relying_party import REDIRECT_URI, ROBOT, ROBOT_SECRET
from kit.requirements import skip_or_fail

from oidc_auth.local_provider import LocalProvider
from oidc_auth.local_provider.samples import SAMPLE_CLIENTS

PACKAGES = ("openid-client", Path(__file__).parent / "package.json")
SCRIPT = Path(__file__).parent / "login.mjs"


def test_openid_client_accepts_every_answer(tmp_path: Path) -> None:
    skip_or_fail("node", missing_node(*PACKAGES))
    (tmp_path / "node_modules").symlink_to(install_packages(*PACKAGES) / "node_modules")
    script = shutil.copy(SCRIPT, tmp_path)
    # Its checks use the real time. RS256 is what it expects without other settings.
    with LocalProvider(clients=[*SAMPLE_CLIENTS, ROBOT]).served() as url:
        done = subprocess.run(  # noqa: S603 - our own script
            [node_executable() or "node", script, url, REDIRECT_URI, ROBOT_SECRET],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "sub": "alice",
        "roles": ["editor"],
        "active": True,
        "revoked": False,
        "machine": ["robot", "urn:api"],
        "left": REDIRECT_URI,
    }
