"""The cases of one rule that differ in schedule and clipping only, walked by one trace.

Tracing a rule and its twin takes ten times as long as walking them. What a schedule and a clipping do depends neither
on the rule nor on the weights, so each is run once over all steps, Keras's and ours, and the walk reads the results
from variables: where Keras's optimizer calls its schedule and its clipping, and where a rule gets its learning rate
and its gradients.
"""

from __future__ import annotations

import functools
import gc
import importlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from optselect.errors import InvalidValue
from optselect.optim.certify.loop import Loop
from optselect.optim.certify.walking import (
    ENTRIES,
    Applied,
    Comparison,
    DType,
    Stepped,
    Walk,
    apart,
    apiece,
    gradients,
    joined,
)
from optselect.optim.clipping import Clipping, NoClipping
from optselect.optim.rule import Rule
from optselect.optim.schedule import Schedule, Timed
from optselect.util.lazy import tf

__all__ = ["walked"]

Tensor = Any
_KNOWN: dict[tuple[Schedule, float, int], tuple[np.ndarray, np.ndarray]] = {}  # what `_rates` has computed


class _Recorded:
    """The learning rates and the clipped gradients of all steps, for one side of a walk."""

    def __init__(self, dtype: DType, steps: int) -> None:
        self.rates = tf.Variable(tf.zeros(steps))
        self.grads = tf.Variable(tf.zeros((steps, ENTRIES), dtype))

    def rate(self, step: Tensor) -> Tensor:
        return tf.gather(self.rates, step)

    def clip(self, step: Tensor, grads: list[Tensor]) -> list[Tensor]:
        return apiece(tf.gather(self.grads, step))


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    def __init__(self, recorded: _Recorded) -> None:
        self._recorded = recorded

    def __call__(self, step: Tensor) -> Tensor:
        return self._recorded.rate(step)


def walked(cases: Sequence[Any], steps: int) -> Iterator[Comparison]:
    """The comparisons of cases that share rule and dtype, each as soon as it is made."""
    yield from _walked(cases, steps)
    gc.collect()  # graphs hold themselves, and Python looks for such garbage ever less often


def _walked(cases: Sequence[Any], steps: int) -> Iterator[Comparison]:
    began = time.perf_counter()
    rule, dtype = cases[0].configuration.rule, cases[0].dtype
    ours, twins = _Recorded(dtype, steps), _Recorded(dtype, steps)
    optimizer = _twin(rule, learning_rate=_Schedule(twins))
    optimizer._clip_gradients = lambda grads: twins.clip(optimizer.iterations, grads)
    # The sum over the replicas, of which there is one: TensorFlow's keeps every graph that is traced with it for good.
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    walk = Walk(Stepped(rule, ours.rate, ours.clip), Applied(optimizer), dtype, steps=steps)
    rate = float(_arguments(rule)["learning_rate"])
    rates = _rates([case.configuration.schedule for case in cases], rate, steps)
    for case, (our_rates, twin_rates) in zip(cases, rates, strict=True):
        our_grads, twin_grads = _clipped(_clipper(type(optimizer)), case.configuration.clipping, dtype, steps)
        given = [
            (ours.rates, our_rates),
            (ours.grads, our_grads),
            (twins.rates, twin_rates),
            (twins.grads, twin_grads),
        ]
        parts = apart(*walk(given))
        now = time.perf_counter()
        yield Comparison(case.name, rule.twin, dtype, steps, parts, now - began)
        began = now


def _twin(rule: Rule, **arguments: Any) -> Any:
    module, _, name = rule.twin.rpartition(".")
    return getattr(importlib.import_module(module), name)(**{**_arguments(rule), **arguments})


def _arguments(rule: Rule) -> dict[str, Any]:
    arguments = rule.twin_arguments()
    if arguments is None:
        raise InvalidValue(f"parity: no class of Keras does what {rule.key} does with these hyperparameters.")
    return arguments


def _rates(schedules: Sequence[Schedule], rate: float, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each schedule the learning rates of all steps, ours and Keras's."""
    missing = [schedule for schedule in schedules if (schedule, rate, steps) not in _KNOWN]
    timed = [schedule.timed(rate, steps) for schedule in missing]
    functions: list[Callable[[Tensor], Tensor]] = list(
        itertools.chain.from_iterable((one, _called(one)) for one in timed)
    )

    def step(index: Tensor, state: Any) -> Any:
        return [tf.stack([tf.cast(function(index), "float32") for function in functions])], state

    if missing:
        [table] = Loop(step, (), [("float32", len(functions))], steps=steps)()
        pairs = zip(table[:, ::2].T, table[:, 1::2].T, strict=True)
        _KNOWN.update({(schedule, rate, steps): pair for schedule, pair in zip(missing, pairs, strict=True)})
    return [_KNOWN[schedule, rate, steps] for schedule in schedules]


def _called(timed: Timed) -> Callable[[Tensor], Tensor]:
    """Keras's learning rate as a function of the step."""
    built: Any = timed.built()
    return built if callable(built) else lambda step: tf.constant(built)


def _clipper(kind: type) -> type:
    """The widest class of Keras's that clips as this one does."""
    bases = [base for base in kind.__mro__ if issubclass(base, keras.optimizers.Optimizer)]
    names = ("_clip_gradients", "_clip_by_norm")
    return next(b for b in reversed(bases) if all(getattr(b, name) is getattr(kind, name) for name in names))


@functools.cache
def _clipped(twin: type, clipping: Clipping, dtype: DType, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of all steps as we clip them, and as the twin's class does."""
    grads = gradients(steps, dtype)
    if isinstance(clipping, NoClipping):
        return grads, grads
    optimizer, raw = twin(learning_rate=1.0, **clipping.values()), tf.constant(grads)

    def step(index: Tensor, state: Any) -> Any:
        row = apiece(tf.gather(raw, index))
        return [joined(clipping.apply(row)), joined(optimizer._clip_gradients(row))], state

    ours, twins = Loop(step, (), [(dtype, ENTRIES)] * 2, steps=steps)()
    return ours, twins
