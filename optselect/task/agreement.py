"""Whether a compiled program does what `model.fit` does: what was compared, and what a user is told of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from optselect.util.json_types import fields_from

__all__ = ["Agreement", "Figure", "distance", "figure", "unreached", "worst"]

_NAMED = 4  # weights that are named


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure by both sides, and by how much they may differ, relative to the larger one."""

    name: str
    program: float
    fit: float
    difference: float
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether the two are the same but for rounding."""
        return self.difference <= self.tolerance


def figure(name: str, program: float, fit: float, tolerance: float) -> Figure:
    """A number by both sides; two that are both not finite are equal.

    >>> figure("loss", 1.0, 1.01, 1e-4).equal, figure("loss", math.nan, math.nan, 1e-4).equal
    (False, True)
    """
    if math.isfinite(program) and math.isfinite(fit):
        difference = abs(program - fit) / max(abs(program), abs(fit), 1e-12)
    else:
        difference = 0.0 if math.isfinite(program) == math.isfinite(fit) else math.inf
    return Figure(name=name, program=program, fit=fit, difference=difference, tolerance=tolerance)


def distance(name: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], tolerance: float) -> Figure:
    """Arrays by both sides, as one vector: how far they lie apart, relative to their length."""
    program, fit = (
        np.concatenate([np.zeros(0), *(np.asarray(pair[side], "float64").ravel() for pair in pairs)]) for side in (0, 1)
    )
    both = np.isfinite(program) & np.isfinite(fit)
    if (np.isfinite(program) != np.isfinite(fit)).any():
        apart = math.inf
    else:
        length = max(float(np.linalg.norm(program[both])), float(np.linalg.norm(fit[both])), 1e-12)
        apart = float(np.linalg.norm(program[both] - fit[both])) / length
    norms = [float(np.linalg.norm(side)) for side in (program, fit)]
    return Figure(name=name, program=norms[0], fit=norms[1], difference=apart, tolerance=tolerance)


def worst(figures: Sequence[Figure]) -> Figure:
    """The one that differs most, measured by what it may."""
    return max(figures, key=lambda one: one.difference / one.tolerance)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """What came of the comparison of one epoch.

    equal: whether the two agree. what: was compared, "training", or "inference" where layers draw random numbers of
    their own. rows, steps: of the epoch. figure: the one that differs most, by `difference`, relative; program, fit:
    its values by either. unreached: the trainable variables that no gradient reaches. seconds: that it took.
    """

    equal: bool
    what: str
    rows: int
    steps: int
    figure: str
    difference: float
    program: float
    fit: float
    unreached: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, None where a number is not finite."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            found[field.name] = None if isinstance(value, float) and not math.isfinite(value) else value
        return found | {"unreached": list(self.unreached)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `InvalidValue`, with the place."""
        return cls(**fields_from(cls, data))

    def told(self) -> str:
        """One line for the report.

        >>> Agreement(equal=True, what="training", rows=83, steps=3, figure="loss", difference=2e-7, program=1.0,
        ...           fit=1.0, seconds=0.42).told()
        'one epoch of 83 rows in 3 steps, equal to 2e-07 in every figure (0.4 s)'
        """
        what = f"one epoch of {self.rows} rows in {self.steps} steps"
        if self.what == "inference":
            what = f"losses of {self.rows} rows without the noise of training"
        apart = f"{self.difference:.1g}" if math.isfinite(self.difference) else "not a number"
        word = f"equal to {apart} in every figure" if self.equal else f"{self.figure} {apart} apart: not equal"
        return f"{what}, {word} ({self.seconds:.1f} s)"

    def reason(self) -> str:
        """Why trials use `model.fit`; "" where the two agree."""
        if self.equal:
            return ""
        name = f"`{self.figure}`" if " " not in self.figure else self.figure
        return (
            f"the compiled program does not compute what `model.fit` computes: over {self.rows} rows, the {name} is "
            f"{self.program:.6g} by the program and {self.fit:.6g} by `model.fit`"
        )

    def notes(self, *, silent: bool = False) -> list[str]:
        """Sentences for a user, beside the reason. silent: on weights that no gradient reaches."""
        found = []
        if self.equal and self.what == "inference":
            found.append(
                "A layer draws random numbers that are not Keras's, so no two trainings are alike: the compiled "
                "program was compared with `model.fit` without the noise of training, where they agree."
            )
        if self.unreached and not silent:
            found.append(f"Warning: {unreached(self.unreached)}.")
        return found


def unreached(paths: Sequence[str]) -> str:
    """What to say of weights that no gradient reaches.

    >>> unreached(["dense/kernel"])
    'no gradient reaches the weights `dense/kernel`: they stay as they were initialized'
    """
    named = ", ".join(f"`{path}`" for path in paths[:_NAMED])
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"no gradient reaches the weights {named}{more}: they stay as they were initialized"
