"""From raw columns to one float32 matrix, as a Keras model of stock layers and `keras.ops`.

Because nothing here is a class of ours, a saved model that contains a preparation loads with plain
`keras.saving.load_model` where optselect is not installed.

Raw inputs, one a column, each of shape (rows,) or (rows, 1), in a dict by column name: float32 for numbers and
booleans, missing as NaN; strings for categories, dates (ISO 8601) and text, missing as "".
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from optselect.data.on_disk import Array, piece_rows, pieces
from optselect.data.schema import Schema
from optselect.model.calendar import date_features

__all__ = [
    "LARGEST_OF_HEAVY_TAIL",
    "LARGEST_SCORE",
    "array_preparation",
    "connect",
    "heavy_tails",
    "table_preparation",
    "transform",
]

LARGEST_SCORE = 10.0  # standard deviations; a wilder value says no more than that it is wild
LARGEST_OF_HEAVY_TAIL = 100.0  # as far a column of heavy tails goes in a straight line; beyond, its order is kept
_HEAVY = 15.0  # kurtosis of the training rows: 3 of a normal distribution, 9 of an exponential one
_FEWEST_OF_HEAVY_TAIL = 20  # distinct values: a rare 0 or 1 has a large kurtosis, and no tail
_MOST_SAMPLED = 100_000  # rows, of which the distinct values are counted
_MOST_CATEGORIES = 100
_MOST_TOKENS = 1000
_ROWS_AT_A_TIME = 8192


def table_preparation(training: Mapping[str, np.ndarray], schema: Schema, name: str = "preparation") -> Any:
    """A keras.Model from the list of raw columns, in the schema's order, to features of shape (rows, n), float32.

    training: raw inputs of the training rows; means, deviations and vocabularies come from them alone.
    """
    inputs = {c.name: keras.Input((1,), dtype=_DTYPES[c.kind]) for c in schema.columns}
    parts = []
    for kinds, features in _FEATURES.items():
        names = [c.name for c in schema.columns if c.kind in kinds]
        if names:
            parts += features([inputs[n] for n in names], [training[n] for n in names])
    matrix = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
    return keras.Model(list(inputs.values()), matrix, name=name)


def array_preparation(training: Array, name: str = "preparation") -> Any:
    """A keras.Model that standardises an array: each feature of a matrix by itself, images and the like as a whole.

    training: shape (rows, ...). NaN and infinite values become the mean.
    """
    matrix = training.ndim == 2
    mean, deviation = _moments(training, axis=0 if matrix else None)
    heavy = heavy_tails(training, mean, deviation) if matrix else np.zeros(1, bool)
    x = keras.Input(training.shape[1:], dtype="float32")
    return keras.Model(x, _standardise(x, mean, deviation, heavy), name=name)


def connect(schema: Schema, layers: Sequence[Any]) -> Any:
    """A keras.Model that takes a dict of raw columns and puts their list through the layers, one after another.

    A layer's name cannot hold "/"; the key of such a column can, and Keras warns of the difference. No layer may
    have the name of a column, because Keras wants all names in a graph to differ.
    """
    inputs = {}
    taken = {c.name for c in schema.columns} | {layer.name for layer in layers}
    for column in schema.columns:
        name = column.name.replace("/", "∕") or "nameless"
        while name != column.name and name in taken:
            name += "_"
        taken.add(name)
        inputs[column.name] = keras.Input((1,), dtype=_DTYPES[column.kind], name=name)
    x: Any = list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))
    for layer in layers:
        x = layer(x)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict", UserWarning)
        return keras.Model(inputs, x)


def transform(preparation: Any, raw: Mapping[str, np.ndarray] | np.ndarray) -> np.ndarray:
    """The prepared features of raw inputs, float32, first axis rows."""
    if not isinstance(raw, Mapping):
        done = np.empty(raw.shape, "float32")
        step = piece_rows(raw)
        for start in range(0, len(raw), step):
            done[start : start + step] = preparation(ops.convert_to_tensor(raw[start : start + step]))
        return done
    columns = list(raw.values())
    parts = []
    for start in range(0, max(len(columns[0]), 1), _ROWS_AT_A_TIME):
        chunk = [ops.reshape(ops.convert_to_tensor(c[start : start + _ROWS_AT_A_TIME]), (-1, 1)) for c in columns]
        parts.append(ops.convert_to_numpy(preparation(chunk if len(chunk) > 1 else chunk[0])))
    return np.concatenate(parts)


def _chunks(column: np.ndarray) -> list[Any]:
    starts = range(0, len(column), _ROWS_AT_A_TIME)
    return [ops.convert_to_tensor(column[start : start + _ROWS_AT_A_TIME]) for start in starts]


def _moments(values: Array, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation without missing values, float32; a deviation of 0 becomes infinite."""

    def total(of: Callable[[np.ndarray], np.ndarray]) -> Any:
        found = []
        for piece in pieces(values):
            present = np.isfinite(piece)
            found.append(np.where(present, of(np.where(present, piece, 0).astype("float64")), 0).sum(axis=axis))
        return np.sum(found, axis=0)

    n = np.maximum(total(np.ones_like), 1)
    mean = total(lambda piece: piece) / n
    deviation = np.sqrt(total(lambda piece: (piece - mean) ** 2) / n)
    constant = deviation <= 1e-6 * np.abs(mean)  # what float32 cannot tell from rounding
    return np.atleast_1d(mean).astype("float32"), np.atleast_1d(np.where(constant, np.inf, deviation)).astype("float32")


