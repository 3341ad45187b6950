"""The encoding of tenant and identity."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidc_auth.aegra.identity import MAX_PART, RESERVED, UNCHANGED, encode_identity
from oidc_auth.permissions.caller import Tenancy

NO_TENANTS = None
TENANCIES = st.one_of(st.none(), st.builds(Tenancy, st.one_of(st.none(), st.text(max_size=300))))
IDENTITIES = st.text(min_size=1, max_size=300)
USERS = st.tuples(IDENTITIES, TENANCIES)
ALPHABET = UNCHANGED | {"~", "/"}


@pytest.mark.parametrize(
    ("identity", "tenancy", "expected"),
    [
        ("alice", NO_TENANTS, "alice"),
        ("auth0|5f7c", NO_TENANTS, "auth0|5f7c"),
        ("ci:alice", NO_TENANTS, "ci:alice"),
        ("alice@example.com", NO_TENANTS, "alice@example~2Ecom"),
        ("user_1", NO_TENANTS, "user~5F1"),
        ("*", NO_TENANTS, "~2A"),
        (".", NO_TENANTS, "~2E"),
        ("a/b", NO_TENANTS, "a~2Fb"),
        ("~2E", NO_TENANTS, "~7E2E"),
        ("system", NO_TENANTS, "~73ystem"),
        ("anonymous", NO_TENANTS, "~61nonymous"),
        ("müller", NO_TENANTS, "m~C3~BCller"),
        ("a\x00b", NO_TENANTS, "a~00b"),
        ("\ud800", NO_TENANTS, "~ED~A0~80"),
        ("alice", Tenancy("acme"), "acme/alice"),
        ("alice", Tenancy("acme.com"), "acme~2Ecom/alice"),
        ("alice", Tenancy(None), "/alice"),
        ("alice", Tenancy(""), "~/alice"),
        ("system", Tenancy("acme"), "acme/system"),
    ],
)
def test_identity_is_encoded(identity: str, tenancy: Tenancy | None, expected: str) -> None:
    assert encode_identity(identity, tenancy) == expected


@given(USERS, USERS)
@example(("alice", None), ("alice", Tenancy(None)))
@example(("alice", Tenancy(None)), ("alice", Tenancy("")))
@example(("b/alice", Tenancy("a")), ("alice", Tenancy("a/b")))
@example(("acme/alice", None), ("alice", Tenancy("acme")))
@example(("~73ystem", None), ("system", None))
@example(("a" * 256, None), ("a" * 257, None))
@example(("é" * 255, None), ("~" * 255, None))
def test_two_users_never_share_identity(first: tuple[str, Tenancy | None], second: tuple[str, Tenancy | None]) -> None:
    assert (encode_identity(*first) == encode_identity(*second)) == (first == second)


@given(USERS)
@example(("*", None))
@example(("system", None))
@example(("\U0001f600" * 255, Tenancy("\U0001f600" * 255)))
def test_encoded_identity_is_safe(user: tuple[str, Tenancy | None]) -> None:
    encoded = encode_identity(*user)
    assert set(encoded) <= ALPHABET
    assert encoded
    assert encoded not in RESERVED | {"*"}
    assert len(encoded) <= 2 * MAX_PART + 1
    assert not set("._%*\\") & set(encoded)
