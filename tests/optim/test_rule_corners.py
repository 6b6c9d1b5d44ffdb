"""Corners of the rules that random gradients do not reach: rates that move, shapes and zeros that are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.optim.certify import altered
from optselect.optim.clipping import CLIPPINGS, Clipping
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from tests.helpers import references

Array = np.ndarray
RATES = {"falling": [0.5, 0.3, 0.1, 0.02, 0.01], "from zero": [0.0, 0.2, 0.4, 0.4, 0.1], "zero first": [0.0, 0.0, 0.3]}
FREE = [name for name in RULES if name.startswith("schedule_free")]


def _walk(rule: Rule, start: Array, grads: Array, rates: Sequence[float] | None = None) -> Array:
    param = tf.constant(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        moving = rule if rates is None else rule.with_numbers(rule.numbers(), learning_rate=rates[step - 1])
        param, state = moving.update(tf.constant(grad), param, state, step)
    return np.asarray(param)


def _data(shape: tuple[int, ...], steps: int, dtype: str = "float64") -> tuple[Array, Array]:
    rng = np.random.default_rng(9)
    return rng.normal(size=shape).astype(dtype), rng.normal(size=(steps, *shape)).astype(dtype)


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("which", RATES)
@pytest.mark.parametrize("form", ["default", "altered"])
def test_schedule_free_rule_follows_a_moving_rate(name: str, which: str, form: str) -> None:
    """With a rate of its own in each step, the first ones perhaps zero, the average weighs the points as the paper."""
    made: Any = RULES[name]() if form == "default" else altered(RULES[name])
    numbers = [n if isinstance(n, bool) else float(np.float32(n)) for n in made.numbers()]
    rule = made.with_numbers(numbers)
    rates = [float(np.float32(rate)) for rate in RATES[which]]
    start, grads = _data((3, 2), len(rates))
    values = {**rule.values(), "learning_rate": rates}
    np.testing.assert_allclose(
        _walk(rule, start, grads, rates), getattr(references, name)(start, grads, **values), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("name", FREE)
def test_schedule_free_rule_weighs_by_the_largest_rate_so_far(name: str) -> None:
    """A rate that falls does not lower the weight of later points; a rate of zero leaves the average where it is."""
    start, grads = _data((4,), 4)
    rule: Any = RULES[name]()
    state = rule.init(tf.constant(start))
    _, state = rule.with_numbers(rule.numbers(), learning_rate=0.5).update(grads[0], tf.constant(start), state, 1)
    _, state = rule.with_numbers(rule.numbers(), learning_rate=0.1).update(grads[1], tf.constant(start), state, 2)
    assert float(state["rate_max"]) == 0.5
    assert float(state["weight_sum"]) == pytest.approx(2 * 0.5**2)


@pytest.mark.parametrize("shape", [(2, 2, 3, 4), (3, 2, 2)])
def test_mars_steps_a_kernel_of_more_axes_as_a_vector(shape: tuple[int, ...]) -> None:
    """Only a matrix gets the corrected gradient: a convolution's kernel steps, to the bit, as its entries in a row."""
    start, grads = _data(shape, 4, "float32")
    rule = altered(RULES["mars_adamw"])
    apart = _walk(rule, start, grads).reshape(-1)
    np.testing.assert_array_equal(apart, _walk(rule, start.reshape(-1), grads.reshape(4, -1)))
    matrix = _walk(rule, start.reshape(-1, shape[-1]), grads.reshape(4, -1, shape[-1]))
    assert not np.allclose(apart, matrix.reshape(-1))


def test_mars_steps_a_vector_by_its_own_numbers() -> None:
    """Where no matrix is, MARS is AdamW with its numbers for one axis; the decay is times that rate too."""
    start, grads = _data((5,), 4)
    rule: Any = altered(RULES["mars_adamw"])
    w, m, v = start, np.zeros(5), np.zeros(5)
    rate = rule.learning_rate * rule.rate_1d
    for t, g in enumerate(grads, start=1):
        m = rule.beta_1_1d * m + (1 - rule.beta_1_1d) * g
        v = rule.beta_2_1d * v + (1 - rule.beta_2_1d) * g**2
        step = m / (1 - rule.beta_1_1d**t) / (np.sqrt(v / (1 - rule.beta_2_1d**t)) + rule.epsilon)
        w = w - rate * (step + rule.weight_decay_1d * w)
    np.testing.assert_allclose(_walk(rule, start, grads), w, rtol=1e-6)


