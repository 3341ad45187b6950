"""``assert_matrix``: a table of who may do what, in the user's own tests, compared with what a configuration gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..authentication import OIDCAuth
from ..config.raw_document import did_you_mean
from ..permissions.names import ACTIONS, EVENTS, Reach

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from ..permissions.explain import Explanation

NONE = "-"
MARKS: Mapping[str, Reach | None] = {NONE: None, "own": Reach.OWN, "tenant": Reach.TENANT, "all": Reach.ALL}
_REACH_MARKS = {reach: mark for mark, reach in MARKS.items()}


class Difference(NamedTuple):
    """One cell that is not as the table has it."""

    permission: str
    person: str
    expected: str
    got: str


def assert_matrix(
    config: str | os.PathLike[str] | Mapping[str, Any] | OIDCAuth,
    table: str,
    people: Mapping[str, Mapping[str, object]],
) -> None:
    """Assert that people may do exactly what a table says.

    The first line of the table names people, each further one a permission and how far it reaches for each of them:
    ``own``, ``tenant``, ``all``, or ``-`` for not at all. ``threads:*`` stands for every permission of the resource
    that has no line of its own. What has no line at all must not be allowed to anybody.

    Args:
        config: a file, a mapping with the same keys, or an ``OIDCAuth``.
        table: the table; empty lines and what follows a ``#`` are left out.
        people: the claims of each person; ``sub`` is the person's name where the claims have none. Judged is all that
            claims show by themselves (``Explanation.allows``), not signature, audience or time.

    Raises:
        AssertionError: it is otherwise; the message names each difference, and why.
        ValueError: the table or the configuration is wrong.
    """
    __tracebackhide__ = True  # pytest shows the user's line and the message, and none of this function
    oidc = _load_auth(config)
    names, expected = _read(table)
    if unknown := [name for name in names if name not in people]:
        raise ValueError(f"no claims of {', '.join(unknown)} in people{_suggestion(unknown[0], people)}")
    given = {name: oidc.explain({"sub": name, **people[name]}) for name in names}
    if differences := list(_differences(names, expected, given)):
        raise AssertionError(_report(oidc.source, differences, given))


def _load_auth(config: str | os.PathLike[str] | Mapping[str, Any] | OIDCAuth) -> OIDCAuth:
    if isinstance(config, OIDCAuth):
        return config
    return OIDCAuth.from_dict(config) if isinstance(config, Mapping) else OIDCAuth.from_file(config)


def _read(table: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the people of a table, and the marks of each event in their order."""
    lines = [line.partition("#")[0].split() for line in table.splitlines()]
    rows = [words for words in lines if words]
    if not rows:
        raise ValueError("the table is empty")
    people, marks = rows[0], dict[str, list[str]]()
    for name, *cells in rows[1:]:
        if len(cells) != len(people):
            raise ValueError(f"{name}: {len(cells)} marks for {len(people)} people ({', '.join(people)})")
        if wrong := [cell for cell in cells if cell not in MARKS]:
            raise ValueError(f"{name}: unknown mark {wrong[0]!r}; known are {', '.join(MARKS)}")
        if name in marks:
            raise ValueError(f"{name} stands twice")
        marks[name] = cells
    return people, _expanded(marks, len(people))


def _expanded(marks: Mapping[str, list[str]], people: int) -> dict[str, list[str]]:
    wide = {f"{resource}:*": resource for resource in ACTIONS}
    for name in marks:
        if name not in EVENTS and name not in wide:
            raise ValueError(f"unknown permission {name!r}{_suggestion(name, [*EVENTS, *wide])}")
    nobody = [NONE] * people
    return {event: marks.get(event) or marks.get(f"{event.partition(':')[0]}:*", nobody) for event in EVENTS}


def _suggestion(word: str, known: Iterable[str]) -> str:
    meant = did_you_mean(word, known)
    return f" ({meant})" if meant else ""


def _differences(
    people: list[str], expected: Mapping[str, list[str]], given: Mapping[str, Explanation]
) -> Iterator[Difference]:
    for event, marks in expected.items():
        for person, mark in zip(people, marks, strict=True):
            why = given[person]
            got = _REACH_MARKS[None if why.refusal else why.rights.get(event)]
            if got != mark:
                yield Difference(event, person, mark, got)


def _report(source: str, differences: list[Difference], given: Mapping[str, Explanation]) -> str:
    heading = Difference("permission", "person", "expected", "got")
    widths = [max(len(row[column]) for row in (heading, *differences)) for column in range(len(heading))]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heading, *differences)
    ]
    lines = [
        f"{len(differences)} permissions of {source} are not as the table has them:",
        *(f"  {row}" for row in rows),
    ]
    for person in dict.fromkeys(difference.person for difference in differences):
        why = given[person]
        reasons = [why.refusal] if why.refusal else [*why.notes]
        lines += [f"{person}:", *(f"  {reason}" for reason in (*reasons, *why.unmapped))]
    return "\n".join(line.rstrip() for line in lines)
