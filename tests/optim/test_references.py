"""The rules against other libraries: TensorFlow's kernels, optax, and Keras where it is known to be wrong."""

from __future__ import annotations

import keras
import numpy as np
import optax
import pytest
import tensorflow as tf

from optselect.optim.rules import RULES
from tests.helpers.libraries import AGREE, DIFFER, RAW, Pair, keras_end, optax_end

Array = np.ndarray
STEPS = 50


def _data() -> tuple[Array, Array]:
    """A matrix, and gradients whose rows are of different size: float64."""
    rng = np.random.default_rng(7)
    rows = np.exp(rng.normal(size=(7, 1)))
    return rng.normal(size=(7, 5)), rng.normal(size=(STEPS, 7, 5)) * rows


def _apart(pair: Pair) -> float:
    """The largest difference of an entry at the end over the longest way of one."""
    start, grads = _data()
    param = tf.constant(start)
    state = pair.rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = pair.rule.update(tf.constant(grad), param, state, step)
    other = pair.other(start, grads)
    return float(np.abs(param.numpy() - other).max() / np.abs(other - start).max())


@pytest.mark.parametrize("name", RAW)
def test_rule_agrees_with_the_kernel_of_tensorflow(name: str) -> None:
    """Fifty steps in float64 end where TensorFlow's own C++ kernel ends, which shares no line with Keras."""
    assert _apart(RAW[name]) <= RAW[name].bound


@pytest.mark.parametrize("name", AGREE)
def test_rule_agrees_with_optax(name: str) -> None:
    """Fifty steps in float64 end where optax ends, given the numbers that mean the same there."""
    assert _apart(AGREE[name]) <= AGREE[name].bound


@pytest.mark.parametrize("name", DIFFER)
def test_known_difference_is_still_there(name: str) -> None:
    """Where another library is known to compute something else it still does; if not, say so in the pages."""
    assert _apart(DIFFER[name]) >= DIFFER[name].bound, DIFFER[name].why


def test_momentum_of_optax_differs_while_the_rate_falls() -> None:
    """Keras keeps the rate inside the velocity, optax outside: under a schedule they part, by a known amount."""
    start, grads = _data()
    falling = keras.optimizers.schedules.PolynomialDecay(0.01, STEPS, 0.0)
    inside = keras_end(lambda: keras.optimizers.SGD(falling, momentum=0.9))(start, grads)
    outside = optax_end(optax.sgd(optax.linear_schedule(0.01, 0.0, STEPS), 0.9))(start, grads)
    assert np.abs(inside - outside).max() > 1e-2 * np.abs(inside - start).max()


def test_average_of_schedule_free_is_that_of_optax() -> None:
    """The point where the model is judged is optax's too, not only the point where gradients are taken."""
    start, grads = _data()
    made = optax.contrib.schedule_free_adamw(0.01, b1=0.9, b2=0.99, eps=1e-3)
    rule = RULES["schedule_free_adamw"](learning_rate=0.01, beta_1=0.9, beta_2=float(np.float32(0.99)), epsilon=1e-3)
    param = tf.constant(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.constant(grad), param, state, step)
    wanted = optax_end(made, judged=True)(start, grads)
    np.testing.assert_allclose(rule.evaluated(param, state), wanted, rtol=0, atol=1e-7)


def test_muon_of_keras_stops_in_float64() -> None:
    """Keras's Muon multiplies float64 by float32: should it be mended, give the rule's twin float64 back."""
    [alone] = [rule for rule in RULES.values() if rule.twin and "float64" not in rule.twin_dtypes]
    variable = keras.Variable(np.ones((2, 2)), dtype="float64")
    with pytest.raises(tf.errors.InvalidArgumentError, match="double"):
        getattr(keras.optimizers, alone.twin.rpartition(".")[2])().apply([tf.ones((2, 2), "float64")], [variable])