@pytest.mark.parametrize("name", ["adafactor"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_entry_whose_row_and_column_got_no_gradient_stays(name: str, shape: tuple[int, ...]) -> None:
    """Where the product of a row's and a column's mean square is too small for float32, nothing moves, nothing is NaN.

    The other entries are those of the formula in float64.
    """
    start, grads = _data(shape, 5, "float32")
    grads[..., 1, :] = 0.0
    grads[..., :, 2] = 0.0
    rule: Any = RULES[name](learning_rate=0.1)
    end = _walk(rule, start, grads)
    assert np.isfinite(end).all()
    np.testing.assert_array_equal(end[..., 1, 2], start[..., 1, 2])
    wanted = references.adafactor(start.astype("float64"), grads.astype("float64"), **rule.values())
    np.testing.assert_allclose(end, wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["cautious"])
@pytest.mark.parametrize("counted", [False, True])
def test_mask_takes_the_sign_of_the_step_against_the_gradient(name: str, counted: bool) -> None:
    """An entry moves only if the gradient is not zero and the step goes against it; by hand, with one of each kind.

    Momentum 0.5 and rate 1, a first gradient of 1 everywhere, then 1, -0.25, -2 and 0: the steps are -1.5, -0.25, 1.5
    and -0.5. The first goes down the slope, the second up, the third down, and the fourth finds no slope.
    """
    rule: Any = RULES[name](rule=RULES["sgd"](learning_rate=1.0, momentum=0.5), counted=counted)
    state = rule.init(tf.zeros(4, "float64"))
    param, state = rule.update(tf.ones(4, "float64"), tf.zeros(4, "float64"), state, 1)
    after, _ = rule.update(tf.constant([1.0, -0.25, -2.0, 0.0], "float64"), param, state, 2)
    factor = 4 / (2 + 1) if counted else 4 / 2
    np.testing.assert_allclose(after - param, [-1.5 * factor, 0.0, 1.5 * factor, 0.0], rtol=1e-12)


def test_averages_are_of_the_point_where_the_inner_rule_is_judged() -> None:
    """EMA and SWA around a rule with an average of its own: the first mean is that rule's judged point, to the bit."""
    inner: Any = RULES["schedule_free_sgd"](learning_rate=0.1, momentum=0.5)
    start, grads = _data((3,), 2)
    param = tf.constant(start)
    alone, state = inner.update(tf.constant(grads[0]), param, inner.init(param), 1)
    second, after = inner.update(tf.constant(grads[1]), alone, state, 2)
    for name, numbers in {"ema": {"momentum": 0.0}, "swa": {"start": 1.0, "period": 1.0}}.items():
        rule: Any = RULES[name](rule=inner, **numbers)
        moved, kept = rule.update(tf.constant(grads[0]), param, rule.init(param), 1)
        np.testing.assert_array_equal(rule.evaluated(moved, kept), inner.evaluated(alone, state))
        moved, kept = rule.update(tf.constant(grads[1]), moved, kept, 2)
        points = [inner.evaluated(alone, state), inner.evaluated(second, after)]
        wanted = points[1] if name == "ema" else np.mean(points, axis=0)
        np.testing.assert_allclose(rule.evaluated(moved, kept), wanted, rtol=1e-12)


@pytest.mark.parametrize(("start", "period", "samples"), [(0, 2, [2, 4]), (1, 2, [1, 3, 5]), (3, 1, [3, 4, 5])])
def test_first_sample_of_swa_is_at_its_start(start: int, period: int, samples: list[int]) -> None:
    """The mean holds the weights at `start` and every `period` after; with start 0 the first are those of a period.

    Before the first sample the model is judged where it is.
    """
    rule: Any = RULES["swa"](rule=RULES["sgd"](learning_rate=1.0, momentum=0.0), start=start, period=period)
    param = tf.constant([10.0], "float64")
    state, seen = rule.init(param), {}
    for step in range(1, 6):
        param, state = rule.update(tf.constant([float(step)], "float64"), param, state, step)
        seen[step] = float(param[0])
        taken = [seen[k] for k in samples if k <= step]
        wanted = np.mean(taken) if taken else seen[step]
        np.testing.assert_allclose(rule.evaluated(param, state), [wanted], rtol=1e-12)


@pytest.mark.parametrize("clipping", CLIPPINGS.values(), ids=list(CLIPPINGS))
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 1e30])
def test_clipping_of_what_is_not_finite_is_that_of_keras(clipping: type[Clipping], bad: float) -> None:
    """An infinite entry, one that is no number and one whose square overflows are clipped as Keras clips them."""
    keras = pytest.importorskip("keras")
    grads = [tf.constant([1.0, bad, -2.0]), tf.constant([[3.0]])]
    made = clipping()
    wanted = keras.optimizers.SGD(**made.values())._clip_gradients(grads)
    for got, want in zip(made.apply(grads), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def test_norm_that_is_not_finite_makes_every_gradient_nan() -> None:
    """One infinite entry in one variable: no variable gets a gradient that looks sound."""
    for bad in (np.inf, np.nan, 1e30):
        clipped = CLIPPINGS["global_clipnorm"]().apply([tf.constant([1.0, bad]), tf.constant([[3.0]])])
        assert all(np.isnan(np.asarray(grad)).all() for grad in clipped)
