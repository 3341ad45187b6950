"""The log shows what was expected and what was found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness, IssuerRouter, bearer
from kit.clock import NOON
from kit.messages import LEEWAY_TEXT
from kit.tokens import claims_of, header_of, sign_token

from oidc_auth import OIDCAuth
from oidc_auth.errors import ERROR_DETAILS, ErrorCode, OIDCAuthError, TokenError
from oidc_auth.observability import KeysFetched, pseudonym
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact
from oidc_auth.tokens.claim_path import ClaimPathError, parse_path
from oidc_auth.tokens.diagnose import OTHER_HOST_HINT
from oidc_auth.tokens.extract import extract_token
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import PresentedToken, VerifiedToken

CLAIMS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"iss": "https://other.test"}, {}, "https://issuer.test", "'https://other.test'"),
    ({"typ": "ID", "token_use": "id"}, {}, "an access token", "typ='ID', token_use='id'"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}, "an access token", "events"),
    ({"aud": "other"}, {"audience": ["b", "a"]}, "a, b", "'other'"),
    ({"exp": "soon"}, {}, "exp as a number of seconds", "str"),
    ({"exp": NOON - 60}, {}, LEEWAY_TEXT, "60.0 s past exp"),
    ({"nbf": NOON + 60}, {}, LEEWAY_TEXT, "60.0 s to nbf"),
    ({"iat": NOON + 60}, {}, LEEWAY_TEXT, "iat 60.0 s in this host's future"),
    ({"iat": NOON - 100}, {"max_token_age": 60}, "an age of at most 60 s", "100.0 s"),
    ({}, {"require": {"org.id": "*"}}, "a claim org.id", "none"),
    ({"azp": "other"}, {"allowed_clients": ["web", "cli"]}, "cli, web", "'other'"),
    ({"cnf": {"jkt": "x"}}, {}, "a token without cnf", ""),
    ({"sub": ""}, {}, "a string in sub", "an empty value"),
    ({"sub": 42}, {}, "a string in sub", "a int"),
    ({"org": 1.5}, {"tenant": "org"}, "a string, a whole number or a boolean in org", "1.5"),
    ({"org": "x"}, {"require": {"org": ["acme", ""]}}, "org in '', acme", "'x'"),
    ({}, {"require": {"org": "acme"}}, "org in acme", "none"),
    ({"org": None}, {"require": {"org": "acme"}}, "org in acme", "none"),
    # Single spaces separate scopes (RFC 6749 §3.3), and only in scope and scp.
    ({"scope": "a\tagents"}, {"require": {"scope": "agents"}}, "scope in agents", "'a\\tagents'"),
    ({"scope": {"of": "a agents"}}, {"require": {"scope.of": "agents"}}, "scope.of in agents", "'a agents'"),
    (
        {"client_id": "x", "org": "acme"},
        {"client_claim": {"claim": "client_id", "values": "web"}, "require": {"org": "acme"}},
        "client_id in web",
        "'x'",
    ),
]


def codes(harness: AuthHarness, sent: str) -> tuple[str, str]:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(bearer(sent)))
    said = str(refusal.value)
    assert all(f"{name} {fact};" in said for name, fact in vars(refusal.value).items() if name == "found" and fact)
    return refusal.value.expected, refusal.value.found


@pytest.mark.parametrize(("claims", "settings", "expected", "found"), CLAIMS)
def test_rejected_claim_shows_expected_value(
    claims: dict[str, Any], settings: dict[str, Any], expected: str, found: str
) -> None:
    harness = AuthHarness(**settings)
    token = sign_token(harness.issuer, **claims)
    assert codes(harness, token) == (expected, found)


@pytest.mark.parametrize("scope", ["agents", "a agents", ["a", "agents"]])
def test_one_matching_scope_meets_requirement(scope: object) -> None:
    harness = AuthHarness(require={"scope": "agents"})
    token = sign_token(harness.issuer, scope=scope)
    assert harness.authenticate(token) is None


def test_preset_requirement_names_preset() -> None:
    url = "https://acme.supabase.co/auth/v1"
    permission_map = {"accept": "*", "claim": "scope"}
    harness = AuthHarness(
        url=url, preset="supabase", audience="agents", permission_map=permission_map, jwks_uri=f"{url}/keys"
    )
    hint = "Preset 'supabase' requires role = 'authenticated' of every token (docs/providers.md)."
    assert hint_of(harness, role="anon") == hint


@pytest.mark.parametrize(
    ("name", "said"), [("exp", ("a claim exp", "none")), ("iat", ("an age of at most 60 s", "no iat"))]
)
def test_missing_time_is_named(name: str, said: tuple[str, str]) -> None:
    harness = AuthHarness(max_token_age=60)
    claims = {key: value for key, value in claims_of(harness.issuer).items() if key != name}
    assert codes(harness, compact(header_of(harness.issuer), claims, harness.issuer.keys[0])) == said


@pytest.mark.parametrize(
    ("header", "expected", "found"),
    [
        ({"typ": "logout+jwt"}, "typ in '', at+jwt, jwt", "'logout+jwt'"),
        ({"alg": "none"}, "ES256", "'none'"),
        ({"crit": ["x"], "b64": True}, "", "b64, crit"),
    ],
)
def test_rejected_header_shows_expected_value(header: dict[str, Any], expected: str, found: str) -> None:
    harness = AuthHarness(algorithms=["ES256"])
    token = sign_token(harness.issuer, header)
    assert codes(harness, token) == (expected, found)


def test_unpublished_kid_shows_known_kids_and_refetch() -> None:
    harness = AuthHarness()
    waits = [(0, 0), (0, 0), (0, 14), (1, 13)]
    known = [
        f"a published key id: 'key-1' (fetched {age} s ago, the next fetch for an unknown key id in {s} s)"
        for age, s in waits
    ]
    for number, expected in enumerate(known):
        token = sign_token(harness.issuer, {"kid": f"gone-{number}"})
        assert codes(harness, token) == (expected, f"'gone-{number}'")
        harness.clock.advance(1)


def test_matching_keys_are_counted() -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    assert codes(harness, harness.issuer.token()) == ("one key", "2 that fit ES256")


def test_key_of_other_type_is_named() -> None:
    harness = AuthHarness()
    token = sign_token(harness.issuer, {"alg": "RS256"})
    assert codes(harness, token) == ("one of ES256", "RS256")


def test_quotes_around_token_are_named() -> None:
    harness = AuthHarness()
    assert codes(harness, f'"{harness.issuer.token()}"')[1] == "quotes around it"
    assert codes(harness, f"{harness.issuer.token()}é")[1] == "characters that no token has"


ENTRA, OTHER_ENTRA = (f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in ("0f0f", "1e1e"))
ISSUERS: list[tuple[str, str, str]] = [
    (
        "https://a.test",
        "https://a.test/",
        "They differ only by a trailing '/'. Set issuer = 'https://a.test/', as in the token.",
    ),
    (
        "https://a.test/",
        "https://a.test",
        "They differ only by a trailing '/'. Set issuer = 'https://a.test', as in the token.",
    ),
    (
        "https://a.test/Acme",
        "https://a.test/acme",
        "They differ only in upper and lower case. Set issuer = 'https://a.test/acme', as in the token.",
    ),
    (
        ENTRA,
        OTHER_ENTRA,
        "Entra: another tenant. The issuer holds the tenant's GUID, never its domain, common or organizations.",
    ),
    (
        "https://acme.okta.com/oauth2/default",
        "https://acme.okta.com/",
        "A token of Okta's org authorization server, which only Okta can check: use the custom server.",
    ),
    ("https://a.test/X", "https://b.test/X", OTHER_HOST_HINT),
    # One more letter is another issuer. So is Entra with another provider.
    ("https://a.test", "https://a.test/X", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://a.test/X", "https://a.test", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://a.test/X", "https://a.test/", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    (ENTRA, "https://b.test", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://b.test", ENTRA, ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://b.test/", "https://[a", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
]


@pytest.mark.parametrize(("configured", "named", "hint"), ISSUERS)
def test_similar_issuer_shows_correct_value(configured: str, named: str, hint: str) -> None:
    assert hint_of(AuthHarness(url=configured), iss=named) == hint


AUDIENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"audience": "https://graph.microsoft.com"},
        "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default.",
    ),
    (
        {"audience": None, "token_use": "access"},
        "Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix.",
    ),
    ({"audience": "x", "nonce": "n"}, "This looks like an ID token. Send the access token."),
    ({"audience": "x", "token_use": "access"}, ERROR_DETAILS[ErrorCode.AUDIENCE_MISMATCH].hint),
]


@pytest.mark.parametrize(("token", "hint"), AUDIENCES)
def test_other_audience_has_provider_hint(token: dict[str, Any], hint: str) -> None:
    assert hint_of(AuthHarness(), **token) == hint


def hint_of(harness: AuthHarness, **token: Any) -> str:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.admit(harness.issuer.token(**token)))
    return refusal.value.hint


@pytest.mark.parametrize("quote", ['"', "'"])
def test_each_quote_character_is_named(quote: str) -> None:
    assert codes(AuthHarness(), f"{quote}a.b.c{quote}")[1] == "quotes around it"


@pytest.mark.parametrize(("sent", "found"), [("Bearer ", "none"), ("Bearer X.é", "characters that no token has")])
def test_credential_fault_is_named(sent: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    assert refusal.value.found == found


INVALID_BASE64URL = (
    "no characters, a character outside the alphabet, an impossible length, or unused bits that are not 0"
)


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("a.b", "three segments", "another number, or an empty one"),
        ("YQ==.YQ.YQ", "", INVALID_BASE64URL),
        ("YR.YQ.YQ", "", INVALID_BASE64URL),
        ("YQ.YQ.YQ", "one JSON object in UTF-8 without repeated names", ""),
    ],
)
def test_malformed_token_shows_expected_form(text: str, expected: str, found: str) -> None:
    assert codes(AuthHarness(), text) == (expected, found)


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.b.c.d.e.f", "YQ.YQ.YQ"])
def test_other_segment_count_is_not_encrypted(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().admit(text))
    assert refusal.value.hint == ERROR_DETAILS[refusal.value.code].hint


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/realm_access/roles", "write realm_access.roles"),
        ("$.realm_access.roles", "write realm_access.roles"),
        ("$X/a", "write X.a"),
        ("/", "write claim names separated by dots"),
    ],
)
def test_pointer_is_rewritten_as_claim_path(path: str, advice: str) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(path)
    assert str(refused.value) == f"{path!r} looks like a JSON pointer or JSONPath: {advice}"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (None, "no claim"),
        ("a\x00", "control characters"),
        ("a\x1f", "control characters"),
        ("a\x7f", "control characters"),
        ("a\x9f", "control characters"),
        ("x" * 256, "more than 255 characters"),
        ("system", "the reserved name 'system'"),
    ],
)
def test_identity_fault_is_named(subject: str | None, found: str) -> None:
    harness = AuthHarness()
    claims = {name: value for name, value in claims_of(harness.issuer, sub=subject).items() if value is not None}
    assert codes(harness, compact(header_of(harness.issuer), claims, harness.issuer.keys[0])) == (
        "a string in sub",
        found,
    )


@pytest.mark.parametrize("subject", ["Zoë \u200bYves", "\u200b ", "a\xa0b", "~\u2028X"])
def test_unusual_printable_characters_are_allowed(subject: str) -> None:
    caller = asyncio.run((harness := AuthHarness()).admit(harness.issuer.token(subject)))
    assert caller.identity == subject


def test_reserved_prefix_is_named() -> None:
    harness = AuthHarness(
        identity=[{"claim": "uid", "prefix": "u:"}, {"claim": "sub", "prefix": "u:x:"}],
    )
    token = sign_token(harness.issuer, uid="x:alice")
    assert codes(harness, token) == ("a string in uid", "a value that begins with another identity_prefix")


@pytest.mark.parametrize(("length", "found"), [(118, f"'{'x' * 118}'"), (119, f"'{'x' * 116}...")])
def test_long_value_is_cut_to_120_characters(length: int, found: str) -> None:
    harness = AuthHarness()
    assert codes(harness, harness.issuer.token(audience="x" * length))[1] == found


def test_earliest_time_is_in_past() -> None:
    harness = AuthHarness()
    assert asyncio.run(harness.admit(harness.issuer.token(nbf=-253_402_300_799))).expires_at == NOON + 300


def test_claim_is_shown_as_configured() -> None:
    harness = AuthHarness(require={'"a.b".Xc': "*"})
    assert codes(harness, harness.issuer.token())[0] == 'a claim "a.b".Xc'


def two_harnesses() -> tuple[OIDCAuth, LocalIssuer, LocalIssuer]:
    """Return a server with two issuers: tokens in Authorization, and tokens in a proxy's header."""
    client, proxy = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("client", "proxy"))
    permission_map = {"claim": "scope", "accept": ["threads:read"]}
    tables = [
        {
            "issuer": issuer.url,
            "audience": "agents",
            "identity_prefix": f"{issuer.url}/",
            "permission_map": permission_map,
            **more,
        }
        for issuer, more in ((client, {"name": "client"}), (proxy, {"name": "proxy", "header": "x-proxy-jwt"}))
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(client, proxy)), client, proxy


