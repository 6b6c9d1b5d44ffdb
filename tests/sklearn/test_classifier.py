"""scikit-learn's conformance checks of the classifier."""

from __future__ import annotations

import pytest

from benchmarks.check_estimator import estimators
from tests.helpers.estimator_checks import Check, checks, name_of

REPEATED = (
    *("readonly_memmap", "multilabel_representation", "check_sample_weights_list", "sample_weights_pandas"),
    # What a test of ours says of other data:
    *("multilabel_output_format", "data_not_an_array", "estimators_dtypes"),
    *("classifiers_classes", "class_weight_classifiers", "weight_equivalence", "estimators_pickle"),
)
"""Slow are those that repeat another check or test with other numbers or another container, many fits each."""


def repeated(check: Check) -> bool:
    """Whether a check is one of these."""
    return any(words in name_of(check) for words in REPEATED)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", list(checks(estimators()[0], repeated)))
def test_scikit_learn_finds_what_it_expects(check: Check) -> None:
    """Each of its checks, those aside that cannot hold and say why."""
    check(estimators()[0])
