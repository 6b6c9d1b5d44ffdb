"""The estimators as scikit-learn's callers use them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from optselect.errors import InvalidModel, OptselectError, UnknownName
from optselect.optim.configuration import Configuration
from optselect.sklearn import OptimizerSearchClassifier
from optselect.sklearn.given_rows import GivenRows
from optselect.sklearn.xy import form_of, formed
from optselect.workers.pool import POOL
from tests.helpers.estimating import NAMES, XR, YR, X, Y, classifier, regressor


@pytest.fixture(scope="module")
def fitted() -> OptimizerSearchClassifier:
    """With a little search, on labels that are words."""
    return classifier(trials=6, optimizers=["adam", "sgd"]).fit(X, NAMES[Y])


@pytest.fixture(scope="module", autouse=True)
def ends_its_processes() -> Iterator[None]:
    yield
    POOL.close()


def table() -> pd.DataFrame:
    """Iris with a category, a word and gaps."""
    frame = load_iris(as_frame=True).data.copy()
    frame["colour"] = pd.Categorical(np.where(Y == 1, "red", "blue"))
    frame["place"] = np.where(np.arange(150) % 7 == 0, None, np.where(Y > 0, "shore", "hill"))
    frame.iloc[::9, 0] = np.nan
    return frame


def test_it_learns_and_answers_in_the_labels_of_y(fitted: OptimizerSearchClassifier) -> None:
    """Labels come back in their own type, probabilities in the order of `classes_`, and they are good."""
    assert fitted.classes_.tolist() == NAMES.tolist()
    assert fitted.predict(X).dtype == fitted.classes_.dtype
    assert fitted.score(X, NAMES[Y]) > 0.85
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (150, 3)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(150), abs=1e-12)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(X)).all()
    assert not hasattr(fitted, "decision_function")
    assert is_classifier(fitted)
    assert not is_regressor(fitted)


def test_attributes_are_those_of_a_search(fitted: OptimizerSearchClassifier) -> None:
    """As scikit-learn's searches have them, and they fit together."""
    results, best = fitted.cv_results_, fitted.best_index_
    assert len({len(column) for column in results.values()}) == 1
    assert results["params"][best] == fitted.best_params_
    assert results["mean_test_score"][best] == fitted.best_score_ < 0
    assert results["n_trainings"].sum() >= 6
    assert results["rank_test_score"].min() == 1
    assert set(results["param_optimizer"]) == {"adam", "sgd"}
    for name in (n.removeprefix("param_") for n in results if n.startswith("param_")):
        for i, params in enumerate(results["params"]):
            assert (results[f"param_{name}"][i] is np.ma.masked) == (name not in params)
            assert name not in params or results[f"param_{name}"][i] == params[name]
    assert np.ma.is_masked(results["param_beta_1"])
    assert isinstance(fitted.best_configuration_, Configuration)
    assert fitted.best_params_["optimizer"] == fitted.best_configuration_.rule.key
    assert pd.DataFrame(results).shape[0] == len(results["params"])
    assert fitted.refit_time_ > 0
    assert fitted.n_features_in_ == 4
    assert "model.compile" in fitted.snippet_
    assert np.asarray(fitted.best_estimator_(X[:2].astype("float32"))).shape == (2, 3)


def test_it_shows_what_it_found(fitted: OptimizerSearchClassifier) -> None:
    """Beside scikit-learn's diagram stands the verdict, once there is one."""
    page = fitted._repr_html_()
    assert "sk-container" in page
    assert fitted.verdict_.text()[:40] in page
    assert "model.compile" not in clone(fitted)._repr_html_()
    assert "model.compile" in fitted._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("how", ["pickle", "joblib", "deepcopy"])
