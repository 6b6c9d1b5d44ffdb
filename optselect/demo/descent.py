"""What became of rules that went down a surface: their paths, and who arrived."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from optselect.demo.animation import Lane, Scene, film
from optselect.optim.rule import Rule

__all__ = ["Descent", "Runner", "best_walk", "near"]

_WITHIN = 1e-3  # of the start's height above the lowest: who stays so near has arrived


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runner:
    """How a rule went. rule: with the learning rate that it had. tried: the rates of which that was the best; empty if
    it was given. path: float32 (points, 2), where the rule would have the model judged; heights: (points,); both NaN
    after it diverged. held: the share of the squared distance from the start that a plane through weights holds, None
    on a surface."""

    label: str
    rule: Rule
    tried: tuple[float, ...]
    path: np.ndarray = dataclasses.field(repr=False)
    heights: np.ndarray = dataclasses.field(repr=False)
    held: float | None = None

    @property
    def learning_rate(self) -> float:
        """That it had."""
        return float(self.rule.rate)

    @property
    def last(self) -> int:
        """The last point that is finite."""
        return int(np.flatnonzero(np.isfinite(self.heights))[-1])

    @property
    def diverged(self) -> bool:
        """Whether it did."""
        return self.last < len(self.heights) - 1

    @property
    def late(self) -> float | None:
        """The mean height over the last quarter of the points; None if it diverged."""
        return None if self.diverged else float(_late(self.heights).mean())

    def arrived(self, height: float) -> int | None:
        """The point from which on it is no higher; None if that is not so at least for the last tenth of the way."""
        return _arrived(self.heights, height)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Descent:
    """Rules that went down a surface side by side.

    Parameters
    ----------
    on : str
        Name of the surface or of the data set.
    about : str
        One line about it.
    runners : tuple of Runner
        The rules, each with its path.
    steps : ndarray
        For each point of a path the number of steps before it, shape (points,).
    x : ndarray
        Horizontal coordinates of the map, shape (columns,).
    y : ndarray
        Vertical coordinates of the map, shape (rows,).
    z : ndarray
        Heights of the map, shape (rows, columns).
    minima : tuple of tuple of 2 float
        Where the surface is lowest, as far as that is known.
    lowest : float
        The height there, or the lowest height that was seen.
    within : float
        Height below which a rule has arrived.
    height_name : str
        What the height is.
    axis_names : tuple of 2 str
        What the two coordinates are.
    notes : tuple of str
        What must be known to read the picture.
    """

    on: str
    about: str
    runners: tuple[Runner, ...]
    steps: np.ndarray = dataclasses.field(repr=False)
    x: np.ndarray = dataclasses.field(repr=False)
    y: np.ndarray = dataclasses.field(repr=False)
    z: np.ndarray = dataclasses.field(repr=False)
    minima: tuple[tuple[float, float], ...]
    lowest: float
    within: float
    height_name: str
    axis_names: tuple[str, str]
    notes: tuple[str, ...]

    def outcome(self, runner: Runner) -> str:
        """How a rule ended.

        Parameters
        ----------
        runner : Runner
            One of `runners`.

        Returns
        -------
        str
            For example "arrives at step 34", "diverges at step 7" or "does not arrive".
        """
        if runner.diverged:
            return f"diverges at step {self.steps[runner.last + 1]}"
        point = runner.arrived(self.within)
        return "does not arrive" if point is None else f"arrives at step {self.steps[point]}"

    def scene(self) -> Scene:
        """What an animation draws.

        Returns
        -------
        Scene
            The drawing.
        """
        lanes = [
            Lane(
                label=runner.label,
                rate=f"{runner.learning_rate:.3g}" + (f", best of {len(runner.tried)}" if runner.tried else ""),
                path=runner.path,
                heights=runner.heights,
                outcome=self.outcome(runner),
            )
            for runner in self.runners
        ]
        alike = [field.name for field in dataclasses.fields(Scene) if field.name not in ("title", "lanes")]
        return Scene(title=self.on, lanes=tuple(lanes), **{name: getattr(self, name) for name in alike})

    def save(self, path: str | Path, *, seconds: float = 7.0) -> Path:
        """Write the animation.

        Parameters
        ----------
        path : str or Path
            A file that ends in .gif, .mp4 or .html.
        seconds : float, default 7.0
            Duration from the first step to the last, in seconds.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InvalidValue
            If the file has another suffix, or if a package that writes it is missing.
        """
        return film(self.scene(), Path(path), seconds=seconds)

    def to_dict(self) -> dict[str, Any]:
        """Describe the descent with JSON types.

        Returns
        -------
        dict
            Fields by name; of rules that diverged only the finite points.
        """
        return {
            "on": self.on,
            "about": self.about,
            "steps": int(self.steps[-1]),
            "start": float(self.runners[0].heights[0]),
            "lowest": self.lowest,
            "lowest_is_known": bool(self.minima),
            "within": self.within,
            "notes": list(self.notes),
            "rules": [self._described(runner) for runner in self.runners],
        }

    def _described(self, runner: Runner) -> dict[str, Any]:
        point, end = runner.arrived(self.within), runner.last + 1
        return {
            "label": runner.label,
            "rule": runner.rule.to_dict(),
            "learning_rate": runner.learning_rate,
            "rates_tried": list(runner.tried),
            "end": None if runner.diverged else float(runner.heights[-1]),
            "mean_of_last_quarter": runner.late,
            "arrived_at_step": None if point is None else int(self.steps[point]),
            "diverged_at_step": int(self.steps[end]) if runner.diverged else None,
            "held_by_plane": runner.held,
            "steps": self.steps[:end].tolist(),
            "path": runner.path[:end].tolist(),
            "heights": runner.heights[:end].tolist(),
        }


def near(lowest: float, start: float, share: float = _WITHIN) -> float:
    """The height below which a rule has arrived: a share of the way from the lowest to the start."""
    return float(lowest + share * (start - lowest))


def best_walk(heights: np.ndarray, lowest: float | None) -> int:
    """The row of the best walk: that arrives first; where none does, the lowest on average over its last quarter.

    heights: (walks, points). lowest: of the surface, None if not known; then nobody arrives.
    """

    def key(row: np.ndarray) -> tuple[float, float]:
        arrived = None if lowest is None else _arrived(row, near(lowest, row[0]))
        mean = float(_late(row).mean())
        return math.inf if arrived is None else arrived, mean if math.isfinite(mean) else math.inf

    return min(range(len(heights)), key=lambda i: key(heights[i]))


def _arrived(heights: np.ndarray, within: float) -> int | None:
    high = np.flatnonzero(~(heights <= within))
    first = int(high[-1]) + 1 if len(high) else 0
    return first if first <= 0.9 * len(heights) else None


def _late(heights: np.ndarray) -> np.ndarray:
    return heights[len(heights) * 3 // 4 :]
