"""A running server, as its callers see it: searched only, never changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from ...keys.fetch import forbidden_url_reason
from .finding import NotApplicableError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHORIZATION = "authorization"
MIN_MASKED_LENGTH = 12
"""Characters of a token that a server's answer may repeat by chance; from so many on they are not shown."""
MAX_RESPONSE_LENGTH = 2_000
TIMEOUT = 10.0
"""Seconds for one request."""
SEARCHES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "threads:search": ("/threads/search", {"limit": 1}),
    "assistants:search": ("/assistants/search", {"limit": 1}),
    "crons:search": ("/runs/crons/search", {"limit": 1}),
    "store:list_namespaces": ("/store/namespaces", {"limit": 1}),
}
"""Requests that change nothing, and the permission each needs."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server's address, and a token to try it with, or ""."""

    url: str
    token: str

    def search(self, permission: str, headers: Mapping[str, str] | None = None) -> httpx.Response | str:
        """Send the search that needs a permission; return its answer, or why there was none."""
        path, body = SEARCHES[permission]
        try:
            address = httpx.URL(self.url.rstrip("/") + path)
            # Plain http leads to this machine where a token is sent: a proxy of the environment would read it.
            proxied = address.scheme == "https"
            return httpx.post(address, json=body, headers=headers, timeout=TIMEOUT, trust_env=proxied)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
            return f"no answer from {self.url}: {type(error).__name__}"

    def credential(self, field: str) -> dict[str, str]:
        """Return the header field with the token: bare, where an issuer has a field of its own.

        Raises:
            NotApplicableError: there is no token, or it would travel unencrypted.
        """
        if not self.token:
            raise NotApplicableError("no token (--token-file, or OIDC_AUTH_TOKEN)")
        if (why := forbidden_url_reason(self.url)) is not None:
            raise NotApplicableError(f"no token is sent to {self.url}: {why}")
        return {field: f"Bearer {self.token}" if field == AUTHORIZATION else self.token}

    def response_text(self, answer: httpx.Response) -> str:
        """Return the beginning of what an answer says, without what it repeats of the token."""
        text = printable(answer.text, MAX_RESPONSE_LENGTH)
        return re.sub(rf"[\w.~+/=-]{{{MIN_MASKED_LENGTH},}}", self._masked, text)[:120]

    def _masked(self, run: re.Match[str]) -> str:
        pieces = (run[0][start : start + MIN_MASKED_LENGTH] for start in range(len(run[0]) - MIN_MASKED_LENGTH + 1))
        return "(the token)" if any(piece in self.token for piece in pieces) else run[0]
