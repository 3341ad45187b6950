"""``protect``: the ``Auth`` object that authenticates and enforces every event."""

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
from .decision_reports import report_replacement
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
    """Return the ``Auth`` object for langgraph.json.

    It has the authenticate hook, a handler for each of the 21 events, and a handler that denies all other events.

    Args:
        *sources: a path to a TOML file, a document, an ``OIDCAuth``, or one or more ``[[issuer]]`` mappings.
        roles: the ``[roles]`` table, together with issuer mappings.
        langgraph: the ``[langgraph]`` table, together with issuer mappings.
        also: your own rules by event (``"threads:create_run"``), async functions of ``ctx`` and ``value``. Each
            runs after ours allowed the event, and can only deny or narrow: return None, False or a filter, or raise.
        replace: handlers that replace ours. What they allow is your responsibility.

    Raises:
        ConfigError: the configuration is wrong or missing, or a rule is for an unknown event.
        ServerNotSupportedError: the installed langgraph-api is too old, or too new for this library.
    """
    oidc = _oidc_auth(sources, {"roles": roles, "langgraph": langgraph})
    rules, instead = dict(also or {}), dict(replace or {})
    # All problems together, so that one start shows every mistake.
    if problems := [*_problems(rules, "also"), *_problems(instead, "replace"), *_check_overlap(rules, instead)]:
        raise ConfigError(problems, source="protect()")
    auth = Auth()
    auth.authenticate(build_hook(oidc))
    for event in EVENTS:
        resource, _, action = event.partition(":")
        # A handler for every event: the server allows an event without a handler.
        replaced = instead.get(event)
        rule = (
            build_handler(event, oidc, rules.get(event))
            if replaced is None
            else report_replacement(event, oidc.reporter, replaced)
        )
        auth.on(resources=resource, actions=action)(cast("Any", rule))
    # The server falls back to this handler, so that a new event of a newer server is denied.
    auth.on(cast("Any", deny_unknown(oidc)))
    # The server prefers a more specific handler to ours, without a message. So no more handlers can be registered.
    auth.on = cast("Any", _RegistrationClosed())
    return auth


def authenticate_hook(oidc: OIDCAuth) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Return the authenticate hook alone, for your own handlers.

    The server allows every event that your handlers do not cover. A line in the log says this. ``protect`` is safer.

    Example::

        auth.authenticate(authenticate_hook(oidc))

    Raises:
        ServerNotSupportedError: the installed langgraph-api is too old, or too new for this library.
    """
    # The default of the server allows, and nothing else would show it.
    logger.warning("authenticate_hook() registers no handlers: the server allows events that yours do not cover")
    return build_hook(oidc)


class _RegistrationClosed:
    """Replaces ``auth.on``; raises an error that names the arguments for custom rules."""

    def __getattr__(self, name: str) -> Never:
        raise _registration_error()

    def __call__(self, *_args: object, **_kwargs: object) -> Never:
        raise _registration_error()


def _registration_error() -> ConfigError:
    message = "protect() registered all handlers; another one would bypass them or never run"
    hint = "use protect(also={'threads:create_run': rule}) or replace="
    return ConfigError([Problem("auth.on", message, hint)])


def _oidc_auth(sources: Sequence[Source], tables: Mapping[str, object]) -> OIDCAuth:
    extra = {name: table for name, table in tables.items() if table is not None}
    if faults := [*_check_sources(sources)]:
        raise ConfigError(faults, source="protect()")
    whole = [source for source in sources if not _is_issuer(source)]
    if not whole:
        return OIDCAuth.from_dict({"issuer": [dict(cast("Mapping[str, Any]", source)) for source in sources], **extra})
    # Two sources could contradict each other, and neither order would be the right one.
    if len(sources) > 1 or extra:
        names = ", ".join(["a whole configuration", *extra]) if extra else "several configurations"
        raise ConfigError([Problem("", f"protect() got {names}", "pass one file, document or OIDCAuth alone")])
    source = whole[0]
    if isinstance(source, OIDCAuth):
        return source
    return OIDCAuth.from_file(source) if isinstance(source, (str, os.PathLike)) else OIDCAuth.from_dict(source)


def _check_sources(sources: Sequence[object]) -> Iterator[Problem]:
    hint = "pass a file, protect('oidc-auth.toml'), a document, an OIDCAuth, or issuers (presets.generic(...))"
    if not sources:
        yield Problem("", "got no configuration", hint)
    for source in sources:
        if not isinstance(source, (OIDCAuth, str, os.PathLike, Mapping)):
            yield Problem("", f"expected a configuration, found {kind_of(source)}", hint)


def _is_issuer(source: Source) -> bool:
    # ``issuer`` is text in an [[issuer]] mapping. In a document it holds tables.
    return not isinstance(source, (OIDCAuth, str, os.PathLike)) and not isinstance(source.get("issuer"), (dict, list))


def _problems(rules: Mapping[str, Rule], where: str) -> list[Problem]:
    unknown = [
        Problem(f"{where}[{event!r}]", "unknown event", _suggest_event(event)) for event in rules if event not in EVENTS
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
    message = "the event also has a handler in replace=, which runs alone"
    return [Problem(f"also[{event!r}]", message, "keep one of the two") for event in also if event in replace]
