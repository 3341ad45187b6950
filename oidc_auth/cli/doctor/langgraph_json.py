"""Checks of langgraph.json: hook, Studio, API keys, routes, headers and CORS."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ...config.raw_document import read_strings, read_table
from ...tokens.extract import SUBPROTOCOL_HEADER
from ..auth_hook import ENTRIES
from ..langgraph_json import AEGRA_ENTRY, CHALLENGE, ENTRY, EXPOSED_HEADERS, WEB_ENTRY
from .check import Check, Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .environment import DoctorEnvironment

HOOK_HINT = f'Set "auth": {{"path": "{ENTRY}", "disable_studio_auth": true}}'
AEGRA_HINT = f'Set "auth": {{"path": "{AEGRA_ENTRY}"}}'
COPIED_TO = {"configurable_headers": "run records", "logging_headers": "log lines"}
WORKING_CORS = {"allow_origins": ["https://app.acme.com"], "allow_methods": ["*"], "allow_headers": ["*"]}
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


def check_auth_hook_configured(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the hook is missing, broken, or not ours.

    Without `auth` in `langgraph.json` or `aegra.json`, every request is allowed.

    `"auth": {"path": "oidc_auth.langgraph:auth"}` needs no code. In `aegra.json`, it is `oidc_auth.aegra:auth`. If
    `auth.path` names your own module, this check imports it, as the server does. It must use `protect()` or
    `authenticate_hook()`. If it uses neither, test the running server with `--url`.
    """
    if environment.langgraph is None:
        raise NotApplicableError(f"no {environment.langgraph_file}")
    if isinstance(environment.langgraph, str):
        yield Finding(f"{environment.langgraph_file} {environment.langgraph}", "Write it as a JSON object.")
        return
    hook = environment.hook
    if not hook.path:
        hint = AEGRA_HINT if environment.is_aegra else HOOK_HINT
        yield Finding(f"{environment.langgraph_file} has no auth.path, so that every request is allowed", hint)
    elif environment.is_aegra and hook.path == ENTRY:
        yield Finding(f"auth.path is {ENTRY!r}, which refuses every request on Aegra", AEGRA_HINT)
    elif hook.error is not None:
        yield from (Finding(f"{problem.where} {problem.message}", problem.hint) for problem in hook.error.problems)
    elif hook.path not in ENTRIES and hook.oidc is None:
        # Info only: another hook can be right. Only a running server shows it.
        what = f"auth.path is {hook.path!r}, which does not use protect() or authenticate_hook()"
        yield Finding(what, "Test the running server: oidc-auth doctor --url http://127.0.0.1:2024", Severity.INFO)


