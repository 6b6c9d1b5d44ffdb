"""A classifier and a regressor that search for their optimizer when they are fitted."""

from __future__ import annotations

import contextlib
import html
import sys
import tempfile
import time as clock
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from joblib import hash as joblib_hash
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils._repr_html.estimator import estimator_html_repr
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from optselect.api.tune import tune
from optselect.data import raw_inputs
from optselect.errors import InvalidData, NoResult
from optselect.optim.configuration import Configuration
from optselect.options import Settings
from optselect.sklearn.parameters import parameters_of, parametrized
from optselect.sklearn.pickled_model import KeptModel
from optselect.sklearn.search_results import best_index, cv_results
from optselect.sklearn.xy import checked, form_of, formed, names
from optselect.study.listener import Silent
from optselect.verdict import Verdict

__all__ = ["OptimizerSearchClassifier", "OptimizerSearchRegressor"]

_FEWEST = 3  # rows of a class: one each to train, validate and test
_FEWEST_ROWS = 10


class _OptimizerSearch(BaseEstimator):  # type: ignore[misc]
    """What both have: everything but what y is."""

    model: Any
    out: str | Path | None
    random_state: Any
    verbose: int

    best_params_: dict[str, Any]
    best_score_: float
    best_index_: int
    best_configuration_: Configuration
    cv_results_: dict[str, Any]
    refit_time_: float
    snippet_: str
    verdict_: Verdict
    n_features_in_: int

    @property
    def best_estimator_(self) -> Any:
        """The trained keras.Model. It takes what `fit` made of X: an array, or arrays by column."""
        check_is_fitted(self)
        return self._kept.model()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_kept")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.three_d_array = True
        return tags

    def _repr_html_inner(self) -> str:
        told = ""
        if self.__sklearn_is_fitted__():
            told = f"<p>{html.escape(self.verdict_.text())}</p><pre>{html.escape(self.snippet_)}</pre>"
        return f"{estimator_html_repr(self)}{told}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_inner()}

    def _search(self, x: Any, y: Any, weight: np.ndarray | None, kind: str, **options: Any) -> None:
        """Run the study and keep what it found. x: as `checked` leaves it. y: a target, or several by name."""
        self._form = form_of(x, gaps=self.model is not None)
        data = (formed(x, self._form), y) if weight is None else (formed(x, self._form), y, weight)
        progress = _Progress(self.verbose)
        with _folder(self.out) as folder:
            asked = {
                **parameters_of(self),
                "data": data,
                "kind": kind,
                "seed": _seed(self.random_state),
                "check": False,
                "whole": True,
                "report": self.out is not None,
                # A folder of the user's holds the studies of many fits: each has a name of its own.
                "study": f"study-{joblib_hash((self.get_params(), data))[:12]}" if self.out else "study",
                "out": folder,
                **options,
            }
            result = tune(**Settings.of(**asked).arguments(), listener=progress)
            self.refit_time_ = progress.since_refit()
            file = result.directory / "best.keras"
            if not file.exists():
                raise NoResult(f"{type(self).__name__}: the best configuration, {result.best}, diverged on all rows.")
            self._kept = KeptModel(file.read_bytes())
        self._schema = result.spec.schema
        self.verdict_, self.best_configuration_, self.snippet_ = result.verdict, result.best, result.snippet
        self.cv_results_ = cv_results(result.records, result.description.objective)
        self.best_index_ = best_index(self.cv_results_, result.best)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        progress.say(result.verdict.text())

    def _answers(self, x: Any) -> Any:
        """What the model says of rows, in float64: an array, or arrays by target."""
        check_is_fitted(self)
        features = formed(checked(self, x, reset=False), self._form)
        inputs = features if self._schema is None else raw_inputs(features, self._schema)
        if self._schema is None:
            inputs = np.asarray(features, "float32")
        found = self._kept.answers(inputs)
        if isinstance(found, Mapping):
            return {name: np.asarray(part, "float64") for name, part in found.items()}
        return np.asarray(found, "float64")

    def _rows(self, x: Any, y: Any, weight: Any) -> tuple[Any, Any, np.ndarray | None]:
        """X, y and weights of the rows that count, after scikit-learn's checks."""
        x = checked(self, x, reset=True)
        check_consistent_length(x, y)
        if weight is None:
            return x, y, None
        weight = _check_sample_weight(weight, x, ensure_non_negative=True)
        counts = np.flatnonzero(weight)
        if len(counts) == len(weight):
            return x, y, weight
        return x.iloc[counts] if isinstance(x, pd.DataFrame) else x[counts], y[counts], weight[counts]


