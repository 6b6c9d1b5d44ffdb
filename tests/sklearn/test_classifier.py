"""scikit-learn's conformance checks of the classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from benchmarks.check_estimator import EXPECTED, estimators


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([estimators()[0]], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_finds_what_it_expects(estimator: Any, check: Callable[[Any], None]) -> None:
    """Each of its checks, those aside that cannot hold and say why."""
    check(estimator)
