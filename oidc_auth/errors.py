"""Exceptions: each has a stable code, a message for the client and a hint for the operator.

::

    OIDCAuthError
    ├── ConfigError    The configuration is invalid (at start).
    ├── ServerNotSupportedError    The LangGraph server is too old or not compatible (at start).
    ├── TokenError     The request is not authenticated (401), or not with this token (403).
    ├── DeniedError    The caller is known, but may not do this (403).
    └── UpstreamError  Something that this server needs is not available (503 with Retry-After).

A client gets the code and one short message. The log also gets what was expected and found, and the hint. Neither
contains a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .error_codes import CLIENT_CODES, ErrorCode, ErrorDetails
from .error_details import ERROR_DETAILS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNAUTHENTICATED = 401
FORBIDDEN = 403
UNAVAILABLE = 503

REALM = "langgraph"
"""The parameter of a challenge without other parameters. RFC 6750 §3 requires at least one after ``Bearer``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The answer to a refused request (RFC 6750 §3).

    Attributes:
        status: 401, 403 or 503.
        detail: The message in the body.
        error: ``invalid_token``, ``insufficient_scope``, or None if no token was sent or no new token can help.
        scope: The provider's scopes to request, separated by spaces.
        resource_metadata: The address of the metadata of this server (RFC 9728 §5.1), or "".
        retry_after: Seconds after which the client may try again. Only with 503.
    """

    status: int
    detail: str
    error: str | None = None
    scope: str = ""
    resource_metadata: str = ""
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        """Return the response headers ``WWW-Authenticate`` or ``Retry-After``."""
        if self.retry_after is not None:
            return {"Retry-After": str(self.retry_after)}
        parameters = {
            "error": self.error,
            "scope": self.scope,
            "resource_metadata": self.resource_metadata,
            # The last one, because MCP clients take the first match in the whole header.
            "error_description": self.error and _hide_parameters(_quotable(self.detail)),
        }
        present = ", ".join(f'{name}="{_quotable(value)}"' for name, value in parameters.items() if value)
        if present:
            return {"WWW-Authenticate": f"Bearer {present}"}
        return {"WWW-Authenticate": f'Bearer realm="{REALM}"'} if self.status == UNAUTHENTICATED else {}


def _quotable(text: str) -> str:
    # RFC 6750 §3 allows %x20-21 / %x23-5B / %x5D-7E: no quotes, backslashes or control characters.
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')


def _hide_parameters(text: str) -> str:
    # MCP clients search the whole header for "scope=", also inside of a quoted text.
    return re.sub(r"(scope|error|resource_metadata)=", r"\1 =", text)


class OIDCAuthError(Exception):
    """The base of all errors of this library.

    Args:
        code: The stable code.
        expected: What would be right, for the operator.
        found: What was found, for the operator. It is never a token or a whole claim set.
        hint: What to do. The default is the hint of the code.
        client_message: The message for the client. The default is the message of the code.

    Attributes:
        issuer: The issuer, for the operator, or "".
        user: The pseudonym of the user, for the operator, or "".
    """

    issuer: str = ""
    user: str = ""

    def __init__(
        self, code: ErrorCode, *, expected: str = "", found: str = "", hint: str = "", client_message: str = ""
    ) -> None:
        self.code = code
        self.expected = expected
        self.found = found
        self.client_message = client_message or ERROR_DETAILS[code].client_message
        self._hint = hint
        self._find_hint: Callable[[OIDCAuthError], str] | None = None
        super().__init__()

    @property
    def default_hint(self) -> str:
        """The hint of the code."""
        return ERROR_DETAILS[self.code].hint

    @property
    def hint(self) -> str:
        """What to do, for the operator."""
        if self._find_hint is not None:
            # Found once, and then the claims that it needs are released.
            find_hint, self._find_hint = self._find_hint, None
            self._hint = self._hint or find_hint(self)
        return self._hint or self.default_hint

    def defer_hint(self, find_hint: Callable[[OIDCAuthError], str]) -> None:
        """Find a better hint when it is read.

        Many refusals are never read, and a hint can cost more than the refusal.
        """
        self._find_hint = find_hint

    def drop_token(self) -> None:
        """Drop the claims that a deferred hint needs. Errors may be kept, and must not hold claims."""
        self._find_hint = None

    def __str__(self) -> str:
        """Return the line for the operator."""
        return self.report()

    def report(self) -> str:
        """Return the line for the operator: code, message, expected, found, hint."""
        facts = [f"{name} {fact}" for name, fact in (("expected", self.expected), ("found", self.found)) if fact]
        return " ".join([f"{self.code}: {self.client_message};", *(f"{fact};" for fact in facts), self.hint])


class TokenError(OIDCAuthError):
    """The token does not authenticate this request: 401 (RFC 6750 §3.1), or 403 if a new token cannot help.

    Attributes:
        has_token: False if the request has another scheme, or a scheme without a token.
    """

    has_token: bool = True

    @property
    def client_code(self) -> ErrorCode:
        """The code for the client. It tells less than ``code`` if the signature is not valid."""
        return CLIENT_CODES.get(self.code, self.code)

    def challenge(self) -> Challenge:
        """Return the answer for the client, without ``error`` if no token was sent (RFC 6750 §3.1)."""
        code = self.client_code
        status = ERROR_DETAILS[code].status
        # A request without a token gets no error code (RFC 6750 §3.1).
        is_invalid = status == UNAUTHENTICATED and code is not ErrorCode.TOKEN_MISSING and self.has_token
        message = self.client_message if code is self.code else ERROR_DETAILS[code].client_message
        return Challenge(status=status, detail=f"{code}: {message}", error="invalid_token" if is_invalid else None)


class DeniedError(OIDCAuthError):
    """The caller is known but may not do this: 403, or 401 if the token of a socket has expired.

    Args:
        scope: The provider's scopes that would give the permission, or "".
    """

    def __init__(
        self,
        code: ErrorCode,
        *,
        expected: str = "",
        found: str = "",
        hint: str = "",
        client_message: str = "",
        scope: str = "",
    ) -> None:
        super().__init__(code, expected=expected, found=found, hint=hint, client_message=client_message)
        self.scope = scope

    def challenge(self) -> Challenge:
        """Return the answer for the client, with ``insufficient_scope`` only if a scope would help."""
        if ERROR_DETAILS[self.code].status == UNAUTHENTICATED:
            return Challenge(
                status=UNAUTHENTICATED, detail=f"{self.code}: {self.client_message}", error="invalid_token"
            )
        # MCP clients start a new login on this error. Without a scope that helps, the login would repeat forever.
        error = "insufficient_scope" if self.scope else None
        return Challenge(status=FORBIDDEN, detail=self.client_message, error=error, scope=self.scope)


class UpstreamError(OIDCAuthError):
    """Something that this server needs is not available: 503 with Retry-After.

    A 401 would make clients log in again, which does not help.

    Args:
        code: What is not available.
        found: What was found, for the operator.
        hint: What to do. The default is the hint of the code.
        retry_after: Seconds until the next attempt.
    """

    def __init__(
        self,
        code: ErrorCode = ErrorCode.KEYS_UNAVAILABLE,
        *,
        found: str = "",
        hint: str = "",
        retry_after: float = 1,
    ) -> None:
        super().__init__(code, found=found, hint=hint)
        # Retry-After is a whole number of seconds (RFC 9110 §10.2.3). 0 would make clients retry in a loop.
        self.retry_after = max(1, round(retry_after))

    def challenge(self) -> Challenge:
        """Return the answer for the client."""
        return Challenge(status=UNAVAILABLE, detail=f"{self.code}: {self.client_message}", retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration.

    Attributes:
        where: The key path, such as ``issuer[0].permission_map[1].values``.
        message: What is wrong: expected and found.
        hint: What to write instead, such as ``did you mean 'audience'?``.
    """

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem on one line."""
        line = f"{self.where}: {self.message}" if self.where else self.message
        return f"{line} ({self.hint})" if self.hint else line


class ConfigError(OIDCAuthError, ValueError):
    """The configuration is invalid. The error lists all problems.

    Args:
        problems: The problems, in the order of the document.
        source: The file or other place of the configuration.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(ErrorCode.CONFIG_INVALID)

    def report(self) -> str:
        """Return the whole report, with one line for each problem."""
        count = len(self.problems)
        head = f"{self.source or 'configuration'}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


class ServerNotSupportedError(OIDCAuthError):
    """The LangGraph server of this process is too old or not compatible."""


__all__ = [
    "ERROR_DETAILS",
    "FORBIDDEN",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "Challenge",
    "ConfigError",
    "DeniedError",
    "ErrorCode",
    "ErrorDetails",
    "OIDCAuthError",
    "Problem",
    "ServerNotSupportedError",
    "TokenError",
    "UpstreamError",
]