def test_proxy_token_counts_in_own_header_only() -> None:
    async def scenario() -> None:
        oidc, _, proxy = two_harnesses()
        token = proxy.token()
        # Before and after it is remembered.
        for _ in range(2):
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate({"authorization": f"Bearer {token}"})
            assert (await oidc.authenticate({"X-Proxy-JWT": token})).identity == "https://proxy.test/alice"
        error = refused.value
        assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
        assert error.expected == "a token of https://proxy.test in the header x-proxy-jwt"
        assert error.found == "it in authorization"
        assert error.hint.startswith("Send the token in the header x-proxy-jwt,")

    asyncio.run(scenario())


def test_client_token_is_ignored_in_proxy_header() -> None:
    oidc, client, _ = two_harnesses()
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate([("x-proxy-jwt", client.token())]))
    assert refused.value.code is ErrorCode.ISSUER_NOT_TRUSTED


def test_two_credential_headers_are_rejected() -> None:
    oidc, client, proxy = two_harnesses()
    sent = [("x-proxy-jwt", proxy.token()), ("authorization", f"Bearer {client.token()}")]
    for headers in (dict(sent), sent, iter(sent)):
        with pytest.raises(TokenError) as refused:
            asyncio.run(oidc.authenticate(headers))
        assert refused.value.code is ErrorCode.HEADER_REPEATED
        assert (refused.value.expected, refused.value.found) == (
            "one header with a credential",
            "authorization and x-proxy-jwt",
        )