def test_copies_predict_the_same(fitted: OptimizerSearchClassifier, how: str, tmp_path: Path) -> None:
    """The trained model travels inside."""
    if how == "pickle":
        copied = pickle.loads(pickle.dumps(fitted))
    elif how == "joblib":
        joblib.dump(fitted, tmp_path / "it")
        copied = joblib.load(tmp_path / "it")
    else:
        copied = copy.deepcopy(fitted)
    assert copied._kept is not fitted._kept
    assert np.array_equal(copied.predict_proba(X), fitted.predict_proba(X))
    assert copied.verdict_.text() == fitted.verdict_.text()


def test_arrays_and_frames_give_the_same_model() -> None:
    """NumPy, lists, pandas and polars: the same numbers, the same model to the bit; and random_state repeats a fit."""
    frame = pd.DataFrame(X, columns=list("abcd"))
    first = classifier().fit(X, Y)
    other = classifier().fit(pl.DataFrame(frame), Y)
    answers = first.predict_proba(X)
    for way in (X.tolist(), X.astype(object)):
        assert np.array_equal(GivenRows.of(clone(first), way, Y, None, None).x, X)
        assert np.array_equal(first.predict_proba(way), answers)
    for way in (frame, frame.astype("Float64"), pl.DataFrame(frame)):
        x = GivenRows.of(clone(first), way, Y, None, None).x
        assert np.array_equal(formed(x, form_of(x, gaps=False)), X)
        assert np.array_equal(other.predict_proba(way), answers)
    assert other.feature_names_in_.tolist() == list("abcd")
    assert not hasattr(first, "feature_names_in_")
    assert not np.array_equal(classifier(random_state=np.random.RandomState(3)).fit(X, Y).predict_proba(X), answers)
    with pytest.raises(ValueError, match="feature names"):
        other.predict(frame[list("dcba")])


def test_messy_tables_need_no_preparation() -> None:
    """Categories, words and gaps are the model's to handle, in pandas and in polars alike; new words too."""
    frame = table()
    fits = [classifier().fit(way, NAMES[Y]) for way in (frame, pl.from_pandas(frame))]
    assert fits[0].score(frame, NAMES[Y]) > 0.9
    assert np.array_equal(fits[0].predict_proba(frame), fits[1].predict_proba(pl.from_pandas(frame)))
    strange = frame.head(3).assign(place="moon", colour="green")
    assert fits[0].predict(strange).shape == (3,)
    values = classifier().fit(frame.to_numpy(), NAMES[Y])
    assert values.score(frame.to_numpy(), NAMES[Y]) > 0.9


def test_weights_of_rows_and_classes_count() -> None:
    """A row of weight 0 is as if it were not there; heavy rows and heavy classes draw predictions to them."""
    weight = np.ones(150)
    weight[::3] = 0
    kept = weight > 0
    with_weights = classifier().fit(X, Y, sample_weight=weight)
    without = classifier().fit(X[kept], Y[kept], sample_weight=weight[kept])
    assert np.array_equal(with_weights.predict_proba(X), without.predict_proba(X))
    noisy = X + np.random.default_rng(0).normal(0, 3, X.shape)
    heavy = classifier().fit(noisy, Y, sample_weight=np.where(Y == 2, 50.0, 1.0)).predict(noisy)
    classes = classifier(class_weight={2: 50.0}).fit(noisy, Y).predict(noisy)
    plain = classifier().fit(noisy, Y).predict(noisy)
    assert (heavy == 2).sum() > (plain == 2).sum() + 20
    assert (classes == 2).sum() > (plain == 2).sum() + 20


def test_a_class_of_one_row_is_learnt_too() -> None:
    """Its row is repeated, and said so; probabilities know the class."""
    rare = np.where(np.arange(150) == 0, "only one", NAMES[Y])
    with pytest.warns(UserWarning, match="'only one' 1"):
        fit = classifier().fit(X, rare)
    assert fit.predict_proba(X).shape == (150, 4)
    assert (fit.predict(X) == rare).mean() > 0.8