@parametrized()
class OptimizerSearchClassifier(ClassifierMixin, _OptimizerSearch):  # type: ignore[misc]
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 — scikit-learn's word
        """Search for an optimizer and train the best configuration on all rows.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features: an array, or a frame of pandas or polars with text, categories, dates and missing values.
        y : array of shape (rows,) or (rows, labels)
            Labels, or several columns of 0 and 1.
        sample_weight : array of shape (rows,), optional
            Weight of each row in the loss; rows of weight 0 are left out. Default: all rows count the same.

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
        x, labels, weight = self._rows(X, labels, sample_weight)
        check_classification_targets(labels)
        if labels.ndim > 1:
            self._fit_several(x, labels, weight)
        else:
            self.classes_, codes = np.unique(labels, return_inverse=True)
            x, codes, weight = self._enough(x, codes, weight)
            self._search(x, pd.Series(codes, name="y"), weight, "classification", class_weight=self._class_weight())
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

    def _fit_several(self, x: Any, labels: np.ndarray, weight: np.ndarray | None) -> None:
        kind = type_of_target(labels)
        if kind != "multilabel-indicator" or self.model is not None:
            raise ValueError(
                f"{type(self).__name__}: y has {labels.shape[1]} columns, of the kind {kind!r}. Several labels a row "
                "must be 0 or 1, with the default model; otherwise `sklearn.multioutput.MultiOutputClassifier` fits "
                "one estimator a column."
            )
        several = names(labels.shape[1])
        self.classes_ = [np.unique(column) for column in labels.T]
        targets = {name: pd.Series(column.astype(int)) for name, column in zip(several, labels.T, strict=True)}
        self._search(x, targets, weight, "classification")

    def _enough(self, x: Any, codes: np.ndarray, weight: np.ndarray | None) -> tuple[Any, np.ndarray, Any]:
        """Rows of classes that have fewer than three are repeated, together with the weight of before."""
        counts, labels = np.bincount(codes), self.classes_.tolist()
        if len(counts) < 2:
            raise ValueError(
                f"{type(self).__name__}: y has one class, {labels[0]!r}, in the rows that count: nothing to learn."
            )
        rare = np.flatnonzero(counts < _FEWEST)
        if not len(rare):
            return x, codes, weight
        few = [f"{labels[i]!r} {counts[i]}" for i in rare]
        warnings.warn(
            f"{type(self).__name__}: rows of a class: {', '.join(few[:5])}{', ...' * (len(few) > 5)}. They are "
            "repeated, with a part of their weight each, so that training, validation and test have one: held-out "
            "scores flatter.",
            stacklevel=3,
        )
        more = [np.resize(np.flatnonzero(codes == i), _FEWEST)[counts[i] :] for i in rare]
        rows = np.concatenate([np.arange(len(codes)), *more])
        share = (np.ones(len(codes)) if weight is None else weight) / np.bincount(rows)
        return x.iloc[rows] if isinstance(x, pd.DataFrame) else x[rows], codes[rows], share[rows]

    def _class_weight(self) -> Any:
        """By the numbers of the classes."""
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        places = {label: place for place, label in enumerate(self.classes_.tolist())}
        return {places.get(label, label): weight for label, weight in self.class_weight.items()}


@parametrized(but="class_weight")
class OptimizerSearchRegressor(RegressorMixin, _OptimizerSearch):  # type: ignore[misc]
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Search for an optimizer and train the best configuration on all rows.

        Parameters
        ----------
        X : array or DataFrame of shape (rows, features)
            Features: an array, or a frame of pandas or polars with text, categories, dates and missing values.
        y : array of shape (rows,) or (rows, targets)
            Numbers.
        sample_weight : array of shape (rows,), optional
            Weight of each row in the loss; rows of weight 0 are left out. Default: all rows count the same.

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
        x, target, weight = self._rows(X, _target(y, numbers=True), sample_weight)
        if len(target) < _FEWEST_ROWS:
            raise InvalidData(f"{type(self).__name__}: n_samples={len(target)}; {_FEWEST_ROWS} rows are the least.")
        several = target.ndim > 1
        self._n_outputs = target.shape[1] if several else None
        found: Any = target if several else pd.Series(target, name="y")
        if several and self.model is None:
            found = dict(zip(names(target.shape[1]), target.T, strict=True))
        self._search(x, found, weight, "regression")
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


class _Progress(Silent):
    """Says what happens if it is to, and when the last training began."""

    def __init__(self, verbose: int) -> None:
        self._verbose, self._refit = verbose, clock.monotonic()

    def say(self, text: str) -> None:
        if self._verbose:
            sys.stdout.write(f"[optselect] {text}\n")

    def stage(self, name: str, done: int, total: int | None) -> None:
        self.say(f"{name}: {done} of {total} done" if total else name)
        self._refit = clock.monotonic()

    def since_refit(self) -> float:
        """Seconds since the last stage began."""
        return clock.monotonic() - self._refit


@contextlib.contextmanager
def _folder(out: str | Path | None) -> Iterator[str | Path]:
    if out is not None:
        yield out
    else:
        with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
            yield folder


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer) and 0 <= random_state < 2**31:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


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
