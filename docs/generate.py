"""Write the tables of the documentation that come from the code: ``python docs/generate.py``; a test compares them."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from oidc_auth.cli.app import app
from oidc_auth.cli.doctor import CHECKS as DOCTOR
from oidc_auth.errors import MEANINGS, Code
from oidc_auth.permissions.names import ACTIONS, EVENTS, GROUPS, Reach, closure
from oidc_auth.providers import PROVIDERS
from oidc_auth.testing import LocalIssuer, assert_matrix
from oidc_auth.tokens.checks import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from world.routes import Change, Row

    from oidc_auth.cli.doctor.check import Check as DoctorCheck
    from oidc_auth.providers.record import Provider

FOLDER = Path(__file__).parent
# The table of routes belongs to the tests that drive it.
sys.path.append(str(FOLDER.parent / "tests"))


def refusals() -> str:
    """Return the page of all refusals."""
    checks = [_refusal(check.code, check.stage, check.source) for check in CHECKS]
    others = [_refusal(code, "", "") for code in Code if code not in {check.code for check in CHECKS}]
    return "\n".join(
        [
            "# Refusals",
            "",
            "Generated from the code by `python docs/generate.py`.",
            "",
            "A client hears one sentence, and with 401 and 503 the code; the server's log also says what was expected,",
            "what was found and the cure. Codes never change their meaning.",
            "",
            "## A token's checks, in the order of its road",
            "",
            "| code | stage | source | the client hears | cure |",
            "|---|---|---|---|---|",
            *checks,
            "",
            "## All other refusals",
            "",
            "| code | status | the client hears | cure |",
            "|---|---|---|---|",
            *others,
            "",
        ]
    )


def _refusal(code: Code, stage: str, source: str) -> str:
    meaning = MEANINGS[code]
    where = f"{stage} | {source}" if stage else str(meaning.status)
    return f"| `{code}` | {where} | {meaning.says} | {meaning.cure} |"


def permissions() -> str:
    """Return the page of all permissions."""
    names = [*EVENTS, *GROUPS]
    return "\n".join(
        [
            "# Permissions",
            "",
            "Generated from the code by `python docs/generate.py`.",
            "",
            f"{len(EVENTS)} permissions, each named like the event it allows, and {len(GROUPS)} groups. What a name",
            'includes is put into `permissions`: `"threads:read" in ctx.permissions` is true for a writer too.',
            "",
            "| name | includes |",
            "|---|---|",
            *(f"| `{name}` | {_included(name)} |" for name in names),
            "",
            f"In a configuration, `*` is every name, `threads:*` every name of a resource ({_resources()}), `*:read`",
            "and `*:write` the groups of that name; `runs:create` is understood as `threads:create_run`.",
            "",
            "## How far a permission reaches",
            "",
            "| written | reaches |",
            "|---|---|",
            "| `threads:read` | one's own objects, in one's own tenant |",
            "| `threads:read@tenant` | the objects of one's tenant; without a tenant the right vanishes |",
            "| `threads:read@all` | every object |",
            "",
            "The wider of two counts. What a name includes of *another* resource is for own objects only",
            f"(`crons:read@all` includes `threads:read`, {_reach('crons:read', 'threads:read')}). The store is",
            "one's own or, with `@all`, everybody's; in `*@tenant` its part stays own. Creating is for oneself.",
            "",
            "A store namespace gets its owner's label in front, which clients see in answers and may send back.",
            "With `store:...@all`, a namespace that begins with a label, or with `*`, is left as it is (list",
            "everybody's with the prefix `*`, then name a label); any other is one's own.",
            "",
            "## What `threads:create_run` covers",
            "",
            "A call must be decided at its first event: a later refusal would reach the client as an empty 200, or",
            "never. So whoever may run may also, among their own objects only, read the result, cancel, interrupt and",
            "roll back their runs, delete a run, and let the server remove the temporary thread of a stateless run.",
            "They may not delete a thread.",
            "",
            "`crons:create` needs `threads:create_run` beside it: a cron is a run tomorrow.",
            "",
        ]
    )


def _resources() -> str:
    return ", ".join(f"`{resource}`" for resource in ACTIONS)


def _included(name: str) -> str:
    others = sorted(set(closure(name, Reach.OWN)) - {name})
    return ", ".join(f"`{other}`" for other in others) or "itself only"


def _reach(name: str, included: str) -> str:
    return "own" if closure(name, Reach.ALL)[included] is Reach.OWN else "not only own"


def providers() -> str:
    """Return the page of all presets."""
    return "\n".join(
        [
            "# Providers",
            "",
            "Generated from the code by `python docs/generate.py`.",
            "",
            "This page lists what each preset sets, and the document that states it. A key that you write replaces the",
            "preset's value; `require` and `required_claims` are merged. For a provider that is not listed, see",
            "[recipes](recipes.md). `oidc-auth init PROVIDER` writes a configuration and prints the steps.",
            *(line for provider in PROVIDERS.values() for line in _provider(provider)),
            "",
        ]
    )


def _keys(claim: str | list[str]) -> list[str]:
    return [claim] if isinstance(claim, str) else claim


def _provider(provider: Provider) -> list[str]:
    form, tokens = provider.issuer, provider.tokens
    keys = ", ".join(f"`{key}`" for key in form.keys if key != "issuer")
    claims = ", ".join(
        f"`{'.'.join(_keys(grant['claim']))}`{', its keys' if grant.get('keys') else ''}"
        for grant in tokens.grants.value
    )
    rows = [("`issuer`", f"`{form.template}`", form.source)]
    rows += [(f"`{key}`", f"`{fixed.value}`", fixed.source) for key, fixed in tokens.settings.items()]
    rows += [("default grant", claims or "none: write your own", tokens.grants.source)]
    hints = [_hint(code, hint) for code, hint in _hints(provider)]
    aliases = ", ".join(f"`{alias}`" for alias in provider.aliases)
    return [
        "",
        f"## {provider.name}",
        "",
        *([f"`oidc-auth init` accepts the aliases {aliases}.", ""] if aliases else []),
        *([f"Takes {keys}, or `issuer`.", ""] if keys else []),
        *(f"Takes `{key}`, if it is not the `{other}`.\n" for key, other in form.defaults.items()),
        *provider.notes,
        "| | | source |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        *(["", "| refusal | usual cause |", "|---|---|", *hints] if hints else []),
    ]


def _hints(provider: Provider) -> Iterator[tuple[Code, str]]:
    yield from ((mistake.code, mistake.hint) for mistake in provider.mistakes)
    # A usual cause can also be the hint of a mistake.
    known = {mistake.hint for mistake in provider.mistakes}
    yield from ((code, hint) for code, hint in provider.hints.items() if hint not in known)


def _hint(code: Code, hint: str) -> str:
    texts = {"{the_client}": "the client", "{client}": "`<client>`", "{audience}": "`<audience>`"}
    texts |= {"{kind}": "refresh, offline or logout", "{issuer}": "the token's `iss`"}
    for placeholder, text in texts.items():
        hint = hint.replace(placeholder, text)
    # Markdown would take <your API id> for an HTML element.
    return f"| `{code}` | {re.sub('(?<!`)<', '&lt;', hint)} |"


def doctor() -> str:
    """Return the page of all checks of ``oidc-auth doctor``; each section is its file's own docstring."""
    return "\n".join(
        [
            "# What `oidc-auth doctor` looks at",
            "",
            "Generated from the code by `python docs/generate.py`.",
            "",
            "Every check is read-only. An error ends the command with exit status 1; warnings and notes do not. That a",
            "check finds nothing proves little: it looks at these files, this environment and these answers, now.",
            "`skipped` says what could not be looked at, such as a provider that did not answer beside one that did.",
            "",
            "| check | severity | what holds when it finds nothing |",
            "|---|---|---|",
            *(f"| [{check.id}](#{check.id}) | {check.severity} | {check.expects} |" for check in DOCTOR),
            "",
            *(line for check in DOCTOR for line in _section(check)),
        ]
    )