def heavy_tails(values: Array, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Which columns of a matrix have heavy tails: bool, shape (columns,).

    The largest values of such a column carry most of its variance; cutting them off would make them all the same.

    >>> rows = np.random.default_rng(0).lognormal(size=(1000, 1)) ** 2
    >>> both = np.concatenate([rows, np.arange(1000.0)[:, None]], axis=1)
    >>> heavy_tails(both, both.mean(axis=0), both.std(axis=0)).tolist()
    [True, False]
    """
    total = np.zeros(values.shape[1])
    count = np.zeros(values.shape[1])
    step, sample = -(-len(values) // _MOST_SAMPLED), []
    for piece in pieces(values):
        present = np.isfinite(piece)
        total += np.where(present, ((np.where(present, piece, mean) - mean) / deviation) ** 4, 0).sum(axis=0)
        count += present.sum(axis=0)
        sample.append(np.asarray(piece[::step]))
    heavy: np.ndarray = total / np.maximum(count, 1) > _HEAVY
    together = np.concatenate(sample)
    for column in np.flatnonzero(heavy):
        heavy[column] = len(np.unique(together[:, column])) > _FEWEST_OF_HEAVY_TAIL
    return heavy


def _standardise(x: Any, mean: np.ndarray, deviation: np.ndarray, heavy: np.ndarray) -> Any:
    """Standard scores, 0 for missing; cut off, or, in columns of heavy tails, logarithmic where they are very large."""
    inverse = (1 / deviation).astype("float32")
    scores = ops.where(ops.isfinite(x), (x - mean) * inverse, np.zeros(1, "float32"))
    if not heavy.any():
        return ops.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)
    limit = np.where(heavy, LARGEST_OF_HEAVY_TAIL, LARGEST_SCORE).astype("float32")
    beyond = ops.log1p(ops.relu(ops.abs(scores) - limit)) * heavy.astype("float32")
    within = ops.minimum(ops.maximum(scores, -limit), limit)  # `clip` with arrays cannot be saved
    return within + ops.sign(scores) * beyond


def _together(inputs: Sequence[Any]) -> Any:
    return ops.concatenate(list(inputs), axis=-1) if len(inputs) > 1 else inputs[0]


def _number_features(inputs: Sequence[Any], training: Sequence[np.ndarray]) -> list[Any]:
    """Standard scores, the mean for missing values, and a 1 for missing in columns that miss some in training."""
    values = np.stack(training, axis=1).astype("float64")
    x = _together(inputs)
    mean, deviation = _moments(values, axis=0)
    scores = _standardise(x, mean, deviation, heavy_tails(values, mean, deviation))
    missing = np.flatnonzero(~np.isfinite(values).all(axis=0))
    return [scores, *_missing_features(x, missing)]


def _missing_features(x: Any, columns: np.ndarray) -> list[Any]:
    if not len(columns):
        return []
    return [ops.cast(ops.logical_not(ops.isfinite(ops.take(x, columns, axis=1))), "float32")]


def _category_features(inputs: Sequence[Any], training: Sequence[np.ndarray]) -> list[Any]:
    """One-hot over the most frequent values; the rest share one feature if training has a rest.

    One lookup and one comparison serve all columns, so that five hundred of them load in a second.
    An unseen value gives zeros.
    """
    frequent = [_frequent(column) for column in training]
    vocabulary = list(dict.fromkeys(value for values, _ in frequent for value in values))
    number = {value: place + 1 for place, value in enumerate(vocabulary)}  # 0 is an unknown value's
    column = np.array([c for c, (values, _) in enumerate(frequent) for _ in values])
    wanted = np.array([number[value] for values, _ in frequent for value in values])
    lookup = keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None, num_oov_indices=1)
    found = _together([lookup(x) for x in inputs])
    hot = ops.cast(ops.equal(ops.take(found, column, axis=1), wanted), "float32")
    capped = np.flatnonzero([rest for _, rest in frequent])
    if not len(capped):
        return [hot]
    members = (column[:, None] == capped[None, :]).astype("float32")
    return [hot, 1.0 - ops.matmul(hot, members)]


def _frequent(column: np.ndarray) -> tuple[list[str], bool]:
    """The most frequent values, and whether there are more."""
    counts = Counter(column.tolist())
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    return ordered[:_MOST_CATEGORIES], len(ordered) > _MOST_CATEGORIES


def _text_features(inputs: Sequence[Any], training: Sequence[np.ndarray]) -> list[Any]:
    """Which of the most frequent words occur."""
    parts = []
    for x, column in zip(inputs, training, strict=True):
        learner = keras.layers.TextVectorization(max_tokens=_MOST_TOKENS, output_mode="multi_hot")
        learner.adapt(ops.convert_to_tensor(column), batch_size=1024)
        words = np.array([str(word) for word in learner.get_vocabulary(include_special_tokens=False)], dtype=object)
        rows_with = sum(ops.convert_to_numpy(learner(c)).sum(axis=0)[1:] for c in _chunks(column))
        words = words[rows_with > 1] if (rows_with > 1).any() else words  # one row's word is that row's name
        if len(words):  # handed over, so that the file holds them in its configuration
            layer = keras.layers.TextVectorization(output_mode="multi_hot", vocabulary=words.tolist())
            parts.append(ops.cast(layer(ops.reshape(x, (-1,))), "float32"))
    return parts


_DTYPES = {"number": "float32", "boolean": "float32", "category": "string", "date": "string", "text": "string"}
_FEATURES = {
    ("number", "boolean"): _number_features,
    ("category",): _category_features,
    ("date",): date_features,
    ("text",): _text_features,
}
