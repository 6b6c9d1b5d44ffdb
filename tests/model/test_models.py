"""Tasks in a worker: preparation, models, judging. The one module of these tests that loads TensorFlow."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from optselect.data import read
from optselect.errors import InvalidModel, InvalidValue, OptselectError, UnknownName
from optselect.task import Task, TaskSpec, make_spec

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # TensorFlow's tensors, when Keras saves them
    "ignore:You are using a softmax:UserWarning",
)
ROWS = 120
WEIRD = ["a b", "c/d", "q\"uo'te", "é😀", "model", "preparation", "concatenate", "clip"]


def mixed(rows: int = ROWS, names: list[str] | None = None) -> pd.DataFrame:
    """A table with a column of every kind, gaps included."""
    random = np.random.default_rng(0)
    names = names or ["size", "colour", "day", "remark", "flag", "weight", "kind", "when"]
    columns = {
        names[0]: np.where(random.random(rows) < 0.1, np.nan, random.normal(5, 2, rows)),
        names[1]: random.choice(np.array(["red", "blue", None], dtype=object), rows),
        names[2]: pd.date_range("2020-01-01", periods=rows, freq="17D").strftime("%Y-%m-%d"),
        names[3]: [f"{a} film number {i}" for i, a in enumerate(random.choice(["good", "bad"], rows))],
        names[4]: random.random(rows) < 0.5,
        names[5]: random.integers(0, 1000, rows),
        names[6]: [f"k{i % 3}" for i in range(rows)],
        names[7]: pd.date_range("2024-01-01", periods=rows, freq="7h"),
    }
    frame = pd.DataFrame(columns)
    frame["y"] = np.where(frame[names[4]], "yes", "no")
    return frame


def task(x: Any, y: Any = None, *, model: Any = None, **settings: Any) -> Task:
    data = read(x, target="y") if y is None else read((x, y))
    return Task.from_spec(make_spec(data, model=model, **{"epochs": 1, "seed": 0, **settings}))


def matrix(classes: int = 3, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    return random.normal(size=(rows, 4)).astype("float32"), np.arange(rows) % classes


@pytest.fixture(scope="module")
def table_task() -> Task:
    return task(mixed())


def test_a_prepared_table_is_finite_and_standardised(table_task: Task) -> None:
    """Every feature of every part is finite and within ten deviations; labels are class numbers."""
    for x in (table_task.x_train, table_task.x_validation, table_task.x_test):
        assert isinstance(x, np.ndarray)
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.abs(x).max() <= 10
    assert table_task.y_train.dtype == np.int64
    assert set(table_task.y_train) == {0, 1}


def test_numbers_have_mean_zero_and_deviation_one_on_training_rows() -> None:
    """Standardisation uses the training rows' moments without missing values; a gap is the mean, and is marked."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"n": random.normal(50, 3, 100), "y": [0, 1] * 50})
    frame.loc[::10, "n"] = np.nan
    made = task(frame)
    scores, missing = made.x_train[:, 0], made.x_train[:, 1]
    there = missing == 0
    assert scores[there].mean() == pytest.approx(0, abs=1e-5)
    assert scores[there].std() == pytest.approx(1, abs=1e-5)
    assert (scores[~there] == 0).all()
    assert (~there).sum() == np.isnan(frame["n"].to_numpy()[made.spec.split.train]).sum()


def test_changed_test_rows_change_nothing_in_training() -> None:
    """Preparation learns from training rows alone: other held-out rows leave training features bit for bit."""
    frame = mixed()
    before = task(frame)
    rows = np.concatenate([before.spec.split.validation, before.spec.split.test])
    frame.loc[rows, "size"] = 1e6
    frame.loc[rows, "colour"] = "unheard of"
    frame.loc[rows, "remark"] = "entirely other words 77"
    frame.loc[rows, "day"] = "1999-12-31"
    after = task(frame)
    assert np.array_equal(before.x_train, after.x_train)
    assert not np.array_equal(before.x_test, after.x_test)


