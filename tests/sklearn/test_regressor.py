"""scikit-learn's conformance checks of the regressor."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from benchmarks.check_estimator import estimators
from tests.helpers.estimator_checks import Check, checks, identity

SHARED = {identity(check) for _, check in estimator_checks_generator(estimators()[0])}
"""Slow are those that the classifier passes too, since the code that they check is the same."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", list(checks(estimators()[1], lambda check: identity(check) in SHARED)))
def test_scikit_learn_finds_what_it_expects(check: Check) -> None:
    """Each of its checks, those aside that cannot hold and say why."""
    check(estimators()[1])
