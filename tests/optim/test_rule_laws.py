"""Laws of the update rules, on any gradients: no rule is named, the exceptions are data in `references.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from optselect.optim.certify import altered
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from tests.helpers import references

Array = np.ndarray
STEPS = 3
SHAPE = (3, 2)

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
few = settings(max_examples=8, deadline=None)


def _entries(low: float) -> st.SearchStrategy[float]:
    """Zero, or of either sign and at least `low` in size."""
    size = st.floats(low, 8.0, width=32, allow_subnormal=False)
    return st.one_of(st.just(0.0), size, size.map(lambda x: -x))


def _walks(low: float = 2.0**-10) -> st.SearchStrategy[Array]:
    """A start and the gradients of `STEPS` steps, float32."""
    return arrays.arrays(np.float32, (STEPS + 1, *SHAPE), elements=_entries(low))


def _undecayed(rule: type[Rule]) -> Rule:
    """The rule at its defaults, without any weight decay."""
    made = rule()
    for name in {h.name for part in made.parts for h in part.hypers() if "weight_decay" in h.name}:
        made = made.replaced(**{name: 0.0})
    return made


def _walk(rule: Rule, start: Any, grads: Any) -> tuple[Any, Any]:
    shape = (math.prod(start.shape),) if rule.reach == "model" else start.shape
    param = tf.reshape(start, shape)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.reshape(grad, shape), param, state, step)
    return param, state


def _same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@every_rule
@few
@given(walk=_walks())
def test_mirrored_gradients_give_mirrored_steps(rule: type[Rule], walk: Array) -> None:
    """A rule knows no up and down: with start and gradients negated it ends at the negated weights, to the bit."""
    if rule.name in references.KNOWS_UP_AND_DOWN:
        pytest.skip(references.KNOWS_UP_AND_DOWN[rule.name])
    made = altered(rule)
    right, _ = _walk(made, walk[0], walk[1:])
    mirrored, _ = _walk(made, -walk[0], -walk[1:])
    _same(-mirrored, right)


@every_rule
@few
@given(start=_walks())
def test_nothing_moves_without_gradient_and_decay(rule: type[Rule], start: Array) -> None:
    """From zero slots, with a gradient of zero and no weight decay, the first steps move nothing."""
    if rule.name in references.MOVES_UNASKED:
        pytest.skip(references.MOVES_UNASKED[rule.name])
    still, _ = _walk(_undecayed(rule), start[0], np.zeros_like(start[1:]))
    _same(np.reshape(still, SHAPE), start[0])


@every_rule
@few
@given(walk=_walks())
def test_update_changes_nothing_but_what_it_returns(rule: type[Rule], walk: Array) -> None:
    """An update is a function: called again with the same tensors it gives the same, and its input is as before."""
    made = altered(rule)
    param, state = _walk(made, walk[0], walk[1:-1])
    grad = tf.reshape(walk[-1], param.shape)
    before = {name: np.array(slot) for name, slot in {"w": param, **state}.items()}
    first, second = (made.update(grad, param, dict(state), STEPS) for _ in range(2))
    for name, slot in before.items():
        _same(slot, {"w": param, **state}[name])
    _same(first[0], second[0])
    for name in state:
        _same(first[1][name], second[1][name])


@every_rule
@few
@given(walk=_walks(2.0**-4))
def test_first_step_goes_downhill(rule: type[Rule], walk: Array) -> None:
    """Without decay the first step is never against the slope: it goes down, or stays."""
    if rule.name in references.MOVES_UNASKED:
        pytest.skip(references.MOVES_UNASKED[rule.name])
    moved, _ = _walk(_undecayed(rule), walk[0], walk[1:2])
    way = np.reshape(moved, SHAPE).astype("float64") - walk[0]
    assert (way * walk[1]).sum() <= 1e-6


@every_rule
def test_eager_graph_and_xla_agree(rule: type[Rule]) -> None:
    """A few steps eagerly, in a graph and compiled by XLA end at the same weights, to a millionth."""
    made = altered(rule)
    rng = np.random.default_rng(5)
    start, grads = rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 4, 3)).astype("float32")
    shape = (12,) if made.reach == "model" else (4, 3)
    start, grads = start.reshape(shape), grads.reshape(4, *shape)

    def plain(grad: Any, param: Any, state: Any, step: Any) -> Any:
        return made.update(grad, param, state, step)

    ends = []
    for update in (plain, tf.function(plain, autograph=False), tf.function(plain, autograph=False, jit_compile=True)):
        param, state = tf.constant(start), made.init(tf.constant(start))
        for t, grad in enumerate(grads, start=1):
            param, state = update(tf.constant(grad), param, state, tf.constant(t))
        ends.append(np.asarray(param))
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-6 * np.abs(ends[0]).max())


@every_rule
def test_bfloat16_variables_keep_their_dtype_and_the_way(rule: type[Rule]) -> None:
    """On bfloat16 a rule stays bfloat16, slots and all, and ends where float32 ends, to that type's three digits."""
    if rule.name in references.NOT_IN_BFLOAT16:
        pytest.skip(references.NOT_IN_BFLOAT16[rule.name])
    made = _undecayed(rule)
    rng = np.random.default_rng(6)
    start, grads = np.sign(rng.normal(size=SHAPE)), rng.normal(size=(STEPS, *SHAPE))
    wide, _ = _walk(made, tf.constant(start, "float32"), tf.constant(grads, "float32"))
    narrow, state = _walk(made, tf.constant(start, "bfloat16"), tf.constant(grads, "bfloat16"))
    assert narrow.dtype == "bfloat16"
    assert {name: slot.dtype for name, slot in made.init(narrow).items()} == {k: s.dtype for k, s in state.items()}
    np.testing.assert_allclose(tf.cast(narrow, "float32"), wide, rtol=0, atol=0.03 * np.abs(wide).max())
