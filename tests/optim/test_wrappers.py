"""Laws of the rules that wrap another: each around every rule, and around each other."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.optim import stepping, wrapping
from optselect.optim.rule import Rule, Variable
from optselect.optim.rules import RULES

WRAPPERS = {name: kind for name, kind in RULES.items() if kind().parts[1:]}
STEPS = 7
VARIABLES = [Variable("a/kernel", (3, 3)), Variable("b/embeddings", (4, 2), embedding=True), Variable("c/bias", (2,))]

# Numbers with which a wrapper steps as the rule inside.
STEPS_AS_INNER = {
    "lookahead": {"k": 3, "alpha": 1.0},
    "grokfast": {"strength": 0.0},
    "swa": {"start": 2, "period": 2},
    "ema": {"momentum": 0.5},
}
# Weights of the points after steps 1 to 7 at which the rule inside is judged, in what the wrapper is judged at.
MEANS = {
    "swa": [
        ({"start": 3, "period": 2}, [0, 0, 1, 0, 1, 0, 1]),
        ({"start": 0, "period": 3}, [0, 0, 1, 0, 0, 1, 0]),
        ({"start": 7, "period": 1}, [0, 0, 0, 0, 0, 0, 1]),
    ],
    "ema": [({"momentum": 0.5}, [1, 2, 4, 8, 16, 32, 64]), ({"momentum": 0.0}, [0, 0, 0, 0, 0, 0, 1])],
}
MEAN_CASES = [(name, numbers, weights) for name, cases in MEANS.items() for numbers, weights in cases]

# Numbers with which the third step is a quarter of the way.
SLOW = {"lookahead": {"k": 3, "alpha": 0.25}}
# By how much the entries that agree are enlarged.
MASKS = {
    "cautious": [
        ({"counted": False}, lambda agrees: 1 / max(agrees.mean(), 1e-3)),
        ({"counted": True}, lambda agrees: agrees.size / (agrees.sum() + 1)),
    ]
}
MASK_CASES = [(name, numbers, factor) for name, cases in MASKS.items() for numbers, factor in cases]
FILTERS = {"grokfast": {"strength": 5.0}}

every_rule = pytest.mark.parametrize("inner", RULES.values(), ids=list(RULES))
PAIRS = [
    pytest.param(*pair, id="-".join(kind.name for kind in pair))
    for pair in itertools.product(WRAPPERS.values(), repeat=2)
]
every_pair = pytest.mark.parametrize(("outer", "inner"), PAIRS)


def _gradients(steps: int) -> list[list[Any]]:
    rng = np.random.default_rng(5)
    return [[tf.constant(rng.normal(size=v.shape)) for v in VARIABLES] for _ in range(steps)]


def _start() -> list[Any]:
    rng = np.random.default_rng(6)
    return [tf.constant(rng.normal(size=v.shape)) for v in VARIABLES]


def _walk(rule: Rule, gradients: Any) -> list[tuple[Any, Any]]:
    """After each step all weights of a small model in one vector, and those at which it is judged."""
    params, path = _start(), []
    states = stepping.init(rule, params, VARIABLES)
    for step, grads in enumerate(gradients, start=1):
        params, states = stepping.update(rule, grads, params, states, step, VARIABLES)
        judged = stepping.evaluated(rule, params, states, VARIABLES)
        path.append((np.asarray(stepping.join(params)), np.asarray(stepping.join(judged))))
    return path


@functools.cache
def _alone(inner: type[Rule]) -> list[tuple[Any, Any]]:
    """The walk of a rule that nothing wraps, with which many wrappers are compared."""
    return _walk(inner(), _gradients(STEPS))


def _near(got: Any, wanted: Any) -> None:
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max() + 1e-14)


@every_rule
@pytest.mark.parametrize("name", STEPS_AS_INNER)
def test_wrapper_can_step_as_the_rule_inside(name: str, inner: type[Rule]) -> None:
    """A filter of no strength, slow weights that go all the way, and any mean leave the steps as they are."""
    ours = _walk(WRAPPERS[name](rule=inner(), **STEPS_AS_INNER[name]), _gradients(STEPS))
    for (got, _), (wanted, _) in zip(ours, _alone(inner), strict=True):
        _near(got, wanted)


@every_rule
@pytest.mark.parametrize(("name", "numbers", "weights"), MEAN_CASES)
def test_mean_is_of_the_points_where_the_rule_inside_is_judged(
    name: str, numbers: dict[str, Any], weights: list[float], inner: type[Rule]
) -> None:
    """A wrapper that averages is judged at the weighted mean of where the rule inside would have been judged."""
    points = [judged for _, judged in _alone(inner)]
    judged = _walk(WRAPPERS[name](rule=inner(), **numbers), _gradients(STEPS))[-1][1]
    _near(judged, np.average(points, axis=0, weights=weights))


# -- what each wrapper changes -----------------------------------------------------------------------------------


@every_rule
@pytest.mark.parametrize("name", SLOW)
def test_slow_weights_go_their_share_of_the_way(name: str, inner: type[Rule]) -> None:
    """For k steps the rule inside runs alone, then the weights lie between start and end, and are judged there."""
    start, alone = np.asarray(stepping.join(_start())), _alone(inner)
    ours = _walk(WRAPPERS[name](rule=inner(), **SLOW[name]), _gradients(3))
    for (got, _), (wanted, _) in zip(ours[:2], alone[:2], strict=True):
        _near(got, wanted)
    _near(ours[2][0], 0.75 * start + 0.25 * alone[2][0])


@every_rule
@pytest.mark.parametrize(("name", "numbers", "factor"), MASK_CASES)
def test_mask_takes_what_agrees_and_enlarges_it(name: str, numbers: Any, factor: Any, inner: type[Rule]) -> None:
    """Entries that the rule inside moves against the gradient's will stay; the others move by the factor more."""
    rule: Any = WRAPPERS[name](rule=inner(), **numbers)
    param = tf.linspace(tf.constant(-1.0, "float64"), 1.0, 12)
    param = param if rule.reach == "model" else tf.reshape(param, (4, 3))
    state = rule.init(param)
    for step, grad in enumerate(np.random.default_rng(8).normal(size=(4, *param.shape)), start=1):
        alone, _ = rule.rule.update(tf.constant(grad), param, wrapping.inner(state), step)
        moved, state = rule.update(tf.constant(grad), param, state, step)
        move = np.asarray(alone - param)
        agrees = move * grad < 0
        _near(np.asarray(moved - param), np.where(agrees, move * factor(agrees), 0))
        param = moved


