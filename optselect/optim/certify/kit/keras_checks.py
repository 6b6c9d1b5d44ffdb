"""Checks of the Keras optimizer that is made of a rule: what people give to `model.compile`."""

from __future__ import annotations

import functools
import importlib
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from optselect.optim import stepping
from optselect.optim.certify.kit.subject import Array, Subject, collected, gradients, near, same
from optselect.optim.rule import Rule
from optselect.util.lazy import LazyModule, tf

__all__ = ["CHECKS", "optimizer_of"]

keras: Any = LazyModule("keras")
RATE = 0.01  # of the trainings here: no rule diverges at it
BATCH, BATCHES = 4, 3


def optimizer_of(rule: Rule) -> Any:
    """The Keras optimizer that steps a rule."""
    derived = importlib.import_module("optselect.optim.keras.derived")  # it imports Keras
    inner = {"rule": rule.parts[1]} if rule.wraps() else {}
    return derived.derive(type(rule))(**rule.values(), **rule.chosen(), **inner)


def _rows() -> tuple[Array, Array]:
    x = np.random.default_rng(0).normal(size=(BATCH * BATCHES, 3)).astype("float32")
    return x, x @ np.array([[1.0], [2.0], [3.0]], "float32")


def _model(rule: Rule, *, built: bool = True, **compiling: Any) -> Any:
    """A small model whose start is always the same; no global seed is touched."""
    layers = [
        keras.layers.Dense(
            units, activation=activation, kernel_initializer=keras.initializers.GlorotUniform(seed=units)
        )
        for units, activation in ((4, "tanh"), (1, None))
    ]
    model = keras.Sequential([keras.Input((3,)), *layers] if built else layers)
    model.compile(optimizer_of(rule), loss="mse", **compiling)
    return model


def _fit(model: Any, epochs: int = 1) -> list[Array]:
    model.fit(*_rows(), batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0)
    weights: list[Array] = model.get_weights()
    assert all(np.isfinite(array).all() for array in weights)
    return weights


def _rated(subject: Subject) -> Rule:
    return subject.rule().replaced(learning_rate=RATE)


@functools.lru_cache(maxsize=2)
def _eager_weights(rule: Rule) -> list[Array]:
    """Weights at the end of two eager epochs, with which the other ways to train are compared."""
    return _fit(_model(rule, run_eagerly=True), epochs=2)


def _near_eager(weights: list[Array], rule: Rule) -> None:
    for got, wanted in zip(weights, _eager_weights(rule), strict=True):
        near(got, wanted, 1e-4)


def _is_stepped_alike_by_its_keras_optimizer(subject: Subject) -> None:
    """The Keras optimizer made of the rule ends where the rule ends: no slot is read after it has been written."""
    shapes = [subject.shape(2, 3), subject.shape(1, 3)]
    starts = [np.linspace(-1, 2, math.prod(shape), dtype="float32").reshape(shape) for shape in shapes]
    grads = [gradients(shape, 4, "float32") for shape in shapes]
    for rule in subject.forms():
        variables = [keras.Variable(start, name=f"kernel_{i}") for i, start in enumerate(starts)]
        optimizer, facts = optimizer_of(rule), stepping.facts(variables)
        rate = tf.constant(rule.rate, "float32")
        stepped = rule.with_numbers(rule.numbers(), learning_rate=rate)
        params: list[Any] = [tf.constant(start) for start in starts]
        states = stepping.init(stepped, params, facts)
        for step in range(len(grads[0])):
            now = [tf.constant(of[step]) for of in grads]
            optimizer.apply(now, variables)
            params, states = stepping.update(stepped, now, params, states, step + 1, facts)
        for variable, param in zip(variables, params, strict=True):
            near(variable.value, param)


