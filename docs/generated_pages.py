"""Pages of the documentation that are generated as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from markers import GENERATED, page, table

from oidc_auth.cli.doctor import CHECKS as DOCTOR
from oidc_auth.errors import ERROR_DETAILS, ErrorCode
from oidc_auth.permissions.names import ACTIONS, EVENTS, GROUPS, LITERAL_PERMISSIONS, Reach, closure
from oidc_auth.tokens.checks import CHECKS

if TYPE_CHECKING:
    from oidc_auth.cli.doctor.check import Check as DoctorCheck

FOLDER = Path(__file__).parent


def error_codes() -> str:
    """Return the page of all error codes."""
    checked = {check.code for check in CHECKS}
    return page(
        "# Error codes",
        """
This page is for developers and operators who received an error code and want to know what it means. A code never
changes its meaning.
""",
        """
A 401 answer has the code in its body. The server's [log](logging.md) has the same code with more details:
""",
        """
```text
HTTP/1.1 401 Unauthorized
www-authenticate: Bearer error="invalid_token", error_description="..."
```
""",
        """
The client receives the message, and with status 401 and 503 also the code. The log also has the expected value, the
found value and the hint. If the signature is not valid, the client receives `token_invalid`, and the log has the
precise code.
""",
        "## Checks of a token, in their order",
        "All of these answer 401.",
        table(
            ["code", "stage", "source", "message for the client", "hint for the operator"],
            [
                [f"`{c.code}`", c.stage, c.source, ERROR_DETAILS[c.code].client_message, ERROR_DETAILS[c.code].hint]
                for c in CHECKS
            ],
        ),
        "## All other errors",
        table(
            ["code", "status", "message for the client", "hint for the operator"],
            [
                [
                    f"`{code}`",
                    str(ERROR_DETAILS[code].status),
                    ERROR_DETAILS[code].client_message,
                    ERROR_DETAILS[code].hint,
                ]
                for code in ErrorCode
                if code not in checked
            ],
        ),
        GENERATED,
    )


def permissions() -> str:
    """Return the page of all permissions."""
    names = (*EVENTS, *GROUPS, *LITERAL_PERMISSIONS)
    return page(
        "# Permissions",
        "This page is for everyone who writes a permission map or a role and needs the names of permissions.",
        """
```toml
[[issuer]]
preset = "generic"
issuer = "https://id.acme.com"
audience = "agents"
tenant = "org"

[[issuer.permission_map]]
claim = "groups"
values = { users = ["user"], support = ["threads:read@tenant"], admins = ["*@all"] }

[roles]
user = ["threads:write", "assistants:read", "store:write"]
```
""",
        f"""
There are {len(EVENTS)} permissions and {len(GROUPS)} groups. Each permission has the name of the event that it allows.
Two more permissions belong to no single event: `threads:share` names the people who share a thread, and
`threads:resume` resumes paused runs.
""",
        "## Names",
        """
A caller also holds the names that a permission includes. So `"threads:read" in ctx.permissions` is true for a user
with `threads:write`.
""",
        table(["name", "includes"], [[f"`{name}`", _included(name)] for name in names]),
        "## Patterns",
        f"""
Patterns are allowed in a configuration, never in a token.

- `*` is every name.
- `threads:*` is every name of a resource. The resources are {_resources()}.
- `*:read` and `*:write` are all groups of that name.

No pattern and no group includes `threads:share` or `threads:resume`. Name them literally.

`runs:create` is another spelling of `threads:create_run`.
""",
        "## Reach",
        table(
            ["permission", "extends to"],
            [
                ["`threads:read`", "own objects, in the caller's own tenant"],
                ["`threads:read@tenant`", "objects of the caller's tenant. Ignored if the token has no tenant"],
                ["`threads:read@all`", "every object"],
            ],
        ),
        f"""
- If a caller holds a permission twice, the wider reach counts.
- A permission can include names of another resource. Those names extend to own objects only. For example,
  `crons:read@all` includes `threads:read` with the reach "{_reach("crons:read", "threads:read")}".
- Creating an object always creates an own object.
- Store permissions have two reaches, own and `@all`. In `*@tenant` the store part is own.
""",
        "## The store",
        """
The server puts the [store label](glossary.md) of the caller in front of each namespace. Clients see the label in
answers and may send it back.