def test_unseen_and_missing_values_are_predicted_without_complaint(table_task: Task) -> None:
    """A row of unseen categories, or of nothing but gaps, gets finite probabilities."""
    full = table_task.full_model(table_task.build(0))
    frame = mixed(4).drop(columns="y")
    frame["colour"], frame["kind"], frame["day"] = "mauve", "k99", "not a day"
    odd = full.predict(table_task.raw_inputs(frame), verbose=0)
    gaps = full.predict(table_task.raw_inputs(frame.astype(object).where(frame.isna(), None)), verbose=0)
    for answers in (odd, gaps):
        assert answers.shape == (4, 2)
        assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_dates_inside_the_model_are_the_calendars() -> None:
    """Days, months, weekdays and hours computed by the model are those of the calendar."""
    stamps = pd.Series(pd.date_range("1890-02-27 03:00", "2110-01-01", periods=400).round("s"))
    made = task(pd.DataFrame({"t": stamps, "y": [0, 1] * 200}))
    rows = made.spec.split.train
    t = stamps.iloc[rows]
    days = (t - pd.Timestamp("1970-01-01")) / pd.Timedelta("1D")
    month = 2 * np.pi * ((t.dt.month - 1) + (t.dt.day - 1) / 31) / 12
    weekday = 2 * np.pi * t.dt.day_of_week / 7
    hour = 2 * np.pi * (t.dt.hour + t.dt.minute / 60 + t.dt.second / 3600) / 24
    expected = [
        (days - days.mean()) / days.std(ddof=0),
        *(f(a) for a in (month, weekday, hour) for f in (np.sin, np.cos)),
    ]
    assert np.allclose(made.x_train, np.stack(expected, axis=1), atol=1e-4)


def test_only_frequent_categories_get_a_feature_and_the_rest_share_one() -> None:
    """Of 150 categories the 100 most frequent have a feature each, the others one together."""
    values = [f"v{i % 300}" if i % 2 else "common" for i in range(2000)]
    made = task(pd.DataFrame({"c": values, "y": [0, 1] * 1000}))
    assert made.x_train.shape[1] == 101
    assert (made.x_train.sum(axis=1) == 1).all()


def test_a_saved_model_needs_no_optselect(tmp_path: Path) -> None:
    """A full model with the oddest column names loads where optselect cannot be imported and predicts the same."""
    frame = mixed(names=WEIRD)
    made = task(frame)
    full = made.full_model(made.build(0))
    raw = made.raw_inputs(frame)
    assert sorted(raw) == sorted(WEIRD)
    full.save(tmp_path / "full.keras")
    (tmp_path / "raw.pickle").write_bytes(pickle.dumps(raw))
    code = f"""
        import pickle, sys
        sys.modules["optselect"] = None
        import keras, numpy, pathlib
        folder = pathlib.Path({str(tmp_path)!r})
        model = keras.saving.load_model(folder / "full.keras")
        raw = pickle.loads((folder / "raw.pickle").read_bytes())
        numpy.save(folder / "answers.npy", model.predict(raw, verbose=0))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True)
    assert np.allclose(np.load(tmp_path / "answers.npy"), full.predict(raw, verbose=0), atol=1e-6)


def test_the_full_model_answers_as_body_after_preparation(table_task: Task) -> None:
    """Raw columns through the full model give what prepared features through the body give."""
    body = table_task.build(3)
    full = table_task.full_model(body)
    raw = table_task.raw_inputs(table_task.spec.data.x.iloc[table_task.spec.split.test])
    assert np.allclose(full.predict(raw, verbose=0), body.predict(table_task.x_test, verbose=0), atol=1e-6)


def test_regression_is_trained_in_deviations_and_answered_in_units() -> None:
    """The default model's target has deviation one; the full model and `scales` turn answers into units."""
    x, _ = matrix()
    y = 1e4 + 500 * x[:, 0]
    made = task(x, y)
    assert made.y_train.shape == (len(made.x_train), 1)
    assert made.y_train.std() == pytest.approx(1, abs=1e-5)
    body = made.build(0)
    answers = made.full_model(body).predict(made.raw_inputs(x[made.spec.split.test]), verbose=0)
    expected = body.predict(made.x_test, verbose=0) * made.scales["rmse"] + y[made.spec.split.train].mean()
    assert np.allclose(answers, expected, rtol=1e-5)
    assert made.headline.name == "rmse"
    assert not made.figure("val_rmse").maximize