def test_numbers_and_several_targets() -> None:
    """A regressor predicts in the units of y, one number or several, as it was given."""
    one = regressor(epochs=20).fit(XR, YR)
    assert one.score(XR, YR) > 0.4
    assert one.predict(XR).shape == (442,)
    several = regressor(epochs=20).fit(XR, np.column_stack([YR, -2 * YR]))
    assert several.predict(XR).shape == (442, 2)
    assert several.score(XR, np.column_stack([YR, -2 * YR])) > 0.4


def test_several_labels_a_row() -> None:
    """Columns of 0 and 1 are predicted as such."""
    x, y = make_multilabel_classification(n_samples=120, n_classes=3, random_state=0)
    fit = classifier(epochs=20).fit(x, y)
    assert fit.predict(x).shape == fit.predict_proba(x).shape == (120, 3)
    assert set(np.unique(fit.predict(x))) == {0, 1}
    assert (fit.predict(x) == y).mean() > 0.8


def test_a_model_of_the_users_may_have_arguments() -> None:
    """A partial function is a parameter like any other, which a grid can vary."""

    def build(input_shape: Any, n_outputs: int, width: int) -> Any:
        import keras

        layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(n_outputs, activation="softmax")]
        return keras.Sequential([keras.Input(input_shape), *layers])

    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.set_params(optimizersearchclassifier__model=partial(build, width=32))
    fit = clone(pipeline).fit(X, Y)
    assert fit.score(X, Y) > 0.7
    assert fit[-1].model.keywords == {"width": 32}
    assert fit[-1].best_estimator_.count_params() == 4 * 32 + 32 + 32 * 3 + 3


def test_a_folder_keeps_the_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `out` every fit has a study of its own there, and the same fit again trains nothing; nor is it said."""
    first = classifier(out=tmp_path).fit(X, Y)
    [study] = [path for path in tmp_path.iterdir() if path.name.startswith("study-")]
    ledger = (study / "ledger.jsonl").read_text()
    assert classifier(out=tmp_path).fit(X, Y).predict_proba(X).tolist() == first.predict_proba(X).tolist()
    assert (study / "ledger.jsonl").read_text() == ledger
    classifier(out=tmp_path, epochs=2).fit(X, Y)
    assert len(list(tmp_path.glob("study-*"))) == 2
    assert not capsys.readouterr().out


WRONG: dict[str, tuple[dict[str, Any], Any, Any, type[Exception], str]] = {
    "one class": ({}, X, np.zeros(150), ValueError, "one class"),
    "numbers with fractions": ({}, X, XR[:150, 0], ValueError, "continuous"),
    "several columns of labels": ({}, X, np.column_stack([Y, Y]), ValueError, "MultiOutputClassifier"),
    "no y": ({}, X, None, ValueError, "requires y"),
    "gaps in y": ({}, X, np.where(Y == 1, np.nan, Y), ValueError, "NaN"),
    "infinite": ({}, np.where(X > 7, np.inf, X), Y, ValueError, "infinity"),
    "a row": ({}, X[:1], Y[:1], ValueError, "one class"),
    "lengths differ": ({}, X, Y[:-1], ValueError, "inconsistent"),
    "an optimizer": ({"optimizers": ["adm"]}, X, Y, UnknownName, "adam"),
    "care": ({"care": "much"}, X, Y, UnknownName, "care"),
    "epochs": ({"epochs": 0}, X, Y, OptselectError, "epochs"),
    "an objective": ({"objective": "val_acuracy"}, X, Y, UnknownName, "val_accuracy"),
    "a class that is not there": ({"class_weight": {"iris": 2}}, X, NAMES[Y], UnknownName, "iris"),
    "a model": ({"model": 3}, X, Y, InvalidModel, "keras.Model"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str) -> None:
    """Every mistake has its message, and leaves an estimator that is not fitted."""
    options, x, y, error, said = WRONG[what]
    estimator = classifier(**options)
    with pytest.raises(error, match=said):
        estimator.fit(x, y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    assert not hasattr(estimator, "best_estimator_")


def test_it_tells_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """With `verbose`; that it is silent without is checked where a folder keeps the studies."""
    classifier(verbose=1).fit(X, Y)
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert "search" in said
