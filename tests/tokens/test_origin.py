"""Which pages may use a token that a proxy adds to each request."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from world.tokens import Door, bearer

from oidc_auth.errors import Code, TokenError

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "x-proxy-token"
OWN = "https://app.acme.com"
OTHER = "https://app.acme.com:8443"
EVIL = "https://evil.test"

FOREIGN = (
    [EVIL],
    ["null"],
    [""],
    [" "],
    ["*"],
    ["https://APP.acme.com"],
    ["https://app.acme.com/"],
    ["https://app.acme.com:443"],
    ["https://app.acme.com:8444"],
    ["http://app.acme.com"],
    ["https://acme.com"],
    ["https://x.app.acme.com"],
    ["https://app.acme.com.evil.test"],
    [f"{OWN}, {EVIL}"],
    [f"{OWN} {EVIL}"],
    ["https://äpp.acme.com"],
)
REPEATED = ([OWN, OWN], [OWN, EVIL], [EVIL, OWN])
ORIGINS: tuple[list[str], ...] = ([], [OWN], [OTHER], *FOREIGN, *REPEATED)
OWN_SITES = (["same-origin"], ["none"])
OTHER_SITES = (["same-site"], ["cross-site"], ["Same-Origin"], [""], ["same-origin, none"], ["new-value"])
SITES: tuple[list[str], ...] = ([], *OWN_SITES, *OTHER_SITES, ["same-origin", "same-origin"], ["none", "cross-site"])


def expected(origins: list[str], sites: list[str]) -> Code | None:
    """Return the outcome, from the rules as the documentation has them."""
    if len(origins) > 1 or len(sites) > 1:
        return Code.ORIGIN_NOT_ALLOWED
    if sites in OWN_SITES or origins in ([OWN], [OTHER]) or (origins, sites) == ([], []):
        return None
    return Code.ORIGIN_NOT_ALLOWED


def proxied(token: str, origins: Sequence[str] = (), sites: Sequence[str] = ()) -> list[tuple[Any, Any]]:
    """Return the fields of a request to which a proxy added a token."""
    return [(HEADER, token), *(("Origin", text) for text in origins), *(("sec-fetch-site", text) for text in sites)]


@pytest.fixture(scope="module")
def door() -> Door:
    return Door(header=HEADER, allowed_origins=[OWN, OTHER])


@pytest.mark.parametrize(("origins", "sites"), list(product(ORIGINS, SITES)))
def test_only_own_and_listed_pages_pass(door: Door, origins: list[str], sites: list[str]) -> None:
    assert door.knock(proxied(door.issuer.token(), origins, sites)) is expected(origins, sites)


def test_a_cached_token_is_checked_again() -> None:
    door = Door(header=HEADER)
    token = door.issuer.token()
    seen = [door.knock(proxied(token, [], [site])) for site in ("same-origin", "cross-site", "same-origin")]
    assert seen == [None, Code.ORIGIN_NOT_ALLOWED, None]
    assert door.cached == [False, True]


def test_without_a_list_only_own_pages_pass() -> None:
    door = Door(header=HEADER)
    token = door.issuer.token()
    assert door.knock(proxied(token, [OWN])) is Code.ORIGIN_NOT_ALLOWED
    assert door.knock(proxied(token, [OWN], ["same-origin"])) is None


def test_fields_of_bytes_and_iterators_are_read() -> None:
    door = Door(header=HEADER, allowed_origins=OWN)
    token = door.issuer.token()
    for origin, code in ((OWN, None), (EVIL, Code.ORIGIN_NOT_ALLOWED)):
        fields = proxied(token, [origin])
        raw = [(name.encode(), text.encode()) for name, text in fields]
        assert [door.knock(sent) for sent in (dict(fields), iter(fields), raw, iter(raw))] == [code] * 4


def test_an_invalid_token_is_refused_as_such() -> None:
    door = Door(header=HEADER)
    assert door.knock(proxied(door.issuer.token(lifetime=-100), [EVIL])) is Code.EXPIRED


def test_authorization_is_not_checked_without_a_list() -> None:
    door = Door()
    assert door.knock({**bearer(door.issuer.token()), "origin": EVIL, "sec-fetch-site": "cross-site"}) is None


@pytest.mark.parametrize("allowed", [[], [OWN]])
def test_authorization_is_checked_with_a_list(allowed: list[str]) -> None:
    door = Door(allowed_origins=allowed)
    token = bearer(door.issuer.token())
    assert door.knock({**token, "origin": EVIL, "sec-fetch-site": "cross-site"}) is Code.ORIGIN_NOT_ALLOWED
    assert door.knock({**token, "origin": EVIL, "sec-fetch-site": "same-origin"}) is None
    assert door.knock(token) is None


def test_the_refusal_is_403_and_says_what_was_found() -> None:
    door = Door(header=HEADER, allowed_origins=[OTHER, OWN])
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.oidc.authenticate(proxied(door.issuer.token(), [EVIL], ["cross-site"])))
    heard = refusal.value.challenge()
    assert (heard.status, heard.error, heard.headers()) == (403, None, {})
    assert heard.detail.startswith("origin_not_allowed: ")
    assert EVIL not in heard.detail
    assert refusal.value.found == f"Origin '{EVIL}', Sec-Fetch-Site 'cross-site'"
    assert refusal.value.expected == f"Sec-Fetch-Site same-origin or none, or Origin in {OWN}, {OTHER}"
    assert refusal.value.issuer == door.issuer.url


def test_a_long_origin_is_shown_in_part() -> None:
    door = Door(header=HEADER)
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.oidc.authenticate(proxied(door.issuer.token(), ["x" * 100_000], ["a", "b"])))
    assert len(refusal.value.found) < 200
    assert refusal.value.found.endswith("Sec-Fetch-Site 2 times")
