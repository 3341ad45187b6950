"""The record of one OpenID provider: everything this library knows about it, as frozen data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..error_codes import ErrorCode


class Sourced(NamedTuple):
    """A value and the document that states it."""

    value: Any
    source: str


NO_DEFAULT_MAPS = Sourced((), "its tokens carry no permission names of an API")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A configuration key that replaces ``issuer``, such as ``domain``.

    Attributes:
        name: The key of ``[[issuer]]`` and, with dashes, the option of ``oidc-auth init``.
        help: What the value is.
        example: A valid value.
        listed: The key stays in the configuration and holds a list of values.
    """

    name: str
    help: str
    example: str
    listed: bool = False


class IssuerFault(NamedTuple):
    """Why an issuer is probably wrong.

    Attributes:
        message: What is wrong, without the issuer itself: an address can contain a password.
        hint: What to write instead.
        certain: No token of the provider can have this issuer.
    """

    message: str
    hint: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerForm:
    """How a provider spells its issuer.

    Attributes:
        template: The issuer; ``{name}`` is replaced by a parameter.
        source: The document that states it.
        parameters: The keys that replace ``issuer``.
        defaults: Optional parameters, and the key with the single value that each one defaults to.
        recognized: A regular expression for issuers that only this provider has, or "".
        pattern: A regular expression for every issuer of this provider, or "".
        mismatch: What an issuer that does not match ``pattern`` means.
        hint: What to write instead of such an issuer.
        certain: Tokens of an issuer that does not match ``pattern`` can never be validated.
        suffix: The end that people leave out, such as ``/v2.0``.
    """

    template: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
    recognized: str = ""
    pattern: str = ""
    mismatch: str = ""
    hint: str = ""
    certain: bool = False
    suffix: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(each.name for each in self.parameters)

    @property
    def replaced_keys(self) -> tuple[str, ...]:
        """The names of the parameters that are part of the template."""
        return tuple(each.name for each in self.parameters if not each.listed)

    def recognizes(self, issuer: str) -> bool:
        """Tell whether only this provider has such an issuer."""
        return bool(self.recognized) and re.match(self.recognized, issuer) is not None

    def find_fault(self, issuer: str) -> IssuerFault | None:
        """Return why this is probably not an issuer of the provider, or None."""
        if not self.pattern or re.search(self.pattern, issuer):
            return None
        completed = issuer.rstrip("/") + self.suffix
        if self.suffix and re.search(self.pattern, completed):
            message = f"lacks the end {self.suffix!r}, which the issuer in every token has"
            return IssuerFault(message, f"append {self.suffix!r}", self.recognizes(issuer))
        return IssuerFault(self.mismatch, self.hint, self.certain)


