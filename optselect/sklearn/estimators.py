"""A classifier and a regressor that search for their optimizer when they are fitted."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from optselect.errors import InvalidData
from optselect.sklearn.fitted_study import OptimizerSearch
from optselect.sklearn.given_rows import GivenRows
from optselect.sklearn.parameters import parametrized
from optselect.sklearn.xy import names

__all__ = ["OptimizerSearchClassifier", "OptimizerSearchRegressor"]

_FEWEST = 3  # rows of a class: one each to train, validate and test
_FEWEST_ROWS = 10


@parametrized()
class OptimizerSearchClassifier(ClassifierMixin, OptimizerSearch):  # type: ignore[misc]
    """A Keras classifier whose optimizer, with its settings, is found by a study when it is fitted.

    X may be an array, or a frame of pandas or polars with text, categories, dates and gaps. y holds labels, or several
    columns of 0 and 1. Rows with the weight 0 are left out; those of a class that has fewer than three are repeated.
    docs/scikit-learn.md lists the attributes after `fit`.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> search = OptimizerSearchClassifier(trials=20, random_state=0).fit(X, y)  # doctest: +SKIP
    >>> search.best_params_["optimizer"], search.verdict_.word                   # doctest: +SKIP
    """

    class_weight: Any
    classes_: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:  # noqa: N803 — scikit-learn's word
        """Search for an optimizer and train the best configuration on all rows.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features: an array, or a frame of pandas or polars with text, categories, dates and missing values.
        y : array of shape (rows,) or (rows, labels)
            Labels, or several columns of 0 and 1.
        sample_weight : array of shape (rows,), optional
            Weight of each row in the loss; rows of weight 0 are left out. Default: all rows count the same.
        groups : array of shape (rows,), optional
            Group of each row, such as a patient: rows of a group stay on one side of every split of the study.
            Default: rows are independent.

        Returns
        -------
        OptimizerSearchClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data do not suit the estimator.
        TypeError
            If the data have a wrong type.
        """
        labels = _target(y, numbers=False)
        rows = GivenRows.of(self, X, labels, sample_weight, groups)
        check_classification_targets(rows.y)
        if rows.y.ndim > 1:
            self._fit_several(rows)
        else:
            self.classes_, codes = np.unique(rows.y, return_inverse=True)
            rows = self._enough(dataclasses.replace(rows, y=codes))
            target = pd.Series(rows.y, name="y")
            self._search(rows, target, "classification", class_weight=self._class_weight())
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict the most probable label.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features as for `fit`.

        Returns
        -------
        ndarray of shape (rows,) or (rows, labels)
            Labels in the dtype of `classes_`.
        """
        probabilities = self.predict_proba(X)
        if self._several:
            return (probabilities > 0.5).astype(self.classes_[0].dtype)
        labels: np.ndarray = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict the probability of each class.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features as for `fit`.

        Returns
        -------
        ndarray of shape (rows, classes)
            Probabilities in the order of `classes_`; with several labels per row, the probability that each is 1.
        """
        answers = self._answers(X)
        if self._several:
            return np.column_stack([_both(part)[:, 1] for part in answers.values()])
        return _both(answers)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.model is None
        return tags

    @property
    def _several(self) -> bool:
        return isinstance(self.classes_, list)

    def _fit_several(self, rows: GivenRows) -> None:
        kind = type_of_target(rows.y)
        if kind != "multilabel-indicator" or self.model is not None:
            raise ValueError(
                f"{type(self).__name__}: y has {rows.y.shape[1]} columns, of the kind {kind!r}. Several labels a row "
                "must be 0 or 1, with the default model; otherwise `sklearn.multioutput.MultiOutputClassifier` fits "
                "one estimator a column."
            )
        several = names(rows.y.shape[1])
        self.classes_ = [np.unique(column) for column in rows.y.T]
        targets = {name: pd.Series(column.astype(int)) for name, column in zip(several, rows.y.T, strict=True)}
        self._search(rows, targets, "classification")

    def _enough(self, given: GivenRows) -> GivenRows:
        """Rows of classes that have fewer than three are repeated, together with the weight of before.

        Not where the rows are split as they were given: a repeated row helps on its own side alone.
        """
        counts, labels = np.bincount(given.y), self.classes_.tolist()
        if len(counts) < 2:
            raise ValueError(
                f"{type(self).__name__}: y has one class, {labels[0]!r}, in the rows that count: nothing to learn."
            )
        rare = np.flatnonzero(counts < _FEWEST)
        if not len(rare) or given.is_split:
            return given
        few = [f"{labels[i]!r} {counts[i]}" for i in rare]
        warnings.warn(
            f"{type(self).__name__}: rows of a class: {', '.join(few[:5])}{', ...' * (len(few) > 5)}. They are "
            "repeated, with a part of their weight each, so that training, validation and test have one: held-out "
            "scores flatter.",
            stacklevel=3,
        )
        more = [np.resize(np.flatnonzero(given.y == i), _FEWEST)[counts[i] :] for i in rare]
        rows = np.concatenate([np.arange(len(given.y)), *more])
        weight = np.ones(len(given.y)) if given.weight is None else given.weight
        return dataclasses.replace(given, weight=weight / np.bincount(rows)).taken(rows)

    def _class_weight(self) -> Any:
        """By the numbers of the classes."""
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        places = {label: place for place, label in enumerate(self.classes_.tolist())}
        return {places.get(label, label): weight for label, weight in self.class_weight.items()}


@parametrized(but="class_weight")
class OptimizerSearchRegressor(RegressorMixin, OptimizerSearch):  # type: ignore[misc]
    """A Keras regressor whose optimizer, with its settings, is found by a study when it is fitted.

    X may be as in `OptimizerSearchClassifier`. y holds one number per row, or several.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = OptimizerSearchRegressor(trials=20, random_state=0).fit(X, y)  # doctest: +SKIP
    >>> search.predict(X[:3]).shape                                            # doctest: +SKIP
    (3,)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:  # noqa: N803
        """Search for an optimizer and train the best configuration on all rows.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features: an array, or a frame of pandas or polars with text, categories, dates and missing values.
        y : array of shape (rows,) or (rows, targets)
            Numbers.
        sample_weight : array of shape (rows,), optional
            Weight of each row in the loss; rows of weight 0 are left out. Default: all rows count the same.
        groups : array of shape (rows,), optional
            Group of each row, such as a patient: rows of a group stay on one side of every split of the study.
            Default: rows are independent.

        Returns
        -------
        OptimizerSearchRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data do not suit the estimator.
        TypeError
            If the data have a wrong type.
        """
        rows = GivenRows.of(self, X, _target(y, numbers=True), sample_weight, groups)
        if len(rows.y) < _FEWEST_ROWS:
            raise InvalidData(f"{type(self).__name__}: n_samples={len(rows.y)}; {_FEWEST_ROWS} rows are the least.")
        several = rows.y.ndim > 1
        self._n_outputs = rows.y.shape[1] if several else None
        found: Any = rows.y if several else pd.Series(rows.y, name="y")
        if several and self.model is None:
            found = dict(zip(names(rows.y.shape[1]), rows.y.T, strict=True))
        self._search(rows, found, "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict numbers in the units of y.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features as for `fit`.

        Returns
        -------
        ndarray of shape (rows,) or (rows, targets)
            Predictions.
        """
        answers = self._answers(X)
        if isinstance(answers, Mapping):
            return np.column_stack(list(answers.values()))
        shape = (len(answers),) if self._n_outputs is None else (len(answers), self._n_outputs)
        return np.reshape(answers, shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _target(y: Any, *, numbers: bool) -> np.ndarray:
    """y as an array of one axis, or of two where a row has several values."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    array = check_array(y, ensure_2d=False, dtype="numeric" if numbers else None, input_name="y", ensure_min_samples=0)
    found: np.ndarray = column_or_1d(array, warn=True) if array.ndim == 1 or array.shape[1:] == (1,) else array
    return found


def _both(probabilities: np.ndarray) -> np.ndarray:
    """Of each class: a single probability is that of the second."""
    if probabilities.ndim == 1 or probabilities.shape[1] == 1:
        second = probabilities.reshape(-1)
        return np.column_stack([1 - second, second])
    whole: np.ndarray = probabilities.sum(axis=1, keepdims=True)
    return np.asarray(probabilities / whole)
