"""What the operator reads of a refusal: what would have been right, and what was there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from world.tokens import NOON, Door, Internet, bearer, claims_of, header_of

from oidc_auth import OIDCAuth
from oidc_auth.errors import MEANINGS, Code, OIDCAuthError, TokenError
from oidc_auth.observe import KeysFetched, pseudonym
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey, compact
from oidc_auth.tokens.bearer import present
from oidc_auth.tokens.claim_path import ClaimPathError, parse_path
from oidc_auth.tokens.diagnose import OTHER_HOST_CURE
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import Presented, VerifiedToken

LEEWAY = "leeway 30 s"
CLAIMS: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"iss": "https://other.test"}, {}, "https://issuer.test", "'https://other.test'"),
    ({"typ": "ID", "token_use": "id"}, {}, "an access token", "typ='ID', token_use='id'"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {}, "an access token", "events"),
    ({"aud": "other"}, {"audience": ["b", "a"]}, "a, b", "'other'"),
    ({"exp": "soon"}, {}, "exp as a number of seconds", "str"),
    ({"exp": NOON - 60}, {}, LEEWAY, "60.0 s past exp"),
    ({"nbf": NOON + 60}, {}, LEEWAY, "60.0 s to nbf"),
    ({"iat": NOON + 60}, {}, LEEWAY, "iat 60.0 s in this host's future"),
    ({"iat": NOON - 100}, {"max_age": 60}, "an age of at most 60 s", "100.0 s"),
    ({}, {"required_claims": ["org.id"]}, "a claim org.id", "none"),
    ({"azp": "other"}, {"authorized_parties": ["web", "cli"]}, "cli, web", "'other'"),
    ({"cnf": {"jkt": "x"}}, {}, "a token without cnf", ""),
    ({"sub": ""}, {}, "a string in sub", "an empty value"),
    ({"sub": 42}, {}, "a string in sub", "a int"),
    ({"org": 1}, {"tenant": "org"}, "a string in org", "1"),
    ({"org": "x"}, {"require": {"org": ["acme", ""]}}, "org in '', acme", "'x'"),
    ({}, {"require": {"org": "acme"}}, "org in acme", "none"),
    ({"org": None}, {"require": {"org": "acme"}}, "org in acme", "none"),
    # Scopes stand between single spaces (RFC 6749 §3.3), and only scope and scp hold them.
    ({"scope": "a\tagents"}, {"require": {"scope": "agents"}}, "scope in agents", "'a\\tagents'"),
    ({"scope": {"of": "a agents"}}, {"require": {"scope.of": "agents"}}, "scope.of in agents", "'a agents'"),
    (
        {"client_id": "x", "org": "acme"},
        {"client_claim": {"claim": "client_id", "values": "web"}, "require": {"org": "acme"}},
        "client_id in web",
        "'x'",
    ),
]


def heard(door: Door, sent: str) -> tuple[str, str]:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.oidc.authenticate(bearer(sent)))
    said = str(refusal.value)
    assert all(f"{name} {fact};" in said for name, fact in vars(refusal.value).items() if name == "found" and fact)
    return refusal.value.expected, refusal.value.found


@pytest.mark.parametrize(("claims", "settings", "expected", "found"), CLAIMS)
def test_a_refused_claim_is_said_beside_what_would_do(
    claims: dict[str, Any], settings: dict[str, Any], expected: str, found: str
) -> None:
    door = Door(**settings)
    token = compact(header_of(door.issuer), claims_of(door.issuer, **claims), door.issuer.keys[0])
    assert heard(door, token) == (expected, found)


@pytest.mark.parametrize("scope", ["agents", "a agents", ["a", "agents"]])
def test_one_of_several_scopes_meets_a_requirement(scope: object) -> None:
    door = Door(require={"scope": "agents"})
    token = compact(header_of(door.issuer), claims_of(door.issuer, scope=scope), door.issuer.keys[0])
    assert door.knock(token) is None


def test_what_a_preset_requires_is_said_to_be_the_preset_s() -> None:
    url = "https://acme.supabase.co/auth/v1"
    grant = {"accept": "*", "claim": "scope"}
    door = Door(url=url, preset="supabase", audience="agents", grant=grant, jwks_url=f"{url}/keys")
    cure = "Preset 'supabase' requires role = 'authenticated' of every token (docs/providers.md)."
    assert cure_of(door, role="anon") == cure


@pytest.mark.parametrize(
    ("name", "said"), [("exp", ("a claim exp", "none")), ("iat", ("an age of at most 60 s", "no iat"))]
)
def test_an_absent_time_is_said_to_be_absent(name: str, said: tuple[str, str]) -> None:
    door = Door(max_age=60)
    claims = {key: value for key, value in claims_of(door.issuer).items() if key != name}
    assert heard(door, compact(header_of(door.issuer), claims, door.issuer.keys[0])) == said


@pytest.mark.parametrize(
    ("header", "expected", "found"),
    [
        ({"typ": "logout+jwt"}, "'', at+jwt, jwt", "'logout+jwt'"),
        ({"alg": "none"}, "ES256", "'none'"),
        ({"crit": ["x"], "b64": True}, "", "b64, crit"),
    ],
)
def test_a_refused_header_is_said_beside_what_would_do(header: dict[str, Any], expected: str, found: str) -> None:
    door = Door(algorithms=["ES256"])
    token = compact(header_of(door.issuer, **header), claims_of(door.issuer), door.issuer.keys[0])
    assert heard(door, token) == (expected, found)


def test_an_unpublished_key_is_said_beside_the_published_ones_and_when_they_are_fetched_again() -> None:
    door = Door()
    waits = (f"a kid among key-1 (fetched 0 s ago, the next fetch for an unknown kid in {s} s)" for s in (0, 0, 14))
    for number, expected in enumerate([*waits, "a kid of a configured issuer"]):
        token = compact(header_of(door.issuer, kid=f"gone-{number}"), claims_of(door.issuer), door.issuer.keys[0])
        assert heard(door, token) == (expected, f"'gone-{number}'")
        door.clock.move(1)


def test_two_keys_that_fit_are_counted() -> None:
    door = Door()
    door.issuer.keys = [SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")]
    assert heard(door, door.issuer.token()) == ("one key", "2 that fit ES256")


def test_a_key_of_another_kind_is_said_to_be_one() -> None:
    door = Door()
    token = compact(header_of(door.issuer, alg="RS256"), claims_of(door.issuer), door.issuer.keys[0])
    assert heard(door, token) == ("one of ES256", "RS256")


def test_quotes_around_a_token_are_called_so() -> None:
    door = Door()
    assert heard(door, f'"{door.issuer.token()}"')[1] == "quotes around it"
    assert heard(door, f"{door.issuer.token()}é")[1] == "characters that no token has"


ENTRA, OTHER_ENTRA = (f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in ("0f0f", "1e1e"))
ISSUERS: list[tuple[str, str, str]] = [
    (
        "https://a.test",
        "https://a.test/",
        "They differ only by a trailing '/': write 'https://a.test/', as the token and discovery have it.",
    ),
    (
        "https://a.test/",
        "https://a.test",
        "They differ only by a trailing '/': write 'https://a.test', as the token and discovery have it.",
    ),
    (
        "https://a.test/Acme",
        "https://a.test/acme",
        "They differ only in upper and lower case: write 'https://a.test/acme'.",
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
    ("https://a.test/X", "https://b.test/X", OTHER_HOST_CURE),
    # A letter more is another issuer, and so is Entra beside somebody else.
    ("https://a.test", "https://a.test/X", MEANINGS[Code.ISSUER_UNKNOWN].cure),
    ("https://a.test/X", "https://a.test", MEANINGS[Code.ISSUER_UNKNOWN].cure),
    ("https://a.test/X", "https://a.test/", MEANINGS[Code.ISSUER_UNKNOWN].cure),
    (ENTRA, "https://b.test", MEANINGS[Code.ISSUER_UNKNOWN].cure),
    ("https://b.test", ENTRA, MEANINGS[Code.ISSUER_UNKNOWN].cure),
    ("https://b.test/", "https://[a", MEANINGS[Code.ISSUER_UNKNOWN].cure),
]


@pytest.mark.parametrize(("configured", "named", "cure"), ISSUERS)
def test_an_issuer_that_is_nearly_the_configured_one_is_told_how_to_write_it(
    configured: str, named: str, cure: str
) -> None:
    assert cure_of(Door(url=configured), iss=named) == cure


AUDIENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"audience": "https://graph.microsoft.com"},
        "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default.",
    ),
    (
        {"audience": None, "token_use": "access"},
        "Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix.",
    ),
    ({"audience": "x", "nonce": "n"}, "This looks like an ID token: send the access token."),
    ({"audience": "x", "token_use": "access"}, MEANINGS[Code.AUDIENCE_MISMATCH].cure),
]


@pytest.mark.parametrize(("token", "cure"), AUDIENCES)
def test_another_audience_is_told_by_whose_token_it_is(token: dict[str, Any], cure: str) -> None:
    assert cure_of(Door(), **token) == cure


def cure_of(door: Door, **token: Any) -> str:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.admit(door.issuer.token(**token)))
    return refusal.value.cure


@pytest.mark.parametrize("quote", ['"', "'"])
def test_each_kind_of_quotes_is_called_so(quote: str) -> None:
    assert heard(Door(), f"{quote}a.b.c{quote}")[1] == "quotes around it"


@pytest.mark.parametrize(("sent", "found"), [("Bearer ", "none"), ("Bearer X.é", "characters that no token has")])
def test_what_is_odd_about_a_credential_is_called_so(sent: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(Door().oidc.authenticate({"authorization": sent}))
    assert refusal.value.found == found


NO_BASE64URL = "nothing, a character outside the alphabet, an impossible length, or unused bits that are not zero"


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("a.b", "three parts", "another number, or an empty one"),
        ("YQ==.YQ.YQ", "", NO_BASE64URL),
        ("YR.YQ.YQ", "", NO_BASE64URL),
        ("YQ.YQ.YQ", "one JSON object in UTF-8, no name twice", ""),
    ],
)
def test_a_text_that_is_no_token_is_said_beside_what_one_is(text: str, expected: str, found: str) -> None:
    assert heard(Door(), text) == (expected, found)


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.b.c.d.e.f", "YQ.YQ.YQ"])
def test_a_text_of_another_number_of_parts_is_not_taken_for_an_encrypted_token(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(Door().admit(text))
    assert refusal.value.cure == MEANINGS[refusal.value.code].cure


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/realm_access/roles", "write realm_access.roles"),
        ("$.realm_access.roles", "write realm_access.roles"),
        ("$X/a", "write X.a"),
        ("/", "write claim names separated by dots"),
    ],
)
def test_a_pointer_is_respelled_as_a_claim_path(path: str, advice: str) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(path)
    assert str(refused.value) == f"{path!r} looks like a JSON pointer or JSONPath: {advice}"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (None, "no such claim"),
        ("a\x00", "control characters"),
        ("a\x1f", "control characters"),
        ("a\x7f", "control characters"),
        ("a\x9f", "control characters"),
        ("x" * 256, "more than 255 characters"),
        ("system", "the reserved name 'system'"),
    ],
)
def test_what_is_wrong_with_an_identity_is_said(subject: str | None, found: str) -> None:
    door = Door()
    claims = {name: value for name, value in claims_of(door.issuer, sub=subject).items() if value is not None}
    assert heard(door, compact(header_of(door.issuer), claims, door.issuer.keys[0])) == ("a string in sub", found)


@pytest.mark.parametrize("subject", ["Zoë \u200bYves", "\u200b ", "a\xa0b", "~\u2028X"])
def test_strange_characters_that_control_nothing_name_somebody(subject: str) -> None:
    caller = asyncio.run((door := Door()).admit(door.issuer.token(subject)))
    assert caller.identity == subject


def test_a_prefix_of_another_issuer_is_said_to_be_taken() -> None:
    door = Door(
        identity=[{"claim": "uid", "prefix": "u:"}, {"claim": "sub", "prefix": "u:x:"}],
    )
    token = compact(header_of(door.issuer), claims_of(door.issuer, uid="x:alice"), door.issuer.keys[0])
    assert heard(door, token) == ("a string in uid", "a value that begins with another identity_prefix")


@pytest.mark.parametrize(("length", "found"), [(118, f"'{'x' * 118}'"), (119, f"'{'x' * 116}...")])
def test_a_long_value_is_cut_to_120_characters(length: int, found: str) -> None:
    door = Door()
    assert heard(door, door.issuer.token(audience="x" * length))[1] == found


def test_the_earliest_time_there_is_lies_in_the_past() -> None:
    door = Door()
    assert asyncio.run(door.admit(door.issuer.token(nbf=-253_402_300_799))).expires_at == NOON + 300


def test_a_claim_is_spelled_as_the_configuration_writes_it() -> None:
    door = Door(required_claims=['"a.b".Xc'])
    assert heard(door, door.issuer.token())[0] == 'a claim "a.b".Xc'


def two_doors() -> tuple[OIDCAuth, LocalIssuer, LocalIssuer]:
    """Return one server of two issuers: a client's tokens in Authorization, a proxy's in a header of its own."""
    client, proxy = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("client", "proxy"))
    grant = {"claim": "scope", "accept": ["threads:read"]}
    tables = [
        {"issuer": issuer.url, "audience": "agents", "identity_prefix": f"{issuer.url}/", "grant": grant, **more}
        for issuer, more in ((client, {"name": "client"}), (proxy, {"name": "proxy", "header": "x-proxy-jwt"}))
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=Internet(client, proxy)), client, proxy


def test_a_proxys_token_counts_in_its_own_header_only() -> None:
    async def story() -> None:
        oidc, _, proxy = two_doors()
        token = proxy.token()
        # Before and after it is remembered.
        for _ in range(2):
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate({"authorization": f"Bearer {token}"})
            assert (await oidc.authenticate({"X-Proxy-JWT": token})).identity == "https://proxy.test/alice"
        error = refused.value
        assert error.code is Code.ISSUER_UNKNOWN
        assert error.expected == "a token of https://proxy.test in the header x-proxy-jwt"
        assert error.found == "it in authorization"
        assert error.cure == "Send the token in its own header, or change the issuer's header."

    asyncio.run(story())


def test_a_clients_token_does_not_count_in_the_proxys_header() -> None:
    oidc, client, _ = two_doors()
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate([("x-proxy-jwt", client.token())]))
    assert refused.value.code is Code.ISSUER_UNKNOWN


def test_two_headers_with_a_credential_are_one_too_many_also_from_an_iterator() -> None:
    oidc, client, proxy = two_doors()
    sent = [("x-proxy-jwt", proxy.token()), ("authorization", f"Bearer {client.token()}")]
    for headers in (dict(sent), sent, iter(sent)):
        with pytest.raises(TokenError) as refused:
            asyncio.run(oidc.authenticate(headers))
        assert refused.value.code is Code.HEADER_REPEATED
        assert (refused.value.expected, refused.value.found) == ("one field with a credential", "2")


def test_what_a_later_request_may_ask_of_a_token_is_remembered() -> None:
    kept = {"sub": "a", "sid": "s", "jti": "j", "iat": 1, "auth_time": 2, "acr": "3", "cnf": {"jkt": "x"}}
    token = VerifiedToken(
        issuer="https://issuer.test", claims={**kept, "email": "a@b.c"}, expires_at=9, valid_until=8, key_generation=7
    )
    assert token.remembered() == VerifiedToken(
        issuer="https://issuer.test", claims=kept, expires_at=9, valid_until=8, key_generation=7
    )


def test_a_wrong_signature_is_said_to_be_of_its_key() -> None:
    door = Door()
    other = SigningKey.make("key-1", "ES256")
    assert heard(door, door.issuer.token(key=other)) == ("a signature of key 'key-1'", "")


def test_an_unfinished_session_is_told_apart_from_other_tokens() -> None:
    pending = cure_of(Door(), sts="pending")
    assert pending != MEANINGS[Code.TOKEN_KIND_REFUSED].cure
    assert cure_of(Door(), sts="pending", iss="https://other.test") == MEANINGS[Code.ISSUER_UNKNOWN].cure
    assert cure_of(Door(), typ="ID") == MEANINGS[Code.TOKEN_KIND_REFUSED].cure


def test_a_diagnosis_keeps_what_was_found() -> None:
    door = Door()
    assert heard(door, door.issuer.token(audience="account", azp="web")) == ("agents", "'account'")


@pytest.mark.parametrize("jti", ["trltcc:a:b", "trltcc:"])
def test_a_lightweight_token_is_known_by_what_stands_before_the_first_colon(jti: str) -> None:
    assert "has lightweight access tokens" in cure_of(Door(), audience=None, azp="web", jti=jti)


@pytest.mark.parametrize("fault", [None, Fault.DOWN])
def test_a_refusal_says_whose_token_it_was_by_a_pseudonym(fault: Fault | None) -> None:
    door = Door(audience="others", identity_prefix="acme:")
    door.issuer.fault = fault
    with pytest.raises(OIDCAuthError) as refusal:
        asyncio.run(door.admit(door.issuer.token("alice")))
    assert refusal.value.code is (Code.AUDIENCE_MISMATCH if fault is None else Code.KEYS_UNAVAILABLE)
    assert refusal.value.issuer == door.issuer.url
    assert refusal.value.user == pseudonym("acme:alice")
    assert [event.issuer for event in door.events if isinstance(event, KeysFetched)] == [door.issuer.url]


@pytest.mark.parametrize(
    ("sent", "found"),
    [("'a.b.c'", "quotes around it"), ("a.b.c d", "characters that no token has"), ("a.b.c\t", None), (" a.b.c", None)],
)
def test_a_header_that_holds_a_token_and_nothing_else_says_so(sent: str, found: str | None) -> None:
    door = Door(header="x-token")
    with pytest.raises(TokenError) as refusal:
        asyncio.run(door.oidc.authenticate({"x-token": sent}))
    said = refusal.value
    if found is None:
        assert said.code is not Code.HEADER_MALFORMED
    else:
        assert (said.code, said.expected, said.found) == (Code.HEADER_MALFORMED, "a token and nothing else", found)


def test_a_token_is_presented_with_what_a_proof_of_possession_will_need() -> None:
    presented = present({"Authorization": b"BEARER a.b.c"}, method="GET", url="https://agents.test/x", max_bytes=99)
    assert presented == Presented("bearer", "a.b.c", "GET", "https://agents.test/x", None, "authorization")


def test_a_token_in_its_parts_is_called_what_it_is() -> None:
    assert repr(split_token("a.b.c")) == "Segments(...)"


@pytest.mark.parametrize(
    ("around", "code"),
    [("{}", None), (" \t{}\t ", None), ("\x0b{}", Code.BASE64URL_INVALID), ("Bearer {}", Code.HEADER_MALFORMED)],
)
def test_a_bare_token_stands_between_spaces_and_tabs_and_nothing_else(around: str, code: Code | None) -> None:
    door = Door(header="x-assertion")
    assert door.knock({"x-assertion": around.format(door.issuer.token())}) is code


@pytest.mark.parametrize(
    ("sent", "expected", "found"),
    [
        ("Basic YTpi", "the scheme Bearer", "another scheme, or none"),
        ("Bearer Bearer a.b.c", "", "the scheme twice: 'Bearer Bearer ...'"),
        ("bearer BEARER a.b.c", "", "the scheme twice: 'Bearer Bearer ...'"),
        ("Bearer a.b.c, d", "one token after 'Bearer '", "characters that no token has"),
    ],
)
def test_what_is_no_bearer_token_is_said_beside_what_one_is(sent: str, expected: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(Door().oidc.authenticate({"authorization": sent}))
    assert (refusal.value.code, refusal.value.expected, refusal.value.found) == (
        Code.HEADER_MALFORMED,
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
            "a header x-token",
            "a header authorization, x-api-key, w",
        ),
        ("x-api-key", {"x-api-key": " "}, "a header x-api-key", ""),
    ],
)
def test_a_token_that_is_missing_is_said_beside_where_it_is_looked_for(
    header: str, sent: dict[str, str], expected: str, found: str
) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(Door(header=header).oidc.authenticate(sent))
    assert refusal.value.code is Code.TOKEN_MISSING
    assert refusal.value.expected == expected
    assert refusal.value.found.startswith(found)
    assert bool(refusal.value.found) is bool(found)


def test_a_token_that_is_missing_may_stand_in_the_header_of_each_issuer() -> None:
    oidc, _, _ = two_doors()
    with pytest.raises(TokenError) as refusal:
        asyncio.run(oidc.authenticate({"host": "agents.example"}))
    assert refusal.value.expected == "a header authorization or x-proxy-jwt"


def test_a_token_that_is_too_long_is_said_beside_the_bound() -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(Door(limits={"token_bytes": 2_000}).admit("x" * 2_001))
    assert refusal.value.code is Code.TOKEN_TOO_LONG
    assert (refusal.value.expected, refusal.value.found) == ("at most 2000 bytes", "2001")


@pytest.mark.parametrize("text", ["ab..cd.ef", "ab.cd..ef", ".ab.cd", "ab.cd.", "ab..cd", "..", "ab.cd.ef.gh"])
def test_dots_beside_each_other_make_another_number_of_parts(text: str) -> None:
    assert heard(Door(), text) == ("three parts", "another number, or an empty one")


@pytest.mark.parametrize("kid", ["k", "k" * 256])
def test_a_key_id_may_be_as_short_as_one_character_and_as_long_as_256(kid: str) -> None:
    door = Door()
    door.issuer.keys = [SigningKey.make(kid, "ES256")]
    assert door.knock(door.issuer.token()) is None