def test_a_seed_gives_the_same_weights_and_another_gives_others() -> None:
    """build(seed) is a function of its seed."""
    made = task(*matrix())
    one, same, other = (made.build(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("shape", "dtype", "first"),
    [
        ((4,), "float64", "Dense"),
        ((8, 8), "uint8", "Reshape"),
        ((8, 8, 3), "float32", "Conv2D"),
        ((5, 3), "int32", "Flatten"),
    ],
)
def test_the_default_model_suits_the_shape(shape: tuple[int, ...], dtype: str, first: str) -> None:
    """Vectors get dense layers, images convolutions, and an image's gap is no reason to fail."""
    x = np.random.default_rng(0).integers(0, 200, (30, *shape)).astype(dtype)
    if x.dtype.kind == "f":
        x.reshape(30, -1)[0, 0] = np.nan
    made = task(x, np.arange(30) % 3)
    body = made.build(0)
    assert type(body.layers[1]).__name__ == first
    assert np.isfinite(made.x_train).all()
    assert made.full_model(body).predict(x, verbose=0).shape == (30, 3)
    assert made.parameters == sum(w.size for w in body.get_weights())


MODEL = """
    import keras
    calls = []
    def build(input_shape, n_classes, n_outputs=None, width=8):
        x = inputs = keras.Input(input_shape)
        x = keras.layers.Dense(width, activation="relu")(x)
        return keras.Model(inputs, keras.layers.Dense(n_outputs, {activation})(x))
"""


def source(folder: Path, text: str, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def test_a_users_function_gets_what_it_asks_for(tmp_path: Path) -> None:
    """input_shape, n_classes and n_outputs reach the function; logits get a loss from logits and then softmax."""
    x, y = matrix()
    path = source(tmp_path, MODEL.format(activation="None"))
    made = task(x, y, model=f"{path}:build")
    assert made.loss.get_config()["from_logits"] is True
    answers = made.full_model(made.build(0)).predict(x, verbose=0)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(made.x_train, x[made.spec.split.train])


def test_a_users_model_of_a_table_takes_the_prepared_matrix(tmp_path: Path) -> None:
    """With a table, the user's model sees a float matrix, and the full model still takes raw columns."""
    path = source(tmp_path, MODEL.format(activation="'softmax'"))
    made = task(mixed(), model=f"{path}:build")
    full = made.full_model(made.build(0))
    assert full.predict(made.raw_inputs(mixed()), verbose=0).shape == (ROWS, 2)


def test_a_function_of_the_program_reaches_another_process() -> None:
    """A local function travels in the pickled spec and builds the same model there."""
    width = 6

    def local(n_classes: int) -> Any:
        return keras.Sequential([keras.layers.Dense(width), keras.layers.Dense(n_classes, activation="softmax")])

    x, y = matrix()
    spec: TaskSpec = pickle.loads(pickle.dumps(make_spec(read((x, y)), model=local, epochs=1, seed=0)))
    made = Task.from_spec(spec)
    assert made.parameters == 4 * 6 + 6 + 6 * 3 + 3


def test_a_saved_architecture_starts_afresh_and_keeps_what_it_adapted(tmp_path: Path) -> None:
    """A .keras file gives new weights by seed; its Normalization, learnt from data, stays."""
    x, y = matrix()
    normalise = keras.layers.Normalization()
    normalise.adapt(x * 3 + 7)
    model = keras.Sequential([keras.Input((4,)), normalise, keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="area")])
    model.save(tmp_path / "net.keras")
    for given in (str(tmp_path / "net.keras"), model):
        made = task(x, y, model=given, objective="val_area")
        first, second = made.build(1), made.build(2)
        kernels = [m.layers[-1].kernel.numpy() for m in (model, first, second)]
        assert not np.array_equal(kernels[0], kernels[1])
        assert not np.array_equal(kernels[1], kernels[2])
        assert np.allclose(first.layers[0].mean, normalise.mean)
        assert made.y_train.shape == (len(made.x_train), 3)
        assert [m.name for m in made.metrics()] == ["accuracy", "area"]
        assert made.figure("val_area").maximize


def sequential(*layers: Any, **compiled: Any) -> Any:
    def build() -> Any:
        model = keras.Sequential([keras.Input((4,)), *(keras.layers.deserialize(c) for c in configs)])
        if compiled:
            model.compile(optimizer="sgd", **compiled)
        return model

    configs = [keras.layers.serialize(layer) for layer in layers]
    return build


def dense(units: int, activation: str | None = None) -> Any:
    return keras.layers.Dense(units, activation=activation)


@pytest.mark.parametrize(
    ("layer", "compiled", "classes", "loss", "shape", "accuracy"),
    [
        ((3, "softmax"), {}, 3, "SparseCategoricalCrossentropy", (), "SparseCategoricalAccuracy"),
        ((1, "sigmoid"), {}, 2, "BinaryCrossentropy", (1,), "BinaryAccuracy"),
        ((1, None), {}, 2, "BinaryCrossentropy", (1,), "BinaryAccuracy"),
        (
            (2, "softmax"),
            {"loss": "binary_crossentropy", "metrics": ["acc"]},
            2,
            "BinaryCrossentropy",
            (2,),
            "CategoricalAccuracy",
        ),
        ((3, "softmax"), {"loss": "mse"}, 3, "MeanSquaredError", (3,), "CategoricalAccuracy"),
        (
            (3, "softmax"),
            {"loss": "sparse_categorical_crossentropy"},
            3,
            "SparseCategoricalCrossentropy",
            (),
            "SparseCategoricalAccuracy",
        ),
        (
            (3, "softmax"),
            {"loss": keras.losses.CategoricalCrossentropy(reduction="sum")},
            3,
            "CategoricalCrossentropy",
            (3,),
            "CategoricalAccuracy",
        ),
    ],
)
def test_loss_labels_and_accuracy_belong_together(
    layer: tuple[int, str | None],
    compiled: dict[str, Any],
    classes: int,
    loss: str,
    shape: tuple[int, ...],
    accuracy: str,
) -> None:
    """The loss is the user's or the last layer's, the labels have its form, and plain `fit` agrees with them."""
    x, y = matrix(classes)
    made = task(x, y, model=sequential(dense(*layer), **compiled))
    assert type(made.loss).__name__ == loss
    assert made.loss.reduction == "sum_over_batch_size"
    assert made.y_train.shape[1:] == shape
    assert type(made.metrics()[0].metric).__name__ == accuracy
    assert made.headline.maximize
    model = made.build(0)
    made.compile(model)
    results = model.evaluate(made.x_test, made.y_test, verbose=0, return_dict=True)
    answers = made.full_model(model).predict(made.raw_inputs(x[made.spec.split.test]), verbose=0)
    labels = answers.argmax(axis=1) if answers.shape[1] > 1 else (answers[:, 0] > 0.5).astype(int)
    assert results[made.headline.name] == pytest.approx((labels == y[made.spec.split.test]).mean(), abs=1e-6)


def test_named_arrays_go_to_the_inputs_of_their_names() -> None:
    """A model with two inputs gets the two arrays by name, each in the type its input declares."""

    def build() -> Any:
        a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b", dtype="int32")
        embedded = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(b))
        joined = keras.layers.Concatenate()([a, embedded])
        return keras.Model({"a": a, "b": b}, keras.layers.Dense(2)(joined))

    x = {"a": np.ones((30, 2)), "b": np.arange(30) % 9}
    made = task(x, np.arange(30) % 2, model=build)
    assert {name: part.dtype.name for name, part in made.x_train.items()} == {"a": "float32", "b": "int32"}
    assert made.full_model(made.build(0)).predict(x, verbose=0).shape == (30, 2)
    with pytest.raises(InvalidModel, match="has a, b; pass `model="):
        task(x, np.arange(30) % 2)
    with pytest.raises(InvalidModel, match="has inputs a, b, the data has a"):
        task({"a": x["a"]}, np.arange(30) % 2, model=build)