With `store:...@all`, a namespace that begins with a label or with `*` is not changed. List the namespaces of all users
with the prefix `*`, and then use a label. Any other namespace is the caller's own.
""",
        "## What `threads:create_run` covers",
        """
One request can cause several events. A denial after the first event would reach the client as an empty 200 answer.
So `threads:create_run` also allows these actions on own objects:

- read the result of a run,
- cancel, interrupt and roll back own runs,
- delete a run,
- let the server delete the temporary thread of a stateless run.

It does not allow deleting a thread. `crons:create` also needs `threads:create_run`, because a cron starts runs.
""",
        GENERATED,
    )


def _resources() -> str:
    return ", ".join(f"`{resource}`" for resource in ACTIONS)


def _included(name: str) -> str:
    others = sorted(set(closure(name, Reach.OWN)) - {name})
    return ", ".join(f"`{other}`" for other in others) or "only itself"


def _reach(name: str, included: str) -> str:
    return "own" if closure(name, Reach.ALL)[included] is Reach.OWN else "wider than own"


def doctor() -> str:
    """Return the page of all checks of ``oidc-auth doctor``."""
    return page(
        "# Checks of `oidc-auth doctor`",
        "This page is for operators who ran `oidc-auth doctor` and want to know what a finding means.",
        """
```sh
oidc-auth doctor oidc-auth.toml --url http://127.0.0.1:2024
```
""",
        """
Every check is read-only. An error sets the exit code to 1. Warnings and notes do not. `skipped` means that a check
could not run, for example because the provider did not answer.

The checks see these files, this environment and the answers at this moment. No finding does not prove that a
deployment is safe.
""",
        table(
            ["check", "severity", "passes if"],
            [[f"[{check.id}](#{check.id})", check.severity, check.passes_if] for check in DOCTOR],
        ),
        *(part for check in DOCTOR for part in _section(check)),
        GENERATED,
    )


def _section(check: DoctorCheck) -> list[str]:
    return [f"## {check.id}", check.documentation]


CELLS = {"gives nothing": "no permission", "admitted": "accepted", "as it is": "copied"}


def malformed_claims() -> str:
    """Return the page of what missing, empty and malformed claims do."""
    rules = json.loads((FOLDER / "malformed-claims.json").read_text("utf-8"))
    columns = [
        "missing",
        *(name if value is None else f"{name} `{json.dumps(value)}`" for name, value in rules["values"].items()),
    ]
    return page(
        "# Missing and malformed claims",
        """
This page is for developers who want to know what happens if one claim of a valid token is missing, empty or has the
wrong type.
""",
        "For example, a token without `groups` is accepted, but a permission map on `groups` gives no permission:",
        """
```python
from oidc_auth import OIDCAuth

permission_map = {"claim": "groups", "values": {"users": ["threads:read"]}}
issuer = {"issuer": "https://id.acme.com", "audience": "agents", "permission_map": permission_map}
oidc = OIDCAuth.from_dict({"issuer": issuer})
assert oidc.explain({"sub": "alice", "groups": ["users"]}).allows("threads:read")
assert not oidc.explain({"sub": "alice"}).allows("threads:read")
assert not oidc.explain({"sub": "alice", "groups": 5}).allows("threads:read")
```
""",
        """
A cell has an [error code](error-codes.md) or the effect. "No permission" means that other permission maps still count.
A malformed claim never gives more than the correct claim. The names of the claims are examples.
""",
        table(
            ["claim", "used as", *columns],
            [
                [f"`{row['claim']}`", row["role"], *(_cell(said) for said in row["outcomes"].values())]
                for row in rules["rows"]
            ],
        ),
        """
- Numbers and booleans are compared by their JSON text. Other members of a list are ignored.
- A list with one string is a tenant. A list with two strings is not a tenant.
- `5` is a valid time in the past.
- With `require = { claim = "*" }`, null, a blank string, `[]`, `{}` and a list of such values count as missing.
- If `azp` is missing, `client_id` is used.
""",
        "`python docs/generate.py` generates this page from `malformed-claims.json`. A test checks every cell.",
    )


def _cell(said: str) -> str:
    return f"`{said}`" if "_" in said else CELLS.get(said, said)
