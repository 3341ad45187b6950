"""What the records say together: names, issuers, token kinds and hints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import PROVIDERS
from .without_preset import PUBLIC_ISSUERS as OTHER_PUBLIC_ISSUERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..error_codes import ErrorCode
    from .record import Provider, PublicIssuer, RefusedToken, TenantTemplate

GENERIC = "generic"
LONGEST_ISSUER = 512
"""Characters of an issuer that are compared. The sender of a token chooses its ``iss``."""

ALIASES: Mapping[str, str] = {alias: name for name, provider in PROVIDERS.items() for alias in provider.aliases}
"""Other names that people type, and the provider that each one means."""

PUBLIC_ISSUERS: Mapping[str, PublicIssuer] = {
    issuer: public
    for public in (*(each.tokens.public for each in PROVIDERS.values()), *OTHER_PUBLIC_ISSUERS)
    if public is not None
    for issuer in public.issuers
}
"""Issuers that sign tokens for any customer. The requester also chooses the audience, so it proves nothing."""


TOKEN_KINDS: dict[str, dict[str, str]] = {}
"""Claim to value to kind: the marks of tokens that are not access tokens."""
for _kind in (kind for each in PROVIDERS.values() for kind in each.tokens.kinds):
    TOKEN_KINDS.setdefault(_kind.claim, {})[_kind.value] = _kind.kind


def _first_template() -> TenantTemplate:
    return next(each.tokens.tenants for each in PROVIDERS.values() if each.tokens.tenants is not None)


TENANTS = _first_template()
"""How one configuration trusts several tenants. One provider has issuers per tenant, so there is one template."""

CLIENT_ID = re.compile("|".join(each.tokens.client_id for each in PROVIDERS.values() if each.tokens.client_id))
"""Client ids by their form, for an audience that is one by mistake."""

HINTED_CODES = frozenset(
    code for each in PROVIDERS.values() for code in (*each.hints, *(mistake.code for mistake in each.mistakes))
)
"""The refusals that a provider has a hint for."""

PROFILE_CLAIMS = (
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
    *("website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "address"),
)
"""Standard claims that describe a person (OpenID Connect Core §5.1). At most providers, users can change them."""
USER_WRITABLE_CLAIMS = frozenset(PROFILE_CLAIMS).union(*(each.tokens.user_claims for each in PROVIDERS.values()))
"""Claims that users can write themselves."""


def resolve_name(name: str) -> str:
    """Return the name of the provider that a name or alias means, or the name itself."""
    return ALIASES.get(name.lower(), name)


def recognize_issuer(issuer: object) -> Provider | None:
    """Return the provider that has issuers of this form, or None."""
    if not isinstance(issuer, str) or len(issuer) > LONGEST_ISSUER:
        return None
    return next((each for each in PROVIDERS.values() if each.issuer.recognizes(issuer)), None)


def identify_provider(preset: str, issuer: object) -> Provider | None:
    """Return the provider of a configured issuer: by its preset, else by the form of the issuer."""
    named = PROVIDERS.get(preset)
    return named if named is not None and preset != GENERIC else recognize_issuer(issuer)


def find_hint(code: ErrorCode, token: RefusedToken, provider: Provider | None) -> str:
    """Return the hint of the first mistake that a refused token shows, or "".

    Args:
        code: The refusal.
        token: What is known about the token.
        provider: Its provider, if it is known. Then mistakes of other providers are not considered.
    """
    known = PROVIDERS.values() if provider is None else (provider,)
    for each in known:
        for mistake in each.mistakes:
            applies = mistake.code == code and not (mistake.own_issuer and provider is None)
            if applies and mistake.matches(token):
                return mistake.hint
    return ""


def usual_causes(code: ErrorCode, providers: Iterable[Provider]) -> str:
    """Return the usual causes of a refusal at these providers, as one text."""
    return " ".join(_causes(code, providers))


def _causes(code: ErrorCode, providers: Iterable[Provider]) -> Iterator[str]:
    yield from (each.hints[code] for each in providers if code in each.hints)
