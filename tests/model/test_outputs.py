"""Tasks with several outputs, weights, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from optselect.data import raw_inputs, read
from optselect.errors import InvalidData, InvalidModel, OptselectError, UnknownName
from optselect.task import Task, make_spec
from optselect.task.description import TargetFacts

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = 40
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 4)).astype("float32")
SORT = np.array(list("abcd") * 10)
SIZE = 1000 + 50 * X[:, 0]
BOTH = {"sort": SORT, "size": SIZE}


def task(x: Any, y: Any, model: Any = None, *, sample_weight: Any = None, **settings: Any) -> Task:
    data = read((x, y), sample_weight=sample_weight)
    return Task.from_spec(make_spec(data, model=model, **{"epochs": 1, "seed": 0, **settings}))


def two(sort: str = "sort", size: str = "size", **compiled: Any) -> Callable[[], Any]:
    """A function that builds a model with two outputs of these names."""

    def build() -> Any:
        x = keras.Input((4,))
        outputs = [keras.layers.Dense(4, "softmax", name=sort)(x), keras.layers.Dense(1, name=size)(x)]
        model = keras.Model(x, outputs)
        if compiled:
            model.compile("sgd", **compiled)
        return model

    return build


def fresh(given: Any) -> Any:
    if isinstance(given, list):
        return [fresh(part) for part in given]
    return given() if isinstance(given, type) else given


def one(**compiled: Any) -> Callable[[], Any]:
    """A function that builds a model with one output. Classes among the values are made in it: they travel better."""

    def build() -> Any:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, "softmax")])
        if compiled:
            model.compile("sgd", **{word: fresh(given) for word, given in compiled.items()})
        return model

    return build


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame({**{f"x{i}": X[:, i] for i in range(4)}, "colour": ["red", "blue"] * 20, **BOTH})


def test_a_table_with_several_targets_has_a_head_for_each(table: pd.DataFrame, tmp_path: Path) -> None:
    """Without a model: raw columns in, a dict by target out, probabilities and units, saved with stock layers."""
    made = Task.from_spec(make_spec(read(table, target="sort,size"), epochs=1, seed=0))
    assert made.metric_names == ["size_rmse", "size_mae", "sort_accuracy", "size_loss", "sort_loss"]
    assert made.y_train["size"].std() == pytest.approx(1, abs=1e-5)
    assert made.scales == {"size_rmse": pytest.approx(SIZE.std(), rel=0.3), "size_mae": made.scales["size_rmse"]}
    made.full_model(made.build(1)).save(tmp_path / "m.keras")
    full = keras.saving.load_model(tmp_path / "m.keras")
    raw = raw_inputs(table, made.spec.schema)
    answers = full.predict(raw, verbose=0)
    assert answers["sort"].sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-5)
    assert abs(answers["size"].mean() - SIZE.mean()) < 200
    said = {t.name: t.decoded(answers[t.name]) for t in made.spec.targets}
    assert [*said["sort"]["prediction"]] == ["abcd"[i] for i in answers["sort"].argmax(axis=1)]
    assert np.array_equal(said["sort"]["probability"], answers["sort"].max(axis=1))
    assert said["size"]["prediction"].shape == (ROWS,)


def test_outputs_are_put_into_units_for_people() -> None:
    """Logits of a user's model become probabilities at their own output, numbers stay."""

    def build(n_classes: dict[str, int | None], n_outputs: dict[str, int]) -> Any:
        assert n_classes == {"sort": 4, "size": None}
        x = keras.Input((4,))
        return keras.Model(x, {name: keras.layers.Dense(units)(x) for name, units in n_outputs.items()})

    made = task(X, BOTH, build)
    body = made.build(0)
    bare, full = (model.predict(X, verbose=0) for model in (body, made.full_model(body)))
    assert np.array_equal(bare["size"], full["size"])
    assert np.allclose(np.exp(bare["sort"]) / np.exp(bare["sort"]).sum(1, keepdims=True), full["sort"], atol=1e-6)


