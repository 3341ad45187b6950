"""The table of checks is complete."""

from __future__ import annotations

from pathlib import Path

from oidc_auth.tokens.checks import CHECKS, Stage

MODULES = {
    Stage.EXTRACT: "test_header_field_checks.py",
    Stage.PARSE: "test_syntax_checks.py",
    Stage.HEADER: "test_jose_header_checks.py",
    Stage.ISSUER: "test_issuer_and_key_checks.py",
    Stage.KEY: "test_issuer_and_key_checks.py",
    Stage.SIGNATURE: "test_signature_checks.py",
    Stage.CLAIMS: "test_claim_checks.py",
}
"""The module that has cases for each check of a stage."""


def test_every_stage_has_module_with_cases() -> None:
    # The checks of introspection have theirs in tests/introspection.
    assert set(MODULES) == set(Stage) - {Stage.INTROSPECTION}
    for stage, name in MODULES.items():
        module = Path(__file__).with_name(name).read_text("utf-8")
        assert "def test_every_check_has_cases(" in module
        assert f"Stage.{stage.name}" in module


def test_every_check_has_own_code() -> None:
    assert len({check.code for check in CHECKS}) == len(CHECKS)


def test_every_check_names_its_source() -> None:
    assert all(check.source and callable(check.rule) for check in CHECKS)