@pytest.mark.parametrize(("name", "numbers", "factor"), MASK_CASES)
def test_mask_changes_nothing_where_all_agree(name: str, numbers: Any, factor: Any) -> None:
    """Where the whole step agrees with the gradient it is the inner rule's, times the normalisation of twelve."""
    agreed = 0
    for inner in RULES.values():
        rule: Any = WRAPPERS[name](rule=inner(), **numbers)
        param = tf.zeros((12,) if rule.reach == "model" else (4, 3), "float64")
        grad = tf.reshape(tf.linspace(tf.constant(1.0, "float64"), 2.0, 12), param.shape)
        alone, _ = rule.rule.update(grad, param, rule.rule.init(param), 1)
        if (np.asarray(alone) < 0).all():
            moved, _ = rule.update(grad, param, rule.init(param), 1)
            _near(np.asarray(moved), np.asarray(alone) * factor(np.ones(12)))
            agreed += 1
    assert agreed > 0.7 * len(RULES)


# -- wrappers around wrappers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("inner", WRAPPERS)
def test_outermost_mask_never_moves_against_the_gradient(name: str, inner: str) -> None:
    """The order counts: whatever is inside, a mask around it holds for the gradient at hand."""
    rule = WRAPPERS[name](rule=WRAPPERS[inner]())
    assert not _against(rule)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", FILTERS)
def test_mask_inside_a_filter_sees_the_filtered_gradient(name: str, mask: str) -> None:
    """The order counts: inside a filter, a mask lets pass what goes against the gradient at hand."""
    assert _against(WRAPPERS[name](rule=WRAPPERS[mask](), **FILTERS[name]))


def _against(rule: Any) -> bool:
    """Whether the rule, after ten equal gradients, moves against the will of a small opposite one."""
    param = tf.ones((3,), "float64")
    state = rule.init(param)
    for step in range(1, 11):
        param, state = rule.update(tf.ones_like(param), param, state, step)
    moved, _ = rule.update(-0.01 * tf.ones_like(param), param, state, 11)
    return bool((np.asarray(moved) < np.asarray(param)).any())