async def always(now: float) -> bool:
    return now >= 0


def test_cached_claims_serve_later_checks() -> None:
    kept = {"sub": "a", "sid": "s", "jti": "j", "iat": 1, "auth_time": 2, "acr": "3", "cnf": {"jkt": "x"}}
    token = VerifiedToken(
        issuer="https://issuer.test", claims={**kept, "email": "a@b.c"}, expires_at=9, valid_until=8, is_current=always
    )
    assert token.for_cache() == VerifiedToken(
        issuer="https://issuer.test", claims=kept, expires_at=9, valid_until=8, is_current=always
    )


def test_invalid_signature_names_key() -> None:
    harness = AuthHarness()
    other = SigningKey.make("key-1", "ES256")
    assert codes(harness, harness.issuer.token(key=other)) == ("a signature of key 'key-1'", "")


def test_pending_session_is_named() -> None:
    pending = hint_of(AuthHarness(), sts="pending")
    assert pending != ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint
    assert (
        hint_of(AuthHarness(), sts="pending", iss="https://other.test")
        == ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint
    )
    assert hint_of(AuthHarness(), typ="ID") == ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint


def test_hint_keeps_found_value() -> None:
    harness = AuthHarness()
    assert codes(harness, harness.issuer.token(audience="account", azp="web")) == ("agents", "'account'")


