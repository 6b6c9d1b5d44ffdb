"""What an animation shows, as plain arrays, and the looks that film and page share."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property

import numpy as np

__all__ = ["CALM", "CALM_DARK", "INK", "INKS", "INKS_DARK", "MARKERS", "Lane", "Scene"]

INKS = ("#0072b2", "#d55e00", "#009e73", "#cc4c9b", "#7a5a00", "#56a8e0", "#000000", "#8a5cd1")
"""Of the lanes: Okabe & Ito's colours (jfly.uni-koeln.de/color), which colour-blind people tell apart, their yellows
made darker and a violet added, to be seen on a light map."""
INKS_DARK = ("#56b4e9", "#ff8c3a", "#2fd1a2", "#f08cc8", "#f0e442", "#9bd0ff", "#ffffff", "#b79bff")
INK = "#2b3138"
"""Of text and of what belongs to no lane."""
MARKERS = "osD^vPXph<>*"
"""Of the lanes, as matplotlib names them; colours come again after eight, markers do not."""
CALM = ("#fbfcfd", "#e3eaf0", "#c5d2dd", "#a2b6c7", "#7f99af")
"""The map from low to high: one hue, lightness falling evenly, so that no band looks like an edge."""
CALM_DARK = ("#10161d", "#1a242f", "#273645", "#374b5f", "#4c647b")

_LEVELS = 22
_DEEPEST = 1e-4  # of the map's range: below it no line is drawn


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """One rule.

    rate: in words. path: (points, 2); heights: (points,); both NaN once it has diverged. outcome: in words.
    """

    label: str
    rate: str
    path: np.ndarray
    heights: np.ndarray
    outcome: str

    @property
    def last(self) -> int:
        """The last finite point."""
        return int(np.flatnonzero(np.isfinite(self.heights))[-1])

    def at(self, time: float) -> np.ndarray:
        """The path up to a time, which counts points; between two points halfway: (n, 2)."""
        end = min(time, float(self.last))
        whole = int(end)
        points = self.path[: whole + 1]
        if end > whole:
            points = np.vstack([points, self.path[whole] + (end - whole) * (self.path[whole + 1] - self.path[whole])])
        return points


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Lanes over a map.

    steps: (points,), the steps behind each point of a path. x, y: (columns,), (rows,); z: (rows, columns). minima:
    points. lowest: the height that heights are measured from; within: who stays no higher has arrived. notes: lines to
    be read with the picture.
    """

    title: str
    about: str
    lanes: tuple[Lane, ...]
    steps: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    minima: tuple[tuple[float, float], ...]
    lowest: float
    within: float
    height_name: str
    axis_names: tuple[str, str]
    notes: tuple[str, ...]

    @cached_property
    def levels(self) -> np.ndarray:
        """Heights of the contour lines: their distances from the lowest height of the map grow by equal ratios."""
        finite = self.z[np.isfinite(self.z)]
        low, high = min(float(finite.min()), self.lowest), float(finite.max())
        span = max(high - low, 1e-12 * max(abs(high), 1.0))
        nearest = max(_DEEPEST, float(np.quantile(finite - low, 0.002)) / span)
        between = low + span * np.geomspace(nearest, 1.0, _LEVELS)
        return np.unique(np.concatenate([[low - 1e-9 * span], between]))

    @cached_property
    def above(self) -> list[np.ndarray]:
        """How far each lane is above the lowest height, point by point, cut off where a logarithm shows nothing."""
        return [np.clip(lane.heights - self.lowest, *self.heights_shown) for lane in self.lanes]

    @cached_property
    def heights_shown(self) -> tuple[float, float]:
        """From where to where heights above the lowest are shown: the start lies near the top."""
        start = max(float(self.lanes[0].heights[0]) - self.lowest, 1e-12)
        found = np.concatenate([lane.heights[: lane.last + 1] for lane in self.lanes]) - self.lowest
        least = float(np.min(found[found > 0], initial=start))
        return max(least, start * 1e-6) * 0.7, start * 10

    def place(self, lane: Lane, time: float) -> tuple[np.ndarray, bool]:
        """Where a lane's marker stands at a time, and whether that is a cross.

        A cross is where a rule has diverged: where its path left the picture for the last time, or ends.
        """
        diverged = lane.last < len(self.steps) - 1
        if not diverged or time < lane.last + 1:
            return lane.at(time)[-1], False
        points = lane.path[: lane.last + 1]
        return self._exit(points), True

    def _exit(self, points: np.ndarray) -> np.ndarray:
        low, high = np.array([self.x[0], self.y[0]]), np.array([self.x[-1], self.y[-1]])
        inside = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
        if len(inside) == 0 or inside[-1] == len(points) - 1:
            clipped: np.ndarray = np.clip(points[-1], low, high)
            return clipped
        one, two = points[inside[-1]], points[inside[-1] + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(two > one, (high - one) / (two - one), (low - one) / (two - one))
        share = min((s for s in shares if math.isfinite(s) and s >= 0), default=1.0)
        place: np.ndarray = one + min(share, 1.0) * (two - one)
        return place
