"""Which pages may use a token that a proxy adds to each request."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer

from oidc_auth.errors import ErrorCode, TokenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.snapshots import Messages

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


def expected(origins: list[str], sites: list[str]) -> ErrorCode | None:
    """Return the outcome, from the rules as the documentation has them."""
    if len(origins) > 1 or len(sites) > 1:
        return ErrorCode.ORIGIN_NOT_ALLOWED
    if sites in OWN_SITES or origins in ([OWN], [OTHER]) or (origins, sites) == ([], []):
        return None
    return ErrorCode.ORIGIN_NOT_ALLOWED


def proxied(token: str, origins: Sequence[str] = (), sites: Sequence[str] = ()) -> list[tuple[Any, Any]]:
    """Return the fields of a request to which a proxy added a token."""
    return [(HEADER, token), *(("Origin", text) for text in origins), *(("sec-fetch-site", text) for text in sites)]


@pytest.fixture(scope="module")
def harness() -> AuthHarness:
    return AuthHarness(header=HEADER, allowed_origins=[OWN, OTHER])


@pytest.mark.parametrize(("origins", "sites"), list(product(ORIGINS, SITES)))
def test_only_own_and_listed_pages_pass(harness: AuthHarness, origins: list[str], sites: list[str]) -> None:
    assert harness.authenticate(proxied(harness.issuer.token(), origins, sites)) is expected(origins, sites)


def test_cached_token_is_checked_again() -> None:
    harness = AuthHarness(header=HEADER)
    token = harness.issuer.token()
    seen = [harness.authenticate(proxied(token, [], [site])) for site in ("same-origin", "cross-site", "same-origin")]
    assert seen == [None, ErrorCode.ORIGIN_NOT_ALLOWED, None]
    assert harness.cached == [False, True]


def test_without_list_only_own_pages_pass() -> None:
    harness = AuthHarness(header=HEADER)
    token = harness.issuer.token()
    assert harness.authenticate(proxied(token, [OWN])) is ErrorCode.ORIGIN_NOT_ALLOWED
    assert harness.authenticate(proxied(token, [OWN], ["same-origin"])) is None


def test_fields_of_bytes_and_iterators_are_read() -> None:
    harness = AuthHarness(header=HEADER, allowed_origins=OWN)
    token = harness.issuer.token()
    for origin, code in ((OWN, None), (EVIL, ErrorCode.ORIGIN_NOT_ALLOWED)):
        fields = proxied(token, [origin])
        raw = [(name.encode(), text.encode()) for name, text in fields]
        assert [harness.authenticate(sent) for sent in (dict(fields), iter(fields), raw, iter(raw))] == [code] * 4


def test_invalid_token_is_refused_as_such() -> None:
    harness = AuthHarness(header=HEADER)
    assert harness.authenticate(proxied(harness.issuer.token(lifetime=-100), [EVIL])) is ErrorCode.TOKEN_EXPIRED


def test_authorization_is_not_checked_without_list() -> None:
    harness = AuthHarness()
    assert (
        harness.authenticate({**bearer(harness.issuer.token()), "origin": EVIL, "sec-fetch-site": "cross-site"}) is None
    )


@pytest.mark.parametrize("allowed", [[], [OWN]])
def test_authorization_is_checked_with_list(allowed: list[str]) -> None:
    harness = AuthHarness(allowed_origins=allowed)
    token = bearer(harness.issuer.token())
    assert (
        harness.authenticate({**token, "origin": EVIL, "sec-fetch-site": "cross-site"}) is ErrorCode.ORIGIN_NOT_ALLOWED
    )
    assert harness.authenticate({**token, "origin": EVIL, "sec-fetch-site": "same-origin"}) is None
    assert harness.authenticate(token) is None


def test_refusal_is_403_and_says_what_was_found(messages: Messages) -> None:
    harness = AuthHarness(header=HEADER, allowed_origins=[OTHER, OWN])
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(proxied(harness.issuer.token(), [EVIL], ["cross-site"])))
    codes = refusal.value.challenge()
    assert (codes.status, codes.error, codes.headers()) == (403, None, {})
    assert codes.detail.startswith("origin_not_allowed: ")
    assert EVIL not in codes.detail
    assert refusal.value.found == f"Origin '{EVIL}', Sec-Fetch-Site 'cross-site'"
    messages.check(refusal.value.expected)
    assert refusal.value.issuer == harness.issuer.url


def test_long_origin_is_shown_in_part() -> None:
    harness = AuthHarness(header=HEADER)
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(proxied(harness.issuer.token(), ["x" * 100_000], ["a", "b"])))
    assert len(refusal.value.found) < 200
    assert refusal.value.found.endswith("Sec-Fetch-Site 2 times")