def test_class_weights_count_in_training_alone() -> None:
    """They multiply into the sample weights of training rows; validation and test keep theirs."""
    each = np.arange(1.0, ROWS + 1)
    made = task(X, SORT, one(), sample_weight=each, class_weight={"b": 10})
    parts = made.spec.split
    factor = np.where(SORT == "b", 10, 1)
    assert made.w_train.tolist() == (each * factor)[parts.train].tolist()
    assert made.w_validation.tolist() == each[parts.validation].tolist()
    assert made.w_test.tolist() == each[parts.test].tolist()
    alone = task(X, SORT, one(), class_weight={"b": 10})
    assert alone.w_train.tolist() == factor[parts.train].tolist()
    assert alone.w_validation is None
    assert alone.w_test is None


def test_class_weights_are_those_of_fit() -> None:
    """One epoch of `model.fit(class_weight=...)` and one with the task's weights report the same loss."""
    made = task(X, SORT, one(), class_weight={"a": 3, "d": 0.5})
    losses = []
    for weights in ({"class_weight": {0: 3.0, 3: 0.5}}, {"sample_weight": made.w_train}):
        model = made.build(0)
        made.compile(model)
        history = model.fit(made.x_train, made.y_train, batch_size=8, shuffle=False, verbose=0, **weights)
        losses.append(history.history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize(
    ("objective", "headline", "larger"),
    [
        ("val_loss", "loss", False),
        ("val_sort_accuracy", "sort_accuracy", True),
        ("val_size_mae", "size_mae", False),
        ("val_size_loss", "size_loss", False),
        ("min:val_sort_accuracy", "sort_accuracy", False),
    ],
)
def test_any_figure_of_any_output_can_be_the_objective(objective: str, headline: str, larger: bool) -> None:
    """Of several outputs, what the study improves is what it shows first."""
    made = task(X, BOTH, two(), objective=objective)
    assert made.headline.name == headline
    assert made.figure(objective).maximize is larger


@pytest.mark.parametrize("model", [None, two()])
def test_an_unknown_figure_is_refused(model: Any) -> None:
    """With the nearest name."""
    with pytest.raises(UnknownName, match="Did you mean 'val_sort_accuracy'"):
        task(X, BOTH, model, objective="val_sort_acuracy")


def test_the_name_of_an_output_says_nothing_about_its_metrics() -> None:
    """An output called `error` still has an accuracy that is better when larger."""
    made = task(X, {"error": SORT, "score": SIZE}, two("error", "score"))
    assert made.figure("val_error_accuracy").maximize
    assert not made.figure("val_score_rmse").maximize


def test_a_saved_model_keeps_all_that_it_was_compiled_with(tmp_path: Path) -> None:
    """Loss weights and weighted metrics survive the file and the fresh copy."""
    compiled = {
        "loss": {"sort": "sparse_categorical_crossentropy", "size": "mae"},
        "loss_weights": {"sort": 1.0, "size": 0.01},
        "weighted_metrics": {"size": ["mse"]},
    }
    two(**compiled)().save(tmp_path / "m.keras")
    made = task(X, BOTH, str(tmp_path / "m.keras"))
    assert made.loss.name == "1 sort: sparse_categorical_crossentropy + 0.01 size: mean_absolute_error"
    assert made.metric_names == ["size_mse", "sort_loss", "size_loss"]
    assert [getattr(metric, "weighted", None) for metric in made.metrics()] == [True, None, None]


def test_the_description_tells_of_every_target() -> None:
    """Each target with its kind and classes, and whether rows are weighted."""
    about = task(X, BOTH, two(), sample_weight=np.ones(ROWS)).describe()
    assert about.targets == (
        TargetFacts(name="sort", kind="classification", classes=tuple("abcd")),
        TargetFacts(name="size", kind="regression"),
    )
    assert about.weighted is True
    assert about.loss.startswith("sort: ")


def by_numpy(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.asarray(y_pred))


class Forgetful(keras.metrics.Mean):
    """Its configuration does not tell its argument."""

    def __init__(self, factor: float | None = None) -> None:
        super().__init__(name="forgetful")
        self.factor = factor

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        raise KeyError("factor")


class EachRow(keras.losses.Loss):
    """A loss a row."""

    def __init__(self) -> None:
        super().__init__(name="each_row", reduction=None)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(y_pred, axis=-1)


CE = "sparse_categorical_crossentropy"
HOLES = np.where(np.arange(ROWS)[:, None] * np.ones(4) == 7, np.nan, X)

REFUSED: dict[str, tuple[Any, Any, Any, type[OptselectError], list[str]]] = {
    "one output, two targets": (X, BOTH, one(), InvalidModel, ["has one output", "targets sort, size"]),
    "another name": (X, BOTH, two("kind"), InvalidModel, ["outputs kind, size", "No target for kind", "alike"]),
    "a target missing": (X, SORT, two(), InvalidModel, ["outputs sort, size, the data has y", "No target for sort"]),
    "units of one output": (
        X,
        {"sort": np.where(SORT == "d", "a", SORT), "size": SIZE},
        two(),
        InvalidModel,
        ["4 units at `sort`", "3 classes"],
    ),
    "loss for no output": (
        X,
        BOTH,
        two(loss={"sorts": CE}),
        InvalidModel,
        ["`loss` for 'sorts'", "Did you mean 'sort'"],
    ),
    "metrics for whom": (
        X,
        BOTH,
        two(loss=[CE, "mse"], metrics=["mae"]),
        InvalidModel,
        ["`metrics=['mae']`", "a list with"],
    ),
    "an unknown loss": (X, SORT, one(loss="crossentropie"), InvalidModel, ["'crossentropie'", "does not know"]),
    "an unknown metric": (X, SORT, one(loss=CE, metrics=["acuracy"]), InvalidModel, ["'acuracy'", "does not know"]),
    "a metric in numpy": (
        X,
        SORT,
        one(loss=CE, metrics=[by_numpy]),
        InvalidModel,
        ["`by_numpy` has no graph form", "keras.ops"],
    ),
    "a loss in numpy": (X, SORT, one(loss=by_numpy), InvalidModel, ["`by_numpy` has no graph form"]),
    "a metric of many numbers": (
        X,
        SORT,
        one(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score()]),
        InvalidModel,
        ["`f1_score` must answer one number, got shape (4,)", "average='macro'"],
    ),
    "a loss a row": (X, SORT, one(loss=EachRow), InvalidModel, ["`each_row` must answer one number"]),
    "a metric that cannot be made afresh": (
        X,
        SORT,
        one(loss=CE, metrics=[Forgetful]),
        InvalidModel,
        ["`forgetful` cannot be made afresh", "get_config()"],
    ),
    "features that are NaN": (
        HOLES,
        SORT,
        one(),
        InvalidData,
        ["NaN or infinite: 4 of 160 values of `x`, in x[:, 0], x[:, 1]", "makes NaN of them"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_before_any_training(name: str) -> None:
    """One message that names both sides and the way out."""
    x, y, build, error, said = REFUSED[name]
    with pytest.raises(error) as caught:
        task(x, y, build)
    assert all(part in str(caught.value) for part in said), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_deals_with_gaps_may_have_them() -> None:
    """NaN is no mistake where the model answers it with numbers."""

    def build() -> Any:
        x = keras.Input((4,))
        filled = keras.ops.where(keras.ops.isfinite(x), x, 0.0)
        return keras.Model(x, keras.layers.Dense(4, "softmax")(filled))

    assert np.isnan(task(HOLES, SORT, build).x_train).any()


def test_a_sum_over_the_batch_is_said_to_be_trained_as_a_mean() -> None:
    """The loss must be a mean; what was compiled otherwise is said."""
    made = task(X, SORT, one(loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum")))
    assert any("no mean over the batch (sum)" in note for note in made.describe().notes)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "sort", "--class-weight", "e=2"), "class 'e', which `sort` has not. Known: a, b, c, d"),
        (("--target", "sort", "--class-weight", "heavy"), "Write no=1,yes=3"),
        (("--target", "sort,size", "--class-weight", "balanced"), "needs a single target"),
        (("--target", "sort", "--weight", "x0"), "of 40 sample weights are negative"),
    ],
)
def test_the_command_line_hands_weights_on(
    optselect: Any, table: pd.DataFrame, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2 and the message of the check that the option reaches."""
    table.to_csv(tmp_path / "t.csv", index=False)
    done = optselect("tune", "t.csv", *arguments, "--mlflow", "none")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
