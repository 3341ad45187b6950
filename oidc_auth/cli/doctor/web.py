"""Checks of the web application: ``[web]``, langgraph.json, MCP clients and the running routes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...config.raw_document import read_strings, read_table
from ...errors import UNAUTHENTICATED, UNAVAILABLE
from ...json_values import is_object
from ...permissions.caller import Caller
from ...tokens.resource import MCP_PATH, METADATA_PATH, Resource
from ..langgraph_json import WEB_ENTRY
from .check import Check, Finding, NotApplicableError, Severity, not_checked, printable
from .running_server import explain_credential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from ...config.schema_server import WebTable
    from .environment import DoctorEnvironment

OK, NOT_FOUND = 200, 404
PKCE = "code_challenge_methods_supported"
NEXT_TO_AUTH = f'Set "http": {{"app": "{WEB_ENTRY}"}} in langgraph.json, or call oidc_auth.web.install in your app.'


def _web(environment: DoctorEnvironment) -> WebTable:
    if (web := environment.configuration().document.web) is None:
        raise NotApplicableError("no [web] in the configuration")
    return web


def check_web_application(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each of the two settings without the other.

    The table `[web]` and `http.app` of `langgraph.json` belong together.

    With `[web]` alone, challenges name metadata that no route serves, and MCP clients cannot log in. With
    `"app": "oidc_auth.web:app"` alone, the server does not start. If `http.app` names your own application, it must
    call `oidc_auth.web.install`.
    """
    app, web = environment.http().get("app"), environment.configuration().document.web
    if web is None and app == WEB_ENTRY:
        hint = 'Add [web] with public_url = "https://agents.acme.com", the address of this server.'
        yield Finding(
            f"http.app is {WEB_ENTRY}, but the configuration has no [web], so the server does not start", hint
        )
    elif web is None:
        raise NotApplicableError("no [web] in the configuration")
    elif not app:
        yield Finding("the configuration has [web], but langgraph.json has no http.app", NEXT_TO_AUTH)


