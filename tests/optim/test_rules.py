"""Checks that every rule passes, but those of its Keras class. No rule is named here: the suite walks `RULES`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.testing import CHECKS, KERAS_CHECKS, rule_suite
from tests.helpers import RESOURCES, references

FORMULAS = {name: getattr(references, name) for name in RULES if hasattr(references, name)}


def _cases(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text())
    return content if isinstance(content, list) else content["cases"]


def _named(rule: Any) -> set[str]:
    """The rule of a golden case and those that it wraps."""
    return {rule} if isinstance(rule, str) else {rule["name"]} | (_named(rule["rule"]) if "rule" in rule else set())


GOLDEN = {name for path in RESOURCES.glob("golden_*.json") for case in _cases(path) for name in _named(case["rule"])}

test_rule = rule_suite(
    *RULES.values(), references=FORMULAS, checks=[name for name in CHECKS if name not in KERAS_CHECKS]
)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_is_held_against_something_independent(rule: type[Rule]) -> None:
    """No rule goes without a formula of the paper, or numbers that its authors' code or a library gave."""
    assert rule.name in FORMULAS.keys() | GOLDEN, f"write `def {rule.name}(w, grads, *, ...)` in references.py"
