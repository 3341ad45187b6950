"""Checks of the OpenID providers: keys, issuer, redirects, sizes and clocks."""

from __future__ import annotations

from collections import Counter
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING

from ...config.raw_document import read_table
from ...json_values import is_list
from ...keys.fetch import redact_url
from ...keys.jwk import Key, UnusableKeyError, read_key
from ...keys.key_set import MAX_KEYS, read_key_set
from .check import Check, Finding, NotApplicableError, Severity, not_checked, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment, Exchange, Provider

MAX_REASON = 1_000
"""Characters of a reason. It starts with the provider's text and ends with our hint."""
REDIRECTS = range(300, 400)


def check_keys_reachable(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer without keys.

    Without the provider's keys, no token can be verified. The server answers all requests with 503.

    This check fetches the keys as the server does: first the discovery document, then the key set. It uses https only
    (http for loopback addresses) and follows no redirects. `limits.fetch_timeout`, `limits.key_set_bytes`, `ca_file`,
    the client certificate and `bearer_file` apply. Behind a firewall, check the proxy variables of the server's
    process (`HTTPS_PROXY`, `NO_PROXY`). Plain http never uses a proxy.
    """
    hint = "Other checks may show the reason. If not, fetch this address from the server's own host or container."
    for provider in environment.queried_providers():
        if provider.failure:
            yield Finding(f"{provider.issuer}: {printable(provider.failure, MAX_REASON)}", hint, provider.severity)


def check_issuer_match(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer that differs from its discovery document.

    `iss` is compared exactly, and a discovery document must contain exactly the configured issuer.

    Usual differences are a final slash, http instead of https, and a container's host name instead of the public one.
    Copy the issuer from the discovery document. If the server reaches the provider at another address, set that
    address as `jwks_uri`.
    """
    named = [
        (provider, provider.document(discovery=True).get("issuer")) for provider in environment.queried_providers()
    ]
    if all(found is None for _, found in named):
        raise NotApplicableError("no discovery document")
    for provider, found in named:
        configured = provider.issuer
        if not isinstance(found, str):
            yield not_checked(configured, "no discovery document")
        elif found != configured:
            yield Finding(
                f"expected {configured!r}, the discovery document has {printable(found)!r}"
                f"{_difference(configured, found)}",
                f'Set issuer = "{printable(found)}". Tokens have the issuer of the discovery document.',
                provider.severity,
            )


def _difference(configured: str, found: str) -> str:
    # People overlook one character in two long addresses.
    if configured.rstrip("/") == found.rstrip("/"):
        return " (only the final '/' differs)"
    if configured.casefold() == found.casefold():
        return " (only upper and lower case differ)"
    same = configured.partition("://")[2] == found.partition("://")[2]
    return " (only http and https differ)" if same else ""


def check_no_redirects(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each address that redirects.

    The server never follows a redirect. Anyone who can redirect the fetch of the keys could replace the keys.

    A redirect often means that the issuer has http instead of https, lacks `www`, or is an old address.
    """
    for provider in environment.responding_providers():
        for exchange in provider.exchanges:
            if exchange.response.status in REDIRECTS:
                # Addresses can have a key of the provider in their query, and this output goes into tickets.
                target = printable(redact_url(exchange.response.headers.get("location", "an unknown address")))
                yield Finding(
                    f"{redact_url(exchange.url)} redirects to {target}",
                    "Configure the final address.",
                )
    yield from environment.unanswered_findings()


def check_response_size(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each answer near the size limit.

    A discovery document or key set larger than `limits.key_set_bytes` is not read.

    This check warns at half of the limit. Key sets grow if a provider keeps old keys or publishes certificate chains
    (`x5c`).
    """
    answered, limit = environment.responding_providers(), environment.configuration().document.limits.key_set_bytes
    for exchange in (exchange for provider in answered for exchange in provider.exchanges):
        # At half, because the server reads nothing above the limit, and then answers 503.
        if (size := len(exchange.response.body)) > limit / 2:
            yield Finding(f"{redact_url(exchange.url)}: {size} bytes of {limit}", "Set a larger limits.key_set_bytes.")
    yield from environment.unanswered_findings()


def check_clock_skew(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each provider with a clock that differs.

    The provider sets `exp`, `nbf` and `iat` with its clock. The server compares them with its own clock and allows the
    issuer's `leeway`.

    This check reads the provider's clock from the header `Date`, which has whole seconds, and adds `Age`. Synchronize
    the host with NTP. A larger `leeway` also accepts expired tokens for longer.
    """
    first = [(provider, provider.exchanges[0]) for provider in environment.responding_providers()]
    if not any("date" in exchange.response.headers for _, exchange in first):
        raise NotApplicableError("no provider sent a Date header")
    yield from environment.unanswered_findings()
    for provider, exchange in first:
        if "date" in exchange.response.headers:
            yield from _clock_findings(provider, exchange)
        else:
            yield not_checked(provider.issuer, "no Date header")


def _clock_findings(provider: Provider, exchange: Exchange) -> Iterator[Finding]:
    skew, leeway = _skew(exchange), provider.table.leeway
    if skew is None:
        date, age = (printable(exchange.response.headers.get(name, "none"), 60) for name in ("date", "age"))
        what = f"{provider.issuer}: the time in its answer is not valid: Date {date}; Age {age}"
        yield Finding(what, "Check the provider, or the proxy in front of it.", Severity.WARNING)
    elif abs(skew) > leeway:
        direction = "behind" if skew > 0 else "ahead of"
        what = f"this host's clock is {abs(skew):.0f} s {direction} that of {provider.issuer}; leeway is {leeway:g} s"
        yield Finding(what, "Synchronize this host with NTP.")


def _skew(exchange: Exchange) -> float | None:
    """Return by how many seconds the provider is ahead, or None if its headers are invalid."""
    headers = exchange.response.headers
    try:
        # A CDN sends a stored answer with its old Date. Age tells how old it is (RFC 9111 §5.1).
        time = parsedate_to_datetime(headers["date"]).timestamp() + float(headers.get("age", "0"))
    except (ValueError, OverflowError):
        return None
    # float() reads "nan" and "inf" too.
    return time - exchange.at if isfinite(time) else None


def check_key_quality(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each key that cannot be used, and ambiguous keys.

    The server ignores weak RSA keys, symmetric keys and malformed keys.

    A published private key is an error, because anyone can sign tokens with it. Encryption keys (`use: enc`) are not
    checked. If two keys without `kid` have the same algorithm, every token without `kid` is refused. The server reads
    the first 200 keys of a key set.
    """
    environment.configuration()
    published = [(provider, _members(provider)) for provider in environment.providers]
    if not any(members for _, members in published):
        raise NotApplicableError("no key set")
    for provider, members in published:
        if not members:
            yield not_checked(provider.issuer, "no key set")
        yield from (
            Finding(f"{provider.issuer}: {what}", hint, severity) for what, hint, severity in _key_faults(members)
        )


def _members(provider: Provider) -> list[object]:
    keys = provider.document(discovery=False).get("keys")
    return keys if is_list(keys) else []


def _key_faults(members: list[object]) -> Iterator[tuple[str, str, Severity | None]]:
    good: list[Key] = []
    if (count := len(members)) > MAX_KEYS:
        yield f"{count} keys, but only the first {MAX_KEYS} are read", "Remove old keys at the provider.", None
    # The same limit as the server, so that both read the same keys.
    for position, member in enumerate(members[:MAX_KEYS]):
        jwk = read_table(member)
        if jwk.get("use") == "enc":
            continue
        name = f"key {position} ({printable(str(jwk.get('kid')), 60)})"
        try:
            good.append(read_key(jwk))
        except UnusableKeyError as reason:
            # Other faults make one key useless. This one lets every reader of the key set sign tokens.
            private = "private members" in str(reason)
            hint = "Replace this key at the provider."
            yield f"{name}: {printable(str(reason))}", hint, Severity.ERROR if private else None
    # Only keys of one algorithm compete for a token without kid.
    nameless = Counter(algorithm for key in good if key.kid is None for algorithm in key.algorithms)
    if doubled := sorted(algorithm for algorithm, count in nameless.items() if count > 1):
        yield f"several keys without kid have the algorithm {', '.join(doubled)}", "Give each key a kid.", None


def check_key_algorithms(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer without a key for an allowed algorithm.

    If no key has an allowed algorithm, no token can be verified.

    This happens if the provider changed from RS256 to ES256 and `algorithms` still has the old value. Without
    `algorithms`, every supported asymmetric algorithm is allowed.
    """
    environment.configuration()
    offers = [(provider, _algorithms(provider)) for provider in environment.providers]
    if not any(offered for _, offered in offers):
        raise NotApplicableError("no usable key")
    for provider, offered in offers:
        allowed = set(provider.table.algorithms)
        # EdDSA (RFC 8037) and Ed25519 (RFC 9864) name the same algorithm. Such a key has both names.
        if not offered:
            yield not_checked(provider.issuer, "no usable key")
        elif not offered & allowed:
            # Sorted, so that each run prints the same text.
            found, expected = ", ".join(sorted(offered)), ", ".join(sorted(allowed))
            yield Finding(
                f"{provider.issuer}: no key for an allowed algorithm; expected {expected}; found {found}",
                f'Remove algorithms from the configuration, or set algorithms = ["{min(offered)}"].',
            )


def _algorithms(provider: Provider) -> set[str]:
    try:
        return {name for key in read_key_set(provider.document(discovery=False)).keys for name in key.algorithms}
    except UnusableKeyError:
        return set()


CHECKS = (
    Check("keys-reachable", Severity.ERROR, "the keys of each provider can be fetched", check_keys_reachable),
    Check("issuer-match", Severity.ERROR, "each issuer is equal to that of its discovery document", check_issuer_match),
    Check("no-redirects", Severity.ERROR, "no address of a provider redirects", check_no_redirects),
    Check("response-size", Severity.WARNING, "all answers are below half of limits.key_set_bytes", check_response_size),
    Check("clock-skew", Severity.ERROR, "the clocks differ by less than leeway", check_clock_skew),
    Check("key-quality", Severity.WARNING, "every published key can be used", check_key_quality),
    Check("key-algorithms", Severity.ERROR, "each issuer has a key for an allowed algorithm", check_key_algorithms),
)
