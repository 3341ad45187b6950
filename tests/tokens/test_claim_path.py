"""The grammar of claim names: what a path means never depends on the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oidc_auth.tokens.claim_path import MISSING, ClaimPathError, find_claim, format_path, parse_path

if TYPE_CHECKING:
    from kit.snapshots import Messages

PATHS = {
    "sub": ("sub",),
    "realm_access.roles": ("realm_access", "roles"),
    'resource_access."my.client".roles': ("resource_access", "my.client", "roles"),
    '"a b"': ("a b",),
    '"a*"."["': ("a*", "["),
    "a-b.c_d.é": ("a-b", "c_d", "é"),
    "cognito:groups": ("cognito:groups",),
    "https://acme.com/roles": ("https://acme.com/roles",),
    "urn://x.y z[0]*": ("urn://x.y z[0]*",),
    "a/b": ("a/b",),
}


@pytest.mark.parametrize(("text", "keys"), PATHS.items())
def test_path_round_trips(text: str, keys: tuple[str, ...]) -> None:
    assert parse_path(text) == keys
    assert parse_path(format_path(keys)) == keys


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("a", "b"), "a.b"),
        (("a.b",), '"a.b"'),
        (("a b", "c"), '"a b".c'),
        (("https://acme.com/roles",), "https://acme.com/roles"),
        (("https://acme.com", "x"), '"https://acme.com".x'),
    ],
)
def test_keys_are_quoted_only_when_needed(keys: tuple[str, ...], text: str) -> None:
    assert format_path(keys) == text


def test_list_of_keys_is_used_unchanged() -> None:
    assert parse_path(["a.b", "https://x", "*x"]) == ("a.b", "https://x", "*x")


@pytest.mark.parametrize("keys", [[], [""], ["a", ""]])
def test_empty_list_is_rejected(keys: list[str]) -> None:
    with pytest.raises(ClaimPathError, match="non-empty strings"):
        parse_path(keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".a",
        "a.",
        "a..b",
        "[0]",
        " a",
        "a. b",
        '""',
        'a."b',
    ],
)
def test_message_shows_expected_name_position(text: str, messages: Messages) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(text)
    messages.check(refused.value)


@pytest.mark.parametrize("text", ["a[0]", "a b", 'a"b"', '"a"b', "a.b]"])
def test_message_shows_expected_dot_position(text: str, messages: Messages) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(text)
    messages.check(refused.value)


@pytest.mark.parametrize("path", ["*", "roles.*", "roles*", "resource_access.*.roles", 'a."*".b', ["a", "*"]])
def test_wildcards_are_rejected(path: str | list[str], messages: Messages) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(path)
    messages.check(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "/realm_access/roles",
        "$.realm_access.roles",
        "$",
        "/",
    ],
)
def test_json_pointer_and_jsonpath_get_suggestion(text: str, messages: Messages) -> None:
    with pytest.raises(ClaimPathError) as refused:
        parse_path(text)
    messages.check(refused.value)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [1], "n": None}),
        ("a.b", [1]),
        ("a.n", None),
        ("a.x", MISSING),
        ("a.b.c", MISSING),
        ("a.n.c", MISSING),
        ("text.c", MISSING),
        ("x", MISSING),
        ('"a.b"', "literal"),
    ],
)
def test_path_finds_exact_value(path: str, found: object) -> None:
    claims = {"a": {"b": [1], "n": None}, "text": "abc", "a.b": "literal"}
    assert find_claim(claims, parse_path(path)) == found
