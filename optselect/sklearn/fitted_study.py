"""What both estimators are: a study behind scikit-learn's `fit`."""

from __future__ import annotations

import contextlib
import html
import sys
import tempfile
import time as clock
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from joblib import hash as joblib_hash
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._repr_html.estimator import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from optselect.api.tune import tune
from optselect.data import raw_inputs
from optselect.data.parting import part_rows
from optselect.errors import NoResult
from optselect.optim.configuration import Configuration
from optselect.options import Settings
from optselect.sklearn.given_rows import GivenRows
from optselect.sklearn.parameters import parameters_of
from optselect.sklearn.pickled_model import KeptModel
from optselect.sklearn.search_results import best_index, cv_results
from optselect.sklearn.xy import checked, form_of, formed
from optselect.study.listener import Silent
from optselect.verdict import Verdict

__all__ = ["OptimizerSearch"]


class OptimizerSearch(BaseEstimator):  # type: ignore[misc]
    """What both have: everything but what y is."""

    # Metadata routing hands groups on to `fit` where somebody has them: rows that stay together outside do so inside.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012  scikit-learn's protocol

    cv: Any
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
    rows_: dict[str, np.ndarray]
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

    def _search(self, rows: GivenRows, target: Any, kind: str, **options: Any) -> None:
        """Run the study and keep what it found. target: a series, or several targets by name."""
        self._form = form_of(rows.x, gaps=self.model is not None)
        x = formed(rows.x, self._form)
        data = (x, target) if rows.weight is None else (x, target, rows.weight)
        progress = _Progress(self.verbose)
        with _folder(self.out) as folder:
            asked = {
                **parameters_of(self),
                "data": data,
                "cv": self.cv if rows.pairs is None else rows.pairs,
                "groups": rows.groups,
                "kind": kind,
                "seed": _seed(self.random_state),
                "check": False,
                "whole": True,
                "report": self.out is not None,
                # A folder of the user's holds the studies of many fits: each has a name of its own.
                "study": f"study-{self._digest(rows, data)}" if self.out else "study",
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
        self.rows_ = {part: rows.numbers[of_part] for part, of_part in part_rows(result.spec.split).items()}
        self.verdict_, self.best_configuration_, self.snippet_ = result.verdict, result.best, result.snippet
        self.cv_results_ = cv_results(result.records, result.description.objective)
        self.best_index_ = best_index(self.cv_results_, result.best)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        progress.say(result.verdict.text())

    def _digest(self, rows: GivenRows, data: Any) -> str:
        """Of all that decides what a fit finds: the parameters, the data and how the rows are split."""
        parameters = self.get_params()
        if rows.pairs is not None:  # in place of what made them, which may be a generator
            parameters["cv"] = rows.pairs
        groups = () if rows.groups is None else (rows.groups,)
        return str(joblib_hash((parameters, data, *groups)))[:12]

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
