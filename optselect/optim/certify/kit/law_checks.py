"""Laws that hold whatever the rule: what no formula has to say, and no rule may break without its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from optselect.optim.certify import altered
from optselect.optim.certify.kit.subject import Array, Subject, collected, does_not_apply, same
from optselect.optim.rule import Rule
from optselect.util.lazy import tf

__all__ = ["CHECKS"]

STEPS = 3


def _undecayed(subject: Subject) -> Rule:
    """The rule at its defaults, without any weight decay."""
    made = subject.rule()
    for name in {h.name for part in made.parts for h in part.hypers() if "weight_decay" in h.name}:
        made = made.replaced(**{name: 0.0})
    return made


def _draws(subject: Subject, low: float = 2.0**-10) -> Iterator[tuple[Array, Array]]:
    """A start and gradients of some steps, float32: of any sign and of sizes from `low` to 8, zeros among them."""
    shape = (STEPS + 1, *subject.shape(3, 2))
    rng = np.random.default_rng(11)
    for zeros in (0.0, 0.0, 0.2, 0.5):
        sizes = np.exp(rng.uniform(np.log(low), np.log(8.0), size=shape)) * rng.choice([-1.0, 1.0], size=shape)
        drawn = np.where(rng.random(shape) < zeros, 0.0, sizes).astype("float32")
        yield drawn[0], drawn[1:]
    yield np.ones(shape[1:], "float32"), np.full((STEPS, *shape[1:]), -low, "float32")


def _walk(rule: Rule, start: Any, grads: Any) -> tuple[Any, dict[str, Any]]:
    param = tf.convert_to_tensor(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param, state


def _mirrors_mirrored_gradients(subject: Subject) -> None:
    """It knows no up and down: with start and gradients negated it ends at the negated weights, to the bit."""
    rule = altered(subject.rule)
    for start, grads in _draws(subject):
        same(-_walk(rule, -start, -grads)[0], _walk(rule, start, grads)[0])


def _stays_without_gradient_and_decay(subject: Subject) -> None:
    """From zero slots, with a gradient of zero and no weight decay, the first steps move nothing."""
    rule = _undecayed(subject)
    for start, grads in _draws(subject):
        same(_walk(rule, start, np.zeros_like(grads))[0], start)


def _changes_nothing_but_what_it_returns(subject: Subject) -> None:
    """An update is a function: called again with the same state it gives the same, and its state is as before."""
    rule = altered(subject.rule)
    for start, grads in _draws(subject):
        param, state = _walk(rule, start, grads[:-1])
        before = {name: np.array(slot) for name, slot in state.items()}
        first, second = (rule.update(tf.constant(grads[-1]), param, state, STEPS) for _ in range(2))
        _same_slots(state, before)
        same(first[0], second[0])
        _same_slots(first[1], second[1])


def _same_slots(got: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert got.keys() == wanted.keys()
    for name, slot in got.items():
        same(slot, wanted[name])


def _goes_downhill_first(subject: Subject) -> None:
    """Without decay the first step is never against the slope: it goes down, or stays."""
    rule = _undecayed(subject)
    for start, grads in _draws(subject, low=2.0**-4):
        moved, _ = _walk(rule, start, grads[:1])
        climb = float(((np.asarray(moved, "float64") - start) * grads[0]).sum())
        assert climb <= 1e-6, f"from {start} with the gradient {grads[0]} to {np.asarray(moved)}"


def _agrees_in_eager_mode_graph_and_xla(subject: Subject) -> None:
    """A few steps of the pure rule eagerly, in a graph and compiled by XLA end at the same weights."""
    rule, rng = altered(subject.rule), np.random.default_rng(5)
    shape = subject.shape(4, 3)
    start, grads = rng.normal(size=shape).astype("float32"), rng.normal(size=(4, *shape)).astype("float32")

    def plain(grad: Any, param: Any, state: Any, step: Any) -> Any:
        return rule.update(grad, param, state, step)

    ends = []
    for update in (plain, tf.function(plain, autograph=False), tf.function(plain, autograph=False, jit_compile=True)):
        param, state = tf.constant(start), rule.init(tf.constant(start))
        for step, grad in enumerate(grads, start=1):
            param, state = update(tf.constant(grad), param, state, tf.constant(step))
        ends.append(np.asarray(param))
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-6 * np.abs(ends[0]).max())


def _keeps_bfloat16(subject: Subject) -> None:
    """On bfloat16 it stays bfloat16, slots and all, and ends where float32 ends, to that type's three digits."""
    rule, rng, shape = _undecayed(subject), np.random.default_rng(6), subject.shape(3, 2)
    start, grads = np.sign(rng.normal(size=shape)), rng.normal(size=(STEPS, *shape))
    wide, _ = _walk(rule, tf.constant(start, "float32"), tf.constant(grads, "float32"))
    narrow, state = _walk(rule, tf.constant(start, "bfloat16"), tf.constant(grads, "bfloat16"))
    assert narrow.dtype == "bfloat16"
    assert {name: slot.dtype for name, slot in rule.init(narrow).items()} == {k: s.dtype for k, s in state.items()}
    np.testing.assert_allclose(tf.cast(narrow, "float32"), wide, rtol=0, atol=0.03 * np.abs(wide).max())


def _stays_finite_in_corners(subject: Subject) -> None:
    """Rows and columns without a gradient, gradients of 1e-30, a single entry: all stay finite."""
    rng = np.random.default_rng(9)
    for shape in (subject.shape(4, 3), subject.shape(1, 1)):
        start, grads = rng.normal(size=shape).astype("float32"), rng.normal(size=(4, *shape)).astype("float32")
        sparse = grads.copy()
        sparse[:, :1], sparse[..., -1:] = 0.0, 0.0
        for rule in subject.forms():
            for seen in (sparse, grads * np.float32(1e-30)):
                param, state = _walk(rule, start, seen)
                for name, value in {"the weights": param, **state}.items():
                    assert np.isfinite(np.asarray(value)).all(), f"{name}: {np.asarray(value)}"


def _stays_finite_where_the_rate_begins_at_zero(subject: Subject) -> None:
    """A warmup may begin at a learning rate of zero: what comes after is finite."""
    made = subject.rule()
    if any(part.needs_rate for part in made.parts):
        does_not_apply("it divides by the learning rate")
    shape = subject.shape(3, 2)
    rng = np.random.default_rng(9)
    param = tf.constant(rng.normal(size=shape))
    state = made.init(param)
    for step, rate in enumerate((0.0, 0.0, 0.3, 0.1), start=1):
        rule = made.with_numbers(made.numbers(), learning_rate=rate)
        param, state = rule.update(tf.constant(rng.normal(size=shape)), param, state, step)
    assert np.isfinite(np.asarray(rule.evaluated(param, state))).all()
    assert np.isfinite(np.asarray(param)).all()


CHECKS = collected(
    _mirrors_mirrored_gradients,
    _stays_without_gradient_and_decay,
    _changes_nothing_but_what_it_returns,
    _goes_downhill_first,
    _agrees_in_eager_mode_graph_and_xla,
    _keeps_bfloat16,
    _stays_finite_in_corners,
    _stays_finite_where_the_rate_begins_at_zero,
)
