"""Rescaling: a rule that is rescaled goes the same way through the same examples, whatever the rule."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.errors import InvalidValue
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.verdict.scaled import around, rescaled
from tests.helpers import references, strategies

Array = np.ndarray
BATCH, TIMES, EXAMPLES = 8, 4, 3200
NOISE = 16.0  # of one example's gradient; its mean has entries of size one

# What looks over the whole model finds its own step, and grows it without end where nothing is to be found.
STEADY = [kind for kind in RULES.values() if kind.scope != "model"]
ALONE = [kind for kind in STEADY if not kind.wraps()]


def _undecayed(kind: type[Rule]) -> Rule:
    made = kind()
    for name in {name for part in made.parts for name in part.scaling.decays if name in part.values()}:
        made = made.replaced(**{name: 0.0})
    return made


def _start_and_mean(shape: tuple[int, ...] = (16, 16)) -> tuple[Array, Array]:
    """A start, and a mean gradient at right angles to it."""
    rng = np.random.default_rng(0)
    start, mean = rng.normal(size=shape), rng.normal(size=shape)
    return start - mean * (start * mean).sum() / (mean * mean).sum(), mean


def _end(configuration: Configuration, start: Array, mean: Array, seed: int) -> Array:
    """Where a rule is judged after `EXAMPLES` examples, whose gradients are the mean and noise."""
    size = configuration.batch_size
    noise = np.random.default_rng(seed).normal(size=(EXAMPLES // size, *start.shape)) * NOISE / math.sqrt(size)
    rule = configuration.rule
    if not rule.wraps():
        return np.asarray(getattr(references, rule.name)(start, mean + noise, **rule.values()))
    param = tf.constant(start)
    state = rule.init(param)
    for step, grad in enumerate(mean + noise, start=1):
        param, state = rule.update(tf.constant(grad), param, state, step)
    return np.asarray(rule.evaluated(param, state))


def _way(rule: Rule, shape: tuple[int, ...] = (16, 16)) -> float:
    """How far it goes against the mean gradient rescaled, over how far it goes as it is."""
    start, mean = _start_and_mean(shape)
    before = Configuration(rule=rule, batch_size=BATCH)
    after = rescaled(before, batch_size=BATCH * TIMES)
    # Close to zero, for rules that forget where they start.
    ends = (_end(c, start / 1000, mean, seed) for seed, c in enumerate((before, after)))
    first, second = (-(end * mean).sum() for end in ends)
    return float(second / first)


def _shrunk(before: Configuration) -> tuple[float, float]:
    """Which share of the weights decay alone takes, as it is and rescaled."""
    start, mean = _start_and_mean()
    shares = []
    for seed, c in enumerate((before, rescaled(before, batch_size=BATCH * TIMES))):
        without = dataclasses.replace(c, rule=c.rule.replaced(**dict.fromkeys(_decays(c.rule), 0.0)))
        with_it, bare = ((_end(one, start, 0 * mean, seed) * start).sum() for one in (c, without))
        shares.append(float(1 - with_it / bare))
    return shares[0], shares[1]


def _decays(rule: Rule) -> list[str]:
    return [name for name in rule.scaling.decays if name in rule.values()]


@pytest.mark.parametrize("kind", STEADY, ids=lambda kind: kind.name)
def test_a_rescaled_rule_goes_as_far(kind: type[Rule]) -> None:
    """Four times the batch takes a rule as far through the same noisy examples, nearer than to any other power by ½."""
    assert abs(math.log2(_way(_undecayed(kind)))) < 0.5


@pytest.mark.parametrize("kind", [k for k in ALONE if len(k.scaling.decays) > 1], ids=lambda kind: kind.name)
def test_vectors_too(kind: type[Rule]) -> None:
    """So do vectors under the rules that treat them apart."""
    assert abs(math.log2(_way(_undecayed(kind), (256,)))) < 0.5


SIZES = [
    (kind, name)
    for kind in ALONE
    for name, power in kind.scaling.powers.items()
    if power < 0 and name in {h.name for h in kind.hypers()}
]


@pytest.mark.parametrize(("kind", "name"), SIZES, ids=lambda value: getattr(value, "name", value))
def test_what_has_the_size_of_gradients_follows_them(kind: type[Rule], name: str) -> None:
    """Also where epsilon, an accumulator or a regularisation rules the step."""
    size = 2 * (NOISE / math.sqrt(BATCH)) ** (-2 * kind.scaling.powers[name])
    assert abs(math.log2(_way(_undecayed(kind).replaced(**{name: size})))) < 0.5


@pytest.mark.parametrize("kind", [k for k in ALONE if _decays(k())], ids=lambda kind: kind.name)
def test_decay_keeps_its_timescale(kind: type[Rule]) -> None:
    """Decay takes the same share of the weights over the same examples, whatever the batch."""
    for size in 10.0 ** np.arange(-4, 3, 0.5):
        decays = dict.fromkeys(_decays(kind()), float(size))
        before, after = _shrunk(Configuration(rule=_undecayed(kind).replaced(**decays), batch_size=BATCH))
        if before > 0.1:
            break
    assert 0.1 < before < 0.7
    assert after == pytest.approx(before, rel=0.25)


few = settings(max_examples=50, deadline=None)


@few
@given(strategies.configurations())
def test_the_same_batch_changes_nothing(configuration: Configuration) -> None:
    """Rescaled to its own batch size, a configuration is what it was."""
    assert rescaled(configuration, batch_size=configuration.batch_size) == configuration


@settings(max_examples=200, deadline=None)
@given(strategies.configurations(), st.integers(1, 100_000), st.floats(1e-3, 1e3), st.floats(1e-2, 1e2))
def test_what_is_legal_stays_legal(configuration: Configuration, size: int, rows: float, epochs: float) -> None:
    """Any configuration can be rescaled to any batch size, rows and epochs, and the decay of a mean stays below one."""
    found = rescaled(configuration, batch_size=size, rows=rows, epochs=epochs)
    assert found.batch_size == size
    assert found.rule.key == configuration.rule.key
    for part in found.rule.parts:
        assert all(np.float32(part.values()[name]) < 1 for name in part.scaling.means if name in part.values())


@pytest.mark.parametrize("kind", RULES.values(), ids=list(RULES))
def test_facts_name_hyperparameters(kind: type[Rule]) -> None:
    """What a rule says of its scaling beyond the usual is said of hyperparameters that it has."""
    own, usual = kind.scaling, Rule.scaling
    for what in ("powers", "means", "decays", "steps"):
        said = set(getattr(own, what)) - set(getattr(usual, what))
        assert said <= {h.name for h in kind.hypers()}


@pytest.mark.parametrize("kind", [k for k in RULES.values() if k.wraps()], ids=lambda kind: kind.name)
def test_a_wrapped_rule_is_rescaled_as_if_alone(kind: type[Rule]) -> None:
    """The wrapper has its own facts and leaves those of the inner rule to it."""
    outer: Any = kind
    alone = Configuration(rule=next(k for k in ALONE if k.scaling == Rule.scaling)(), batch_size=32)
    within = dataclasses.replace(alone, rule=outer(rule=alone.rule))
    assert rescaled(within, batch_size=256).rule.parts[1] == rescaled(alone, batch_size=256).rule


@pytest.mark.parametrize("kind", [k for k in RULES.values() if k.scaling.steps], ids=lambda kind: kind.name)
def test_counts_of_steps_keep_their_share(kind: type[Rule]) -> None:
    """Ten times the steps make a warm-up ten times as long; fewer never make what was there vanish."""
    for name in kind.scaling.steps:
        before = Configuration(rule=kind().replaced(**{name: 20.0}))
        assert rescaled(before, batch_size=64, rows=10, epochs=2).rule.values()[name] == 200.0
        assert rescaled(before, batch_size=64).rule.values()[name] == 10.0
        assert rescaled(before, batch_size=32_000).rule.values()[name] == 1.0


@pytest.mark.parametrize("kind", [k for k in RULES.values() if _decays(k())], ids=lambda kind: kind.name)
def test_the_timescale_is_that_of_wang_and_aitchison(kind: type[Rule]) -> None:
    """Rate times decay times the steps of an epoch stays, where a step's decay is just rate times decay."""
    names = [name for name in _decays(kind()) if name not in kind.scaling.powers]
    before = Configuration(rule=kind().replaced(**dict.fromkeys(names, 0.5)))
    after = rescaled(before, batch_size=4 * before.batch_size)
    for name in names:
        a, b = before.rule.values(), after.rule.values()
        assert b["learning_rate"] * b[name] / 4 == pytest.approx(a["learning_rate"] * a[name])


