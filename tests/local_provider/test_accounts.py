"""Users, clients and the file that describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_auth.local_provider import Client, LocalProvider, SettingsError, User, load_users_file
from oidc_auth.local_provider.accounts import RESERVED_CLAIMS
from oidc_auth.local_provider.addresses import is_loopback_host, is_loopback_uri, matches_registered
from oidc_auth.local_provider.samples import SAMPLE_CLIENTS

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[[user]]
name = "erin"
[user.claims]
roles = ["editor"]
deep = { a = [1, true] }

[[client]]
id = "shop"
secret = "the-secret"
redirect_uris = ["http://localhost:5173/callback"]
post_logout_redirect_uris = []
backchannel_logout_uri = "http://127.0.0.1:2024/auth/backchannel-logout"
claims = { org = "acme" }
"""


def written(folder: Path, text: str) -> Path:
    """Write a file with users."""
    file = folder / "users.toml"
    file.write_text(text, "utf-8")
    return file


def test_file_describes_users_and_clients(tmp_path: Path) -> None:
    users, clients = load_users_file(written(tmp_path, FILE))
    assert users == [User("erin", {"roles": ["editor"], "deep": {"a": [1, True]}})]
    assert clients == [
        Client(
            "shop",
            "the-secret",
            ("http://localhost:5173/callback",),
            (),
            "http://127.0.0.1:2024/auth/backchannel-logout",
            {"org": "acme"},
        )
    ]


def test_file_without_clients_has_sample_client(tmp_path: Path) -> None:
    assert load_users_file(written(tmp_path, '[[user]]\nname = "erin"'))[1] == list(SAMPLE_CLIENTS)


@pytest.mark.parametrize(
    "text",
    [
        "[[user]]",
        "user = 1",
        "[user]\nname = 'a'",
        "[[user]]\nname = 1",
        "[[user]]\nname = ''",
        "[[user]]\nname = 'a/../b'",
        "[[user]]\nname = 'a'\nclaim = {}",
        "[[user]]\nname = 'a'\nclaims = []",
        "[[user]]\nname = 'a'\nclaims = { iss = 'x' }",
        "[[users]]\nname = 'a'",
        "[[client]]",
        "[[client]]\nid = 'c'\nsecrets = 'x'",
        "[[client]]\nid = 'c'\nsecret = ''",
        "[[client]]\nid = 'c'\nsecret = 7",
        "[[client]]\nid = 'c'\nredirect_uris = 'http://127.0.0.1/'",
        "[[client]]\nid = 'c'\nredirect_uris = [1]",
        "[[client]]\nid = 'c'\nredirect_uris = ['https://evil.test/']",
        "[[client]]\nid = 'c'\npost_logout_redirect_uris = ['https://evil.test/']",
        "[[client]]\nid = 'c'\nbackchannel_logout_uri = 'http://192.168.0.1/'",
        "[[client]]\nid = 'c'\nclaims = { sid = 'x' }",
        "not toml",
    ],
)
def test_invalid_file_is_refused(text: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=r"users\.toml"):
        load_users_file(file)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        load_users_file(tmp_path / "missing.toml")
    (tmp_path / "users.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError):
        load_users_file(tmp_path / "users.toml")


@pytest.mark.parametrize(
    ("users", "clients"),
    [
        ([], SAMPLE_CLIENTS),
        ([User("a"), User("a")], SAMPLE_CLIENTS),
        ([User("a")], [Client("c"), Client("c")]),
        # The client's own tokens would have the user's sub.
        ([User("a")], [Client("a", "secret")]),
    ],
)
def test_ambiguous_names_are_refused(users: list[User], clients: list[Client]) -> None:
    with pytest.raises(SettingsError):
        LocalProvider(users, clients, algorithm="ES256")


def test_added_client_cannot_have_name_of_user() -> None:
    with pytest.raises(SettingsError):
        LocalProvider(algorithm="ES256").put_client(Client("alice", "secret"))


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
def test_own_claims_of_provider_cannot_be_replaced(name: str) -> None:
    changes: dict[str, Any] = {name: "x"}
    for make in (lambda: User("a", changes), lambda: Client("c", claims=changes)):
        with pytest.raises(SettingsError):
            make()
    # These are parameters of the method, and not claims.
    if name != "scope":
        with pytest.raises(SettingsError):
            LocalProvider(algorithm="ES256").token("alice", **changes)


def test_repr_shows_no_secret_and_no_claims() -> None:
    shown = repr([Client("c", "the-secret", claims={"org": "the-tenant"}), User("a", {"org": "the-tenant"})])
    assert ("the-secret" in shown, "the-tenant" in shown) == (False, False)


@given(st.text(alphabet=st.sampled_from("htp:/127.0@1localhost[]#?\\evil%\t 5"), max_size=40))
def test_accepted_address_has_loopback_host(tail: str) -> None:
    uri = f"http://{tail}"
    if is_loopback_uri(uri):
        host = tail.split("/", maxsplit=1)[0].split("?", maxsplit=1)[0]
        assert is_loopback_host(host)
        assert not set(uri) & set("\\# \t")


@given(st.integers(0, 99_999), st.integers(0, 99_999))
def test_only_the_port_is_free(first: int, second: int) -> None:
    registered = (f"http://127.0.0.1:{first}/a:1/b",)
    assert matches_registered(f"http://127.0.0.1:{second}/a:1/b", registered)
    assert not matches_registered(f"http://127.0.0.1:{second}/a:2/b", registered)
    assert not matches_registered(f"http://localhost:{second}/a:1/b", registered)
