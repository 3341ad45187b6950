"""Authorization can be gone round in some versions of the packages beside this library.

`langgraph-sdk` before 0.4.6: `actions=` was ignored when handlers were registered (CVE-2026-104873), and ids could
leave their path (CVE-2026-48776, CVE-2026-118667). `langgraph-checkpoint-postgres` and `-sqlite` before 3.1.1: a
store namespace also matched its neighbours (CVE-2026-71433). `langgraph-api` before 0.7.33: the server ignored the
store namespace that our handler writes, so that users read and overwrote each other's items. `pyjwt` before 2.15.1:
the fixes for its 2026 advisories.

`protect()` refuses to start on a `langgraph-api` before 0.10.3, the oldest version it was tested on.

This looks at the environment that runs `oidc-auth`: run it where the server runs.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ...langgraph.server_version import OLDEST_SERVER, SERVER, is_older
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .surroundings import Surroundings

FIXED: Mapping[str, tuple[str, str]] = {
    "langgraph-sdk": ("0.4.6", "CVE-2026-104873, CVE-2026-48776, CVE-2026-118667"),
    "langgraph-checkpoint-postgres": ("3.1.1", "CVE-2026-71433"),
    "langgraph-checkpoint-sqlite": ("3.1.1", "CVE-2026-71433"),
    SERVER: ("0.7.33", "users read and overwrite each other's store items"),
    "pyjwt": ("2.15.1", "its 2026 advisories"),
}


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each installed package that is older than its fix."""
    del surroundings
    for package, (fixed, advisories) in FIXED.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue
        oldest = OLDEST_SERVER if package == SERVER else fixed
        if is_older(installed, fixed):
            yield Finding(f"{package} {installed}: {advisories}", f"pip install '{package}>={oldest}'")
        elif is_older(installed, oldest):
            yield Finding(
                f"{package} {installed}: protect() refuses to start below {oldest}",
                f"pip install '{package}>={oldest}'",
            )


CHECK = Check(Severity.ERROR, "no installed package has a known hole", find)
