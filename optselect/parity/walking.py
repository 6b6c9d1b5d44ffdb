"""Two optimizers on one walk: the same start, the same gradients, every step compared.

Both walk in one traced loop. The graph optimiser is off: it may fold the same arithmetic in two ways, and without
it a graph computes to the bit what eager Keras computes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from optselect import stepping
from optselect.clipping import Clipping
from optselect.lazy import tf
from optselect.rule import Rule, Variable

__all__ = ["STEPS", "TOLERANCE", "VARIABLES", "Apart", "Applied", "Comparison", "DType", "Side", "Stepped", "compared"]

Tensor = Any
DType = Literal["float32", "float64"]
STEPS = 200
TOLERANCE = 1e-6  # of what is not equal to the bit; relative to the variable, see `Apart`
# A tall and a wide matrix, a convolution, a table, a vector and a number: whatever an optimizer may tell apart.
VARIABLES = (
    Variable("dense/kernel", (7, 5)),
    Variable("conv/kernel", (2, 2, 3, 4)),
    Variable("table/embeddings", (5, 2), embedding=True),
    Variable("dense/bias", (5,)),
    Variable("scale", ()),
    Variable("head/kernel", (3, 6), head=True),
)


@dataclasses.dataclass(frozen=True)
class Apart:
    """How far the two came apart in one variable.

    absolute: the largest difference of an entry, over all steps.
    relative: the largest difference over the variable's largest entry at that step.
    departs: the first step (counts from 1) at which an entry differs; None if none does.
    finite: no entry was NaN or infinite on either side.
    """

    variable: Variable
    absolute: float
    relative: float
    departs: int | None
    finite: bool


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far two walks came apart.

    name, against: what was compared. parts: one a variable. seconds: what the comparison took.
    """

    name: str
    against: str
    dtype: DType
    steps: int
    parts: tuple[Apart, ...]
    seconds: float

    @property
    def absolute(self) -> float:
        """The largest difference of an entry, over all variables and steps."""
        return float(np.max([part.absolute for part in self.parts]))

    @property
    def relative(self) -> float:
        """The largest relative difference, see `Apart`; NaN if anything was not finite."""
        return float(np.max([part.relative for part in self.parts]))

    @property
    def departs(self) -> int | None:
        """The first step (counts from 1) at which any entry differs; None if none does."""
        return min((part.departs for part in self.parts if part.departs is not None), default=None)

    @property
    def bit_equal(self) -> bool:
        """Every entry of every step is the same number, and finite."""
        return self.departs is None and all(part.finite for part in self.parts)

    @property
    def ok(self) -> bool:
        """Equal to the bit, or within `TOLERANCE`. A NaN on either side is never right."""
        return self.bit_equal or self.relative <= TOLERANCE

    def table(self) -> str:
        """One line a variable, for people."""
        lines = [f"{'variable':<18} {'shape':<14} {'absolute':>9} {'relative':>9} departs"]
        for part in self.parts:
            where = "never" if part.departs is None else f"step {part.departs}"
            shape = str(part.variable.shape)
            lines.append(f"{part.variable.path:<18} {shape:<14} {part.absolute:>9.1e} {part.relative:>9.1e} {where}")
        return "\n".join(lines)


class Side(Protocol):
    """One of the two that walk; its loop state is whatever it likes."""

    def first(self, start: Sequence[Tensor]) -> Any: ...

    def step(self, index: Tensor, grads: list[Tensor], state: Any) -> tuple[list[Tensor], Any]: ...