BAD_FILES = {
    "raises": ("def build():\n    x = 1\n    return x / 0\n", ["net.py:3 in build", "ZeroDivisionError"]),
    "no model": ("def build(): return 5\n", ["must return a keras.Model", "got int"]),
    "asks for more": ("def build(hp): return None\n", ["takes `hp`", "input_shape, n_classes, n_outputs"]),
    "import": ("import no_such_module\ndef build(): pass\n", ["net.py:1", "no_such_module"]),
    "not callable": ("build = 3\n", ["`build` is not a function"]),
    "shared": (
        "import keras\nm = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\ndef build(): return m\n",
        ["same model twice"],
    ),
    "wrong input": (
        "import keras\ndef build(): return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])\n",
        ["rows of shape (5,)", "the data has rows of shape (4,)", "input_shape"],
    ),
    "fails when called": (
        "import keras\nclass M(keras.Model):\n    def call(self, x): return x @ undefined\ndef build(): return M()\n",
        ["net.py:3 in call", "undefined"],
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_users_faulty_file_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    """What goes wrong in the user's file is said with file, line and cause."""
    text, said = BAD_FILES[case]
    with pytest.raises(InvalidModel) as caught:
        task(*matrix(), model=f"{source(tmp_path, text)}:build").build(0)
    assert all(part in str(caught.value) for part in said), str(caught.value)


@pytest.mark.parametrize(
    ("build", "y", "said"),
    [
        (sequential(dense(1)), 3, "ends in 1 unit, the target has 3 classes: Dense(3, activation='softmax')"),
        (sequential(dense(5, "softmax")), 3, "ends in 5 units, the target has 3 classes"),
        (sequential(dense(1, "softmax")), 2, "softmax of one unit is always 1"),
        (sequential(dense(1), loss="sparse_categorical_crossentropy"), 2, "binary_crossentropy"),
        (sequential(dense(2)), 0, "the target is one number: Dense(1)"),
        (sequential(dense(1), loss="binary_crossentropy"), 0, "a loss for classes"),
        (sequential(keras.layers.Reshape((2, 2))), 3, "shape (8, 2, 2)"),
        (
            sequential(dense(3, "softmax"), loss="mse", metrics=[keras.metrics.SparseCategoricalAccuracy()]),
            3,
            "cannot compare",
        ),
    ],
)
def test_a_model_that_does_not_fit_the_target_is_refused(build: Any, y: int, said: str) -> None:
    """Units, loss and labels that contradict each other are refused before training, saying both sides."""
    x, classes = matrix(y or 3)
    with pytest.raises(InvalidModel) as caught:
        task(x, classes if y else x[:, 0] * 1.5, model=build)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("objective", "error", "said"),
    [
        ("val_acc", UnknownName, "Did you mean 'val_accuracy'"),
        ("val_mystery", InvalidValue, "max:val_mystery"),
        ("max:val_mystery", None, ""),
        ("val_loss", None, ""),
    ],
)
def test_an_objective_is_a_known_figure_with_a_known_direction(
    objective: str, error: type[OptselectError] | None, said: str
) -> None:
    """An objective that is no metric, or whose direction nothing tells, is refused before the first trial."""

    def mystery(y: Any, prediction: Any) -> Any:
        return keras.ops.mean(prediction, axis=-1)

    build = sequential(dense(3, "softmax"), loss="sparse_categorical_crossentropy", metrics=["accuracy", mystery])
    if error is None:
        assert task(*matrix(), model=build, objective=objective).objective.maximize == objective.startswith("max")
    else:
        with pytest.raises(error, match=said):
            task(*matrix(), model=build, objective=objective)


def test_a_saved_model_with_code_in_it_is_refused(tmp_path: Path) -> None:
    """A Lambda layer in a file is never run; the message names the way out."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2), dense(3)])
    model.save(tmp_path / "net.keras")
    with pytest.raises(InvalidModel, match=r"cannot be loaded.*FILE\.py:FUNCTION"):
        task(*matrix(), model=str(tmp_path / "net.keras"))


def test_a_wide_table_is_prepared_in_seconds() -> None:
    """Six hundred columns of two kinds take seconds, not minutes."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(40, 300))).add_prefix("n")
    words = pd.DataFrame(random.choice(["a", "b", "c"], (40, 300))).add_prefix("w")
    made = task(pd.concat([frame, words], axis=1).assign(y=[0, 1] * 20))
    assert made.x_train.shape[1] == pytest.approx(1200, abs=20)


def test_the_description_is_plain_data() -> None:
    """describe() becomes JSON types, with rows, features, parameters, loss and metrics."""
    import json

    about = task(*matrix()).describe()
    assert json.loads(json.dumps(about.to_dict())) == about.to_dict()
    assert about.train_rows + about.validation_rows + about.test_rows == about.rows == 60
    assert about.metrics == ("accuracy",)
    assert about.parameters > 0


UNITS = keras.layers.Dense(8, name="hidden")


def _with_global() -> Any:
    return keras.Sequential([keras.Input((4,)), UNITS, keras.layers.Dense(3, activation="softmax")])


def _net(units: int, rate: float = 1e-3) -> Any:
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="relu"), dense(3, "softmax")])
    net.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def test_a_keras_model_is_the_same_whatever_was_built_before(tmp_path: Path) -> None:
    """Numbers that Keras gives to layers, weights and the optimizer do not count; units, loss and learnt tables do."""
    from optselect.model.reference import model_reference

    first = model_reference(_net(8))
    dense(2)  # the next layer gets another number
    _net(8, 1e-1).save(tmp_path / "net.keras")
    for same in (_net(8, rate=0.5), tmp_path / "net.keras"):
        assert model_reference(same).digest == first.digest  # type: ignore[union-attr]
    other = _net(8)
    other.compile(loss="mse")
    assert model_reference(other).digest != first.digest  # type: ignore[union-attr]
    wide = model_reference(_net(64)).identity.parts  # type: ignore[union-attr]
    changed = {label for label, part in first.identity.parts.items() if wide[label][0] != part[0]}  # type: ignore[union-attr]
    assert "layer 2 (Dense)" in changed
    assert "layer 3 (Dense)" not in changed
    digests = set()
    for mean in (0.0, 1.0):
        scaled = keras.Sequential([keras.Input((4,)), keras.layers.Normalization(mean=None), dense(3)])
        scaled.layers[0].adapt(np.random.default_rng(0).normal(mean, 1, (50, 4)))
        digests.add(model_reference(scaled).digest)  # type: ignore[union-attr]
    assert len(digests) == 2


