"""scikit-learn's own tools around the estimators: rows' weights and groups reach each fit, which splits by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from optselect.workers.pool import POOL
from tests.helpers.estimating import X, Y, classifier, regressor

GROUPS = np.arange(150) // 2 % 15
WEIGHT = np.where(np.arange(150) % 10 == 0, 0.0, 1.0)
NUMBERS = X[:, 0] + Y


@pytest.fixture(scope="module", autouse=True)
def ends_its_processes() -> Iterator[None]:
    yield
    POOL.close()


@pytest.fixture
def routing() -> Iterator[None]:
    with config_context(enable_metadata_routing=True):
        yield


def asked(estimator: Any) -> Any:
    """With weights asked for; groups are by themselves."""
    return estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)


def split_by_groups(fit: Any, groups: np.ndarray, weight: np.ndarray | None = None) -> bool:
    """Whether the groups of a study's parts differ, and no row has the weight 0. groups, weight: as it got them."""
    parts = [set(groups[rows]) for rows in fit.rows_.values()]
    counts = weight is None or (weight[np.concatenate(list(fit.rows_.values()))] > 0).all()
    return bool(counts and sum(map(len, parts)) == len(set.union(*parts)))


def test_what_is_routed_by_itself_and_what_is_asked_for() -> None:
    """Groups go to `fit` unless that is switched off; weights only where they are asked for, as everywhere."""
    with config_context(enable_metadata_routing=True):
        given = {"groups", "sample_weight"}
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), classifier())
        assert get_routing_for_object(pipeline).consumes("fit", given) == {"groups"}
        asked(pipeline[-1])
        assert get_routing_for_object(pipeline).consumes("fit", given) == given
        pipeline[-1].set_fit_request(groups=False)
        assert get_routing_for_object(pipeline).consumes("fit", given) == {"sample_weight"}
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            GridSearchCV(classifier(), {"epochs": [1]}).fit(X, Y, sample_weight=WEIGHT)


def test_a_grid_search_splits_by_groups_outside_and_inside(routing: None) -> None:
    """The same groups part the folds of the grid and the rows of each study."""
    grid = GridSearchCV(asked(classifier()), {"epochs": [1, 12]}, cv=GroupKFold(2))
    grid.fit(X, Y, groups=GROUPS, sample_weight=WEIGHT)
    assert grid.best_params_ == {"epochs": 12}
    assert split_by_groups(grid.best_estimator_, GROUPS, WEIGHT)


def test_cross_validation_of_a_pipeline(routing: None) -> None:
    """Each fold's study has the groups and weights of its rows."""
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asked(classifier(cv=2)))
    folds = GroupKFold(2)
    found = cross_validate(
        pipeline, X, Y, cv=folds, params={"groups": GROUPS, "sample_weight": WEIGHT}, return_estimator=True
    )
    assert found["test_score"].min() > 0.5
    for fitted, (train, _) in zip(found["estimator"], folds.split(X, Y, GROUPS), strict=True):
        assert split_by_groups(fitted[-1], GROUPS[train], WEIGHT[train])


def test_committees_hand_groups_and_weights_on(routing: None) -> None:
    """Stacking, voting and calibration of classifiers."""
    one = asked(classifier())
    line = LogisticRegression(max_iter=2000).set_fit_request(sample_weight=True)
    # What stacking gets, its final estimator gets too, asked for or not: groups need one that takes them.
    stack = StackingClassifier([("one", one)], final_estimator=clone(one), cv=2)
    stack.fit(X, Y, groups=GROUPS, sample_weight=WEIGHT)
    assert split_by_groups(stack.estimators_[0], GROUPS, WEIGHT)
    assert split_by_groups(stack.final_estimator_, GROUPS, WEIGHT)
    vote = VotingClassifier([("one", one), ("line", line)])
    vote.set_params(voting="soft").fit(X, Y, groups=GROUPS, sample_weight=WEIGHT)
    assert split_by_groups(vote.estimators_[0], GROUPS, WEIGHT)
    calibrated = CalibratedClassifierCV(one, cv=GroupKFold(2), method="temperature")
    calibrated.fit(X, Y, groups=GROUPS, sample_weight=WEIGHT)
    for each, (train, _) in zip(calibrated.calibrated_classifiers_, GroupKFold(2).split(X, Y, GROUPS), strict=True):
        assert split_by_groups(each.estimator, GROUPS[train], WEIGHT[train])
    for fitted in (stack, vote, calibrated):
        assert fitted.predict_proba(X).shape == (150, 3)
        assert fitted.score(X, Y) > 0.5


def test_a_transformed_target(routing: None) -> None:
    """A regressor gets the groups and weights too."""
    moved = TransformedTargetRegressor(asked(regressor()), transformer=StandardScaler())
    moved.fit(X, NUMBERS, groups=GROUPS, sample_weight=WEIGHT)
    assert split_by_groups(moved.regressor_, GROUPS, WEIGHT)
    assert moved.score(X, NUMBERS) > 0.5


@pytest.mark.slow
def test_committees_of_regressors(routing: None) -> None:
    """Stacking and voting share their code with those of classifiers."""
    one = asked(regressor())
    stack = StackingRegressor([("one", one)], final_estimator=Ridge().set_fit_request(sample_weight=True), cv=2)
    vote = VotingRegressor([("one", one), ("line", Ridge().set_fit_request(sample_weight=True))])
    assert stack.fit(X, NUMBERS, sample_weight=WEIGHT).score(X, NUMBERS) > 0.5
    assert vote.fit(X, NUMBERS, groups=GROUPS, sample_weight=WEIGHT).score(X, NUMBERS) > 0.5
    assert split_by_groups(vote.estimators_[0], GROUPS, WEIGHT)


def test_without_routing() -> None:
    """Then groups go through `params` and the names of steps, as scikit-learn has it."""
    pipeline = make_pipeline(StandardScaler(), classifier())
    scores = cross_val_score(pipeline, X, Y, groups=GROUPS, cv=GroupKFold(2),
                             params={"optimizersearchclassifier__groups": GROUPS})  # fmt: skip
    assert scores.min() > 0.5
    grid = GridSearchCV(pipeline, {"optimizersearchclassifier__epochs": [8]}, cv=GroupKFold(2))
    given = {"optimizersearchclassifier__groups": GROUPS, "optimizersearchclassifier__sample_weight": WEIGHT}
    grid.fit(X, Y, groups=GROUPS, **given)
    assert split_by_groups(grid.best_estimator_[-1], GROUPS, WEIGHT)
    folds = list(GroupKFold(2).split(X, Y, GROUPS))
    calibrated = CalibratedClassifierCV(classifier(), cv=folds, ensemble=True).fit(X, Y, groups=GROUPS)
    assert split_by_groups(calibrated.calibrated_classifiers_[0].estimator, GROUPS[folds[0][0]])
