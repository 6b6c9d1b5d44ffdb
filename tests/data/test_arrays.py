"""Containers of data: each is read for what it is, or refused in one sentence; nothing is misread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import tensorflow as tf

from optselect.data import SplitOptions, read, streams
from optselect.errors import InvalidData, InvalidModel, InvalidValue, OptselectError, UnknownName
from optselect.options import Settings
from optselect.task import Task, make_spec

R = np.random.default_rng(0)
ROWS = 60
X = R.normal(size=(ROWS, 6)).astype("float32")
A, B = X[:, :4], X[:, 4:]
Y = (X[:, 0] > 0).astype(int)
Z = X.sum(axis=1)
LONG = R.normal(size=(ROWS, 5, 2)).astype("float32")


def rows_of(*parts: Any) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(parts)


def generated(*shapes: Any, batch: int | None = None, count: int = ROWS) -> tf.data.Dataset:
    """A dataset made of a generator, which does not tell its length; None: float32 of unknown shape."""

    def make() -> Iterator[Any]:
        lead = () if batch is None else (batch,)
        for _ in range(count):
            yield tuple(np.ones((*lead, *(s if s is not None else ())), "float32") for s in shapes)

    lead = () if batch is None else (None,)
    spec = tuple(tf.TensorSpec((*lead, *s), tf.float32) for s in shapes)
    return tf.data.Dataset.from_generator(make, output_signature=spec)


class Batches(keras.utils.PyDataset):
    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.parts = x, y

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        some = slice(16 * i, min(16 * i + 16, ROWS))
        return tuple([p[some] for p in part] if isinstance(part, list) else part[some] for part in self.parts)


def masked() -> Any:
    return np.ma.masked_array(X, mask=X > 2)


def structured() -> Any:
    return np.array(list(zip(X[:, 0], Y, strict=True)), dtype=[("a", "f4"), ("b", "i8")])


GOOD: dict[str, tuple[Callable[[], Any], int, list[tuple[int, ...]]]] = {
    "list of inputs": (lambda: ([A, B], Y), ROWS, [(4,), (2,)]),
    "tuple of inputs": (lambda: ((A, B), Y), ROWS, [(4,), (2,)]),
    "list of inputs of equal shape": (lambda: ([A, A], Y), ROWS, [(4,), (4,)]),
    "list of inputs as lists": (lambda: ([A.tolist(), B.tolist()], Y.tolist()), ROWS, [(4,), (2,)]),
    "list of one input": (lambda: ([X], Y), ROWS, [(6,)]),
    "list of inputs and of outputs": (lambda: ([A, B], [Y, Z]), ROWS, [(4,), (2,)]),
    "frames as inputs": (lambda: ([pd.DataFrame(A), pd.DataFrame(B)], Y), ROWS, [(4,), (2,)]),
    "dict of inputs": (lambda: ({"a": A, "b": B}, Y), ROWS, [(4,), (2,)]),
    "list of outputs": (lambda: (X, [Y, Z]), ROWS, [(6,)]),
    "list of rows": (lambda: (X.tolist(), Y.tolist()), ROWS, [(6,)]),
    "list of arrays": (lambda: (list(X), list(Y)), ROWS, [(6,)]),
    "list of images": (lambda: (list(LONG), Y), ROWS, [(5, 2)]),
    "list of tags": (lambda: (LONG.tolist(), [[0, 1] * 2 for _ in range(ROWS)]), ROWS, [(5, 2)]),
    "list of numbers": (lambda: (Z.tolist(), Y), ROWS, [(1,)]),
    "tuple of numbers": (lambda: (tuple(Z.tolist()), tuple(Y.tolist())), ROWS, [(1,)]),
    "tensors": (lambda: (tf.constant(X), tf.constant(Y)), ROWS, [(6,)]),
    "keras variable": (lambda: (keras.Variable(X), Y), ROWS, [(6,)]),
    "sparse": (lambda: (scipy.sparse.csr_matrix(X), Y), ROWS, [(6,)]),
    "sparse array": (lambda: (scipy.sparse.coo_array(X), Y), ROWS, [(6,)]),
    "polars": (lambda: (pl.DataFrame(X), pl.Series("y", Y)), ROWS, [(6,)]),
    "polars lazy": (lambda: (pl.DataFrame(X).lazy(), pl.Series("y", Y)), ROWS, [(6,)]),
    "series": (lambda: (pd.Series(Z), pd.Series(Y)), ROWS, [(1,)]),
    "index": (lambda: (X, pd.Index(Y)), ROWS, [(6,)]),
    "masked": (lambda: (masked(), Y), ROWS, [(6,)]),
    "structured": (lambda: (structured(), Y), ROWS, [(2,)]),
    "numbers as objects": (lambda: (X.astype(object), Y.astype(object)), ROWS, [(6,)]),
    "numbers beside texts": (lambda: ([[float(z), "ab"[i % 2]] for i, z in enumerate(Z)], Y), ROWS, [(2,)]),
    "arrays as objects": (lambda: (_objects(list(LONG)), Y), ROWS, [(5, 2)]),
    "big-endian": (lambda: (X.astype(">f8"), Y.astype(">i4")), ROWS, [(6,)]),
    "half precision": (lambda: (X.astype("float16"), Y.astype("uint8")), ROWS, [(6,)]),
    "long double": (lambda: (X.astype("longdouble"), Y), ROWS, [(6,)]),
    "not contiguous": (lambda: (X[::-1, ::2], Y[::-1]), ROWS, [(3,)]),
    "bfloat16": (lambda: (tf.cast(X, tf.bfloat16), Y), ROWS, [(6,)]),
    "booleans": (lambda: (X > 0, Y.astype(bool)), ROWS, [(6,)]),
    "dates": (lambda: (pd.date_range("2020-01-01", periods=ROWS).to_numpy(), Z), ROWS, [(1,)]),
    "y as a column": (lambda: (X, Y.reshape(-1, 1)), ROWS, [(6,)]),
    "labels as fractions": (lambda: (X, Y.astype("float32")), ROWS, [(6,)]),
    "labels as bytes": (lambda: (X, np.array([b"no", b"yes"])[Y]), ROWS, [(6,)]),
    "dataset of batches": (lambda: rows_of(X, Y).batch(32), ROWS, [(6,)]),
    "dataset of full batches": (lambda: rows_of(X, Z[:, None]).batch(6, drop_remainder=True), ROWS, [(6,)]),
    "mapped after full batches": (
        lambda: rows_of(X, X).batch(6, drop_remainder=True).map(lambda a, b: (a, b)), ROWS, [(6,)]),
    "dataset of rows": (lambda: rows_of(X, Y), ROWS, [(6,)]),
    "rows of an autoencoder": (lambda: rows_of(X, X), ROWS, [(6,)]),
    "rows of sequence tagging": (lambda: rows_of(LONG, LONG[:, :, 0]), ROWS, [(5, 2)]),
    "rows after batches": (lambda: rows_of(X, X).batch(6).unbatch(), ROWS, [(6,)]),
    "mapped rows": (lambda: rows_of(X, X).map(lambda a, b: (a, b)).prefetch(2), ROWS, [(6,)]),
    "batches of an autoencoder": (lambda: rows_of(X, X).batch(7).prefetch(2), ROWS, [(6,)]),
    "zipped batches": (lambda: tf.data.Dataset.zip((rows_of(X).batch(6), rows_of(X).batch(6))).map(
        lambda a, b: (a[0], b[0])), ROWS, [(6,)]),
    "dataset of tuples": (lambda: rows_of((A, B), Y).batch(32), ROWS, [(4,), (2,)]),
    "dataset of tuples, rows": (lambda: rows_of((A, B), Y), ROWS, [(4,), (2,)]),
    "dataset of dicts": (lambda: rows_of({"a": A, "b": B}, {"p": Y, "q": Z}).batch(32), ROWS, [(4,), (2,)]),
    "dataset with weights": (lambda: rows_of(X, Y, np.ones(ROWS)).batch(32), ROWS, [(6,)]),
    "dataset filtered": (lambda: rows_of(X, Y).filter(lambda a, b: True).batch(32), ROWS, [(6,)]),
    "generated rows": (lambda: generated((6,), (2,)), ROWS, [(6,)]),
    "generated batches": (lambda: generated((6,), (2,), batch=3), 3 * ROWS, [(6,)]),
    "repeated and taken": (lambda: rows_of(X, Y).repeat().take(90), 90, [(6,)]),
    "PyDataset": (lambda: Batches(X, Y), ROWS, [(6,)]),
    "PyDataset of inputs": (lambda: Batches([A, B], Y), ROWS, [(4,), (2,)]),
    "generator": (lambda: ((X[i : i + 10], Y[i : i + 10]) for i in range(0, ROWS, 10)), ROWS, [(6,)]),
}  # fmt: skip


def _objects(parts: list[Any]) -> np.ndarray:
    array = np.empty(len(parts), object)
    array[:] = parts
    return array


@pytest.mark.parametrize("container", GOOD)
def test_a_container_is_read_for_what_it_is(container: str) -> None:
    """Rows, shapes and values are those of the data, whatever holds them."""
    make, rows, shapes = GOOD[container]
    data = read(make())
    parts = list(data.x.values()) if isinstance(data.x, dict) else [data.x]
    assert data.rows == rows
    assert [part.shape[1:] for part in parts] == shapes
    if container.startswith(
        ("list", "tuple", "tensor", "keras", "sparse", "PyDataset", "dataset", "mapped", "batches")
    ):
        whole = np.concatenate([np.asarray(part, "float32").reshape(rows, -1) for part in parts], axis=1)
        expected = {(5, 2): LONG.reshape(rows, -1), (1,): Z[:, None]}.get(shapes[0], X)
        if shapes != [(4,), (4,)]:
            assert np.array_equal(whole, expected.astype("float32"))


def test_numbers_written_as_text_are_numbers() -> None:
    """In arrays of text, and in lists that hold numbers beside text, a column of numbers is one."""
    texts = read((np.array([[f"{z:.3f}", "ab"[i % 2]] for i, z in enumerate(Z)]), Y))
    schema = make_spec(texts, epochs=1, seed=0).schema
    assert schema is not None
    assert [column.kind for column in schema.columns] == ["number", "category"]
    assert np.allclose(texts.x.iloc[:, 0], Z, atol=1e-3)  # type: ignore[union-attr]


def _ragged() -> Any:
    return tf.data.Dataset.from_tensor_slices((tf.ragged.constant([[1.0], [1.0, 2.0]] * 30), Y))


def _varying() -> tf.data.Dataset:
    def make() -> Iterator[Any]:
        for i in range(ROWS):
            yield np.ones(3 + i % 4, "float32"), np.float32(0)

    return tf.data.Dataset.from_generator(
        make, output_signature=(tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32))
    )


def _lengths() -> list[list[int]]:
    return [[1] * (3 + i % 17) for i in range(ROWS)]


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "rows of different length": (lambda: (_lengths(), Y), r"x: rows of different length \(3 to 19\).*pad_sequences"),
    "arrays of different length": (lambda: ([np.array(r) for r in _lengths()], Y), r"\(3 to 19\)"),
    "objects of different length": (lambda: (_objects([np.array(r) for r in _lengths()]), Y), r"\(3 to 19\)"),
    "targets of different length": (lambda: (X, _lengths()), r"y: rows of different length \(3 to 19\)"),
    "images of different size": (
        lambda: ([np.ones((4 + i % 2, 5)) for i in range(ROWS)], Y),
        "different (length|shapes)",
    ),
    "inputs of different rows": (lambda: ([A, B[:-1]], Y), "60, 59 rows"),
    "inputs with other rows than y": (lambda: ([A, B], Y[:-1]), "60, 60 rows, while there are 59"),
    "ragged": (_ragged, "ragged.*padded_batch"),
    "rows of a dataset that differ": (_varying, r"different length \(3 to 6\)"),
    "windows": (lambda: rows_of(X, Y).window(4), "windows"),
    "sparse tensors": (lambda: rows_of(tf.sparse.from_dense(X), Y), "to_dense"),
    "an endless dataset": (lambda: rows_of(X, Y).repeat(), "never ends"),
    "an empty dataset": (lambda: rows_of(X, Y).take(0), "empty"),
    "no pairs": (lambda: rows_of(X), "must give"),
    "a dict": (lambda: {"a": X, "y": Y}, "a dict with 'a', 'y'"),
    "only features": (lambda: X, "without targets"),
    "complex": (lambda: (X + 1j, Y), "complex.*real"),
    "time spans": (lambda: (np.arange(ROWS).astype("timedelta64[s]"), Y), "time spans"),
    "bytes": (lambda: (np.array([b"\xff\xfe", b"a"] * 30), Y), "UTF-8"),
    "a set": (lambda: (X, set(range(ROWS))), "no order"),
    "a function": (lambda: (X, print), "y: must be an array"),
    "a generator of features": (lambda: ((row for row in X), Y), "x: must be an array"),
    "a number": (lambda: (3, Y), "x: must be an array"),
    "nothing": (lambda: (X, None), "y: must be an array"),
    "no rows": (lambda: (X[:0], Y[:0]), "no rows"),
    "no rows in a list": (lambda: ([], []), "no rows|hold a value"),
    "an endless PyDataset": (lambda: _endless(), "never ends"),
    "batches of other sizes": (lambda: ((X[:5], Y[:4]) for _ in range(9)), "5 rows of x"),
    "inputs within inputs": (lambda: rows_of({"a": {"b": A}}, Y), "inputs within inputs"),
    "y with gaps": (lambda: (X, np.where(Y == 0, np.nan, 1.5)), "missing"),
    "masked targets": (lambda: (X, np.ma.masked_array(Z, mask=Z > 0)), "missing"),
}


def _endless() -> Any:
    class Endless(Batches):
        @property
        def num_batches(self) -> None:
            return None

    return Endless(X, Y)


@pytest.mark.parametrize("container", BAD)
def test_what_cannot_be_read_is_refused_in_a_sentence(container: str) -> None:
    """A message of ours says what is wrong and what to do, never NumPy's or TensorFlow's."""
    make, said = BAD[container]
    with pytest.raises(InvalidData, match=said):
        make_spec(read(make()), epochs=1, seed=0)


def test_a_generator_that_never_ends_is_refused_and_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading data of unknown length says how far it is, and stops with the way out."""
    monkeypatch.setattr(streams, "_PATIENCE", 1.5)
    monkeypatch.setattr(streams, "_FIRST_WORD", 0.3)
    said: list[str] = []
    endless = generated((6,), (), count=10**9).batch(4)
    with pytest.raises(InvalidData, match=r"unknown.*take\(N\)"):
        read(endless, tell=said.append)
    assert any("rows so far" in line for line in said)

    def forever() -> Iterator[Any]:
        while True:
            time.sleep(0.01)
            yield X[:4], Y[:4]

    with pytest.raises(InvalidData, match="never stops"):
        read(forever())


