"""Every refusal: its stable code, what the client may hear, and the cure for the operator.

One tree, four faults::

    OIDCAuthError
    ├── ConfigError    the operator's: the configuration does not say what it should (at start)
    ├── ServerNotSupportedError    the operator's: the LangGraph server is too old or too new (at start)
    ├── TokenError     the caller's: this token does not authenticate anybody (401), or not in this request (403)
    ├── DeniedError    the caller's: known, but not allowed to do this (403)
    └── UpstreamError  the provider's: its keys cannot be had just now (503, Retry-After)

The client hears the code and one harmless sentence. The operator's log also gets what was expected,
what was found and the cure. Nobody sees the token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .codes import MEANINGS, Code, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable

UNAUTHENTICATED = 401
FORBIDDEN = 403
UNAVAILABLE = 503

REALM = "langgraph"
"""RFC 6750 §3 wants at least one parameter after ``Bearer``; this is the one where nothing else is to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a client hears of a refusal (RFC 6750 §3): a status, one sentence and the headers that go with it.

    Attributes:
        status: 401, 403 or 503.
        detail: the body's sentence.
        error: ``invalid_token``, ``insufficient_scope`` or None (no token was sent; or no new token could help).
        scope: the provider's scopes that would help, space-separated; only with ``insufficient_scope``.
        retry_after: seconds after which a retry makes sense; only with 503.
    """

    status: int
    detail: str
    error: str | None = None
    scope: str = ""
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        """Return the response headers: ``WWW-Authenticate`` and, for an outage, ``Retry-After``."""
        if self.retry_after is not None:
            return {"Retry-After": str(self.retry_after)}
        parameters = {"error": self.error, "scope": self.scope, "error_description": self.error and self.detail}
        said = ", ".join(f'{name}="{_quotable(value)}"' for name, value in parameters.items() if value)
        if said:
            return {"WWW-Authenticate": f"Bearer {said}"}
        return {"WWW-Authenticate": f'Bearer realm="{REALM}"'} if self.status == UNAUTHENTICATED else {}


def _quotable(text: str) -> str:
    # RFC 6750 §3 allows %x20-21 / %x23-5B / %x5D-7E in these values: no quote, no backslash, no control character.
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')


class OIDCAuthError(Exception):
    """The base of every error of this library.

    Args:
        code: the stable code.
        expected: what would have been right, for the operator.
        found: what was there instead, for the operator; never a token, never a whole claim set.
        cure: what to do about it; the code's own cure when left out.
        says: the client's sentence; the code's own sentence when left out.

    Attributes:
        issuer: the issuer that is spoken of, for the operator, or "".
        user: who, by a pseudonym, or "".
    """

    issuer: str = ""
    user: str = ""

    def __init__(self, code: Code, *, expected: str = "", found: str = "", cure: str = "", says: str = "") -> None:
        meaning = MEANINGS[code]
        self.code = code
        self.expected = expected
        self.found = found
        self.says = says or meaning.says
        self.cure = cure or meaning.cure
        super().__init__()

    def __str__(self) -> str:
        """Return the operator's line; put together when somebody reads it, since a flood of refusals is not read."""
        return self.report()

    def report(self) -> str:
        """Return the operator's line: code, sentence, expected, found, cure."""
        facts = [f"{name} {fact}" for name, fact in (("expected", self.expected), ("found", self.found)) if fact]
        return " ".join([f"{self.code}: {self.says};", *(f"{fact};" for fact in facts), self.cure])


class TokenError(OIDCAuthError):
    """The token does not authenticate this request: 401 (RFC 6750 §3.1), or 403 where a new token would not help."""

    def challenge(self) -> Challenge:
        """Return what the client hears: no ``error`` when no token was sent (RFC 6750 §3.1)."""
        status = MEANINGS[self.code].status
        is_invalid = status == UNAUTHENTICATED and self.code is not Code.TOKEN_MISSING
        error = "invalid_token" if is_invalid else None
        return Challenge(status=status, detail=f"{self.code}: {self.says}", error=error)


class DeniedError(OIDCAuthError):
    """The caller is known but may not do this: 403; or 401 where a socket outlived its token.

    Args:
        scope: the provider's scopes that would cure it, when a grant on a scope claim would yield the permission.
    """

    def __init__(
        self, code: Code, *, expected: str = "", found: str = "", cure: str = "", says: str = "", scope: str = ""
    ) -> None:
        super().__init__(code, expected=expected, found=found, cure=cure, says=says)
        self.scope = scope

    def challenge(self) -> Challenge:
        """Return what the client hears; ``insufficient_scope`` only where a scope would help."""
        if MEANINGS[self.code].status == UNAUTHENTICATED:
            return Challenge(status=UNAUTHENTICATED, detail=f"{self.code}: {self.says}", error="invalid_token")
        error = "insufficient_scope" if self.scope else None
        return Challenge(status=FORBIDDEN, detail=self.says, error=error, scope=self.scope)


class UpstreamError(OIDCAuthError):
    """The provider's keys cannot be had: 503 with Retry-After, never 401 (a 401 would make clients log in again).

    Args:
        retry_after: seconds until the next attempt.
    """

    def __init__(self, *, found: str = "", cure: str = "", retry_after: float = 1) -> None:
        super().__init__(Code.KEYS_UNAVAILABLE, found=found, cure=cure)
        self.retry_after = max(1, round(retry_after))

    def challenge(self) -> Challenge:
        """Return what the client hears."""
        return Challenge(status=UNAVAILABLE, detail=f"{self.code}: {self.says}", retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes:
        where: the key path, such as ``issuer[0].grant[1].values``.
        message: what is wrong: expected and found.
        cure: what to write instead, such as ``did you mean 'audience'?``.
    """

    where: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        """Return the problem on one line."""
        line = f"{self.where}: {self.message}" if self.where else self.message
        return f"{line} ({self.cure})" if self.cure else line


class ConfigError(OIDCAuthError, ValueError):
    """The configuration is wrong; all problems at once.

    Args:
        problems: what is wrong, in the order of the document.
        source: the file or other place the configuration came from.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(Code.CONFIG_INVALID)

    def report(self) -> str:
        """Return the whole report: one line a problem."""
        count = len(self.problems)
        head = f"{self.source or 'configuration'}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


class ServerNotSupportedError(OIDCAuthError):
    """The LangGraph server of this process cannot be protected: too old, or without a name that we rely on."""


__all__ = [
    "FORBIDDEN",
    "MEANINGS",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "Challenge",
    "Code",
    "ConfigError",
    "DeniedError",
    "Meaning",
    "OIDCAuthError",
    "Problem",
    "ServerNotSupportedError",
    "TokenError",
    "UpstreamError",
]
