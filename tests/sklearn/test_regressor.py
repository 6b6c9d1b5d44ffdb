"""scikit-learn's conformance checks of the regressor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from benchmarks.check_estimator import EXPECTED, estimators

Check = Callable[[Any], None]


def _identity(check: Check) -> Hashable:
    """The function and its options; scikit-learn hands out partial functions."""
    return getattr(check, "func", check), tuple(getattr(check, "keywords", {}).items())


def _name(check: Check) -> str:
    function, options = getattr(check, "func", check), getattr(check, "keywords", {})
    return "-".join([function.__name__, *(f"{key}={value}" for key, value in options.items())])


def _checks() -> Iterator[Any]:
    """All of them; slow are those that the classifier passes too, since the code that they check is the same."""
    classifier, regressor = estimators()
    shared = {_identity(check) for _, check in estimator_checks_generator(classifier)}
    for _, check in estimator_checks_generator(regressor):
        marks = [pytest.mark.slow] if _identity(check) in shared else []
        name = _name(check)
        if name in EXPECTED:
            marks.append(pytest.mark.xfail(reason=EXPECTED[name]))
        yield pytest.param(check, marks=marks, id=name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", list(_checks()))
def test_scikit_learn_finds_what_it_expects(check: Check) -> None:
    """Each of its checks, those aside that cannot hold and say why."""
    check(estimators()[1])