def check_web_address(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the public address and the mount prefix differ.

    `web.public_url` must end with `http.mount_prefix`.

    Clients read the metadata at `public_url` followed by `/.well-known/oauth-protected-resource`, and the server serves
    it below the mount prefix. Ignore this warning if a proxy rewrites the paths.
    """
    web, prefix = _web(environment), environment.http().get("mount_prefix") or ""
    path = urlsplit(web.public_url).path
    if isinstance(prefix, str) and not (path.endswith(prefix) if prefix else not path):
        what = f"the path of web.public_url is {path or '/'!r}, http.mount_prefix is {prefix or 'not set'!r}"
        yield Finding(
            what, f'Set public_url = "{web.public_url.removesuffix(path)}{prefix}", or rewrite paths in a proxy.'
        )


def check_mcp_enabled(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the configuration describes an endpoint that the server does not have.

    With `"disable_mcp": true` in `langgraph.json`, the server has no `/mcp`, so set `mcp = false` in `[web]`.

    Otherwise `/.well-known/oauth-protected-resource/mcp` describes an endpoint that does not exist.
    """
    if _web(environment).mcp and environment.http().get("disable_mcp") is True:
        yield Finding("http.disable_mcp is true, but web.mcp is true", "Set mcp = false in [web].")


def check_mcp_registration(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each provider at which MCP clients cannot register.

    An MCP client without a client id registers itself at the provider.

    It needs `registration_endpoint` (RFC 7591) or `client_id_metadata_document_supported` in the provider's metadata.
    Without both, register a public client at the provider and configure its client id in each MCP client. MCP clients
    also refuse a provider without `S256` in `code_challenge_methods_supported` (RFC 7636).
    """
    if not _web(environment).mcp:
        raise NotApplicableError("web.mcp is false")
    servers = environment.authorization_servers()
    documents = {each.issuer: each.document(discovery=True) for each in environment.providers if each.issuer in servers}
    if not any(documents.values()):
        raise NotApplicableError("no discovery document")
    for issuer, document in documents.items():
        if not document:
            yield not_checked(issuer, "no discovery document")
            continue
        if not (document.get("registration_endpoint") or document.get("client_id_metadata_document_supported") is True):
            what = f"{issuer}: MCP clients cannot register themselves"
            yield Finding(what, "Register a public client there, and configure its client id in each MCP client.")
        if "S256" not in read_strings(document.get(PKCE)):
            hint = "Turn on PKCE with S256 at the provider. MCP clients refuse a provider without it."
            yield Finding(f"{issuer}: its metadata has no S256 in {PKCE}", hint)


def check_server_ready(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the server is not ready, or runs another configuration.

    `ready` shows whether the server has the keys of each issuer, and the digest of its configuration.

    A changed configuration takes effect when the server restarts. Until then, it works with the old one. The digest is
    equal for equal files with equal environment variables. `oidc-auth check` shows that of a file.
    """
    web, loaded = _web(environment), environment.configuration()
    answer = _get(environment, f"{web.prefix}/ready")
    body = _body(answer)
    if answer.status_code not in (OK, UNAVAILABLE) or "configuration" not in body:
        yield Finding(f"GET {answer.url.path}: expected 200; found {answer.status_code}", NEXT_TO_AUTH)
        return
    if (found := body["configuration"]) != loaded.digest:
        what = f"the server runs another configuration: {printable(str(found))[:20]}, not {loaded.digest}"
        yield Finding(what, "Restart the server. A changed file takes effect at its next start.")
    issuers = read_table(body.get("issuers"))
    if missing := [printable(issuer) for issuer, state in issuers.items() if state != "ready"]:
        severity = Severity.WARNING if answer.status_code == OK else None
        hint = "Look into the log of the server for the reason. It tries again on each request to ready."
        yield Finding(f"the server has no keys of {', '.join(missing[:5])}", hint, severity)


def check_metadata_published(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each metadata document that the server does not publish as configured.

    MCP clients read the metadata without a token, and compare `resource` with the address that they use.

    `web.public_url` must be the address of the server as clients see it. If `--url` has another host, for example
    because it is the address behind a proxy, a note names both.
    """
    web, server = _web(environment), environment.running_server()
    for part in (Resource.API, Resource.MCP) if web.mcp else (Resource.API,):
        ending = MCP_PATH if part is Resource.MCP else ""
        answer = _get(environment, METADATA_PATH + ending)
        expected, found = web.public_url + ending, _body(answer).get("resource")
        if answer.status_code != OK:
            yield Finding(f"GET {answer.url.path}: expected 200; found {answer.status_code}", NEXT_TO_AUTH)
        elif found != expected:
            what = f"GET {answer.url.path}: expected resource {expected!r}; found {printable(str(found))!r}"
            yield Finding(what, "Restart the server with this configuration.")
    if (host := urlsplit(web.public_url).netloc) != urlsplit(server.url).netloc:
        what = f"web.public_url has the host {host}, --url has {urlsplit(server.url).netloc}"
        yield Finding(what, "Clients must reach the server at public_url. Test that address too.", Severity.INFO)


def check_whoami(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the server knows the caller of the token by another identity or other permissions.

    `whoami` shows who the server takes the caller for. It must be what the configuration gives.

    A difference means that the server has another configuration, or a `mapper`.
    """
    web = _web(environment)
    explanation, credential = explain_credential(environment)
    answer = _get(environment, f"{web.prefix}/whoami", credential)
    if explanation.refusal and answer.status_code == UNAUTHENTICATED:
        raise NotApplicableError("the token is refused here and there")
    if answer.status_code == UNAVAILABLE:
        raise NotApplicableError("the server answers 503")
    if answer.status_code != OK:
        yield Finding(f"GET {answer.url.path}: expected 200; found {answer.status_code}", NEXT_TO_AUTH)
        return
    body, hint, mask = _body(answer), "Restart the server with this configuration.", environment.running_server().mask
    if (identity := str(body.get("identity"))) != explanation.identity:
        what = f"expected the identity {printable(explanation.identity)!r}; found {mask(identity)[:300]!r}"
        yield Finding(what, hint)
    caller = Caller(identity=explanation.identity, rights={} if explanation.refusal else explanation.rights)
    given, found = set(caller.permissions), set(read_strings(body.get("permissions")))
    for text, names in (("allows", found - given), ("does not allow", given - found)):
        if names:
            yield Finding(f"the server {text} {mask(', '.join(sorted(names)))[:300]}, unlike the configuration", hint)


def _get(environment: DoctorEnvironment, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    answer = environment.running_server().get(path, headers)
    if isinstance(answer, str):
        raise NotApplicableError(answer)
    return answer


def _body(answer: httpx.Response) -> Mapping[str, object]:
    try:
        body: object = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return body if is_object(body) else {}


CHECKS = (
    Check("web-application", Severity.ERROR, "[web] and http.app belong together", check_web_application),
    Check("web-address", Severity.WARNING, "web.public_url ends with the mount prefix", check_web_address),
    Check("mcp-enabled", Severity.WARNING, "the server has the MCP endpoint that [web] describes", check_mcp_enabled),
    Check("mcp-registration", Severity.INFO, "MCP clients can register at each provider", check_mcp_registration),
)
SERVER_CHECKS = (
    Check("server-ready", Severity.ERROR, "the server has keys and runs this configuration", check_server_ready),
    Check(
        "metadata-published",
        Severity.ERROR,
        "the server publishes its metadata as configured",
        check_metadata_published,
    ),
    Check("whoami", Severity.ERROR, "the server knows the caller as configured", check_whoami),
)
