"""Measure the memory of a process that verifies a million different tokens.

Run ``python benchmarks/memory.py [TOKENS]``. A million tokens take about four minutes. The script reads the resident
set from /proc, so it needs Linux.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
from argparse import ArgumentParser
from pathlib import Path

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer

TOKENS = 1_000_000
WARM_UP = 2_000
"""Tokens before the first measurement. By then all modules and keys are loaded."""
REPORTS = 10


def resident() -> float:
    """Return the resident set size in MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1e6


async def main() -> None:
    """Print the growth after each tenth of the tokens."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("tokens", nargs="?", type=int, default=TOKENS, help="number of tokens (default: %(default)s)")
    step = parser.parse_args().tokens // REPORTS
    logging.disable(logging.CRITICAL)
    issuer = LocalIssuer(algorithm="EdDSA")
    permission_map = {"claim": "scope", "accept": ["threads:*"]}
    table = {"issuer": {"issuer": issuer.url, "audience": "agents", "permission_map": permission_map}}
    oidc = OIDCAuth.from_dict(table, fetcher=issuer)

    async def admit(number: int) -> None:
        token = issuer.token(f"user-{number}", scope="threads:write", jti=f"{number:032x}")
        await oidc.authenticate({"authorization": f"Bearer {token}"})

    for number in range(WARM_UP):
        await admit(number)
    start = resident()
    for tenth in range(REPORTS):
        for number in range(step):
            await admit(WARM_UP + tenth * step + number)
        print(f"{(tenth + 1) * step:>9,} tokens: {resident() - start:+.1f} MB", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
