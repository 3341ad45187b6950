"""Equal configurations of a process share one ``OIDCAuth``, and so its keys and cached tokens."""

from __future__ import annotations

import asyncio
import gc
import json
import runpy
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from kit.web import bearer, web_document

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.hook import find_oidc_auth
from oidc_auth.observability import AuthenticationDecided
from oidc_auth.shared_objects import SharedObjects, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from oidc_auth import Caller
    from oidc_auth.testing import LocalIssuer

MINE = """
import os
from starlette.applications import Starlette
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.web import install

def mapper(claims, caller):
    return caller

oidc = OIDCAuth.from_file(os.environ["MY_CONFIGURATION"], mapper=mapper)
auth = protect(oidc)
app = Starlette()
install(app, oidc)
"""


@pytest.fixture
def mine(tmp_path: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of the user that the server executes twice."""
    configuration = tmp_path / "oidc-auth.json"
    configuration.write_text(json.dumps(web_document(issuer)))
    monkeypatch.setenv("MY_CONFIGURATION", str(configuration))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_file_executed_twice_shares_object(mine: Path) -> None:
    first, second = (runpy.run_path(str(mine), run_name=name) for name in ("user_auth", "user_router"))
    assert first["mapper"] is not second["mapper"]
    assert first["oidc"] is second["oidc"]
    assert find_oidc_auth(first["auth"]) is second["oidc"]


def test_both_entry_points_share_object(mine: Path, issuer: LocalIssuer) -> None:
    program = (
        "import sys, oidc_auth.langgraph as hook, oidc_auth.web as web; "
        "from oidc_auth.langgraph.hook import find_oidc_auth; "
        "[middleware] = web.app.user_middleware; "
        "print(middleware.kwargs['oidc'] is find_oidc_auth(hook.auth), web.app is web.app)"
    )
    configuration = str(mine.parent / "oidc-auth.json")
    ran = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "OIDC_AUTH_CONFIG": configuration},
        cwd=mine.parent.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout.split() == ["True", "True"], ran.stderr


def test_keys_and_tokens_are_fetched_once(issuer: LocalIssuer) -> None:
    events: list[Any] = []
    token = bearer(issuer.token(scope="threads:read"))

    async def both() -> None:
        for _ in range(2):
            oidc = OIDCAuth.from_dict(web_document(issuer), fetcher=issuer, observer=events.append)
            kept.append(oidc)
            await oidc.authenticate(token)

    kept: list[OIDCAuth] = []
    asyncio.run(both())
    cached = [event.cached for event in events if isinstance(event, AuthenticationDecided)]
    assert (cached, len(issuer.fetched), kept[0] is kept[1]) == ([False, True], 2, True)


def other_mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
    del claims
    return caller


class Mappers:
    """Methods as mappers."""

    def one(self, claims: Any, caller: Caller) -> Caller:
        return caller

    def two(self, claims: Any, caller: Caller) -> Caller:
        return caller


def closure(value: int) -> Callable[..., Any]:
    return lambda claims, caller: (claims, caller, value)[1]


def with_default(value: int) -> Callable[..., Any]:
    def mapper(claims: Any, caller: Caller, default: int = value) -> Caller:
        return caller

    return mapper


def with_keyword_default(value: int) -> Callable[..., Any]:
    def mapper(claims: Any, caller: Caller, *, default: int = value) -> Caller:
        return caller

    return mapper


def executed(value: int) -> Any:
    """Return a function of code without a file. Its globals can differ."""
    namespace: dict[str, Any] = {"value": value}
    exec("def mapper(claims, caller): return value", namespace)  # noqa: S102
    return namespace["mapper"]


M = Mappers()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"mapper": other_mapper}),
        ({"mapper": M.one}, {"mapper": M.two}),
        ({"mapper": M.one}, {"mapper": Mappers().one}),
        ({"mapper": closure(1)}, {"mapper": closure(2)}),
        ({"mapper": with_default(1)}, {"mapper": with_default(2)}),
        ({"mapper": with_keyword_default(1)}, {"mapper": with_keyword_default(2)}),
        ({"mapper": executed(1)}, {"mapper": executed(2)}),
        ({"mapper": partial(other_mapper)}, {"mapper": partial(other_mapper)}),
        ({"observer": print}, {"observer": other_mapper}),
        ({"clock": lambda: 1.0}, {"clock": lambda: 2.0}),
    ],
)
def test_different_options_are_not_shared(issuer: LocalIssuer, first: Any, second: Any) -> None:
    document = web_document(issuer)
    one, two = (OIDCAuth.from_dict(document, **{"fetcher": issuer, **options}) for options in (first, second))
    assert one is not two
    assert one is OIDCAuth.from_dict(document, **{"fetcher": issuer, **first})


@pytest.mark.parametrize(
    "change",
    [{"audience": "other"}, {"leeway": 31}, {"default_role": "guest"}, {"web": {"mcp": False}}],
)
def test_different_configurations_are_not_shared(issuer: LocalIssuer, change: Any) -> None:
    roles = {"roles": {"guest": ["threads:read"]}}
    one = OIDCAuth.from_dict({**web_document(issuer), **roles}, fetcher=issuer)
    two = OIDCAuth.from_dict({**web_document(issuer, **change), **roles}, fetcher=issuer)
    assert one is not two


def test_subclasses_are_not_shared(issuer: LocalIssuer) -> None:
    class Mine(OIDCAuth):
        """A subclass of the user."""

    document = web_document(issuer)
    plain, mine = OIDCAuth.from_dict(document, fetcher=issuer), Mine.from_dict(document, fetcher=issuer)
    assert (type(plain), type(mine)) == (OIDCAuth, Mine)


def test_unused_object_is_forgotten(issuer: LocalIssuer) -> None:
    found = weakref.ref(OIDCAuth.from_dict(web_document(issuer), fetcher=issuer))
    gc.collect()
    assert found() is None


class Made:
    """An object that can be forgotten."""


def test_threads_share_object() -> None:
    shared: SharedObjects[Made] = SharedObjects()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: shared.get_or_create("key", Made), range(64)))
    assert len(set(map(id, found))) == 1


def test_failed_creation_is_repeated() -> None:
    shared: SharedObjects[Made] = SharedObjects()
    with pytest.raises(ZeroDivisionError):
        shared.get_or_create("key", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert isinstance(shared.get_or_create("key", Made), Made)


def test_order_of_options_does_not_matter() -> None:
    assert key_of({"a": print, "b": len}) == key_of({"b": len, "a": print})
