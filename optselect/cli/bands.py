"""A range of values as one line of text, on a scale that several lines share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

__all__ = ["WIDTH", "Band", "BandScale"]

WIDTH = 20  # characters of a line
_FAR = 10.0  # times apart: then a scale is logarithmic


class Band(NamedTuple):
    """Values from `low` to `high` with one that is marked."""

    low: float
    mark: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float | None], *, best: Callable[[list[float]], float] | None = None) -> Band | None:
        """From the best value, which is marked, to the median; without `best` all of them, their mean marked.

        None where there is no value.

        >>> Band.of([1.0, 3.0, None, 8.0], best=min)
        Band(low=1.0, mark=1.0, high=3.0)
        >>> Band.of([1.0, 3.0, 8.0])
        Band(low=1.0, mark=4.0, high=8.0)
        """
        found = [value for value in values if value is not None]
        if not found:
            return None
        if best is None:
            return cls(min(found), statistics.fmean(found), max(found))
        top, middle = best(found), statistics.median(found)
        return cls(min(top, middle), top, max(top, middle))


class BandScale(NamedTuple):
    """Where values stand on a line of text; `falling`: the larger is on the left. Better is on the left.

    Logarithmic where all values are positive and far apart.

    >>> bands = [Band(1.0, 1.0, 10.0), Band(10.0, 100.0, 100.0)]
    >>> for band in bands:
    ...     print(repr(BandScale.of(bands).drawn(band)))
    '●─────────┤         '
    '          ├────────●'
    """

    low: float
    high: float
    logarithmic: bool
    falling: bool

    @classmethod
    def of(cls, bands: Sequence[Band], *, falling: bool = False) -> BandScale:
        """A scale that holds all of them."""
        low = min((band.low for band in bands), default=0.0)
        high = max((band.high for band in bands), default=1.0)
        return cls(low, high, logarithmic=low > 0 and high / low >= _FAR, falling=falling)

    def drawn(self, band: Band | None) -> str:
        """A line of `WIDTH` characters; empty for no band."""
        if band is None:
            return ""
        low, mark, high = (self._place(value) for value in band)
        left, right = min(low, high), max(low, high)
        line = [" "] * WIDTH
        line[left : right + 1] = "─" * (right - left + 1)
        line[left], line[right] = "├", "┤"
        line[mark] = "●"
        return "".join(line)

    def _place(self, value: float) -> int:
        low, high, value = (math.log(x) if self.logarithmic else x for x in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.0
        return round((1 - share if self.falling else share) * (WIDTH - 1))
