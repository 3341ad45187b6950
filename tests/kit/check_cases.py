"""Cases of the token checks: what is sent to which server, and senders of changed tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey, compact

from .auth_harness import AuthHarness, bearer
from .tokens import claims_of, header_of, sign_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .auth_harness import Publisher

LONG_ENOUGH = 40
"""A part of a token with this length is in no message by chance."""
ID_TOKENS: dict[str, Any] = {
    "token_type": "id",
    "permission_map": {"claim": "groups", "values": {"users": ["threads:read"]}},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent to a server with these settings, some seconds after noon."""

    sends: Callable[[Publisher], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    later: float = 0

    def prepare(self) -> tuple[AuthHarness, Any]:
        """Return a new server at the time of the case, and what is sent to it."""
        harness = AuthHarness(**self.settings)
        sent = self.sends(harness.issuer)
        harness.clock.advance(self.later)
        return harness, sent


class Cases:
    """The cases of one test module."""

    def __init__(self) -> None:
        self.refusals: list[Any] = []
        self.admissions: list[Any] = []

    def refused(
        self, code: ErrorCode, name: str, sends: Callable[[Publisher], Any], *, later: float = 0, **settings: Any
    ) -> None:
        """Add a case that is refused with a code."""
        case = Case(sends=sends, settings=settings, later=later)
        self.refusals.append(pytest.param(code, case, id=f"{code}: {name}"))

    def admitted(self, name: str, sends: Callable[[Publisher], Any], *, later: float = 0, **settings: Any) -> None:
        """Add a case that is accepted."""
        self.admissions.append(pytest.param(Case(sends=sends, settings=settings, later=later), id=name))

    @property
    def codes(self) -> set[ErrorCode]:
        """The codes of all refusals."""
        return {parameters.values[0] for parameters in self.refusals}


def check_refusal(code: ErrorCode, case: Case) -> None:
    """Check the code of a refusal, what the client is told, and that no part of the token is repeated."""
    harness, sent = case.prepare()
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate(bearer(sent) if isinstance(sent, str) else sent))
    assert refusal.value.code is code
    said = refusal.value.challenge()
    heard = ErrorCode.TOKEN_INVALID if code is ErrorCode.SIGNATURE_INVALID else code
    assert (said.status, said.detail) == (401, f"{heard}: {ERROR_DETAILS[heard].client_message}")
    texts = "".join([said.detail, *said.headers().values(), str(refusal.value), repr(refusal.value)])
    assert all(part not in texts for part in str(sent).split(".") if len(part) > LONG_ENOUGH)


def check_admission(case: Case) -> None:
    """Check that a case is accepted."""
    harness, sent = case.prepare()
    assert harness.authenticate(sent) is None


def with_header(**members: Any) -> Callable[[Publisher], str]:
    """Return a sender of tokens with changed header members."""
    return lambda i: sign_token(i, members)


def without_header(name: str) -> Callable[[Publisher], str]:
    """Return a sender of tokens without a header member."""

    def sends(issuer: Publisher) -> str:
        header = header_of(issuer)
        del header[name]
        return compact(header, claims_of(issuer), issuer.keys[0])

    return sends


def with_claims(**claims: Any) -> Callable[[Publisher], str]:
    """Return a sender of tokens with changed claims."""
    return lambda i: sign_token(i, **claims)


def without_claim(*names: str, **claims: Any) -> Callable[[Publisher], str]:
    """Return a sender of tokens without some claims, and with other claims changed."""

    def sends(issuer: Publisher) -> str:
        kept = {name: value for name, value in claims_of(issuer, **claims).items() if name not in names}
        return compact(header_of(issuer), kept, issuer.keys[0])

    return sends


def with_embedded_key(issuer: Publisher, kid: str) -> str:
    """Sign with a key from the token's own header (CVE-2026-27962)."""
    own = SigningKey.make(kid, "ES256")
    header = {"jwk": own.jwk(), "jku": "https://evil.test/keys", "x5u": "https://evil.test/x", "x5c": ["AAAA"]}
    return issuer.token(header=header, key=own)