def test_what_was_assumed_of_a_dataset_is_noted() -> None:
    """Where elements could be rows or batches, a note says which they were taken for."""
    assert any("one row" in note for note in read(rows_of(X, X)).notes)
    assert any("batches" in note for note in read(generated((), (), batch=5)).notes)
    assert not any("taken for" in note for note in read(rows_of(Z, Z).batch(5)).notes)
    assert not any("taken for" in note for note in read(rows_of(X, Y)).notes)
    assert any("sparse" in note for note in read((scipy.sparse.csr_matrix(X), Y)).notes)


def _two(names: tuple[str | None, str | None] = (None, None)) -> Callable[[], Any]:
    def build() -> Any:
        a, b = keras.Input((4,), name=names[0]), keras.Input((2,), name=names[1])
        return keras.Model([a, b], keras.layers.Dense(1, activation="sigmoid")(keras.layers.concatenate([a, b])))

    return build


class Pair(keras.Model):
    """A subclassed model that takes two inputs apart."""

    def __init__(self) -> None:
        super().__init__()
        self.head = keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs: Any) -> Any:
        a, b = inputs
        return self.head(keras.ops.concatenate([a, b], axis=1))


MODELS: dict[str, Callable[[], Any]] = {"named": _two(("b", "a")), "nameless": _two(), "subclassed": Pair}


