"""Models and data with faults, as users have them: they leak, run out of memory, kill their process, have no graph."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_iris

KEPT: list[np.ndarray] = []


class Aside(keras.layers.Layer):
    """Lets x through and, in training, calls a Python function with the number of rows beside it."""

    def __init__(self, function: Callable[[int], None]) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x

        def run(rows: int) -> np.float32:
            self.function(rows)
            return np.float32(0.0)

        zero = tf.numpy_function(run, [tf.shape(x)[0]], tf.float32)
        return x + tf.stop_gradient(tf.ensure_shape(zero, ()))


class Greedy(keras.layers.Layer):
    """Asks for 64 TB in a step of more than 40 rows."""

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x
        more = tf.cast(tf.maximum(tf.shape(x)[0] - 40, 0), tf.int64)
        return x + tf.reduce_sum(tf.random.uniform([tf.minimum(more, 1) * 2**44]))


def _with(*layers: Any) -> Any:
    return keras.Sequential(
        [keras.Input((4,)), *layers, keras.layers.Dense(8, "tanh"), keras.layers.Dense(3, "softmax")]
    )


def leaky_and_greedy() -> Any:
    """Keeps 16 MB a step."""
    return _with(Aside(lambda rows: KEPT.append(np.ones(2_000_000))), Greedy())


def deadly() -> Any:
    """Is killed in a step of more than 40 rows, as the kernel does it where memory runs out."""
    return _with(Aside(lambda rows: os.kill(os.getpid(), signal.SIGKILL) if rows > 40 else None))


def slow() -> Any:
    """Waits 60 ms a step, whatever the threads."""
    return _with(Aside(lambda rows: time.sleep(0.06)))


def threaded() -> Any:
    """Waits 200 ms a step with one thread an operation, 40 ms with more."""
    seconds = 0.2 if tf.config.threading.get_intra_op_parallelism_threads() == 1 else 0.04
    return _with(Aside(lambda rows: time.sleep(seconds)))


def paused() -> Any:
    """Has state beside its weights: statistics, and random numbers in the step."""
    return _with(keras.layers.BatchNormalization(), keras.layers.Dropout(0.2))


def _compiled(loss: Any = "sparse_categorical_crossentropy", metrics: Any = (), **options: Any) -> Any:
    model = _with()
    model.compile(loss=loss, metrics=list(metrics), **options)
    return model


def numpy_metric() -> Any:
    def rounded(y: Any, p: Any) -> Any:
        return float(np.round(p.numpy()).mean())

    return _compiled(metrics=[rounded])


def numpy_loss() -> Any:
    def distance(y: Any, p: Any) -> Any:
        return tf.constant(np.square(p.numpy()).mean())

    return _compiled(loss=distance)


class Rounded(keras.layers.Layer):
    """Works on numbers, not on tensors of a graph."""

    def call(self, x: Any) -> Any:
        return tf.constant(np.round(x.numpy(), 2))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def numpy_layer() -> Any:
    return _with(Rounded())


def eager_layer() -> Any:
    model = _with(Rounded())
    model.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
    return model


class Own(keras.Model):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def own_step() -> Any:
    inputs = keras.Input((4,))
    model = Own(inputs, keras.layers.Dense(3, "softmax")(inputs))
    model.compile(loss="sparse_categorical_crossentropy")
    return model


def iris() -> Any:
    return load_iris(return_X_y=True)


def with_gap() -> Any:
    x, y = iris()
    x[3, 1] = np.nan
    return x, y
