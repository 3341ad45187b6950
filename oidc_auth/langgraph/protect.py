"""``protect``: an ``Auth`` object that authenticates and enforces, every event registered, nothing left to chance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Never, cast

from langgraph_sdk import Auth

from ..authentication import OIDCAuth
from ..config.raw_document import did_you_mean, kind_of
from ..errors import ConfigError, Problem
from ..observability import logger
from ..permissions.names import ALIASES, EVENTS
from .handlers import build_handler, deny_unknown
from .hook import build_hook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    Rule = Callable[..., Awaitable[Any]]
    Source = OIDCAuth | str | os.PathLike[str] | Mapping[str, Any]


def protect(
    *sources: Source,
    roles: Mapping[str, Sequence[str] | Mapping[str, Any]] | None = None,
    langgraph: Mapping[str, Any] | None = None,
    also: Mapping[str, Rule] | None = None,
    replace: Mapping[str, Rule] | None = None,
) -> Auth:
    """Return the ``Auth`` object for langgraph.json: the hook, a handler for each of the 21 events, and a global deny.

    Args:
        *sources: a path to a TOML file, a document, an ``OIDCAuth``, or one or more ``[[issuer]]`` mappings.
        roles: the ``[roles]`` table, beside issuer mappings.
        langgraph: the ``[langgraph]`` table, beside issuer mappings.
        also: your own rules by event (``"threads:create_run"``), async functions of ``ctx`` and ``value``. Each runs
            after ours said yes, and may only refuse or narrow: return None, False or a filter, or raise.
        replace: handlers that stand in place of ours: what they allow is your responsibility.

    Raises:
        ConfigError: the configuration is wrong or not there, or a rule is not for an event there is.
        ServerNotSupportedError: the installed langgraph-api is too old, or too new for this library.
    """
    oidc = _oidc_auth(sources, {"roles": roles, "langgraph": langgraph})
    theirs, instead = dict(also or {}), dict(replace or {})
    if problems := [*_problems(theirs, "also"), *_problems(instead, "replace"), *_check_overlap(theirs, instead)]:
        raise ConfigError(problems, source="protect()")
    auth = Auth()
    auth.authenticate(build_hook(oidc))
    for event in EVENTS:
        resource, _, action = event.partition(":")
        rule = instead.get(event) or build_handler(event, oidc, theirs.get(event))
        auth.on(resources=resource, actions=action)(cast("Any", rule))
    auth.on(cast("Any", deny_unknown(oidc)))
    # A more specific handler would win over ours, silently: nothing more may be registered on this object.
    auth.on = cast("Any", _RegistrationClosed())
    return auth


def authenticate_hook(oidc: OIDCAuth) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return the authenticate hook alone, for handlers of your own: ``auth.authenticate(authenticate_hook(oidc))``.

    What you do not handle is then allowed by the server, and a line in its log says so: ``protect`` is the safe form.

    Raises:
        ServerNotSupportedError: the installed langgraph-api is too old, or too new for this library.
    """
    logger.warning("only the authenticate hook is ours: what your own handlers do not cover, the server allows")
    return build_hook(oidc)


class _RegistrationClosed:
    """Stands where ``auth.on`` was: says where a rule of one's own belongs."""

    def __getattr__(self, name: str) -> Never:
        raise _registration_error()

    def __call__(self, *_args: object, **_kwargs: object) -> Never:
        raise _registration_error()


def _registration_error() -> ConfigError:
    message = "protect() has registered every handler: another one beside them would bypass it, or never run"
    return ConfigError(
        [Problem("auth.on", message, "give it to protect(also={'threads:create_run': rule}) or replace=")]
    )


def _oidc_auth(sources: Sequence[Source], tables: Mapping[str, object]) -> OIDCAuth:
    extra = {name: table for name, table in tables.items() if table is not None}
    if faults := [*_check_sources(sources)]:
        raise ConfigError(faults, source="protect()")
    whole = [source for source in sources if not _is_issuer(source)]
    if not whole:
        return OIDCAuth.from_dict({"issuer": [dict(cast("Mapping[str, Any]", source)) for source in sources], **extra})
    if len(sources) > 1 or extra:
        names = ", ".join(["a whole configuration", *extra]) if extra else "several configurations"
        raise ConfigError([Problem("", f"protect() was given {names}", "give one file, document or OIDCAuth alone")])
    source = whole[0]
    if isinstance(source, OIDCAuth):
        return source
    return OIDCAuth.from_file(source) if isinstance(source, (str, os.PathLike)) else OIDCAuth.from_dict(source)


def _check_sources(sources: Sequence[object]) -> Iterator[Problem]:
    hint = "give it a file, protect('oidc-auth.toml'), a document, an OIDCAuth, or issuers (presets.generic(...))"
    if not sources:
        yield Problem("", "was given no configuration, and does not look for one", hint)
    for source in sources:
        if not isinstance(source, (OIDCAuth, str, os.PathLike, Mapping)):
            yield Problem("", f"{kind_of(source)} is no configuration", hint)


def _is_issuer(source: Source) -> bool:
    """An ``[[issuer]]`` mapping names its issuer; a document's ``issuer`` holds tables."""
    return not isinstance(source, (OIDCAuth, str, os.PathLike)) and not isinstance(source.get("issuer"), (dict, list))


def _problems(rules: Mapping[str, Rule], where: str) -> list[Problem]:
    unknown = [
        Problem(f"{where}[{e!r}]", "there is no such event", _suggest_event(e)) for e in rules if e not in EVENTS
    ]
    sync = [
        Problem(f"{where}[{event!r}]", "is not an async function", "write 'async def rule(ctx, value)'")
        for event, rule in rules.items()
        if not iscoroutinefunction(rule)
    ]
    return unknown + sync


def _suggest_event(event: str) -> str:
    return f"did you mean {ALIASES[event]!r}?" if event in ALIASES else did_you_mean(event, EVENTS)


def _check_overlap(also: Mapping[str, Rule], replace: Mapping[str, Rule]) -> list[Problem]:
    return [
        Problem(
            f"also[{event!r}]",
            "ours is replaced for this event, so nothing runs before it",
            "keep one of the two",
        )
        for event in also
        if event in replace
    ]