def _section(check: DoctorCheck) -> list[str]:
    text = sys.modules[check.find.__module__].__doc__ or ""
    return [f"## {check.id}", "", text.strip(), ""]


def odd_claims() -> str:
    """Return the page of what missing, empty and mistyped claims do."""
    table = json.loads((FOLDER / "odd_claims.json").read_text("utf-8"))
    columns = [
        "missing",
        *(name if value is None else f"{name} `{json.dumps(value)}`" for name, value in table["values"].items()),
    ]
    rows = [
        [f"`{row['claim']}`", row["role"], *(_cell(said) for said in row["outcomes"].values())] for row in table["rows"]
    ]
    return "\n".join(
        [
            "# Odd claims",
            "",
            "Generated by `python docs/generate.py` from `odd_claims.json`, every cell of which is a test.",
            "",
            "What becomes of a token that is right but for one claim, which is missing, null, empty or of the wrong",
            'type. A code is a [refusal](refusals.md); "gives nothing" means that the other grants still count. None',
            "is ever more than what the right claim gives. The claims' names are examples, their roles are not.",
            "",
            f"| claim | as | {' | '.join(columns)} |",
            f"|{'---|' * (len(columns) + 2)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            "Beside these: a list's members that are no strings are ignored; a list of one string is a tenant, one of",
            "two is none; `5` is a time like any other, long past. An empty text is present for `required_claims`, and",
            "null is not. Where `azp` is missing, `client_id` is asked.",
            "",
        ]
    )


