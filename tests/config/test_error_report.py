"""All mistakes are reported together, in the order of the document, and without values of the environment."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.mapping import table
from kit.mistakes import CLIENT, issuer, problems

from oidc_auth import ConfigError, OIDCAuth

if TYPE_CHECKING:
    from kit.snapshots import Messages


def test_all_mistakes_are_reported_together() -> None:
    document = {
        "issuer": [
            table(algorithms=["HS256"], leeway="x", permission_map=[{"claim": "a..b", "accept": ["threads:wirte"]}]),
            table(issuer="http://sso.acme.com", jwks=..., header="X", audience=...),
        ],
        "limits": {"token_bytes": -1},
        "roles": {"a": ["a"]},
    }
    assert sorted(problem.where for problem in problems(document)) == [
        "issuer[0].algorithms",
        "issuer[0].identity_prefix",
        "issuer[0].leeway",
        "issuer[0].permission_map[0].accept",
        "issuer[0].permission_map[0].claim",
        "issuer[1].audience",
        "issuer[1].header",
        "issuer[1].identity_prefix",
        "issuer[1].issuer",
        "limits.token_bytes",
        "roles.a",
    ]


def test_mistakes_follow_document_order() -> None:
    document = {"roles": {"b": ["b"], "a": ["qqq"]}, **issuer(leeway=-1, algorithms=["RS1"])}
    wheres = [problem.where for problem in problems(document)]
    assert wheres == ["roles.b", "roles.a", "issuer[0].leeway", "issuer[0].algorithms"]


def test_permission_maps_are_sorted_by_number() -> None:
    document = issuer(permission_map=[{"claim": "scope", "accept": ["threads:wirte"]}] * 12)
    assert [p.where for p in problems(document)] == [
        f"issuer[0].permission_map[{number}].accept" for number in range(12)
    ]


def test_table_numbers_ignore_earlier_tables() -> None:
    found = [
        p.where for p in problems(issuer(permission_map=["nonsense", {"claim": "scope", "accept": ["threads:wirte"]}]))
    ]
    assert found == ["issuer[0].permission_map[0]", "issuer[0].permission_map[1].accept"]
    found = sorted(p.where for p in problems({"issuer": [5, table(leeway=-1, header="X")]}))
    assert found == ["issuer[0]", "issuer[1].header", "issuer[1].leeway"]


def test_report_has_one_line_per_problem(messages: Messages) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({**issuer(leway=5, zzz=1)})
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value).splitlines()) == 3
    messages.check(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        issuer(jwks=..., jwks_uri="https://robot:${SECRET}@sso.acme.com/keys"),
        issuer(jwks=..., issuer="https://robot:${SECRET}@sso.acme.com"),
        issuer(leeway="${SECRET}"),
        issuer(token_type="${SECRET}"),
        issuer(strict_rfc9068="${SECRET}"),
        issuer(tenants="${SECRET}"),
        issuer(jwks="${SECRET}"),
        issuer(permission_map="${SECRET}"),
        {**issuer(), "langgraph": {"studio": "${SECRET}"}},
        {**issuer(), "langgraph": "${SECRET}"},
    ],
)
def test_environment_value_is_never_shown(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_input_document_is_not_modified() -> None:
    document = issuer(preset="keycloak", identity="oid", tenant="org", permission_map={"claim": "scope", "accept": "*"})
    before = deepcopy(document)
    OIDCAuth.from_dict(document)
    assert document == before
    broken = issuer(header="X")
    problems(broken)
    assert broken["issuer"]["header"] == "X"


def test_any_mapping_type_is_accepted() -> None:
    permission_map = MappingProxyType({"claim": "scope", "accept": ("*",)})
    OIDCAuth.from_dict(MappingProxyType({"issuer": MappingProxyType(table(permission_map=(permission_map,)))}))


# --- any value -------------------------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "issuer": [
        table(
            name="a",
            preset="keycloak",
            tenant={"claim": "org", "object_keys": True},
            identity=[{"claim": "uid", "prefix": "u:"}],
            identity_prefix="a:",
            client_claim=CLIENT,
            require={"groups": ["x"]},
            claims=["email"],
            display_name="name",
            leeway=5,
            permission_map=[
                {"claim": "scope", "values": {"x": ["admin"]}, "when": {"azp": ["y"]}, "strip_prefix": "a/"}
            ],
        ),
        table(name="b", issuer="https://b.test", identity_prefix="b:", jwks=..., jwks_uri="https://b.test/keys"),
    ],
    "roles": {"admin": {"permissions": ["*@all"], "graphs": ["agent"]}},
    "langgraph": {"studio": "own", "cron_max_age": 60, "max_delay": 60},
    "limits": {"token_bytes": 8_000},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["*", "a@all"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document but its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [deeper for key, member in pairs if key != "jwks" for deeper in places(member, (*path, key))]
    return [*([path] if path else []), *below]


@settings(deadline=None, database=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(places(WHOLE)), value=json_values)
def test_any_value_loads_or_is_reported(place: tuple[Any, ...], value: object) -> None:
    document = deepcopy(WHOLE)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        OIDCAuth.from_dict(document)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - what else may it raise: nothing
