"""The pytest plugin: a provider, its tokens and a clock as fixtures.

Every pytest run of an environment loads it: what the fixtures need is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .clock import Clock
    from .invalid_tokens import InvalidToken
    from .issuer import LocalIssuer
    from .signing import SigningKey


class TokenFactory(Protocol):
    """Makes tokens of ``local_issuer``: ``oidc_token("alice", roles=["editor"])``."""

    def __call__(
        self,
        subject: str = "alice",
        *,
        invalid: InvalidToken | str | None = None,
        audience: str = "agents",
        **claims: Any,  # noqa: ANN401 - any claim
    ) -> str:
        """Return a token.

        Args:
            subject: ``sub``.
            invalid: what is wrong with it: a ``InvalidToken`` or its name.
            audience: ``aud``.
            **claims: as for ``LocalIssuer.token``: claims, and ``lifetime`` (seconds) for a token that is not invalid.

        Raises:
            ValueError: there is no such invalid token.
        """
        ...


@pytest.fixture
def oidc_clock() -> Clock:
    """Return a clock that stands still until the test moves it: ``oidc_clock.move(3600)``."""
    from .clock import Clock  # noqa: PLC0415 - see above

    return Clock()


@pytest.fixture(scope="session")
def oidc_signing_key() -> SigningKey:
    """Return the RSA key that ``local_issuer`` signs with at first: making one takes longer than most tests."""
    from .signing import SigningKey  # noqa: PLC0415 - see above

    return SigningKey.make("local-1", "RS256")


@pytest.fixture
def local_issuer(oidc_clock: Clock, oidc_signing_key: SigningKey) -> LocalIssuer:
    """Return a provider in this process: ``OIDCAuth.from_file(..., fetcher=local_issuer, clock=oidc_clock)``."""
    from .issuer import LocalIssuer  # noqa: PLC0415 - see above

    return LocalIssuer(clock=oidc_clock, key=oidc_signing_key)


@pytest.fixture
def oidc_token(local_issuer: LocalIssuer) -> TokenFactory:
    """Return what makes tokens of ``local_issuer``."""

    def make(
        subject: str = "alice",
        *,
        invalid: InvalidToken | str | None = None,
        audience: str = "agents",
        **claims: Any,  # noqa: ANN401 - any claim
    ) -> str:
        __tracebackhide__ = True  # an unknown name is the test's mistake
        if invalid is None:
            return local_issuer.token(subject, audience=audience, **claims)
        return _invalid_token(invalid).token(local_issuer, subject, audience=audience, **claims)

    return make


def _invalid_token(name: str) -> InvalidToken:
    from .invalid_tokens import InvalidToken  # noqa: PLC0415 - see above

    __tracebackhide__ = True
    try:
        return InvalidToken(name)
    except ValueError:
        raise ValueError(f"unknown invalid token {name!r}; known are {', '.join(InvalidToken)}") from None