def test_objects_of_keras_count_by_settings_and_weights() -> None:
    """A global layer, optimizer or built model that a function reads counts by its settings and weights."""
    from optselect.model.identity import identity_of_object

    def digest(value: Any) -> str:
        found = identity_of_object(lambda: value)
        assert not found.unseen
        return found.digest

    class Own(keras.layers.Layer):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.units = units

    def built(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((3,)), dense(2)])

    makers: list[Callable[[], Any]] = [
        lambda: dense(2),
        lambda: dense(3),
        lambda: keras.layers.Dropout(0.5),
        lambda: keras.optimizers.Adam(1e-2),
        lambda: keras.optimizers.Adam(1e-3),
        lambda: keras.losses.Huber(2.0),
        lambda: keras.initializers.GlorotUniform(),
        lambda: keras.ops.ones(3),
        lambda: keras.Variable(np.ones(4)),
        lambda: Own(3),
        lambda: Own(4),
        lambda: built(0),
        lambda: built(1),
    ]
    assert [digest(make()) for make in makers] == [digest(make()) for make in makers]
    assert len({digest(make()) for make in makers}) == len(makers)
    assert identity_of_object(_with_global).digest == identity_of_object(_with_global).digest


def test_the_architecture_tells_models_apart_and_not_their_names() -> None:
    """What a worker records of a model is the same for models built twice, and names the layer that differs."""
    from optselect.model.architecture import architecture

    first, again, other = architecture(_net(8)), architecture(_net(8)), architecture(_net(9))
    assert first == again
    assert json.loads(json.dumps(first)) == first
    assert first["parameters"] == 8 * 5 + 3 * 9
    assert first["layers"]["layer 2 (Dense)"] != other["layers"]["layer 2 (Dense)"]

    class Subclassed(keras.Model):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

    def called(units: int) -> Any:
        model = Subclassed(keras.layers.Dense(units))
        model(np.ones((2, 4)))
        return model

    assert architecture(called(2)) == architecture(called(2))
    assert architecture(called(2)) != architecture(called(3))
    lambdas = [keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)]) for _ in range(2)]
    assert architecture(lambdas[0]) == architecture(lambdas[1])


