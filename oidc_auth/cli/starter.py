"""The configuration that ``oidc-auth init`` writes: a provider's address, what binds a token to this API, and a map."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..config.load import FILE_NAME, load_mapping
from ..config.providers import PRESETS
from ..errors import ConfigError
from .setups import setup_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..config.providers import Preset
    from .setups import Setup


def option(name: str) -> str:
    """Return how a key is spelled as an option."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What the options say.

    Attributes:
        provider: the preset.
        audience: this API's name, or "".
        clients: the clients that may call, for a provider whose tokens name no audience.
        conditions: ``claim=value``, each of which must hold.
        addresses: the preset's parameters; those of which there may be several as a list.
    """

    provider: str
    audience: str
    clients: Sequence[str]
    conditions: Sequence[str]
    addresses: Mapping[str, str | Sequence[str]]

    @property
    def preset(self) -> Preset:
        """What the provider fixes."""
        return PRESETS[self.provider]

    @property
    def setup(self) -> Setup:
        """How the provider is set up."""
        return setup_of(self.provider)

    def toml(self) -> str:
        """Return the file; what ``check`` would warn of is said on standard error.

        Raises:
            click.UsageError: an option is missing, or does not belong to the provider.
            click.ClickException: a value is not valid.
        """
        if fault := next(self._faults(), None):
            raise click.UsageError(f"{self.provider} takes {fault}")
        text = "\n".join([*self._head(), "", *self._issuer(), "", *self._rest()])
        try:
            loaded = load_mapping(tomllib.loads(text), source=f"{FILE_NAME} (not written)")
        except ConfigError as error:
            raise click.ClickException(error.report()) from None
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        return text

    def _faults(self) -> Iterator[str]:
        setup = self.setup
        yield from self._address_faults()
        if not (self.audience or setup.client or "audience" in self.preset.settings):
            yield "--audience: this API's name, which must be in a token's aud"
        for name, given in (("client", self.clients), ("require", self.conditions)):
            if name in setup.wants and not given:
                yield f"--{name}: {setup.wants[name]}"
        named = {condition.partition("=")[0] for condition in self.conditions if not condition.endswith("*")}
        if self.conditions and setup.binding and named.isdisjoint(setup.binding):
            yield f"--require {' or '.join(setup.binding)}, written out: {setup.wants['require']}"
        if self.clients and not setup.client:
            yield "no --client: its tokens name their audience"
        for condition in self.conditions:
            claim, _, value = condition.partition("=")
            if not (claim and value):
                yield f"--require as CLAIM=VALUE, not {condition!r}"

    def _address_faults(self) -> Iterator[str]:
        keys = self.preset.keys
        wanted = " and ".join(option(key) for key in keys) or "no address"
        if lost := [key for key in keys if key not in self.addresses]:
            example = " ".join(f"{option(key)} {self.setup.examples[key]}" for key in lost)
            yield f"{wanted}: missing is {example.replace(' --', ' and --')}, for example"
        if strange := [option(key) for key in self.addresses if key not in keys]:
            yield f"{wanted}, and not {' and '.join(strange)}"
        for key in {"url", "issuer"} & set(self.addresses):
            if "://" not in (address := self.addresses[key]):
                yield f"{option(key)} with its scheme: {option(key)} https://{address}"

    def _head(self) -> Iterator[str]:
        yield "# Who may do what on this LangGraph server. Nothing that is not written here is allowed."
        yield f"# After a change: oidc-auth check {FILE_NAME}. Why may somebody (not) do something?"
        yield f"# oidc-auth explain {FILE_NAME} --token-file FILE"

    def _issuer(self) -> Iterator[str]:
        yield "[[issuer]]"
        yield f'preset = "{self.provider}"'
        yield from (_line(f"{key} = {_quoted(self.addresses[key])}", self.setup.address) for key in self.preset.keys)
        if self.audience:
            yield _line(f"audience = {_quoted(self.audience)}", "this API's name: tokens for anything else are refused")
        if self.clients:
            values = ", ".join(_quoted(client) for client in self.clients)
            yield f'client_claim = {{ claim = "{self.setup.client}", values = [{values}] }}'
        if "tenant" not in self.preset.settings:
            yield _line('# tenant = "org_id"', "the claim that names the organization: nobody reaches into another one")
        if self.conditions:
            yield ""
            yield _line("[issuer.require]", "all must hold")
        for condition in self.conditions:
            claim, _, value = condition.partition("=")
            yield f"{_quoted(claim)} = {_quoted(value)}"

    def _rest(self) -> Iterator[str]:
        yield self.setup.map.replace("{audience}", _quoted(self.audience)[1:-1])
        yield "[langgraph]"
        yield _line('webhooks = "deny"', 'no run may post its result anywhere; "https": to https addresses')
        yield ""


def _line(setting: str, comment: str) -> str:
    return f"{setting:<42} # {comment}" if comment else setting


def _quoted(value: str | Sequence[str]) -> str:
    """Return a TOML basic string, or a list of them; JSON's escapes are among TOML's, which has one more (DEL)."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