def _cell(said: str) -> str:
    return f"`{said}`" if "_" in said or said == "expired" else said


# --- screens: what the commands print, put into pages that are written by hand ----------------------------------------

QUICKSTART = "examples/quickstart/oidc-auth.toml"
ALICE = '{"sub": "alice", "org": "acme", "roles": ["viewer", "Editor"], "groups": ["agents-admins"]}'
PORT = re.compile(r"(http://127\.0\.0\.1):\d{5}")


def _ran(command: str, given: str = "", **environ: str) -> str:
    """Return a command's line and what it prints, as in a terminal of 120 columns."""
    fixed = {"COLUMNS": "120", "OIDC_ISSUER": "https://issuer.test", "OIDC_AUTH_TOKEN": ""}
    words = shlex.split(command)
    with contextlib.chdir(FOLDER.parent):
        printed = CliRunner().invoke(app, words[1:], input=given, env={**fixed, **environ}).output
    shown = f"$ {command}" if not given else f"$ echo '{given}' | {command}"
    return "\n".join(line.rstrip() for line in PORT.sub(r"\1:38080", f"{shown}\n{printed}").splitlines())


def _init() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = "oidc-auth init keycloak --url https://sso.acme.com/realms/acme --audience agents --dir my-agent"
        return _ran(command.replace("my-agent", f"{folder}/my-agent")).replace(f"{folder}/", "")


def _doctor() -> str:
    issuer = LocalIssuer(algorithm="ES256")
    with tempfile.TemporaryDirectory() as folder, issuer.served() as url:
        toml = f'[[issuer]]\npreset = "generic"\nissuer = "{url}/"\naudience = "agents"\n'
        (Path(folder) / "oidc-auth.toml").write_text(toml, encoding="utf-8")
        hook = {"path": "oidc_auth.langgraph:auth"}
        (Path(folder) / "langgraph.json").write_text(
            json.dumps({"dependencies": [".", "langgraph-oidc-auth"], "auth": hook}), encoding="utf-8"
        )
        return _ran(f"oidc-auth doctor {folder}/oidc-auth.toml").replace(f"{folder}/", "")


def _matrix() -> str:
    config = tomllib.loads((FOLDER.parent / QUICKSTART).read_text("utf-8"))
    config["issuer"][0]["issuer"] = "https://issuer.test"
    config["roles"]["viewer"] = ["threads:write", "assistants:read", "store:read"]
    page = (FOLDER / "testing.md").read_text("utf-8")
    table = page.partition('TABLE = """')[2].partition('"""')[0]
    people = {name: {"roles": [name], "org": "acme"} for name in ("viewer", "editor", "admin")}
    try:
        assert_matrix(config, table, people)
    except AssertionError as failure:
        return str(failure).replace("of mapping", "of oidc-auth.toml")
    return "nothing differs"