@pytest.mark.parametrize("model", MODELS)
def test_a_list_of_inputs_goes_to_the_inputs_in_their_order(model: str) -> None:
    """As `model.fit([a, b], y)` takes them: by place, whatever the inputs are called."""
    task = Task.from_spec(make_spec(read(([A, B], Y)), model=MODELS[model], epochs=1, seed=0))
    assert [part.shape[1] for part in task.x_train] == [4, 2]
    body = task.build(0)
    keras.utils.set_random_seed(0)
    task.compile(body)
    body.fit(task.x_train, task.y_train, verbose=0)
    served = task.full_model(body)
    assert served.predict([A, B], verbose=0).shape == (ROWS, 1)
    with pytest.raises(InvalidModel, match="2 inputs"):
        Task.from_spec(make_spec(read(([A, B, B], Y)), model=_two(), epochs=1, seed=0))


def test_a_list_of_targets_goes_to_the_outputs_in_their_order() -> None:
    """As `model.fit(x, [y, z])` takes them."""

    def build() -> Any:
        x = keras.Input((6,))
        first = keras.layers.Dense(1, activation="sigmoid", name="one")(x)
        return keras.Model(x, [first, keras.layers.Dense(1, name="two")(x)])

    task = Task.from_spec(make_spec(read((X, [Y, Z])), model=build, epochs=1, seed=0))
    first, second = task.y_train
    rows = task.spec.split.train
    assert np.array_equal(np.ravel(first), Y[rows])
    assert np.allclose(np.ravel(second), Z[rows])


