"""The checks of the header field that carries the token: one credential, its scheme and its length."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, Publisher, bearer
from kit.check_cases import (
    Case,
    Cases,
    check_admission,
    check_refusal,
)

from oidc_auth.errors import ErrorCode
from oidc_auth.tokens.checks import CHECKS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

cases = Cases()
refused, admitted = cases.refused, cases.admitted


def in_header(form: str, name: str = "authorization") -> Callable[[Publisher], Any]:
    return lambda issuer: {name: form.format(issuer.token())}


refused(ErrorCode.TOKEN_MISSING, "no header at all", lambda _: {})
refused(ErrorCode.TOKEN_MISSING, "no pair at all", lambda _: [])
refused(ErrorCode.TOKEN_MISSING, "an empty value", lambda _: {"authorization": ""})
refused(ErrorCode.TOKEN_MISSING, "only spaces", lambda _: {"authorization": "  \t "})
for place in ("authentication", "x-api-key", "x-auth-token", "x-access-token", "proxy-authorization", "cookie"):
    refused(ErrorCode.TOKEN_MISSING, f"in {place}", in_header("Bearer {}", place))

refused(ErrorCode.HEADER_REPEATED, "a field twice", lambda i: [*bearer(i.token()).items()] * 2)
refused(
    ErrorCode.HEADER_REPEATED,
    "a token and Basic",
    lambda i: [("authorization", "Basic eDp5"), *bearer(i.token()).items()],
)
refused(
    ErrorCode.HEADER_REPEATED, "two spellings", lambda i: {"Authorization": f"Bearer {i.token()}", **bearer(i.token())}
)
refused(ErrorCode.HEADER_REPEATED, "str and bytes", lambda i: {b"authorization": b"Bearer x", **bearer(i.token())})
refused(ErrorCode.HEADER_REPEATED, "an empty one", lambda i: [("authorization", ""), *bearer(i.token()).items()])

for form in (
    "{}",
    "Basic {}",
    "DPoP {}",
    "Token {}",
    "Bearer",
    "bearer ",
    "Bearer{}",
    "Bearer:{}",
    "Bearer: {}",
    "Bearer\t{}",
    "Bearer Bearer {}",
    "bearer  bearer {}",
    'Bearer "{}"',
    "Bearer '{}'",
    'Bearer "',
    "Bearer {0},{0}",
    "Bearer {0}, Bearer {0}",
    "Bearer {} x",
    "Bearer x {}",
    "Bearer {}\tx",
    "Bearer {}é",
    "Bearer \ud800{}",
):
    refused(ErrorCode.HEADER_MALFORMED, repr(form), in_header(form))
refused(
    ErrorCode.HEADER_MALFORMED,
    "a JWS in its JSON form",
    lambda i: bearer(json.dumps(dict(zip(("protected", "payload", "signature"), i.token().split("."), strict=True)))),
)

for form in ("Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", "Bearer   {}", "  Bearer {}  ", "\tBearer {}\t"):
    admitted(f"header {form!r}", in_header(form))
admitted("a name in upper case", lambda i: {"AUTHORIZATION": f"Bearer {i.token()}"})
admitted("bytes", lambda i: {b"Authorization": f"Bearer {i.token()}".encode()})
admitted("a list of pairs of bytes", lambda i: [(b"host", b"x"), (b"authorization", f"Bearer {i.token()}".encode())])
admitted("an iterator of pairs", lambda i: iter(bearer(i.token()).items()))
admitted("other headers too", lambda i: {"x-api-key": "k", "cookie": "c", **bearer(i.token())})

SIZE = len(AuthHarness().issuer.token())
refused(ErrorCode.TOKEN_TOO_LONG, "one over the limit", lambda i: i.token(), limits={"token_bytes": SIZE - 1})
refused(ErrorCode.TOKEN_TOO_LONG, "a megabyte", lambda i: i.token(padding="x" * 1_000_000))
refused(
    ErrorCode.TOKEN_TOO_LONG, "a megabyte of another scheme", lambda _: {"authorization": f"Basic {'x' * 1_000_000}"}
)
refused(ErrorCode.TOKEN_TOO_LONG, "a million dots", lambda _: "." * 1_000_000)
admitted("a token at the limit of size", lambda i: i.token(), limits={"token_bytes": SIZE})


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage is Stage.EXTRACT}
