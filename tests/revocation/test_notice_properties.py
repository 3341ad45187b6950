"""Any signed claims are a notice or are refused. They never raise another error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from oidc_auth.errors import TokenError
from oidc_auth.revocation.entries import MAX_NAME, Kind
from oidc_auth.revocation.logout_tokens import LOGOUT_EVENT, read_logout
from oidc_auth.revocation.security_events import ACCOUNT_EVENTS, SESSION_REVOKED, read_events

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://issuer.test"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
TIMES = st.integers(-(2**40), 2**40) | JSON
NAMES = st.text(max_size=MAX_NAME + 1) | JSON
IDENTIFIERS = st.fixed_dictionaries(
    {"format": st.sampled_from(["iss_sub", "opaque", "complex", "email"]) | JSON},
    optional={"iss": st.just(ISSUER) | JSON, "sub": NAMES, "id": NAMES, "user": JSON, "session": JSON},
)
SUBJECTS = (
    IDENTIFIERS
    | st.fixed_dictionaries({"format": st.just("complex")}, optional={"user": IDENTIFIERS, "session": IDENTIFIERS})
    | JSON
)
EVENT = st.fixed_dictionaries({}, optional={"event_timestamp": TIMES}) | JSON
KNOWN = (LOGOUT_EVENT, SESSION_REVOKED, *ACCOUNT_EVENTS)
EVENTS = st.dictionaries(st.sampled_from(KNOWN) | st.text(), EVENT, max_size=3) | JSON
CLAIMS = st.fixed_dictionaries(
    {"iat": TIMES, "events": EVENTS},
    optional={"sub": NAMES, "sid": NAMES, "sub_id": SUBJECTS, "nonce": JSON, "exp": TIMES},
)


def read(claims: dict[str, Any], targets: Iterator[tuple[Kind, str, float]]) -> list[Kind]:
    """Return the kinds of valid targets, or [] if the notice is refused."""
    try:
        found = [*targets]
    except TokenError:
        return []
    for _, name, time in found:
        assert 0 < len(name) <= MAX_NAME
        # Never later than the token, which the verifier has compared with the clock.
        assert 0 < time <= claims["iat"]
    return [kind for kind, _, _ in found]


@given(CLAIMS)
def test_any_claims_are_logout_or_refused(claims: dict[str, Any]) -> None:
    assert read(claims, read_logout(claims)) in (
        [],
        [Kind.SUBJECT],
        [Kind.SESSION],
        [Kind.SESSION, Kind.SUBJECT_WITHOUT_SESSION],
    )


@given(CLAIMS)
def test_any_claims_are_events_or_refused(claims: dict[str, Any]) -> None:
    assert Kind.TOKEN not in read(claims, read_events(claims, (ISSUER,)))
