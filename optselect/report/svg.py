"""SVG by hand: scales, axes and marks, with all colours left to the page's style sheet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

__all__ = [
    "Frame",
    "Scale",
    "fitted",
    "grouped",
    "line",
    "marks",
    "path",
    "points",
    "rect",
    "scale",
    "short",
    "svg",
    "text",
    "tick",
]

Point = tuple[float, float]

_WIDE = 480  # of a picture; half of a page on a screen, all of it on a phone
_LOG_FROM = 8.0  # the ratio of the largest to the smallest, from which on an axis is logarithmic
_MARKS = {  # each begins at its middle, where the script of the page looks for it
    "dot": "h0",
    "square": "m-3.2-3.2h6.4v6.4h-6.4z",
    "triangle": "m0-4.2l4 7h-8z",
    "diamond": "m0-4.6l4.2 4.6-4.2 4.6-4.2-4.6z",
    "ring": "m-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
    "cross": "m-3.6-3.6l7.2 7.2m0-7.2l-7.2 7.2",
    "bar": "m0-5v10",
}


def short(value: float) -> str:
    """A number for an axis.

    >>> short(0.0001), short(0.25), short(1500.0), short(2e6)
    ('1e-4', '0.25', '1500', '2e6')
    """
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.4g}"


def fitted(words: str, room: float, size: float = 6.2) -> str:
    """Words that fit into so many pixels, cut off if need be. size: of a letter.

    >>> fitted("a long name", 200), fitted("a long name", 40)
    ('a long name', 'a lon…')
    """
    most = max(2, int(room / size))
    return words if len(words) <= most else words[: most - 1] + "…"


@dataclasses.dataclass(frozen=True)
class Scale:
    """From values in [low, high] to pixels in [start, end]; what lies outside comes to the nearer end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) for v in (self.low, self.high, max(value, 1e-300))) if self.log else (
            self.low, self.high, value)  # fmt: skip
        share = (at - low) / (high - low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def beyond(self, values: Iterable[float]) -> str:
        """A sentence for a caption where some values lie outside, else nothing."""
        outside = sum(not self.low <= value <= self.high for value in values if math.isfinite(value))
        words = f"{outside} values lie" if outside > 1 else "One value lies"
        return f" {words} beyond the picture, drawn at its edge." if outside else ""

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within, at most so many."""
        found = _decades(self.low, self.high) if self.log else []
        if len(found) < 3:
            found = _round(self.low, self.high, most, log=self.log and self.high > 4 * self.low)
        step = -(-len(found) // most)
        return found[::step]


def scale(values: Iterable[float], start: float, end: float, *, worse: str = "", log: bool | None = None) -> Scale:
    """An axis over some values, NaN aside, with a little room; logarithmic where they span much.

    worse: "high" or "low": on that side the worst of every ten may be cut off, so that the others can be told apart.

    >>> scale([1.0, 2.0, 3.0], 0, 100).ticks()
    [1.0, 1.5, 2.0, 2.5, 3.0]
    >>> scale([1e-4, 1e-1], 0, 100).ticks(), scale([*range(11, 20), 1e9], 0, 100, worse="high").high < 30
    ([0.0001, 0.001, 0.01, 0.1], True)
    """
    known = sorted(v for v in values if math.isfinite(v)) or [0.0, 1.0]
    core = known[: -(-9 * len(known) // 10)] if worse == "high" else known[len(known) // 10 :] if worse else known
    log = core[0] > 0 and (core[-1] >= _LOG_FROM * core[0] if log is None else log)
    if log:
        known, core = ([math.log10(v) for v in found] for found in (known, core))
    low, high, reach = known[0], known[-1], core[-1] - core[0]
    if worse == "high":
        high = min(high, core[-1] + reach)
    elif worse:
        low = max(low, core[0] - reach)
    room = 0.05 * (high - low) or (0.3 if log else 0.05 * abs(high) or 1.0)
    low, high = low - room, high + room
    return Scale(10**low, 10**high, start, end, True) if log else Scale(low, high, start, end)


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [float(f"1e{k}") for k in range(first, last + 1)]


def _round(low: float, high: float, most: int, *, log: bool) -> list[float]:
    if log:
        every = [
            m * 10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)
        ]
        return [v for v in every if low <= v <= high]
    raw = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def text(x: float, y: float, content: object, *, anchor: str = "start", kind: str = "") -> Markup:
    """Some words; escaped."""
    extra = Markup(' class="{}"').format(kind) if kind else ""
    where = "" if anchor == "start" else Markup(' text-anchor="{}"').format(anchor)
    return Markup('<text x="{:.1f}" y="{:.1f}"{}{}>{}</text>').format(x, y, where, extra, content)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return Markup('<path class="{}" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(kind, x1, y1, x2, y2)


def tick(x: float, y: float, words: str) -> Markup:
    """A tick of a horizontal axis, with its label under it."""
    return line(x, y, x, y + 4, "axis") + text(x, y + 18, words, anchor="middle", kind="tick halo")


def rect(x1: float, y1: float, x2: float, y2: float, kind: str, said: str = "") -> Markup:
    """A rectangle between two corners. said: what the pointer is told."""
    x, y, wide, high = min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"{}/>').format(
        kind, x, y, wide, high, _said(said)
    )


def path(at: Sequence[Point], kind: str = "line", *, steps: bool = False, said: str = "") -> Markup:
    """A line through points; `steps`: level until the next one."""
    if not at:
        return Markup("")
    parts = [f"M{at[0][0]:.1f} {at[0][1]:.1f}"]
    for x, y in at[1:]:
        parts.append(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}")
    return Markup('<path class="{}" d="{}"{}/>').format(kind, "".join(parts), _said(said))


def points(at: Iterable[Point], shape: str, *, numbers: Sequence[int] = (), kind: str = "", said: str = "") -> Markup:
    """Marks of one shape as one element. numbers: of the trials that they stand for, which the pointer is told of."""
    data = "".join(f"M{x:.1f} {y:.1f}{_MARKS[shape]}" for x, y in at)
    if not data:
        return Markup("")
    told = Markup(' data-n="{}"').format(" ".join(map(str, numbers))) if numbers else _said(said)
    return Markup('<path class="mark {} {}" d="{}"{}/>').format(shape, kind, data, told)


def marks(shape: str) -> Markup:
    """One mark by itself, for a legend."""
    return Markup('<svg class="key" viewBox="-7 -6 14 12" aria-hidden="true">{}</svg>').format(points([(0, 0)], shape))


def grouped(parts: Iterable[str], kind: str) -> Markup:
    """Some parts under one class."""
    return Markup('<g class="{}">{}</g>').format(kind, Markup("").join(parts))


def svg(parts: Iterable[str], *, wide: float = _WIDE, high: float, kind: str = "") -> Markup:
    """A picture; the page names and describes it."""
    return Markup('<svg class="plot {}" viewBox="0 0 {:.0f} {:.0f}">{}</svg>').format(
        kind, wide, high, Markup("").join(parts)
    )


def _said(words: str) -> str:
    return Markup(' data-t="{}"').format(escape(words)) if words else Markup("")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a picture with two axes has its axes; x and y are given their pixels by `x_of`, `y_of`."""

    high: float = 300
    left: float = 62
    right: float = 14
    top: float = 30
    bottom: float = 44
    wide: float = _WIDE

    def across(self, values: Iterable[float], **options: object) -> Scale:
        """The horizontal scale over values; options as in `scale`."""
        return scale(values, self.left, self.wide - self.right, **options)  # type: ignore[arg-type]

    def up(self, values: Iterable[float], **options: object) -> Scale:
        """The vertical scale over values; options as in `scale`."""
        return scale(values, self.high - self.bottom, self.top, **options)  # type: ignore[arg-type]

    def axes(self, x: Scale, y: Scale, *, below: str, beside: str) -> Markup:
        """Grid, ticks and the names of the axes."""
        floor, end = self.high - self.bottom, self.wide - self.right
        beside_ticks = y.ticks(max(3, round((floor - self.top) / 38)))
        parts = [
            *(line(self.left, y(v), end, y(v), "grid") for v in beside_ticks),
            *(text(self.left - 7, y(v) + 4, short(v), anchor="end", kind="tick") for v in beside_ticks),
            *(tick(x(v), floor, short(v)) for v in x.ticks()),
            line(self.left, floor, end, floor, "axis"),
            text(end, self.high - 7, below + (" (log)" if x.log else ""), anchor="end", kind="name"),
            text(4, 15, beside + (" (log)" if y.log else ""), kind="name") if beside else "",
        ]
        return Markup("").join(parts)