@pytest.mark.parametrize("jti", ["trltcc:a:b", "trltcc:"])
def test_lightweight_token_is_recognized_by_jti(jti: str) -> None:
    assert "has lightweight access tokens" in hint_of(AuthHarness(), audience=None, azp="web", jti=jti)


@pytest.mark.parametrize("fault", [None, Fault.DOWN])
def test_refusal_names_user_by_pseudonym(fault: Fault | None) -> None:
    harness = AuthHarness(audience="others", identity_prefix="acme:")
    harness.issuer.fault = fault
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(harness.admit(harness.issuer.token("alice")))
    assert refusal.value.code is (ErrorCode.AUDIENCE_MISMATCH if fault is None else ErrorCode.KEYS_UNAVAILABLE)
    assert refusal.value.issuer == harness.issuer.url
    assert refusal.value.user == pseudonym("acme:alice")
    assert [event.issuer for event in harness.events if isinstance(event, KeysFetched)] == [harness.issuer.url]


@pytest.mark.parametrize(
    ("sent", "found"),
    [("'a.b.c'", "quotes around it"), ("a.b.c d", "characters that no token has"), ("a.b.c\t", None), (" a.b.c", None)],
)
def test_header_with_only_token_is_expected(sent: str, found: str | None) -> None:
    harness = AuthHarness(header="x-token")
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate({"x-token": sent}))
    said = refusal.value
    if found is None:
        assert said.code is not ErrorCode.HEADER_MALFORMED
    else:
        assert (said.code, said.expected, said.found) == (ErrorCode.HEADER_MALFORMED, "a token and nothing else", found)


