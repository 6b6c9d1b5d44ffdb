"""The models that are trained side by side, what they see of sklearn's digits, and with which optimizers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["KINDS", "LARGEST_RATE", "SMALLEST_RATE", "Kind", "configurations", "optimizer_names", "parts", "spec"]

SMALLEST_RATE, LARGEST_RATE = 1e-5, 1.0
"""Between them every tool is told to look for a learning rate."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A model, what it sees of the digits, its batch size, and what people call it."""

    build: Callable[[], Any]
    see: Callable[[Any], Any]
    batch_size: int
    title: str


def spec(name: str, epochs: int, patience: int | None = None) -> Any:
    """The task of a kind: 1,797 digits split once into 1,149 to train on, 288 to validate and 360 to test."""
    from sklearn.datasets import load_digits

    from optselect.data import read
    from optselect.task import EarlyStopping, make_spec

    digits, kind = load_digits(), KINDS[name]
    data = read((kind.see(digits.data), digits.target))
    stopping = None if patience is None else EarlyStopping(patience=patience)
    return make_spec(data, model=kind.build, epochs=epochs, seed=0, stopping=stopping)


def parts(name: str) -> tuple[Any, Any, Any, Any]:
    """x_train, y_train, x_validation, y_validation of that split."""
    made = spec(name, 1)
    return tuple(array[rows] for rows in (made.split.train, made.split.validation) for array in (made.data.x, made.y))  # type: ignore[return-value]


def configurations(name: str, count: int) -> list[Any]:
    """The same for every tool: Keras's common optimizers in turn, each at a learning rate drawn around its default."""
    from optselect.optim.configuration import Configuration

    random, rules = np.random.default_rng(0), _rules()
    factors = 10 ** random.uniform(-1, 0.7, size=count)
    rates = [float(f"{rules[k % len(rules)]().learning_rate * factor:.3g}") for k, factor in enumerate(factors)]
    return [
        Configuration(rule=rules[k % len(rules)](learning_rate=rate), batch_size=KINDS[name].batch_size)
        for k, rate in enumerate(rates)
    ]


def optimizer_names() -> list[str]:
    """Keras's classes among which the other tools are told to choose."""
    return [rule.twin.rpartition(".")[2] for rule in _rules()]


def _rules() -> list[Any]:
    from optselect.optim.rules import RULES

    return [rule for rule in RULES.values() if rule.common and rule.twin]


# -- what a model sees ----------------------------------------------------------------------------------------------


def _numbers(x: Any) -> Any:
    return x.reshape(-1, 64).astype("float32") / 16


def _images(x: Any) -> Any:
    return np.pad(np.kron(x.reshape(-1, 8, 8) / 16, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))[..., None].astype("f4")


def _steps(x: Any) -> Any:
    return x.reshape(-1, 32, 2).astype("float32") / 16


def _tokens(x: Any) -> Any:
    return x.reshape(-1, 64).astype("int32")


# -- models ---------------------------------------------------------------------------------------------------------


def mlp() -> Any:
    import keras

    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((64,)), dense(128, "relu"), dense(128, "relu"), dense(10, "softmax")])


def mlp_norm_dropout() -> Any:
    import keras

    layers = keras.layers
    body = [
        layer
        for _ in range(2)
        for layer in (layers.Dense(256), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3))
    ]
    return keras.Sequential([keras.Input((64,)), *body, layers.Dense(10, "softmax")])


def cnn() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


def lstm() -> Any:
    import keras

    return keras.Sequential([keras.Input((32, 2)), keras.layers.LSTM(32), keras.layers.Dense(10, "softmax")])


def transformer() -> Any:
    import keras

    layers = keras.layers
    x = inputs = keras.Input((32, 2))
    x = layers.Dense(32)(x)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, "relu")(x)))
    return keras.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x)))


def text() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((64,), dtype="int32"),
            layers.Embedding(17, 32),
            layers.GlobalAveragePooling1D(),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )


KINDS = {
    "mlp": Kind(mlp, _numbers, 32, "MLP 128-128"),
    "mlp_norm_dropout": Kind(mlp_norm_dropout, _numbers, 64, "MLP 256-256, batch norm, dropout"),
    "cnn": Kind(cnn, _images, 64, "CNN 16-32 on 28 x 28"),
    "lstm": Kind(lstm, _steps, 64, "LSTM 32 over 32 steps"),
    "transformer": Kind(transformer, _steps, 64, "transformer, 2 blocks of 32"),
    "text": Kind(text, _tokens, 64, "embedding of 64 tokens"),
}
