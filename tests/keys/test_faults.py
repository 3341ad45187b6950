"""Faulty answers of the provider, with a manual clock."""

from __future__ import annotations

import asyncio
import re
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer, run_event_loop
from kit.clock import DAY, HOUR, NOON
from kit.key_scenarios import DISCOVERY, KEYS, FaultyFetcher, authenticate_fresh, outage_from, run_scenario

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from kit.snapshots import Messages


def deadline(fault: Fault) -> dict[str, Any]:
    """Return a short timeout if the fault is a timeout, else a long one for busy machines."""
    return {"limits": {"fetch_timeout": 0.5 if fault is Fault.STALL else 5}}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.EMPTY])
def test_fault_never_replaces_good_keys(fault: Fault) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        assert await authenticate_fresh(harness) is None
        # After the failure, the metadata is read again, so it can be wrong too.
        harness.issuer.fault = fault
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None
        assert await authenticate_fresh(harness) is None
        assert harness.attempts == [True, False, False]
        harness.issuer.fault = None
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None
        assert harness.attempts == [True, False, False, True]

    run_scenario(scenario, **deadline(fault))


@pytest.mark.parametrize("fault", list(Fault))
def test_fault_at_start_returns_503_and_recovers(fault: Fault) -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = fault
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario, **deadline(fault))


def test_redirect_is_not_followed() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.REDIRECT
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        assert harness.issuer.fetched == [DISCOVERY, KEYS]

    run_scenario(scenario)


@pytest.mark.parametrize(
    "document",
    [
        b'{"issuer": "https://issuer.test"}',
        b'{"issuer": "https://issuer.test", "jwks_uri": 1}',
        b'{"issuer": "https://issuer.test/", "jwks_uri": "https://issuer.test/keys"}',
        b'{"issuer": "https://evil.test", "jwks_uri": "https://issuer.test/keys"}',
        b'{"issuer": ["https://issuer.test"], "jwks_uri": "https://issuer.test/keys"}',
        b'{"jwks_uri": "https://issuer.test/keys"}',
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"issuer": ' + b"9" * 5_000 + b"}",
        b" " * 524_289,
    ],
    ids=lambda document: str(document)[:60],
)
def test_wrong_discovery_document_is_outage(document: bytes, messages: Messages) -> None:
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document)})
    messages.check(outage_from(fetcher).found)
    assert fetcher.asked == [DISCOVERY]


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test/keys",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "data:application/json,{}",
        "ftp://issuer.test/keys",
        "https://user:pass@issuer.test/keys",
        "/keys",
        "",
    ],
)
def test_keys_at_forbidden_address_are_not_fetched(url: str, messages: Messages) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())})
    messages.check(outage_from(fetcher).found)
    assert fetcher.asked == [DISCOVERY]


@pytest.mark.parametrize(
    "answer",
    [
        FetchError("connection refused"),
        TimeoutError(),
        RuntimeError("s3cr3t"),
        KeyError("s3cr3t"),
        OSError(5, "s3cr3t"),
        Response(404, {"content-type": "text/html"}, b"x"),
        Response(500, {}, b""),
        Response(204, {}, b""),
    ],
)
def test_fetcher_failure_is_outage_in_own_words(answer: Response | BaseException, messages: Messages) -> None:
    outage = outage_from(FaultyFetcher({DISCOVERY: answer}))
    assert "s3cr3t" not in outage.report()
    messages.check(outage.found)


@pytest.mark.parametrize(
    "answer",
    [
        FetchError("connection refused"),
        Response(500, {}, b""),
        Response(200, {}, b"no JSON"),
        Response(200, {}, b"[]"),
        Response(200, {}, b" " * 524_289),
    ],
)
def test_query_secret_is_never_shown(caplog: pytest.LogCaptureFixture, answer: Response | BaseException) -> None:
    secret = f"{KEYS}?apikey=s3cr3t"
    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents", "jwks_uri": secret}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=FaultyFetcher({secret: answer}))
    with pytest.raises(UpstreamError, match=re.escape(f"GET {KEYS}?...")) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(algorithm="ES256").token())))
    assert caplog.records
    assert "s3cr3t" not in "".join(traceback.format_exception(outage.value)) + caplog.text


@pytest.mark.parametrize(
    "url", ["https://u:s3cr3t@issuer.test/keys", "http://issuer.test/keys?s3cr3t", "http://[s3cr3t"]
)
def test_unfetched_address_is_shown_redacted(url: str, messages: Messages) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    outage = outage_from(FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())}))
    messages.check(outage.found)
    assert "s3cr3t" not in outage.report()


@pytest.mark.parametrize(
    "keys",
    [
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [{"kty": "oct", "k": "AA"}]}',
    ],
)
def test_unusable_key_set_is_outage_with_reason(keys: bytes, messages: Messages) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()
    outage = outage_from(FaultyFetcher({DISCOVERY: Response(200, {}, document), KEYS: Response(200, {}, keys)}))
    messages.check(outage.found)


def test_discovery_drops_one_trailing_slash() -> None:
    fetcher = FaultyFetcher({DISCOVERY: Response(404, {}, b"")})
    outage_from(fetcher, "https://issuer.test/")
    assert fetcher.asked == [DISCOVERY]


def test_moved_keys_are_rediscovered() -> None:
    async def scenario() -> None:
        issuer = LocalIssuer(algorithm="ES256")
        answers: dict[str, Response | BaseException] = {
            DISCOVERY: Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()),
            KEYS: issuer.answer("/keys"),
        }
        harness = AuthHarness()
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
        fetcher = FaultyFetcher(answers)
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher, clock=harness.clock)
        await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
        moved = f"{KEYS}/v2"
        answers[DISCOVERY] = Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{moved}"}}'.encode())
        answers[moved], answers[KEYS] = answers[KEYS], Response(404, {}, b"")
        for seconds in (HOUR / 2, 10):
            harness.clock.advance(seconds)
            await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
            await run_event_loop()
        assert fetcher.asked == [DISCOVERY, KEYS, KEYS, DISCOVERY, moved]

    asyncio.run(scenario())


def test_known_key_verifies_during_stalled_refresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(601)
        harness.issuer.fault = Fault.STALL
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        # The refresh and the fetch for an unknown key id hang. Known keys still work.
        unknown = asyncio.create_task(authenticate_fresh(harness, header={"kid": "unknown"}))
        await run_event_loop()
        assert await asyncio.gather(*(authenticate_fresh(harness) for _ in range(9))) == [None] * 9
        assert not unknown.done()
        harness.issuer.release.set()
        assert await unknown is ErrorCode.KEY_NOT_FOUND
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_deadline_bounds_whole_fetch(messages: Messages) -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        with pytest.raises(UpstreamError) as outage:
            async with asyncio.timeout(5):
                await harness.admit(harness.issuer.token())
        messages.check(outage.value.found)

    run_scenario(scenario, limits={"fetch_timeout": 0.1})