@pytest.mark.parametrize("classes", [3, 12])
def test_a_fixed_batch_size_is_refused_as_such(classes: int) -> None:
    """A model whose input fixes the number of rows is told that, with its own shape, not that the rows are wrong."""

    def build() -> Any:
        recurrent = keras.layers.LSTM(4, stateful=True)
        return keras.Sequential([keras.Input(batch_shape=(32, 5, 2)), recurrent, keras.layers.Dense(1)])

    with pytest.raises(InvalidModel, match=r"batch size at 32.*keras\.Input\(\(5, 2\)\).*stateful=False"):
        Task.from_spec(make_spec(read((LONG, Z * classes)), model=build, epochs=1, seed=0))


def test_batches_that_were_taken_for_rows_are_hinted_at() -> None:
    """Where rows have one axis too many for the model, the message says how to take batches apart."""
    fixed = tf.data.Dataset.from_generator(
        lambda: ((X[i : i + 6], Z[i : i + 6]) for i in range(54)),
        output_signature=(tf.TensorSpec((6, 6), tf.float32), tf.TensorSpec((6,), tf.float32)),
    )

    def build() -> Any:
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])

    with pytest.raises(InvalidModel, match="unbatch"):
        Task.from_spec(make_spec(read(fixed), model=build, epochs=1, seed=0))