SCREENS: Mapping[str, Callable[[], str]] = {
    "init": _init,
    "check": lambda: _ran(f"oidc-auth check {QUICKSTART}"),
    "explain": lambda: _ran(f"oidc-auth explain {QUICKSTART} --claims -", ALICE),
    "can": lambda: _ran(f"oidc-auth can {QUICKSTART} --claims - threads:delete", ALICE),
    "can-json": lambda: _ran(f"oidc-auth can {QUICKSTART} --claims - threads:read@tenant --json", ALICE),
    "label": lambda: _ran(f"oidc-auth label {QUICKSTART} --claims -", ALICE),
    "doctor": _doctor,
    "matrix": _matrix,
}


def with_screens(page: str) -> str:
    """Return a page with its screens as the commands print them now."""
    text = (FOLDER / page).read_text("utf-8")
    block = re.compile(r"(<!-- screen: (\S+) -->\n```text\n).*?```", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{SCREENS[found[2]]()}\n```", text)


def _routes() -> str:
    from world.routes import ROWS, Sees  # noqa: PLC0415 - found once the path above is set

    lines = ["| route | events | permission | it may touch | a stranger sees |", "|---|---|---|---|---|"]
    for row in ROWS:
        asked = ", ".join([*row.events, *(f"({event})" for event in row.worker)])
        needs = ", ".join(need.replace(" or ", "` or `").join("``") for need in row.needs)
        lines.append(f"| {_route(row.route, row.variant)} | {asked} | {needs} | {row.filter} | {row.stranger} |")
    lines += ["", "Who lacks the permission gets 403, also for what is their own, except here:", ""]
    for row in ROWS:
        others = {need: row.lacking(need) for need in row.needs if row.lacking(need) is not Sees.FORBIDDEN}
        lines += [f"- {_route(row.route, row.variant)} without {need}: {sees}" for need, sees in others.items()]
    lines += ["", "Newer servers answer differently here:", ""]
    lines += [_changed(row, change) for row in ROWS for change in row.changes]
    return "\n".join(lines)


def _changed(row: Row, change: Change) -> str:
    answers = {"a stranger sees": change.stranger, "without the permission": change.without}
    told = "; ".join(f"{who}: {sees}" for who, sees in answers.items() if sees)
    return f"- {_route(row.route, row.variant)}, langgraph-api {change.since} and newer: {told}"


def _route(route: str, variant: str = "") -> str:
    return f"`{route}`, {variant}" if variant else f"`{route}`"


def _unfiltered(name: str) -> str:
    from world import routes  # noqa: PLC0415 - found once the path above is set

    found: Mapping[str, str] = getattr(routes, name)
    return "\n".join(
        ["| route | what it is |", "|---|---|", *(f"| `{route}` | {what} |" for route, what in found.items())]
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "routes": _routes,
    "token-only": lambda: _unfiltered("TOKEN_ONLY"),
    "open": lambda: _unfiltered("OPEN"),
    "development": lambda: _unfiltered("OPEN_IN_DEVELOPMENT"),
}


def with_tables(page: str) -> str:
    """Return a page with the tables that the tests of the server drive."""
    text = (FOLDER / page).read_text("utf-8")
    block = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


PAGES: Mapping[str, Callable[[], str]] = {
    "refusals.md": refusals,
    "permissions.md": permissions,
    "providers.md": providers,
    "doctor.md": doctor,
    "enforcement.md": lambda: with_tables("enforcement.md"),
    "odd_claims.md": odd_claims,
    "command-line.md": lambda: with_screens("command-line.md"),
    "testing.md": lambda: with_screens("testing.md"),
}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (FOLDER / page).write_text(write(), encoding="utf-8")
