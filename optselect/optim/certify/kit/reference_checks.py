"""Checks of where a rule ends: at a minimum, at its formula's end, at that of the Keras class."""

from __future__ import annotations

import dataclasses
import importlib
import math
from typing import Any

import numpy as np

from optselect.optim.certify import Case, compare
from optselect.optim.certify.kit.subject import Subject, collected, does_not_apply, gradients, near, walk
from optselect.optim.configuration import Configuration
from optselect.util.lazy import tf

__all__ = ["CHECKS"]


def _converges_on_a_parabola(subject: Subject) -> None:
    """With some rate of its search range a rule comes from afar to within a hundredth of the minimum's distance."""
    made = subject.rule()
    [search] = [h.search for h in made.base.hypers() if h.name == "learning_rate"]
    assert search, "`learning_rate` needs a search"
    target, curvature = tf.constant([1.0, -2.0, 3.0]), tf.constant([0.3, 1.0, 2.0])

    def descend(rate: Any) -> Any:
        rule = made.with_numbers(made.numbers(), learning_rate=rate)

        def body(step: Any, param: Any, state: Any) -> Any:
            return step + 1, *rule.update(curvature * (param - target), param, state, step)

        start = tf.zeros((3,))
        first = (tf.constant(1), start, rule.init(start))
        _, param, state = tf.while_loop(lambda step, *_: step <= 3000, body, first)
        return rule.evaluated(param, state)

    traced = tf.function(descend, autograph=False)
    rates = np.geomspace(search.low, search.high, 7)
    away = [float(np.abs(traced(tf.constant(r, "float32")) - target).max()) for r in rates]
    assert np.nanmin(away) < 0.03, f"distances from the minimum by rate: {dict(zip(rates, away, strict=True))}"


def _equals_its_reference(subject: Subject) -> None:
    """In float64 a rule ends where an independent formula ends, to a millionth."""
    if subject.reference is None:
        does_not_apply("no reference was given")
    shape = subject.shape(4, 4)
    start, grads = np.random.default_rng(4).normal(size=shape), gradients(shape, 50)
    for rule in subject.every_form():
        # Keras rounds hyperparameters to float32 also in float64; numbers that are float32 already make that nothing.
        exact = [n if isinstance(n, bool) else float(np.float32(n)) for n in rule.numbers()]
        made = rule.with_numbers(exact)
        near(walk(made, start, grads), subject.reference(start.copy(), grads, **made.values()))


def _equals_its_twin(subject: Subject) -> None:
    """Beside the Keras class, where the rule says that it equals it: no float32 differs, nor a default."""
    if not subject.twin:
        does_not_apply("no Keras class equals it")
    module, _, name = subject.twin.rpartition(".")
    keras, pinned = importlib.import_module("keras"), subject.rule.twin_at
    config = getattr(importlib.import_module(module), name)().get_config()
    defaults = {h.name: h.default for h in subject.rule.hypers() if h.name not in pinned}
    theirs = {key: _close(config.get(key), value) for key, value in defaults.items()}
    assert defaults == theirs, f"defaults here {defaults}, in Keras {theirs}"
    beyond = {key for key, value in config.items() if isinstance(value, bool | int | float)}
    missing = beyond - set(keras.optimizers.Optimizer(0.1).get_config()) - set(subject.rule.known()) - set(pinned)
    assert not missing, f"the twin has {missing}, which the rule lacks"
    if subject.twin == subject.rule.twin:
        for form, rule in zip(("default", "altered"), subject.forms(), strict=True):
            own = {h.name: pinned[h.name] for h in rule.hypers() if h.name in pinned}
            there = Configuration(rule=dataclasses.replace(rule, **own))
            comparison = compare(Case(form, there), steps=40)  # type: ignore[arg-type]
            assert comparison.bit_equal, comparison


def _close(theirs: Any, ours: Any) -> Any:
    """`ours` if Keras's number is the same but for float32, else Keras's; its None means that a part is off."""
    return ours if math.isclose(theirs or 0.0, ours, rel_tol=1e-6) else theirs


CHECKS = collected(
    _converges_on_a_parabola,
    _equals_its_reference,
    _equals_its_twin,
)
