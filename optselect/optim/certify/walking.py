"""Two optimizers on one walk: the same start, the same gradients, every step compared, in one traced loop."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from optselect.optim import stepping
from optselect.optim.certify.loop import Loop
from optselect.optim.clipping import Clipping
from optselect.optim.rule import Rule, Variable
from optselect.util.lazy import tf

__all__ = [
    "ENTRIES",
    "STEPS",
    "TOLERANCE",
    "VARIABLES",
    "Apart",
    "Applied",
    "Comparison",
    "DType",
    "Side",
    "Stepped",
    "Walk",
    "apart",
    "apiece",
    "compared",
    "gradients",
    "joined",
]

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
_SIZES = [math.prod(variable.shape) for variable in VARIABLES]
ENTRIES = sum(_SIZES)


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
        return [tf.convert_to_tensor(v.value) for v in self.variables], state


@dataclasses.dataclass(frozen=True)
class Stepped:
    """A rule. rate: of the step, counted from 0. clip: the clipped gradients, of the step and the gradients."""

    rule: Rule
    rate: Callable[[Tensor], Tensor]
    clip: Callable[[Tensor, list[Tensor]], list[Tensor]]

    @classmethod
    def clipped(cls, rule: Rule, rate: Callable[[Tensor], Tensor], clipping: Clipping) -> Stepped:
        """With the clipping itself."""
        return cls(rule, rate, lambda _, grads: clipping.apply(grads))

    def first(self, start: Sequence[Tensor]) -> Any:
        return list(start), stepping.init(self.rule, start, VARIABLES)

    def step(self, index: Tensor, grads: list[Tensor], state: Any) -> tuple[list[Tensor], Any]:
        rule = self.rule.with_numbers(self.rule.numbers(), learning_rate=self.rate(index))
        params, states = state
        state = stepping.update(rule, self.clip(index, grads), params, states, index + 1, VARIABLES)
        return state[0], state


def compared(name: str, against: str, one: Side, other: Side, dtype: DType, *, steps: int, eager: bool) -> Comparison:
    """Walk both for `steps` steps. `eager`: without a graph, several times slower."""
    began = time.perf_counter()
    walked = Walk(one, other, dtype, steps=steps, eager=eager)()
    return Comparison(name, against, dtype, steps, apart(*walked), time.perf_counter() - began)


@functools.cache
def _data(steps: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The start, each variable smaller than the last, and the gradients of all steps, (steps, entries).

    Their entries go from far below any epsilon to far above, and some are zero.
    """
    rng = np.random.default_rng(0)
    start, grads = [], []
    for k, variable in enumerate(VARIABLES):
        shape = variable.shape
        start.append(np.asarray(rng.normal(size=shape) * 0.3**k))
        entry = 10.0 ** rng.uniform(-10, 2, size=shape)
        moment = 10.0 ** rng.uniform(-2, 1, size=(steps,) + (1,) * len(shape))
        some = rng.random((steps, *shape)) < 0.9
        grads.append((rng.normal(size=(steps, *shape)) * entry * moment * some).reshape(steps, -1))
    return start, np.concatenate(grads, axis=1)


def gradients(steps: int, dtype: DType) -> np.ndarray:
    """The gradients of all steps, (steps, entries)."""
    return _data(steps)[1].astype(dtype)


class Walk:
    """Both sides on one walk; every call starts again from the same point and the same state.

    eager: without a graph, several times slower; such a walk can be made only once.
    """

    def __init__(self, one: Side, other: Side, dtype: DType, *, steps: int, eager: bool = False) -> None:
        self._sides, self._grads = (one, other), tf.constant(gradients(steps, dtype))
        start = [tf.constant(x.astype(dtype)) for x in _data(steps)[0]]
        first = [side.first(start) for side in self._sides]
        self._loop = Loop(self._step, first, [(dtype, ENTRIES)] * 2, steps=steps, eager=eager)

    def __call__(self, given: Iterable[tuple[Any, np.ndarray]] = ()) -> list[np.ndarray]:
        """All variables of each side after each step, (steps, entries) each. given: see `Loop`."""
        return self._loop(given)

    def _step(self, step: Tensor, states: Any) -> tuple[list[Tensor], Any]:
        grads = apiece(tf.gather(self._grads, step))
        made = [side.step(step, grads, state) for side, state in zip(self._sides, states, strict=True)]
        return [joined(values) for values, _ in made], [state for _, state in made]


def joined(values: Sequence[Tensor]) -> Tensor:
    """All entries of the variables in one row: one write a step, for in so small a model they are most of the work."""
    return tf.concat([tf.reshape(value, (-1,)) for value in values], 0)


def apiece(row: Tensor) -> list[Tensor]:
    """The variables of a row of all entries: the inverse of `joined`."""
    return [tf.reshape(part, v.shape) for part, v in zip(tf.split(row, _SIZES), VARIABLES, strict=True)]


def apart(one: np.ndarray, other: np.ndarray) -> tuple[Apart, ...]:
    """How far two walks came apart in each variable. one, other: (steps, entries)."""
    columns = np.split(np.arange(ENTRIES), np.cumsum(_SIZES)[:-1])
    return tuple(_apart(v, one[:, own], other[:, own]) for v, own in zip(VARIABLES, columns, strict=True))


def _apart(variable: Variable, one: np.ndarray, other: np.ndarray) -> Apart:
    with np.errstate(invalid="ignore", over="ignore"):  # two infinities apart: NaN, which is what to report
        difference = np.abs(one - other).max(axis=1)
    size = np.maximum(np.abs(other).max(axis=1), np.finfo("float32").tiny)
    same = (one == other).all(axis=1)
    finite = bool(np.isfinite(difference).all())
    return Apart(
        variable=variable,
        absolute=float(difference.max()),
        relative=float((difference / size).max()) if finite else math.nan,
        departs=None if same.all() else int(np.argmin(same)) + 1,
        finite=finite,
    )