class TokenKind(NamedTuple):
    """A claim value that marks a token as something other than an access token.

    Attributes:
        claim: The claim.
        value: Its value.
        kind: ``id``, or another word for a token that no API accepts.
    """

    claim: str
    value: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicIssuer:
    """Issuers that sign tokens for any customer, with any audience.

    Attributes:
        issuers: The exact issuers.
        owners: Claims that name the customer; ``require`` must name one of them.
        paths: Those with paths as values, ``<owner>/<name>``.
    """

    issuers: tuple[str, ...]
    owners: tuple[str, ...]
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTemplate:
    """How one configuration trusts several tenants by name.

    Attributes:
        placeholder: The text in an issuer that each tenant's id replaces.
        claim: The claim that must repeat the id.
        pattern: A regular expression for ids.
        hint: What to do about a token without the claim.
        id_hint: What to write instead of a value that is not an id.
    """

    placeholder: str
    claim: str
    pattern: str
    hint: str
    id_hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceForm:
    """What ``aud`` looks like in the tokens of some issuers.

    Attributes:
        issuers: A regular expression for these issuers.
        pattern: A regular expression for their audiences.
        is_client_id: ID tokens have the same audience, because it is the id of a client that signs users in.
        mismatch: What an audience that does not match means, or "" where it is accepted.
        shared: Audiences that tokens for any API have, each with what is wrong with it.
    """

    issuers: str
    pattern: str = ".*"
    is_client_id: bool = False
    mismatch: str = ""
    shared: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleClaim:
    """A claim with roles that are safe in one spelling only.

    Attributes:
        pattern: A regular expression for the claim; its first group is empty in the unsafe spelling.
        unqualified: What the unsafe spelling means.
        unqualified_hint: What to write instead.
        tenant: Why ``@tenant`` is refused for these roles.
        tenant_hint: What to write instead.
    """

    pattern: str
    unqualified: str
    unqualified_hint: str
    tenant: str
    tenant_hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a provider's tokens contain.

    Attributes:
        settings: Keys of ``[[issuer]]`` that fit these tokens.
        permission_maps: The claims that carry permission names, for the default permission maps.
        kinds: Marks of tokens that are not access tokens.
        client_claim: The claim that names the client, for tokens without ``aud``; else "".
        client_id: A regular expression for client ids, which are not the audience of an API, or "".
        audience: What ``aud`` looks like.
        public: Set for a provider that signs for any customer.
        tenants: Set for a provider with issuers per tenant.
        roles: Set for a provider with a roles claim that has an unsafe spelling.
        user_claims: Claims that users can write themselves, other than the standard profile claims.
        scope_prefix: Put before the scopes that a client requests, if tokens carry them without it. ``{audience}`` is
            replaced.
        default_scope: What a client requests if the permission maps name no scope. ``{prefix}`` is replaced.
    """

    settings: Mapping[str, Sourced] = field(default_factory=dict[str, Sourced])
    permission_maps: Sourced = NO_DEFAULT_MAPS
    kinds: tuple[TokenKind, ...] = ()
    client_claim: str = ""
    client_id: str = ""
    audience: AudienceForm | None = None
    public: PublicIssuer | None = None
    tenants: TenantTemplate | None = None
    roles: RoleClaim | None = None
    user_claims: tuple[str, ...] = ()
    scope_prefix: str = ""
    default_scope: str = "openid"

    def scope_prefix_for(self, audience: str) -> str:
        """Return what a client puts before the scopes of one API."""
        if "://" in audience and self.scope_prefix:
            # The audience is already the identifier URI, which begins the name of each of its scopes.
            return f"{audience.rstrip('/')}/"
        return self.scope_prefix.replace("{audience}", audience)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedToken:
    """What is known about a refused token. Nothing in it is verified.

    Attributes:
        header: The JOSE header.
        claims: The claims.
        configured: For an unknown issuer: the configured issuer to compare with.
        missing: For a missing claim: its path, as the configuration spells it.
    """

    header: Mapping[str, object] = field(default_factory=dict[str, object])
    claims: Mapping[str, object] = field(default_factory=dict[str, object])
    configured: str = ""
    missing: str = ""

    @property
    def issuer(self) -> str:
        """The claim ``iss``, or "" when it is not a string."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A usual mistake and the hint that fixes it.

    Attributes:
        code: The refusal that it causes.
        matches: A pure function that recognizes it.
        hint: What to do. ``{client}``, ``{the_client}``, ``{audience}``, ``{kind}`` and ``{issuer}`` are filled in.
        own_issuer: Only tokens of an issuer that is known to be this provider's can show it.
    """

    code: ErrorCode
    matches: Callable[[RefusedToken], bool]
    hint: str
    own_issuer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredOption:
    """An option without which ``oidc-auth init`` cannot write a safe configuration.

    Attributes:
        name: ``client`` or ``require``.
        reason: What goes wrong without it, as a sentence.
        examples: Valid values; the option is given once for each.
        one_of: For ``require``: claims one of which must be named, without a wildcard.
    """

    name: str
    reason: str
    examples: tuple[str, ...]
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a provider is set up: what ``oidc-auth init`` writes and prints.

    Attributes:
        address: What the address is, for the comment next to it in the file.
        place: Where the steps are done.
        steps: What to do there, in order; ``{audience}`` is replaced by this API's name.
        permission_map: The TOML after the issuer's own keys: permission maps, and the roles they name.
        required: Options that must be given.
        access_tokens: The provider issues access tokens for this API, so that its ID tokens must not be sent.
        tenant_claim: An example for ``tenant``, or "" if tokens name no organization of a user.
    """

    address: str = ""
    place: str
    steps: tuple[str, ...]
    permission_map: str
    required: tuple[RequiredOption, ...] = ()
    access_tokens: bool = True
    tenant_claim: str = "org_id"

    def steps_for(self, audience: str) -> list[str]:
        """Return the steps for one API."""
        steps = (*self.steps, LAST_STEP) if self.access_tokens else self.steps
        return [step.replace("{audience}", audience) for step in steps]


LAST_STEP = "Let the client send the access token ('Authorization: Bearer ...'), never the ID token."


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleToken:
    """An access token as the provider documents it, without ``iss``, ``iat`` and ``exp``.

    Attributes:
        claims: The claims; None means that the provider leaves a claim out.
        header: Members of the header; ``typ`` None means that the provider leaves it out.
    """

    claims: Mapping[str, Any]
    header: Mapping[str, Any] = field(default_factory=lambda: {"typ": "JWT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Everything that is known about one provider.

    Attributes:
        name: The preset's name.
        title: The product's name, for messages.
        aliases: Other names that people type.
        issuer: How its issuer is spelled.
        tokens: What its tokens contain.
        mistakes: Usual mistakes, most specific first.
        hints: For each code, the usual cause at this provider. Used where no mistake matches.
        setup: How it is set up.
        sample: A documented token.
        notes: Lines for its section in ``docs/providers.md``.
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    issuer: IssuerForm
    tokens: TokenRules
    mistakes: tuple[Mistake, ...] = ()
    hints: Mapping[ErrorCode, str] = field(default_factory=dict["ErrorCode", str])
    setup: Setup
    sample: SampleToken
    notes: tuple[str, ...] = ()
