"""The checks that every rule passes here, for a rule of your own: one function, or a suite for pytest.

In a test file of your package::

    from optselect.testing import rule_suite

    from my_package import MyRule, my_formula

    test_my_rule = rule_suite(MyRule, references={"my_rule": my_formula})

A reference is the rule once more, written from the paper in numpy and in float64: it takes the start, the
gradients of all steps and the hyperparameters by name, and returns the weights at the end.

The checks cover the declaration, the update, the laws that any optimizer keeps, the formula and the Keras class that
the rule equals, the rule inside every wrapper, and the Keras optimizer that is made of it: eager, in a graph, under
XLA, saved and loaded. A check that does not apply is skipped with its reason. A rule that breaks one by design names
it in `exempt`, with the reason.
"""

from __future__ import annotations

from optselect.optim.certify.kit import (
    CHECKS,
    KERAS_CHECKS,
    Subject,
    check_rule,
    gradients,
    near,
    rule_suite,
    run_check,
    walk,
)

__all__ = ["CHECKS", "KERAS_CHECKS", "Subject", "check_rule", "gradients", "near", "rule_suite", "run_check", "walk"]