def test_presented_token_keeps_request_data() -> None:
    presented = extract_token(
        {"Authorization": b"BEARER a.b.c"}, method="GET", url="https://agents.test/x", max_bytes=99
    )
    assert presented == PresentedToken("bearer", "a.b.c", "GET", "https://agents.test/x", None, "authorization")


def test_segments_repr_names_type() -> None:
    assert repr(split_token("a.b.c")) == "Segments(...)"


@pytest.mark.parametrize(
    ("around", "code"),
    [
        ("{}", None),
        (" \t{}\t ", None),
        ("\x0b{}", ErrorCode.TOKEN_BASE64_INVALID),
        ("Bearer {}", ErrorCode.HEADER_MALFORMED),
    ],
)
def test_bare_token_may_have_surrounding_whitespace(around: str, code: ErrorCode | None) -> None:
    harness = AuthHarness(header="x-assertion")
    assert harness.authenticate({"x-assertion": around.format(harness.issuer.token())}) is code


@pytest.mark.parametrize(
    ("sent", "expected", "found"),
    [
        ("Basic YTpi", "the scheme Bearer", "the scheme basic"),
        ("Other YTpi", "the scheme Bearer", "another scheme, or none"),
        ("a.b.c", "the scheme Bearer", "a token without the scheme"),
        ("Bearer Bearer a.b.c", "the scheme once", "'Bearer Bearer ...'"),
        ("bearer BEARER a.b.c", "the scheme once", "'Bearer Bearer ...'"),
        ("Bearer a.b.c, d", "one token after 'Bearer '", "characters that no token has"),
    ],
)
def test_missing_bearer_scheme_shows_expected_form(sent: str, expected: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    assert (refusal.value.code, refusal.value.expected, refusal.value.found) == (
        ErrorCode.HEADER_MALFORMED,
        expected,
        found,
    )


@pytest.mark.parametrize(
    ("header", "sent", "expected", "found"),
    [
        ("authorization", {}, "", ""),
        ("authorization", {"host": "agents.example"}, "", ""),
        ("authorization", {"x-api-key": "s"}, "", "a header x-api-key, which is not read"),
        (
            "x-token",
            {"authorization": "s", "x-api-key": "s"},
            "a token in the header x-token",
            "a header authorization, x-api-key, w",
        ),
        ("x-api-key", {"x-api-key": " "}, "a token in the header x-api-key", ""),
    ],
)
def test_missing_token_names_header(header: str, sent: dict[str, str], expected: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(header=header).oidc.authenticate(sent))
    assert refusal.value.code is ErrorCode.TOKEN_MISSING
    assert refusal.value.expected == expected
    assert refusal.value.found.startswith(found)
    assert bool(refusal.value.found) is bool(found)


def test_missing_token_names_every_issuers_header() -> None:
    oidc, _, _ = two_harnesses()
    with pytest.raises(TokenError) as refusal:
        asyncio.run(oidc.authenticate({"host": "agents.example"}))
    assert refusal.value.expected == "a token in the header authorization, x-proxy-jwt"


def test_long_token_shows_limit() -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(limits={"token_bytes": 2_000}).admit("x" * 2_001))
    assert refusal.value.code is ErrorCode.TOKEN_TOO_LONG
    assert (refusal.value.expected, refusal.value.found) == ("at most 2000 bytes", "2001")


@pytest.mark.parametrize("text", ["ab..cd.ef", "ab.cd..ef", ".ab.cd", "ab.cd.", "ab..cd", "..", "ab.cd.ef.gh"])
def test_adjacent_dots_count_as_segments(text: str) -> None:
    assert codes(AuthHarness(), text) == ("three segments", "another number, or an empty one")


@pytest.mark.parametrize("kid", ["k", "k" * 256])
def test_kid_may_have_1_to_256_characters(kid: str) -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make(kid, "ES256")]
    assert harness.authenticate(harness.issuer.token()) is None