class Applied:
    """A Keras optimizer with variables of its own."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.variables: list[Any] = []

    def first(self, start: Sequence[Tensor]) -> Any:
        import keras

        for variable, value in zip(VARIABLES, start, strict=True):
            layer, _, name = variable.path.rpartition("/")
            with keras.name_scope(layer) if layer else contextlib.nullcontext():
                self.variables.append(keras.Variable(value, name=name, dtype=value.dtype.name))
        self.optimizer.build(self.variables)
        return ()

    def step(self, index: Tensor, grads: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
        self.optimizer.apply(grads, self.variables)
        return [tf.identity(v.value) for v in self.variables], state


@dataclasses.dataclass(frozen=True)
class Stepped:
    """A rule. `rate`: of the step, counted from 0."""

    rule: Rule
    rate: Callable[[Tensor], Tensor]
    clipping: Clipping

    def first(self, start: Sequence[Tensor]) -> Any:
        return list(start), stepping.init(self.rule, start, VARIABLES)

    def step(self, index: Tensor, grads: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
        rule = self.rule.with_numbers(self.rule.numbers(), learning_rate=self.rate(index))
        params, states = state
        state = stepping.update(rule, self.clipping.apply(grads), params, states, index + 1, VARIABLES)
        return state[0], state


def compared(name: str, against: str, one: Side, other: Side, dtype: DType, *, steps: int, eager: bool) -> Comparison:
    """Walk both for `steps` steps. `eager`: without a graph, several times slower."""
    began = time.perf_counter()
    walked = _walk(one, other, dtype, steps=steps, eager=eager)
    parts = tuple(_apart(*both) for both in zip(VARIABLES, *walked, strict=True))
    return Comparison(name, against, dtype, steps, parts, time.perf_counter() - began)


@functools.cache
def _data(steps: int, dtype: DType) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The start, each variable smaller than the last, and the gradients of all steps.

    Their entries go from far below any epsilon to far above, and some are zero.
    """
    rng = np.random.default_rng(0)
    start, grads = [], []
    for k, variable in enumerate(VARIABLES):
        shape = variable.shape
        start.append(np.asarray(rng.normal(size=shape) * 0.3**k, dtype))
        entry = 10.0 ** rng.uniform(-10, 2, size=shape)
        moment = 10.0 ** rng.uniform(-2, 1, size=(steps,) + (1,) * len(shape))
        some = rng.random((steps, *shape)) < 0.9
        grads.append((rng.normal(size=(steps, *shape)) * entry * moment * some).astype(dtype))
    return start, grads


def _walk(one: Side, other: Side, dtype: DType, *, steps: int, eager: bool) -> list[list[np.ndarray]]:
    """The variables of both after each step, (steps, *shape) each."""
    start, grads = ([tf.constant(x) for x in part] for part in _data(steps, dtype))
    sides = (one, other)
    first = [side.first(start) for side in sides]

    def body(step: Any, states: Any, kept: Any) -> Any:
        row = tf.cast(step, "int32")
        moved, grown = [], []
        for side, state, arrays in zip(sides, states, kept, strict=True):
            values, state = side.step(step, [g[step] for g in grads], state)
            moved.append(state)
            grown.append([array.write(row, value) for array, value in zip(arrays, values, strict=True)])
        return step + 1, moved, grown

    def loop() -> Any:
        kept = [[tf.TensorArray(dtype, steps, element_shape=v.shape) for v in VARIABLES] for _ in sides]
        *_, kept = tf.while_loop(lambda step, *_: step < steps, body, (tf.constant(0, "int64"), first, kept))
        return [[array.stack() for array in arrays] for arrays in kept]

    with _unoptimised_graphs():
        walked = loop() if eager else tf.function(loop, autograph=False).get_concrete_function()()
    return [[x.numpy() for x in arrays] for arrays in walked]


def _apart(variable: Variable, one: np.ndarray, other: np.ndarray) -> Apart:
    steps = len(one)
    with np.errstate(invalid="ignore", over="ignore"):  # two infinities apart: NaN, which is what to report
        apart = _largest(one - other)
    size = np.maximum(_largest(other), np.finfo("float32").tiny)
    same = (one == other).reshape(steps, -1).all(axis=1)
    finite = bool(np.isfinite(apart).all())
    return Apart(
        variable=variable,
        absolute=float(apart.max()),
        relative=float((apart / size).max()) if finite else math.nan,
        departs=None if same.all() else int(np.argmin(same)) + 1,
        finite=finite,
    )


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
