"""Steps each rule beside its Keras twin and says whether they stay together.

Both walk the same gradients from the same start in one traced loop. The graph optimiser is off: it may fold the
same arithmetic in two ways, and without it a graph computes to the bit what eager Keras computes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.errors import UnknownName, suggestion
from optselect.hyper import Declared, Hyper
from optselect.lazy import tf
from optselect.rules import RULES
from optselect.schedules import SCHEDULES

__all__ = ["STEPS", "TOLERANCE", "Case", "Comparison", "altered", "cases", "compare", "run"]

STEPS = 200
TOLERANCE = 1e-6  # of what is not equal to the bit; relative to the variable, see `Comparison`
_SHAPES: tuple[tuple[int, ...], ...] = ((7, 5), (3,), ())


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration to compare; `form` is "default", or "altered" where nothing is at its default."""

    form: Literal["default", "altered"]
    configuration: Configuration

    @property
    def name(self) -> str:
        """Rule, form, schedule and clipping in one word: "adam/default/constant/none"."""
        c = self.configuration
        return f"{c.rule.name}/{self.form}/{c.schedule.name}/{c.clipping.name}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far rule and twin came apart.

    absolute: the largest difference of an entry, over all variables and steps.
    relative: the largest difference of a variable's entry over the largest entry of that variable in Keras at
        that step.
    departs: the first step (counts from 1) at which an entry differs; None if none does.
    bit_equal: every entry of every step is the same float32, and finite.
    seconds: what the comparison took.
    """

    case: Case
    steps: int
    absolute: float
    relative: float
    departs: int | None
    bit_equal: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Equal to the bit, or within `TOLERANCE`. A NaN on either side is never right."""
        return self.bit_equal or self.relative <= TOLERANCE


def cases(names: Iterable[str] | None = None) -> list[Case]:
    """Each rule (or those of `names`), in both forms, with each schedule and each clipping.

    Raises `UnknownName`.

    >>> len(cases(["adam"])) == 2 * len(SCHEDULES) * len(CLIPPINGS)
    True
    """
    chosen = list(RULES) if names is None else list(names)
    for name in chosen:
        if name not in RULES:
            raise UnknownName(f"parity: no rule is called {name!r}. {suggestion(name, RULES)}")
    parts = itertools.product(chosen, SCHEDULES.values(), CLIPPINGS.values())
    made = []
    for name, schedule, clipping in parts:
        rule = RULES[name]
        plain = Configuration(rule=rule(), schedule=schedule(), clipping=clipping())
        other = Configuration(rule=altered(rule), schedule=altered(schedule), clipping=altered(clipping))
        made += [Case("default", plain), Case("altered", other)]
    return made


def run(names: Iterable[str] | None = None) -> Iterator[Comparison]:
    """The comparisons of `cases(names)`, each as soon as it is made."""
    for case in cases(names):
        yield compare(case)


def compare(case: Case, *, steps: int = STEPS, eager: bool = False) -> Comparison:
    """Step the case's rule and its twin `steps` times. `eager`: without a graph, several times slower."""
    began = time.perf_counter()
    with _unoptimised_graphs():
        twins, ours = _walk(case.configuration, steps, eager=eager)
    with np.errstate(invalid="ignore"):  # two infinities apart: NaN, which is what to report
        apart = np.stack([_largest(a - b) for a, b in zip(ours, twins, strict=True)])
    size = np.maximum([_largest(b) for b in twins], np.finfo("float32").tiny)
    same = np.stack([(a == b).reshape(steps, -1).all(axis=1) for a, b in zip(ours, twins, strict=True)]).all(axis=0)
    finite = bool(np.isfinite(apart).all())
    return Comparison(
        case=case,
        steps=steps,
        absolute=float(apart.max()),
        relative=float((apart / size).max()) if finite else math.nan,
        departs=None if same.all() else int(np.argmin(same)) + 1,
        bit_equal=bool(same.all()) and finite,
        seconds=time.perf_counter() - began,
    )


