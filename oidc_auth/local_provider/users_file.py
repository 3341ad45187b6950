"""Read users and clients from a TOML file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from ..json_values import is_list, is_object
from ..quoting import quote
from .accounts import Client, SettingsError, User
from .samples import SAMPLE_CLIENTS

if TYPE_CHECKING:
    from pathlib import Path

USER_KEYS = frozenset({"name", "claims"})
CLIENT_KEYS = frozenset(
    {"id", "secret", "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "claims"}
)


def load_users_file(path: Path) -> tuple[list[User], list[Client]]:
    """Return the users and clients of a file. Without a table ``[[client]]``, the clients are the sample ones.

    Raises:
        SettingsError: The file cannot be read, or it is not valid. The message has no secret.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML. {error}.") from None
    try:
        return read_accounts(document)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def read_accounts(document: dict[str, object]) -> tuple[list[User], list[Client]]:
    """Return the users and clients of a parsed file.

    Raises:
        SettingsError: The file is not valid.
    """
    _check_keys("the file", document, frozenset({"user", "client"}))
    users = [_user(table) for table in _tables(document, "user")]
    clients = [_client(table) for table in _tables(document, "client")]
    return users, clients or list(SAMPLE_CLIENTS)


def _tables(document: dict[str, object], name: str) -> list[dict[str, object]]:
    tables = document.get(name, [])
    if not is_list(tables):
        raise SettingsError(f"{name} must be a list of tables. Write [[{name}]].")
    return [_object(f"[[{name}]]", table) for table in tables]


def _user(table: dict[str, object]) -> User:
    _check_keys("[[user]]", table, USER_KEYS)
    name = _text("[[user]]", table, "name")
    if name is None:
        raise SettingsError('[[user]] has no name. Add: name = "alice"')
    return User(name, _object("[user.claims]", table.get("claims", {})))


def _client(table: dict[str, object]) -> Client:
    _check_keys("[[client]]", table, CLIENT_KEYS)
    name = _text("[[client]]", table, "id")
    if name is None:
        raise SettingsError('[[client]] has no id. Add: id = "spa"')
    return Client(
        name,
        _text("[[client]]", table, "secret"),
        _texts(table, "redirect_uris"),
        _texts(table, "post_logout_redirect_uris"),
        _text("[[client]]", table, "backchannel_logout_uri"),
        _object("[client.claims]", table.get("claims", {})),
    )


def _check_keys(where: str, table: dict[str, object], known: frozenset[str]) -> None:
    for name in table:
        # A misspelled key must not be ignored. A client could otherwise be public by mistake.
        if name not in known:
            raise SettingsError(f"{where} has the unknown key {quote(name)}. Expected: {', '.join(sorted(known))}.")


def _object(where: str, value: object) -> dict[str, object]:
    if not is_object(value):
        raise SettingsError(f"{where} must be a table.")
    return value


def _text(where: str, table: dict[str, object], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{where} {name} must be a text in quotes.")
    return value


def _texts(table: dict[str, object], name: str) -> tuple[str, ...] | None:
    value = table.get(name)
    if value is None:
        return None
    if not is_list(value):
        raise SettingsError(f"[[client]] {name} must be a list of texts.")
    texts = tuple(each for each in value if isinstance(each, str))
    if len(texts) != len(value):
        raise SettingsError(f"[[client]] {name} must be a list of texts.")
    return texts
