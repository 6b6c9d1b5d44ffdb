"""How the estimators split the rows of a fit: by the groups of `fit` and by the parameter `cv`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)

from optselect.sklearn import OptimizerSearchClassifier
from optselect.sklearn.given_rows import GivenRows
from optselect.workers.pool import POOL
from tests.helpers.estimating import XR, YR, X, Y, classifier, regressor

GROUPS = np.arange(150) % 15
"""Each of the 15 groups has 10 rows, of all classes."""
FOLD = np.arange(150) % 5 - 1
"""As `PredefinedSplit` takes it: folds 0 to 3, and rows that only train."""


@pytest.fixture(scope="module", autouse=True)
def ends_its_processes() -> Iterator[None]:
    yield
    POOL.close()


def groups_of(fit: Any, groups: np.ndarray) -> dict[str, set[Any]]:
    return {part: set(groups[rows]) for part, rows in fit.rows_.items()}


def share_nothing(parts: dict[str, set[Any]]) -> bool:
    return sum(map(len, parts.values())) == len(set.union(*parts.values()))


def test_rows_of_a_group_stay_together() -> None:
    """In words as in numbers; every row is in one part; and weights and groups of rows go together."""
    names = np.array([f"patient {group}" for group in GROUPS])
    weight = np.ones(150)
    weight[:30] = 0
    fit = classifier().fit(X, Y, groups=names, sample_weight=weight)
    parts = groups_of(fit, GROUPS)
    assert share_nothing(parts)
    assert min(map(len, parts.values())) >= 1
    assert sorted(np.concatenate(list(fit.rows_.values()))) == list(range(30, 150))
    free = groups_of(classifier().fit(X, Y, sample_weight=weight), GROUPS)
    assert not share_nothing(free)


SPLITTERS: dict[str, Any] = {
    "folds": 3,
    "groups": GroupKFold(4),
    "groups and classes": StratifiedGroupKFold(4, shuffle=True, random_state=0),
    "time": TimeSeriesSplit(4),
    "one given fold": PredefinedSplit(np.where(FOLD > 0, -1, 0)),
    "given folds": PredefinedSplit(FOLD),
    "shuffled": ShuffleSplit(3, test_size=0.2, random_state=0),
    "pairs": [(np.arange(20, 150), np.arange(10)), (np.arange(20, 150), np.arange(10, 20))],
    "a generator": "made anew",
}


@pytest.mark.parametrize("what", SPLITTERS)
def test_a_splitter_says_what_trains_and_what_validates(what: str) -> None:
    """Whichever kind it is: the study validates rows that the splitter has apart from those that it trains."""
    order = np.random.default_rng(0).permutation(150)
    x, y = X[order], Y[order]
    cv = (pair for pair in SPLITTERS["pairs"]) if what == "a generator" else SPLITTERS[what]
    fit = classifier(cv=cv, epochs=2).fit(x, y, groups=GROUPS if "groups" in what else None)
    rows = fit.rows_
    assert min(len(part) for part in rows.values()) > 0
    assert len(np.unique(np.concatenate(list(rows.values())))) == sum(map(len, rows.values()))
    assert fit.predict(x).shape == (150,)
    if "groups" in what:
        assert share_nothing(groups_of(fit, GROUPS))
    if what == "time":
        assert rows["train"].max() < rows["validation"].min() <= rows["validation"].max() < rows["test"].min()
    if "given" in what:
        assert (FOLD[rows["train"]] != FOLD[rows["validation"]][0]).all()
    if what in ("pairs", "a generator"):
        assert rows["validation"].tolist() == list(range(10))
        assert rows["test"].tolist() == list(range(10, 20))


def test_a_splitter_of_numbers_and_tables() -> None:
    """Folds by time of a regressor, on a table; rows of weight 0 are in no part and the others where they were."""
    frame = pd.DataFrame(XR, columns=[f"c{i}" for i in range(10)])
    weight = np.where(np.arange(442) % 4 == 0, 0.0, 1.0)
    fit = regressor(cv=TimeSeriesSplit(3), epochs=2).fit(frame, YR, sample_weight=weight)
    rows = fit.rows_
    assert rows["train"].max() < rows["validation"].min() <= rows["validation"].max() < rows["test"].min()
    assert (np.concatenate(list(rows.values())) % 4 != 0).all()


def test_a_folder_tells_splits_apart(tmp_path: Path) -> None:
    """Fits with other groups are other studies."""
    names = set()
    for groups in (GROUPS, (GROUPS + np.arange(150) // 75) % 15, GROUPS):
        classifier(out=tmp_path, epochs=2).fit(X, Y, groups=groups)
        names.add(tuple(sorted(path.name for path in tmp_path.glob("study-*"))))
    assert [len(found) for found in sorted(names, key=len)] == [1, 2]


def test_a_rare_class_is_not_repeated_across_groups() -> None:
    """With groups its rows stay where they are, without a warning."""
    rare = np.where(np.isin(np.arange(150), (0, 15)), 3, Y)  # both of one group
    given = GivenRows.of(classifier(), X, rare, None, GROUPS)
    estimator = classifier()
    estimator.classes_ = np.arange(4)
    assert estimator._enough(given) is given


def overlapping() -> Any:
    return [(np.arange(100), np.arange(90, 150))]


WRONG: dict[str, tuple[dict[str, Any], Any, str]] = {
    "groups of another length": ({}, GROUPS[:-1], "inconsistent numbers of samples"),
    "groups of two axes": ({}, np.column_stack([GROUPS, GROUPS]), "1d"),
    "groups with gaps": ({}, np.where(GROUPS == 3, np.nan, GROUPS), "no value"),
    "one group": ({}, np.zeros(150), "group"),
    "two groups": ({}, np.arange(150) % 2, "group"),
    "fewer groups than folds": ({"cv": 20}, GROUPS, "folds"),
    "fewer groups than a splitter's folds": ({"cv": GroupKFold(20)}, GROUPS, "n_splits=20"),
    "a splitter that needs groups": ({"cv": GroupKFold(3)}, None, "groups"),
    "fewer rows than folds": ({"cv": 100}, None, "folds"),
    "one fold": ({"cv": 1}, None, "folds"),
    "no pairs": ({"cv": []}, None, "no pairs"),
    "no splitter": ({"cv": "five"}, None, "cv"),
    "a number": ({"cv": 2.5}, None, "cv"),
    "no pair": ({"cv": [(np.arange(5), np.arange(5, 9), np.arange(9, 20))]}, None, "pairs"),
    "overlap": ({"cv": overlapping()}, None, "both train and validate"),
    "no validation rows": ({"cv": [(np.arange(100), [])]}, None, "no validation rows"),
    "rows that are not there": ({"cv": [(np.arange(100), np.arange(149, 160))]}, None, "row 150"),
    "no numbers": ({"cv": [(["a"], ["b"])]}, None, "row numbers"),
    "folds and cv": ({"cv": KFold(3), "folds": 3}, None, "choose one"),
    "a class that never trains": ({"cv": [(np.arange(100), np.arange(100, 150))]}, None, "class"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_split_is_said(what: str) -> None:
    """One ValueError for each mistake, before anything is trained."""
    options, groups, said = WRONG[what]
    estimator = classifier(**options)
    with pytest.raises(ValueError, match=said):
        estimator.fit(X, Y, groups=groups)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


def test_parameters_are_those_of_scikit_learn() -> None:
    """`cv` is a parameter, `groups` is none; it is cloned and printed as any other."""
    assert classifier(cv=GroupKFold(3)).get_params()["cv"].n_splits == 3
    assert "groups" not in OptimizerSearchClassifier().get_params()
    assert "GroupKFold" in repr(classifier(cv=GroupKFold(3)))
