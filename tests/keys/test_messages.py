"""Messages about unusable keys and failed fetches."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from keys.test_key_sets import curve_jwk, private_jwk, rsa_jwk
from kit.auth_harness import AuthHarness, IssuerRouter, bearer, run_event_loop
from kit.clock import NOON
from kit.tokens import rsa_key, sign_token

from oidc_auth import OIDCAuth
from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError, UpstreamError
from oidc_auth.keys.discovery import ADDRESS_HINT, DOCUMENT_HINT, STATUS_HINT, WITHDRAWN_HINT, key_set_url
from oidc_auth.keys.fetch import FetchError, Response, forbidden_url_reason
from oidc_auth.keys.jwk import UnusableKeyError
from oidc_auth.keys.key_set import read_key_set
from oidc_auth.testing import Clock, Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from kit.snapshots import Messages

UNUSABLE: list[Any] = [
    "key",
    rsa_key(bits=1024).jwk(),
    rsa_jwk(exponent=2**32 + 1),
    {"kty": "oct", "k": "AA"},
    curve_jwk(crv="secp256k1"),
    curve_jwk(kty="OKP"),
    curve_jwk(crv=["P-256"]),
    curve_jwk(kty="EC P-256", crv=""),
    {**rsa_jwk(), "alg": "HS256"},
    private_jwk(),
    {**rsa_jwk(), "use": "enc"},
    {**rsa_jwk(), "key_ops": ["sign"]},
    curve_jwk(kid=7),
    curve_jwk(x="AAAA"),
]


@pytest.mark.parametrize("member", UNUSABLE)
def test_unusable_key_has_reason(member: Any, messages: Messages) -> None:
    (reason,) = read_key_set({"keys": [member, curve_jwk()]}).skipped
    messages.check(reason)


@pytest.mark.parametrize(
    "document",
    [
        ["keys"],
        {"keys": {}},
        {"keys": []},
        {"keys": [5, curve_jwk(kid=7)]},
    ],
)
def test_unusable_set_has_reason(document: object, messages: Messages) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key_set(document)
    messages.check(refused.value)


def test_exponent_at_limit_is_usable() -> None:
    # An exponent of 2**32 is even, which is invalid.
    assert read_key_set({"keys": [rsa_jwk(exponent=2**32 - 1)]}).skipped == ()


def run_scenario(scenario: Callable[[AuthHarness], Awaitable[None]], **settings: Any) -> None:
    async def run(harness: AuthHarness) -> None:
        await scenario(harness)

    asyncio.run(run(AuthHarness(**settings)))


async def refusal(harness: AuthHarness, kid: str) -> TokenError:
    """Return the error for a valid token with an unpublished key id."""
    with pytest.raises(TokenError) as refused:
        await harness.admit(sign_token(harness.issuer, {"kid": kid}))
    return refused.value


def test_unknown_kid_lists_published_kids(messages: Messages) -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.rotate("ES256")
        messages.check((await refusal(harness, "gone")).expected)

    run_scenario(scenario)


def test_age_of_keys_is_told(messages: Messages) -> None:
    clock, names = Clock(NOON), ("one", "two")
    one, two = (LocalIssuer(f"https://{name}.test", algorithm="ES256", clock=clock) for name in names)
    one.rotate("ES256")
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": f"{name}:"}
        for name, issuer in zip(names, (one, two), strict=True)
    ]
    document = {"issuer": tables, "limits": {"unknown_kid_fetches": 0}}
    oidc = OIDCAuth.from_dict(document, fetcher=IssuerRouter(one, two), clock=clock)

    async def scenario() -> TokenError:
        for issuer in (one, two):
            await oidc.authenticate(bearer(issuer.token()))
        clock.advance(60)
        # The other issuer has this key id, so only the lookup in the keys of the own issuer fails.
        with pytest.raises(TokenError) as refused:
            await oidc.authenticate(bearer(two.token(header={"kid": "key-2"})))
        return refused.value

    error = asyncio.run(scenario())
    assert error.code is ErrorCode.KEY_NOT_FOUND
    messages.check(error.expected)


def test_kid_after_running_fetch_is_not_absent() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await harness.authenticate_async(harness.issuer.token())
        harness.clock.advance(601)
        old = harness.issuer.keys[0]
        before = {"keys": [old.jwk()]}
        harness.issuer.fault = Fault.STALL
        assert await harness.authenticate_async(harness.issuer.token(jti="known")) is None
        new = SigningKey.make("new", "ES256")
        joined = asyncio.create_task(harness.authenticate_async(harness.issuer.token(key=new)))
        await run_event_loop()
        harness.issuer.published = before["keys"]
        harness.issuer.release.set()
        assert await joined is ErrorCode.KEY_NOT_FOUND
        harness.issuer.fault = None
        harness.issuer.published = [old.jwk(), new.jwk()]
        assert await harness.authenticate_async(harness.issuer.token(key=new)) is None

    run_scenario(scenario)


def test_missing_kid_does_not_cost_repeated_fetches() -> None:
    async def scenario(harness: AuthHarness) -> None:
        nameless = {name: member for name, member in harness.issuer.keys[0].jwk().items() if name != "kid"}
        harness.issuer.published = [nameless, SigningKey.make("other", "RS256").jwk()]
        assert await harness.authenticate_async(harness.issuer.token(header={"kid": None})) is None
        for _ in range(5):
            assert (await refusal(harness, "gone")).code is ErrorCode.KEY_NOT_FOUND
        assert harness.issuer.fetched.count("https://issuer.test/keys") == 2

    run_scenario(scenario)


def test_outage_warning_is_one_line_per_minute(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await harness.authenticate_async(harness.issuer.token())
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(7_200)
        for seconds in (0, 0, 0.5, 59.4, 0.1):
            harness.clock.advance(seconds)
            assert await harness.authenticate_async(harness.issuer.token(jti=str(harness.clock.now))) is None
            await run_event_loop()

    run_scenario(scenario)
    warnings = [text for text in caplog.messages if text.startswith("keys of https://issuer.test ")]
    assert len(warnings) == 2
    assert warnings[0] == warnings[1]
    messages.check(warnings[0])


@pytest.mark.parametrize(
    ("configured", "named"),
    [
        ("https://issuer.test", "https://issuer.test/"),
        ("https://issuer.test/", "https://issuer.test"),
        ("https://issuer.test/X", "https://issuer.test/"),
        ("https://issuer.test/", "https://issuer.test/X"),
        ("https://issuer.test", "https://issuer.tes"),
    ],
)
def test_discovery_of_other_issuer_is_named(configured: str, named: str, messages: Messages) -> None:
    with pytest.raises(FetchError) as refused:
        key_set_url(configured, {"issuer": named, "jwks_uri": "https://issuer.test/keys"})
    messages.check(refused.value)


def test_keys_are_requested_as_bounded_json(tmp_path: Path, messages: Messages) -> None:
    issuer = LocalIssuer(algorithm="ES256")
    secret = tmp_path / "bearer"
    secret.write_text("for-the-provider\n", "utf-8")
    asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

    async def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        asked.append((method, url, headers, body))
        return Response(200, {}, json.dumps({"keys": [issuer.keys[0].jwk()]}).encode().ljust(2_000))

    def codes(most: int, *, gone: bool = False) -> ErrorCode | None:
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "jwks_uri": f"{issuer.url}/keys"}
        limits = {"key_set_bytes": most}
        oidc = OIDCAuth.from_dict({"issuer": {**table, "bearer_file": str(secret)}, "limits": limits}, fetcher=fetch)
        if gone:
            secret.unlink()
        try:
            asyncio.run(oidc.authenticate(bearer(issuer.token())))
        except UpstreamError as outage:
            said.append(outage.report())
            return outage.code
        return None

    said: list[str] = []
    answers = [codes(2_000), codes(1_999), codes(2_000, gone=True)]
    assert answers == [None, ErrorCode.KEYS_UNAVAILABLE, ErrorCode.KEYS_UNAVAILABLE]
    for text in said:
        messages.check(text, {tmp_path: "FOLDER"})
    sent = {"accept": "application/json", "authorization": "Bearer for-the-provider"}
    assert asked == [("GET", f"{issuer.url}/keys", sent, None)] * 2


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.test/keys",
        "https://[",
        "https://issuer.test./keys",
        "https://a:b@issuer.test",
        "https://169.254.169.254/keys",
        "http://issuer.test/keys",
        "ftp://issuer.test/keys",
    ],
)
def test_unfetched_address_has_reason(url: str, messages: Messages) -> None:
    messages.check(forbidden_url_reason(url))


# Texts of the provider ------------------------------------------------------------------------------------------------

FORGED = "key\nWARNING:oidc_auth:forged\u2028\x1b[2K\u202e"


def outage_of(*documents: object, **settings: Any) -> UpstreamError:
    """Return the error that a provider with this metadata and key set causes."""
    issuer, answers = LocalIssuer(algorithm="ES256"), iter(documents)

    async def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        document = next(answers)
        if isinstance(document, Exception):
            raise document
        if isinstance(document, Response):
            return document
        return Response(200, {}, json.dumps(document).encode())

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", **settings}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetch)
    with pytest.raises(UpstreamError) as outage:
        asyncio.run(oidc.authenticate(bearer(issuer.token())))
    return outage.value


METADATA = {"issuer": "https://issuer.test", "jwks_uri": "https://issuer.test/keys"}


def test_published_kid_cannot_forge_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.published = [SigningKey.make(FORGED, "ES256").jwk()]
        assert (await refusal(harness, "gone")).code is ErrorCode.KEY_NOT_FOUND
        token = harness.issuer.token(key=SigningKey.make(FORGED, "ES256"))
        assert await harness.authenticate_async(token) is ErrorCode.SIGNATURE_INVALID

    run_scenario(scenario)
    lines = caplog.messages
    assert [text.isprintable() for text in lines] == [True] * 2, lines
    assert all("forged" in text for text in lines)


@pytest.mark.parametrize(
    "documents",
    [
        [FetchError(FORGED)],
        [Response(500, {"content-type": FORGED}, b"")],
        [{"issuer": FORGED}],
        [{**METADATA, "jwks_uri": f"https://{FORGED}"}],
        [{**METADATA, "jwks_uri": f"{FORGED}://issuer.test"}],
        [{**METADATA, "jwks_uri": f"https://issuer.test/{FORGED}"}, FetchError("down")],
        *([METADATA, {"keys": [{**rsa_jwk(), name: FORGED}]}] for name in ("use", "alg", "kty")),
        [METADATA, {"keys": [curve_jwk(crv=FORGED)]}],
    ],
)
def test_provider_cannot_forge_log_line(documents: list[object], caplog: pytest.LogCaptureFixture) -> None:
    outage = outage_of(*documents)
    lines = [outage.found, *caplog.messages]
    assert [text.isprintable() for text in lines] == [True] * len(lines), lines
    assert len(lines) > 1


def test_long_text_of_provider_is_bounded() -> None:
    assert len(outage_of(FetchError("x" * 10_000)).found) < 1_100
    assert len(outage_of({"issuer": "x" * 10_000}).found) < 600
    assert len(outage_of({**METADATA, "jwks_uri": "http://issuer.test/\u00e9" + "x" * 10_000}).found) < 600


# The hint follows the cause -------------------------------------------------------------------------------------------

UNREACHABLE = ERROR_DETAILS[ErrorCode.KEYS_UNAVAILABLE].hint
JWT_SVID = {**rsa_jwk(), "use": "jwt-svid"}


@pytest.mark.parametrize(
    ("documents", "hint"),
    [
        ([FetchError("connection refused")], UNREACHABLE),
        ([OSError("unexpected")], UNREACHABLE),
        ([Response(404, {}, b"")], STATUS_HINT),
        ([Response(200, {}, b"<html>")], DOCUMENT_HINT),
        ([[]], DOCUMENT_HINT),
        ([METADATA, {"keys": [JWT_SVID]}], WITHDRAWN_HINT),
        ([METADATA, {"keys": []}], WITHDRAWN_HINT),
        ([METADATA, {"keys": {}}], DOCUMENT_HINT),
        ([{**METADATA, "jwks_uri": "https://169.254.169.254/keys"}], ADDRESS_HINT),
        ([{**METADATA, "jwks_uri": "http://127.0.0.1/keys"}], ADDRESS_HINT),
    ],
)
def test_hint_names_cause_of_outage(documents: list[object], hint: str) -> None:
    assert outage_of(*documents).hint == hint


def test_hint_names_setting_that_helps(tmp_path: Path) -> None:
    assert "jwks_uri" in outage_of({**METADATA, "issuer": "https://issuer.test/"}).hint
    assert "jwks_uri" in outage_of({"issuer": "https://issuer.test"}).hint
    assert "key_set_bytes" in outage_of(Response(200, {}, b" " * 600_000)).hint
    (tmp_path / "bearer").write_text("two tokens", "utf-8")
    assert "bearer_file" in outage_of(bearer_file=str(tmp_path / "bearer")).hint


def test_hint_follows_latest_cause() -> None:
    async def scenario(harness: AuthHarness) -> None:
        hints: list[str] = []
        for fault in (Fault.EMPTY, Fault.DOWN):
            harness.issuer.fault = fault
            with pytest.raises(UpstreamError) as outage:
                await harness.admit(harness.issuer.token())
            hints.append(outage.value.hint)
            harness.clock.advance(2)
        assert hints == [WITHDRAWN_HINT, UNREACHABLE]

    run_scenario(scenario)
