"""Compare a table of permissions with a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..authentication import OIDCAuth
from ..config.raw_document import did_you_mean
from ..permissions.names import ACTIONS, EVENTS, LITERAL_PERMISSIONS, Reach
from ..permissions.shared_access import LISTS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from ..permissions.explain import Explanation

NONE = "-"
MARKS: Mapping[str, Reach | None] = {NONE: None, "own": Reach.OWN, "tenant": Reach.TENANT, "all": Reach.ALL}
LIST_MARKS = (NONE, "read", "run", "resume")
"""What a user may do on a thread that lists them."""
_REACH_MARKS = {reach: mark for mark, reach in MARKS.items()}


class Difference(NamedTuple):
    """One cell of the table that differs from the configuration."""

    permission: str
    user: str
    expected: str
    found: str


def assert_matrix(
    config: str | os.PathLike[str] | Mapping[str, Any] | OIDCAuth,
    table: str,
    users: Mapping[str, Mapping[str, object]],
) -> None:
    """Assert that users have exactly the permissions of a table.

    The first line of the table has the names of users. Each other line has a permission, and its reach for each user:
    ``own``, ``tenant``, ``all``, or ``-`` for none. ``threads:*`` means each permission of the resource without its own
    line. A permission without a line must not be given to any user. ``threads:share`` and ``threads:resume`` need their
    own lines.

    The lines ``shared_with``, ``shared_editors`` and ``shared_approvers`` have what a user may do on a thread that
    lists them: ``read``, ``run`` (and read), ``resume`` (and read), or ``-`` for nothing. These lines are optional.

    Signature, audience and time are not checked, because claims alone do not show them.

    Args:
        config: a file, a mapping with the same keys, or an ``OIDCAuth``.
        table: the table. Empty lines are ignored, and so is the rest of a line after ``#``.
        users: the claims of each user. If they have no ``sub``, it is the user's name.

    Raises:
        AssertionError: the configuration differs. The message has each difference and the reason.
        ValueError: the table is invalid.
        ConfigError: the configuration is invalid. It is also a ``ValueError``.
    """
    # pytest shows the line of the test, not this function.
    __tracebackhide__ = True
    oidc = _load_auth(config)
    names, expected = _parse_table(table)
    if unknown := [name for name in names if name not in users]:
        raise ValueError(f"no claims for {', '.join(unknown)} in users{_suggestion(unknown[0], users)}")
    # Most tables are about roles, so the identity may be left out. Without one, every token is refused.
    given = {name: oidc.explain({"sub": name, **users[name]}) for name in names}
    if differences := list(_differences(names, expected, given)):
        raise AssertionError(_report(oidc.source, differences, given))


def _load_auth(config: str | os.PathLike[str] | Mapping[str, Any] | OIDCAuth) -> OIDCAuth:
    if isinstance(config, OIDCAuth):
        return config
    return OIDCAuth.from_dict(config) if isinstance(config, Mapping) else OIDCAuth.from_file(config)


def _parse_table(table: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the users of a table, and the marks of each event in the same order."""
    # Comments, because a table in a review needs the reason of an unusual cell.
    lines = [line.partition("#")[0].split() for line in table.splitlines()]
    rows = [words for words in lines if words]
    if not rows:
        raise ValueError("the table is empty")
    users, marks = rows[0], dict[str, list[str]]()
    for name, *cells in rows[1:]:
        # A missing mark would shift the others to the wrong user.
        if len(cells) != len(users):
            raise ValueError(f"{name}: {len(cells)} marks for {len(users)} users ({', '.join(users)})")
        known = LIST_MARKS if name in LISTS else tuple(MARKS)
        if wrong := [cell for cell in cells if cell not in known]:
            raise ValueError(f"{name}: unknown mark {wrong[0]!r}. Use one of {', '.join(known)}")
        # The second line would replace the first, and the reader sees both.
        if name in marks:
            raise ValueError(f"{name} has two lines")
        marks[name] = cells
    return users, _expand_wildcards(marks, len(users))


def _expand_wildcards(marks: Mapping[str, list[str]], users: int) -> dict[str, list[str]]:
    wildcards = {f"{resource}:*": resource for resource in ACTIONS}
    lines = (*EVENTS, *LITERAL_PERMISSIONS, *LISTS)
    for name in marks:
        if name not in lines and name not in wildcards:
            raise ValueError(f"unknown permission {name!r}{_suggestion(name, [*lines, *wildcards])}")
    # No user has a permission without a line. So a new LangGraph event fails the test until someone decides.
    none = [NONE] * users
    expected = {event: marks.get(event) or marks.get(f"{event.partition(':')[0]}:*", none) for event in EVENTS}
    # As in a configuration, no pattern includes these.
    expected |= {name: marks.get(name, none) for name in LITERAL_PERMISSIONS}
    return expected | {name: marks[name] for name in LISTS if name in marks}


def _suggestion(word: str, known: Iterable[str]) -> str:
    meant = did_you_mean(word, known)
    return f" ({meant})" if meant else ""


def _differences(
    users: list[str], expected: Mapping[str, list[str]], given: Mapping[str, Explanation]
) -> Iterator[Difference]:
    for event, marks in expected.items():
        for user, mark in zip(users, marks, strict=True):
            found = _find_mark(event, given[user])
            if found != mark:
                yield Difference(event, user, mark, found)


def _find_mark(line: str, why: Explanation) -> str:
    # A refused user has no permission, also if the maps would give some.
    rights: Mapping[str, Reach] = {} if why.refusal else why.rights
    return why.access.on_list(rights, line) if line in LISTS else _REACH_MARKS[rights.get(line)]


def _report(source: str, differences: list[Difference], given: Mapping[str, Explanation]) -> str:
    heading = Difference("permission", "user", "expected", "found")
    widths = [max(len(row[column]) for row in (heading, *differences)) for column in range(len(heading))]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heading, *differences)
    ]
    lines = [
        f"{len(differences)} permissions of {source} differ from the table:",
        *(f"  {row}" for row in rows),
    ]
    for user in dict.fromkeys(difference.user for difference in differences):
        why = given[user]
        # Of a refused user, the maps explain nothing.
        reasons = [why.refusal] if why.refusal else [*why.notes]
        lines += [f"{user}:", *(f"  {reason}" for reason in (*reasons, *why.unmapped))]
    return "\n".join(line.rstrip() for line in lines)
