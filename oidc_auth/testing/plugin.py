"""pytest fixtures: a local OpenID provider, its tokens and a clock.

Every pytest run in this environment loads the plugin, so the fixtures import what they need on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .invalid_tokens import InvalidToken
    from .issuer import Clock, LocalIssuer
    from .signing import SigningKey


class TokenFactory(Protocol):
    """Create tokens of ``local_issuer``, such as ``oidc_token("alice", roles=["editor"])``."""

    def __call__(
        self,
        subject: str = "alice",
        *,
        invalid: InvalidToken | str | None = None,
        audience: str = "agents",
        **claims: Any,  # noqa: ANN401 - any claim
    ) -> str:
        """Return a signed token.

        Args:
            subject: the claim ``sub``.
            invalid: what is wrong with the token, as an ``InvalidToken`` or its name. None: it is valid.
            audience: the claim ``aud``.
            **claims: other arguments of ``LocalIssuer.token``: claims, and ``lifetime`` in seconds for a valid token.

        Raises:
            ValueError: ``invalid`` is not a name of an ``InvalidToken``.
        """
        ...


@pytest.fixture
def oidc_clock() -> Clock:
    """Return a clock that moves only with ``oidc_clock.advance(seconds)``."""
    from .issuer import Clock  # noqa: PLC0415 - see the module

    return Clock()


@pytest.fixture(scope="session")
def oidc_signing_key() -> SigningKey:
    """Return the first signing key of ``local_issuer``, an RSA key."""
    # Shared by all tests, because creating an RSA key takes longer than most tests.
    from .signing import SigningKey  # noqa: PLC0415 - see the module

    return SigningKey.make("local-1", "RS256")


@pytest.fixture
def local_issuer(oidc_clock: Clock, oidc_signing_key: SigningKey) -> LocalIssuer:
    """Return a local OpenID provider.

    Use it with ``OIDCAuth.from_file(..., fetcher=local_issuer, clock=oidc_clock)``.
    """
    from .issuer import LocalIssuer  # noqa: PLC0415 - see the module

    # A new provider for each test, so that faults and rotated keys of one test do not reach the next.
    return LocalIssuer(clock=oidc_clock, key=oidc_signing_key)


@pytest.fixture
def oidc_token(local_issuer: LocalIssuer) -> TokenFactory:
    """Return a function that creates tokens of ``local_issuer``."""

    def create_token(
        subject: str = "alice",
        *,
        invalid: InvalidToken | str | None = None,
        audience: str = "agents",
        **claims: Any,  # noqa: ANN401 - any claim
    ) -> str:
        # pytest shows the line of the test, not this function.
        __tracebackhide__ = True
        if invalid is None:
            return local_issuer.token(subject, audience=audience, **claims)
        return _invalid_token(invalid).token(local_issuer, subject, audience=audience, **claims)

    return create_token


def _invalid_token(name: str) -> InvalidToken:
    from .invalid_tokens import InvalidToken  # noqa: PLC0415 - see the module

    __tracebackhide__ = True
    try:
        # By name too, so that a parametrized test needs no import of this library.
        return InvalidToken(name)
    except ValueError:
        raise ValueError(f"unknown invalid token {name!r}. Use one of {', '.join(InvalidToken)}") from None