def test_heavy_tails_keep_their_order_and_other_columns_are_cut_as_before(tmp_path: Path) -> None:
    """Values far beyond ten deviations stay apart where the training rows have such tails, also in the saved file."""
    from optselect.data.schema import Column, Schema
    from optselect.model.preparation import LARGEST_SCORE, array_preparation, table_preparation

    random = np.random.default_rng(0)
    heavy = random.lognormal(5, 1.5, 2000).astype("float32")
    light, flag = random.normal(size=2000).astype("float32"), (np.arange(2000) % 500 == 0).astype("float32")
    names = {"heavy": heavy, "light": light, "flag": flag}
    schema = Schema(columns=tuple(Column(name=name, kind="number") for name in names), dropped=())
    wild = np.geomspace(1e4, 1e9, 50).astype("float32")
    rows = np.stack([wild, wild, wild], axis=1)
    table = table_preparation(names, schema)
    table.save(tmp_path / "t.keras")
    loaded = keras.saving.load_model(tmp_path / "t.keras")
    array = array_preparation(np.stack(list(names.values()), axis=1))
    for scores in (
        np.asarray(table([column[:, None] for column in rows.T])),
        np.asarray(loaded([column[:, None] for column in rows.T])),
        np.asarray(array(rows)),
    ):
        assert (np.diff(scores[:, 0]) > 0).all()
        assert scores[0, 0] == pytest.approx((1e4 - heavy.mean()) / heavy.std(), rel=1e-4)
        assert scores[-1, 0] < 200
        assert (scores[:, 1:] == LARGEST_SCORE).all()
