"""All checks by name, run on one rule or as tests of pytest."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable, Mapping

from optselect.optim.certify.kit import (
    declaration_checks,
    keras_checks,
    law_checks,
    reference_checks,
    update_checks,
    wrapper_checks,
)
from optselect.optim.certify.kit.subject import Check, Reference, Subject, does_not_apply
from optselect.optim.rule import Rule

__all__ = ["CHECKS", "KERAS_CHECKS", "check_rule", "rule_suite", "run_check"]

KERAS_CHECKS = tuple(keras_checks.CHECKS)
CHECKS: dict[str, Check] = {
    **declaration_checks.CHECKS,
    **update_checks.CHECKS,
    **law_checks.CHECKS,
    **reference_checks.CHECKS,
    **wrapper_checks.CHECKS,
    **keras_checks.CHECKS,
}


def run_check(name: str, subject: Subject) -> None:
    """Run one check on a rule.

    Parameters
    ----------
    name : str
        A key of `CHECKS`.
    subject : Subject
        The rule, and what it is compared with.

    Raises
    ------
    AssertionError
        The rule does not pass; the message has the rule, the check, its claim and what was found. Also where the rule
        says in `exempt` that it breaks this check by design, and does not break it.
    unittest.SkipTest
        The check does not apply to this rule, or the rule is exempt from it. pytest reports the test as skipped.

    Examples
    --------
    >>> from optselect.optim.rules.sgd import SGD
    >>> run_check("keeps_shapes_and_dtypes", Subject(SGD))
    """
    exempt, who = subject.rule.exempt, f"{subject.rule.__name__}, {name}"
    unknown = sorted(exempt.keys() - CHECKS.keys())
    assert not unknown, f"{who}: `exempt` names {unknown}, which are no checks; the checks are {sorted(CHECKS)}"
    try:
        CHECKS[name](subject)
    except unittest.SkipTest:
        raise
    except Exception as failure:  # a rule that is wrong may raise anything
        if name in exempt:
            does_not_apply(exempt[name])
        claim = (CHECKS[name].__doc__ or "").splitlines()[0]
        found = failure if isinstance(failure, AssertionError) else f"{type(failure).__name__}: {failure}"
        raise AssertionError(f"{who}: {claim}\n{found}") from failure
    assert name not in exempt, f"{who}: the rule passes this check: take it out of `exempt`"


def check_rule(
    rule: type[Rule],
    reference: Reference | None = None,
    twin: str | None = None,
    *,
    checks: Iterable[str] = tuple(CHECKS),
) -> dict[str, str]:
    """Run every check on a rule; the first that fails ends it.

    Parameters
    ----------
    rule : type of Rule
        The rule's class.
    reference : callable, optional
        The rule once more, in numpy and float64: takes the start, the gradients of all steps, shape (steps, ...), and
        the hyperparameters by name; returns the weights at the end.
    twin : str, optional
        The Keras class that the rule equals, as in "keras.optimizers.Adam". Default: the one that the rule names.
    checks : iterable of str, optional
        Names of the checks to run. Default: all of `CHECKS`.

    Returns
    -------
    dict of str to str
        The checks that were skipped, each with the reason.

    Raises
    ------
    AssertionError
        A check failed; the message has its name, its claim and what was found.

    Examples
    --------
    >>> from optselect.optim.rules.sgd import SGD
    >>> check_rule(SGD, twin="", checks=["keeps_shapes_and_dtypes", "equals_its_twin"])
    {'equals_its_twin': 'no Keras class equals it'}
    """
    subject, skipped = Subject(rule, reference, rule.twin if twin is None else twin), {}
    for name in checks:
        try:
            run_check(name, subject)
        except unittest.SkipTest as reason:
            skipped[name] = str(reason)
    return skipped


def rule_suite(
    *rules: type[Rule], references: Mapping[str, Reference] | None = None, checks: Iterable[str] = tuple(CHECKS)
) -> Callable[..., None]:
    """Make a test function for pytest: each check of each rule is a test of its own.

    Parameters
    ----------
    *rules : type of Rule
        The rules' classes.
    references : mapping of str to callable, optional
        The formula of a rule, see `check_rule`, by the rule's name.
    checks : iterable of str, optional
        Names of the checks to run. Default: all of `CHECKS`.

    Returns
    -------
    callable
        Assign it to a name that begins with `test_`. A check that does not apply is skipped with its reason.

    Examples
    --------
    >>> from optselect.optim.rules.sgd import SGD
    >>> test_sgd = rule_suite(SGD, checks=["keeps_shapes_and_dtypes"])
    >>> test_sgd.pytestmark[0].args[1][0].id
    'sgd-keeps_shapes_and_dtypes'
    """
    import pytest

    known = references or {}
    cases = [
        pytest.param(check, Subject(rule, known.get(rule.name), rule.twin), id=f"{rule.name}-{check}")
        for rule in rules
        for check in checks
    ]

    @pytest.mark.parametrize(("check", "subject"), cases)
    def test_rule(check: str, subject: Subject) -> None:
        """Every check of `optselect.testing` holds for every rule."""
        run_check(check, subject)

    return test_rule
