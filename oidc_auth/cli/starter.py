"""The configuration file that ``oidc-auth init`` writes."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..config.load import FILE_NAME, load_mapping
from ..errors import ConfigError
from ..providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..providers.record import Parameter, Provider, Setup


REACH = re.compile(r"@(?:all|tenant)\b")


def option(name: str) -> str:
    """Return the option of a key."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """The options of ``oidc-auth init``.

    Attributes:
        provider: The preset.
        audience: This API's name, or "".
        clients: The clients that may call, for a provider with tokens without audience.
        conditions: ``claim=value``; a token must meet all.
        addresses: The preset's parameters. One that can be repeated is a list.
        public_url: The address of the server for the web application, or "".
        own_only: Whether the server can give no reach, as Aegra.
    """

    provider: str
    audience: str
    clients: Sequence[str]
    conditions: Sequence[str]
    addresses: Mapping[str, str | Sequence[str]]
    public_url: str = ""
    own_only: bool = False

    @property
    def record(self) -> Provider:
        """What is known about the provider."""
        return PROVIDERS[self.provider]

    @property
    def setup(self) -> Setup:
        """How the provider is set up."""
        return self.record.setup

    def toml(self) -> tuple[str, tuple[str, ...]]:
        """Return the file, and the warnings that ``check`` gives for it.

        Raises:
            click.UsageError: Options are missing or wrong; all of them are reported together.
            click.ClickException: A value is not valid.
        """
        if faults := [*self._missing(), *self._wrong()]:
            raise click.UsageError("\n".join(faults))
        text = "\n".join([*self._head(), "", *self._issuer(), "", *self._rest()])
        try:
            # init must never leave a file that does not start. So the text is read back, with all its quoting.
            loaded = load_mapping(tomllib.loads(text), source=f"{FILE_NAME} (not written)")
        except ConfigError as error:
            raise click.ClickException(error.report()) from None
        return text, loaded.warnings

    def _missing(self) -> Iterator[str]:
        """Yield one message with every missing option, an example that works, and the reasons."""
        # All in one message with one example, so that the second attempt succeeds.
        examples = {option(each.name): [each.example] for each in self._missing_parameters()}
        if not (self.audience or self.record.tokens.client_claim or "audience" in self.record.tokens.settings):
            examples["--audience"] = [self._example_audience]
        required = [each for each in self.setup.required if not self._given[each.name]]
        examples |= {option(each.name): [*each.examples] for each in required}
        if examples:
            added = " ".join(f"{name} {value}" for name, values in examples.items() for value in values)
            yield f"{self.provider} needs {_listed(examples)}. Example: {added}"
        if "--audience" in examples:
            yield "--audience: this API's name, which must be in a token's aud."
        yield from (f"{option(each.name)}: {each.reason}" for each in required)

    def _missing_parameters(self) -> Iterator[Parameter]:
        yield from (each for each in self.record.issuer.parameters if each.name not in self.addresses)

    @property
    def _example_audience(self) -> str:
        """An audience as this provider writes it. Some providers choose it themselves."""
        audience = self.record.sample.claims.get("aud")
        return audience if isinstance(audience, str) else "agents"

    @property
    def _given(self) -> Mapping[str, Sequence[str]]:
        return {"client": self.clients, "require": self.conditions}

    def _wrong(self) -> Iterator[str]:
        form = self.record.issuer
        if strange := [option(key) for key in self.addresses if key not in form.keys]:
            taken = _listed([option(key) for key in form.keys]) or "no address"
            yield f"{self.provider} takes {taken}, and not {_listed(strange)}."
        for key in {"url", "issuer"} & set(self.addresses):
            # People give the host name only. A scheme is not guessed, because http and https are two issuers.
            if "://" not in (address := self.addresses[key]):
                yield f"{option(key)} needs a scheme: {option(key)} https://{address}"
        if self.clients and not self.record.tokens.client_claim:
            yield f"{self.provider} takes no --client, because its tokens name their audience."
        yield from self._wrong_conditions()

    def _wrong_conditions(self) -> Iterator[str]:
        # A wildcard matches several, and the provider's tokens are safe only if one is named.
        named = {condition.partition("=")[0] for condition in self.conditions if not condition.endswith("*")}
        for each in self.setup.required:
            if each.name == "require" and self.conditions and each.one_of and named.isdisjoint(each.one_of):
                example = " ".join(f"--require {value}" for value in each.examples)
                yield (
                    f"{self.provider} needs --require for {' or '.join(each.one_of)}, without a wildcard. "
                    f"Example: {example}\n--require: {each.reason}"
                )
        for condition in self.conditions:
            claim, _, value = condition.partition("=")
            if not (claim and value):
                yield f"--require needs CLAIM=VALUE; found {condition!r}."

    def _head(self) -> Iterator[str]:
        yield "# Who may do what on this LangGraph server. Everything else is refused."
        yield f"# After a change: oidc-auth check {FILE_NAME}"
        yield f"# To see why a token is allowed or refused: oidc-auth explain {FILE_NAME} --token-file FILE"

    def _issuer(self) -> Iterator[str]:
        yield "[[issuer]]"
        yield f'preset = "{self.provider}"'
        keys = self.record.issuer.keys
        yield from (_line(f"{key} = {_quote(self.addresses[key])}", self.setup.address) for key in keys)
        if self.audience:
            yield _line(f"audience = {_quote(self.audience)}", "this API's name; other tokens are refused")
        if self.clients:
            values = ", ".join(_quote(client) for client in self.clients)
            yield f'client_claim = {{ claim = "{self.record.tokens.client_claim}", values = [{values}] }}'
        # Tokens of workloads name no organization, so the line would be a setting that matches no claim.
        if self.setup.tenant_claim and "tenant" not in self.record.tokens.settings:
            setting = f"# tenant = {_quote(self.setup.tenant_claim)}"
            yield _line(setting, "the claim that names the organization, which separates users and data")
        if self.conditions:
            yield ""
            yield _line("[issuer.require]", "a token must meet all of these")
        for condition in self.conditions:
            claim, _, value = condition.partition("=")
            yield f"{_quote(claim)} = {_quote(value)}"

    def _rest(self) -> Iterator[str]:
        # The quotes are in the text of the provider, so only the escaped inside is filled in.
        text = self.setup.permission_map.replace("{audience}", _quote(self.audience)[1:-1]).lstrip("\n")
        yield _without_reaches(text) if self.own_only else text
        yield "[langgraph]"
        # A new server has no webhook yet, and the default lets callers choose any https address.
        yield _line('webhooks = "deny"', 'runs may not post results; "https" allows https addresses')
        if self.public_url:
            yield ""
            yield "[web]"
            yield _line(f"public_url = {_quote(self.public_url)}", "the address of this server as clients see it")
        yield ""


def _without_reaches(text: str) -> str:
    """Return the permission maps without ``@tenant`` and ``@all``, and without comments about them."""
    lines = [line for line in text.split("\n") if not (line.startswith("# ") and REACH.search(line))]
    return "\n".join([REACH.sub("", line) for line in lines])


def _listed(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _line(setting: str, comment: str) -> str:
    return f"{setting:<42} # {comment}" if comment else setting


def _quote(value: str | Sequence[str]) -> str:
    """Return a TOML basic string or a list of them. TOML also escapes DEL, JSON does not."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