WEIGHTS: dict[str, tuple[Any, Any, tuple[float, ...] | type[OptselectError]]] = {
    "floats": (Y, {0.0: 0.4, 1.0: 0.6}, (0.4, 0.6)),
    "numpy integers": (Y, {np.int64(0): 0.4, np.int64(1): 0.6}, (0.4, 0.6)),
    "texts": (Y, {"0": 0.4, "1": 0.6}, (0.4, 0.6)),
    "a float column": (Y.astype("float64"), {0: 0.4, 1: 0.6}, (0.4, 0.6)),
    "a list": (Y, [1, 2], (1.0, 2.0)),
    "an array": (Y, np.array([1.0, 2.0]), (1.0, 2.0)),
    "booleans": (Y.astype(bool), {True: 3}, (1.0, 3.0)),
    "a list of another length": (Y, [1, 2, 3], InvalidValue),
    "a list for names": (np.array(["no", "yes"])[Y], [1, 2], InvalidValue),
    "a number": (Y, 2.0, InvalidValue),
    "an unknown class": (Y, {2: 1.0}, UnknownName),
    "a class twice": (Y, {1: 1.0, "1": 2.0}, InvalidValue),
    "a text as weight": (Y, ["a", "b"], InvalidValue),
}


@pytest.mark.parametrize("given", WEIGHTS)
def test_class_weights_in_every_form(given: str) -> None:
    """Keys match as numbers and as text, a list belongs to the classes 0, 1, ...; all else is refused."""
    y, asked, expected = WEIGHTS[given]
    if isinstance(expected, tuple):
        assert make_spec(read((X, y)), epochs=1, seed=0, class_weight=asked).class_weight == pytest.approx(expected)
    else:
        with pytest.raises(expected, match="class_weight"):
            make_spec(read((X, y)), epochs=1, seed=0, class_weight=asked)


@pytest.mark.parametrize("make", [rows_of, lambda x, y: Batches(x, y), lambda x, y: ((x, y) for _ in range(1))])
def test_datasets_of_their_own_are_the_parts(make: Any) -> None:
    """Two datasets train and validate, three test too; an option that makes a part contradicts one that is there."""
    three = [(X, Y), (X[:20] + 5, Y[:20]), (X[:25] + 9, Y[:25])]
    sizes = [read(make(*part)).rows for part in three]
    split = Settings(data=tuple(make(*part) for part in three)).spec().split
    assert [len(split.train), len(split.validation), len(split.test)] == sizes
    split = Settings(data=[make(*part) for part in three[:2]]).spec().split
    assert len(split.validation) == sizes[1]
    assert len(split.train) + len(split.test) == sizes[0]
    for options in (SplitOptions(folds=3), SplitOptions(validation=0.2)):
        with pytest.raises(InvalidData, match="validation"):
            Settings(data=tuple(make(*part) for part in three[:2]), splits=options).spec()
