"""scikit-learn's conformance checks as parameters of a test, the slow ones marked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from benchmarks.check_estimator import EXPECTED

Check = Callable[[Any], None]


def identity(check: Check) -> Hashable:
    """The function and its options; scikit-learn hands out partial functions."""
    return getattr(check, "func", check), tuple(getattr(check, "keywords", {}).items())


def name_of(check: Check) -> str:
    """The name of the function and its options."""
    function, options = getattr(check, "func", check), getattr(check, "keywords", {})
    return "-".join([function.__name__, *(f"{key}={value}" for key, value in options.items())])


def checks(estimator: Any, slow: Callable[[Check], bool]) -> Iterator[Any]:
    """All checks of an estimator. slow: whether one is left to the slow tests."""
    for _, check in estimator_checks_generator(estimator):
        marks: list[pytest.MarkDecorator] = [pytest.mark.slow] if slow(check) else []
        name = name_of(check)
        if name in EXPECTED:
            marks.append(pytest.mark.xfail(reason=EXPECTED[name]))
        yield pytest.param(check, marks=marks, id=name)