def check_studio_disabled(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the hook can be bypassed with Studio's header.

    Unless `disable_studio_auth` is true, requests with the header `x-auth-scheme: langsmith` bypass the hook.

    `langgraph dev` then skips authentication, and its CORS rule allows every website to send the header. In the cloud,
    LangSmith checks the request instead of the hook. The handlers of this library still refuse such a user
    (`langgraph.studio = "deny"`).
    """
    # Compared with true only: what the server does with another value is not documented.
    if environment.auth().get("disable_studio_auth") is not True:
        yield Finding("auth.disable_studio_auth is not true", 'Set "disable_studio_auth": true next to auth.path.')


def check_langsmith_keys(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that LangSmith API keys replace a token.

    `allow_langsmith_api_keys` accepts every API key of the LangSmith workspace.

    LangSmith, not the hook, then checks every request without an Authorization header.
    """
    if environment.auth().get("allow_langsmith_api_keys"):
        yield Finding(
            "auth.allow_langsmith_api_keys is set",
            "Remove it. Machines can use tokens of your provider (client credentials).",
        )


def check_mount_prefix(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield a prefix that makes GET requests anonymous.

    If `http.mount_prefix` begins with `/ui`, every GET request is neither authenticated nor authorized.

    The server treats these paths as its own pages (tested with langgraph-api 0.16.7). No library can prevent this.
    Use another prefix.
    """
    prefix = environment.http().get("mount_prefix")
    if isinstance(prefix, str) and prefix.startswith("/ui"):
        what = f"http.mount_prefix is {prefix!r}, so that every GET request is anonymous"
        yield Finding(what, 'Use another prefix, such as "mount_prefix": "/agents".')


def check_custom_routes(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that custom routes are anonymous.

    The routes of `http.app` need no token unless `http.enable_custom_route_auth` is true.

    Custom GET routes under `/ui` are always anonymous. `get_client()` without a URL, inside a custom route, calls
    neither the hook nor the handlers, so it can access the objects of all users. Pass the server's URL and the
    caller's token to it.
    """
    http = read_table(environment.any_deployment().get("http"))
    # Its routes check tokens themselves.
    if http.get("app") in (None, "", WEB_ENTRY):
        raise NotApplicableError("no custom routes (http.app)")
    if http.get("enable_custom_route_auth") is not True:
        hint = 'Set "enable_custom_route_auth": true next to http.app.'
        yield Finding(f"the routes of {http['app']} need no token", hint)


def check_token_not_copied(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each setting that copies a header with a credential.

    `http.configurable_headers` and `http.logging_headers` copy request headers into run records and log lines.

    A header with a token or a session cookie must not be among them. Anyone who reads the thread, the traces or the log
    could use it. The server copies a header if a pattern of `includes` matches it and no pattern of `excludes` does
    (`include` and `exclude` are other names for the same lists). `*` matches any characters. Patterns are
    case-sensitive, and header names are in lower case, so `X-*` matches nothing. Without `includes`, nothing is copied.

    This check covers the `header` of each issuer, `authorization`, `proxy-authorization` and `cookie`. With
    `web.websocket_tokens` it also covers `sec-websocket-protocol`. langgraph-api 0.10.3 and 0.16.7 never copy
    `authorization`. Exclude it for other servers.
    """
    document = environment.configuration().document
    # A proxy puts the token into the header of the issuer, such as x-goog-iap-jwt-assertion.
    secret = CREDENTIALS | {table.header for table in document.issuer}
    if document.web is not None and document.web.websocket_tokens:
        secret |= {SUBPROTOCOL_HEADER}
    http = environment.http()
    for key, target in COPIED_TO.items():
        if names := [name for name in sorted(secret) if copies_header(read_table(http.get(key)), name)]:
            listed = ", ".join(f'"{name}"' for name in names)
            yield Finding(
                f"http.{key} copies {', '.join(names)} into {target}",
                f'List single headers in http.{key}.includes, or set "excludes": [{listed}].',
            )


def copies_header(rules: Mapping[str, Any], name: str) -> bool:
    """Tell whether the server copies a header, as langgraph_api.utils.headers does."""
    included = rules.get("includes") or rules.get("include")
    excluded = rules.get("excludes") or rules.get("exclude")
    return _matches_any(included, name) and not _matches_any(excluded, name)


def _matches_any(patterns: object, name: str) -> bool:
    # The server reads a string as a list of its characters. "x-*" includes the pattern "*", which matches everything.
    texts = list(patterns) if isinstance(patterns, str) else read_strings(patterns)
    # The pattern of the server: a literal text with *, over line breaks too.
    return any(re.fullmatch(".*".join(map(re.escape, text.split("*"))), name, re.DOTALL) for text in texts)


def check_challenge_exposed(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that browsers hide the challenge from scripts.

    A script in a browser can read only the response headers that CORS exposes.

    Without `WWW-Authenticate`, a front end cannot distinguish an expired token from a missing permission.

    `http.cors` replaces the CORS rule of the server, so set all four keys. Without `allow_methods` and `allow_headers`,
    browsers send no POST request and no token. Also expose the headers that the server exposes by default
    (`x-pagination-total`, `x-pagination-next`, `Content-Location`). The SDK reads `Location` to continue a stream.

    ```json
    {
      "http": {
        "cors": {
          "allow_origins": ["https://app.acme.com"],
          "allow_methods": ["*"],
          "allow_headers": ["*"],
          "expose_headers": [
            "WWW-Authenticate", "Retry-After", "Location", "Content-Location", "x-pagination-total", "x-pagination-next"
          ]
        }
      }
    }
    ```
    """
    cors = read_table(environment.http().get("cors"))
    exposed = read_strings(cors.get("expose_headers"))
    hint = f'Set "cors": {json.dumps({**WORKING_CORS, **cors, "expose_headers": _exposed(exposed)})} in http.'
    if CHALLENGE.lower() not in {name.lower() for name in exposed}:
        yield Finding(f"http.cors.expose_headers lacks {CHALLENGE}", hint)
    if cors and (missing := [key for key in WORKING_CORS if key not in cors]):
        yield Finding(f"http.cors lacks {', '.join(missing)}, so browsers send no tokens", hint, Severity.WARNING)


def _exposed(names: list[str]) -> list[str]:
    known = {name.lower() for name in names}
    return [*names, *(name for name in EXPOSED_HEADERS if name.lower() not in known)]


CHECKS = (
    Check(
        "auth-hook-configured",
        Severity.ERROR,
        "langgraph.json or aegra.json names a hook of this library",
        check_auth_hook_configured,
    ),
    Check("studio-disabled", Severity.WARNING, "LangGraph Studio cannot bypass the hook", check_studio_disabled),
    Check("langsmith-keys", Severity.ERROR, "LangSmith API keys do not replace a token", check_langsmith_keys),
    Check("mount-prefix", Severity.ERROR, "no mount prefix disables authentication", check_mount_prefix),
    Check("custom-routes", Severity.ERROR, "custom routes are authenticated", check_custom_routes),
    Check(
        "token-not-copied",
        Severity.ERROR,
        "no header with a token is copied into run records or log lines",
        check_token_not_copied,
    ),
    Check("challenge-exposed", Severity.INFO, "scripts in browsers can read WWW-Authenticate", check_challenge_exposed),
)