def _fits_eagerly_as_the_rule(subject: Subject) -> None:
    """An eager `fit` ends, to the bit, where the pure rule ends, at the point where the model is judged."""
    rule, (x, y) = _rated(subject), _rows()
    model = _model(rule)
    variables = model.trainable_variables
    facts = stepping.facts(variables)
    params: list[Any] = [tf.identity(v.value) for v in variables]
    states = stepping.init(rule, params, facts)
    stepped = rule.with_numbers(rule.numbers(), learning_rate=tf.constant(RATE, "float32"))
    for step in range(2 * BATCHES):
        rows = slice(BATCH * (step % BATCHES), BATCH * (step % BATCHES + 1))
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x[rows], y[rows], model(x[rows], training=True))
        grads = tape.gradient(loss, [v.value for v in variables])
        params, states = stepping.update(stepped, grads, params, states, step + 1, facts)
        for variable, param in zip(variables, params, strict=True):
            variable.assign(param)
    wanted = stepping.evaluated(stepped, params, states, facts)
    for got, param in zip(_eager_weights(rule), wanted, strict=True):
        same(got, param)


def _is_built_and_stepped_inside_a_function(subject: Subject) -> None:
    """A training loop of one's own may take the first step inside a `tf.function`, which is not traced again later."""
    rule, shape = _rated(subject), subject.shape(2, 3)
    start, grads = np.linspace(-1, 2, 6, dtype="float32").reshape(shape), gradients(shape, 4, "float32")
    eager, graph = optimizer_of(rule), optimizer_of(rule)
    plain, traced = (keras.Variable(start, name="kernel") for _ in range(2))
    step = tf.function(lambda grad: graph.apply([grad], [traced]), autograph=False)
    counts = []
    for grad in grads:
        step(tf.constant(grad))
        eager.apply([tf.constant(grad)], [plain])
        counts.append(step.experimental_get_tracing_count())  # the first call traces twice: it makes variables
    near(traced, plain, 1e-4)
    assert counts[0] == counts[-1], f"traced {counts[-1] - counts[0]} times more after the first step"


def _fits_a_model_that_is_not_built(subject: Subject) -> None:
    """In a graph `fit` ends where the eager one ends, also where it makes the model's variables itself."""
    rule = _rated(subject)
    _near_eager(_fit(_model(rule, built=False, jit_compile=False), epochs=2), rule)


def _fits_under_xla(subject: Subject) -> None:
    """With `jit_compile=True` `fit` ends where the eager one ends."""
    rule = _rated(subject)
    _near_eager(_fit(_model(rule, jit_compile=True), epochs=2), rule)


def _goes_on_after_a_model_is_saved(subject: Subject) -> None:
    """A model saved in training, whole or its weights, trains on to the bit as the one that was not."""
    rule = _rated(subject)
    model = _model(rule, run_eagerly=True)
    _fit(model)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras saves by an `__array__` of before NumPy 2
        whole, weights = (str(Path(folder) / name) for name in ("model.keras", "model.weights.h5"))
        model.save(whole)
        model.save_weights(weights)
        loaded = keras.saving.load_model(whole)
        other = _model(rule, run_eagerly=True)
        other.optimizer.build(other.trainable_variables)
        other.load_weights(weights)
    loaded.run_eagerly = True
    wanted = _fit(model)
    for again in (loaded, other):
        for got, weight in zip(_fit(again), wanted, strict=True):
            same(got, weight)


def _comes_back_from_its_config(subject: Subject) -> None:
    """Keras's `serialize` and `deserialize` give the same class with the same arguments."""
    for rule in subject.forms():
        made = optimizer_of(rule)
        back = keras.optimizers.deserialize(keras.optimizers.serialize(made))
        assert type(back) is type(made)
        assert back.get_config() == made.get_config()
        assert back.rule.replaced(learning_rate=1.0) == made.rule.replaced(learning_rate=1.0)


CHECKS = collected(
    _is_stepped_alike_by_its_keras_optimizer,
    _comes_back_from_its_config,
    _is_built_and_stepped_inside_a_function,
    _fits_eagerly_as_the_rule,
    _fits_a_model_that_is_not_built,
    _fits_under_xla,
    _goes_on_after_a_model_is_saved,
)