@pytest.mark.parametrize("kind", [k for k in RULES.values() if k.scaling.means], ids=lambda kind: kind.name)
def test_a_mean_of_nothing_stays_one(kind: type[Rule]) -> None:
    """A decay of zero, no mean at all, is zero for any batch size."""
    off = {h.name: 0.0 for h in kind.hypers() if h.name in kind.scaling.means and h.domain.contains(0.0)}
    assert rescaled(Configuration(rule=kind().replaced(**off)), batch_size=256).rule.values().items() >= off.items()


def test_more_rows_mean_less_decay_a_step() -> None:
    """With ten times the steps an epoch a tenth of the decay keeps the timescale in epochs; the rate stays."""
    for kind in (k for k in ALONE if _decays(k())):
        decays = dict.fromkeys(_decays(kind()), 0.5)
        before = Configuration(rule=kind().replaced(**decays))
        after = rescaled(before, batch_size=before.batch_size, rows=10)
        assert after.rule == before.rule.replaced(**dict.fromkeys(decays, 0.05))


def test_clipping_follows_the_noise() -> None:
    """A gradient of four times the batch is half as large, so half the threshold clips as many."""
    for kind in CLIPPINGS.values():
        before = Configuration(rule=ALONE[0](), clipping=kind())
        after = rescaled(before, batch_size=4 * before.batch_size).clipping
        assert after.values() == {name: value / 2 for name, value in before.clipping.values().items()}


def test_the_check_is_at_three_rates() -> None:
    """The rates of `around` are a factor of three apart, the middle one is the configuration itself."""
    middle = Configuration(rule=ALONE[0]())
    low, same, high = around(middle)
    assert same == middle
    rates = [c.learning_rate for c in (low, same, high)]
    assert np.diff(np.log(rates)) == pytest.approx(math.log(3), abs=1e-3)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"batch_size": 8, "rows": 0}, {"batch_size": 8, "epochs": -1}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    """A batch of no rows, or no rows or epochs at all, is named in the message."""
    with pytest.raises(InvalidValue, match=list(wrong)[-1]):
        rescaled(Configuration(rule=ALONE[0]()), **wrong)