def altered(member: type[Declared]) -> Any:
    """A member of a family with no hyperparameter at its default: flags turned, numbers moved inside their range.

    >>> altered(RULES["sgd"]).nesterov
    True
    """
    return member(**{declared.name: _moved(declared) for declared in member.hypers()})


def _moved(declared: Hyper) -> Any:
    """Another value: four fifths up the search range where there is one, else more than the default."""
    search, default, domain = declared.search, declared.default, declared.domain
    if domain.boolean:
        return not default
    if search is None:
        more = 2 * default + 0.1
        return more if domain.contains(more) else (default + domain.low) / 2
    if search.scale == "choice":
        return next(value for value in reversed(search.choices) if value != default)
    low, high = search.low, search.high
    if search.scale == "linear":
        return low + 0.8 * (high - low)
    if search.scale == "log":
        return low * (high / low) ** 0.8
    return 1 - (1 - low) * ((1 - high) / (1 - low)) ** 0.8


@functools.cache
def _data(steps: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The start, and the gradients of all steps: entries from far below any epsilon to far above, some zero."""
    rng = np.random.default_rng(0)
    start, grads = [], []
    for shape in _SHAPES:
        start.append(rng.normal(size=shape).astype("float32"))
        entry = 10.0 ** rng.uniform(-10, 2, size=shape)
        moment = 10.0 ** rng.uniform(-2, 1, size=(steps,) + (1,) * len(shape))
        some = rng.random((steps, *shape)) < 0.9
        grads.append((rng.normal(size=(steps, *shape)) * entry * moment * some).astype("float32"))
    return start, grads


def _walk(configuration: Configuration, steps: int, *, eager: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The variables after each step, (steps, *shape) each: Keras's and ours."""
    import keras

    start, grads = ([tf.constant(x) for x in part] for part in _data(steps))
    optimizer = configuration.optimizer(total_steps=steps)
    variables = [keras.Variable(x) for x in start]
    optimizer.build(variables)
    rule, schedule, clipping = configuration.rule, configuration.schedule, configuration.clipping
    arguments = schedule.arguments(rule.values()["learning_rate"], steps)

    def ours(step: Any, params: Any, states: Any) -> tuple[Any, Any]:
        rate = type(schedule).rate(step, **arguments)
        stepped = type(rule).unchecked(**{**rule.values(), "learning_rate": rate})
        clipped = clipping.apply([g[step] for g in grads])
        moved = [stepped.update(g, p, s, step + 1) for g, p, s in zip(clipped, params, states, strict=True)]
        return [param for param, _ in moved], [state for _, state in moved]

    def body(step: Any, params: Any, states: Any, twins: Any, own: Any) -> Any:
        optimizer.apply([g[step] for g in grads], variables)
        row = tf.cast(step, "int32")
        twins = [kept.write(row, tf.identity(v.value)) for kept, v in zip(twins, variables, strict=True)]
        params, states = ours(step, params, states)
        own = [kept.write(row, param) for kept, param in zip(own, params, strict=True)]
        return step + 1, params, states, twins, own

    def loop() -> Any:
        kept = [[tf.TensorArray("float32", steps, element_shape=s) for s in _SHAPES] for _ in range(2)]
        first = (tf.constant(0, "int64"), start, [rule.init(p) for p in start], *kept)
        *_, twins, own = tf.while_loop(lambda step, *_: step < steps, body, first)
        return [k.stack() for k in twins], [k.stack() for k in own]

    twins, own = loop() if eager else tf.function(loop, autograph=False).get_concrete_function()()
    return [x.numpy() for x in twins], [x.numpy() for x in own]


@contextlib.contextmanager
def _unoptimised_graphs() -> Iterator[None]:
    key = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(key, False)
    tf.config.optimizer.set_experimental_options({key: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({key: before})


def _largest(values: np.ndarray) -> np.ndarray:
    """The largest absolute entry of each step. `values`: (steps, *shape)."""
    largest: np.ndarray = np.abs(values).reshape(len(values), -1).max(axis=1)
    return largest
