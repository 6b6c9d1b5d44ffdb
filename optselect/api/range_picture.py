"""The learning-rate range test as an SVG picture: a panel a rule, loss against learning rate."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optselect.api.lr_range import RangeTest, Sweep

__all__ = ["picture"]

Scale = Callable[[float], float]

_WIDE, _HIGH = 320, 210  # a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 44, 34  # around its plot
_COLUMNS = 3
_HEADROOM = 0.25  # above the start, of the deepest fall: room to see a loss rise
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #333 } .title { font-size: 13px; font-weight: 600 }
.axis { stroke: #999 } .grid { stroke: #d5dfe9 } .start { stroke: #999; stroke-dasharray: 4 3 }
.search { fill: #e8f1fb } .loss { fill: none; stroke: #1f5fa8; stroke-width: 1.8 } .dot { fill: #1f5fa8 }
.diverged { stroke: #b3261e; stroke-width: 1.6 } .low { stroke: #2e7d32; stroke-width: 1.4 }
.edge { stroke: #b3261e; stroke-width: 1.4 } .try { fill: #e08600 } .note { fill: #666; font-size: 10px }
"""


def picture(found: RangeTest) -> str:
    """An SVG document; the axes of all panels are their own."""
    columns = min(_COLUMNS, len(found.sweeps))
    rows = -(-len(found.sweeps) // columns)
    width, height = columns * _WIDE, rows * _HIGH + 52
    panels = [
        f'<g transform="translate({i % columns * _WIDE},{i // columns * _HIGH + 26})">{_panel(sweep)}</g>'
        for i, sweep in enumerate(found.sweeps)
    ]
    title = f"Validation loss after {found.steps} steps of {found.batch_size} rows, {html.escape(found.data)}"
    legend = (
        '<tspan fill="#2e7d32">| learns from</tspan>  <tspan fill="#e08600">▲ try first</tspan>  '
        '<tspan fill="#b3261e">| diverges from, × diverged</tspan>  <tspan fill="#6d9fd4">■ where to search</tspan>  '
        "- - loss before any step"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="white"/>'
        f'<text class="title" x="10" y="19">{title}</text>{"".join(panels)}'
        f'<text x="10" y="{height - 10}" xml:space="preserve">{legend}</text></svg>\n'
    )


def _panel(sweep: Sweep) -> str:
    run, reading = sweep.run, sweep.reading
    title = f'<text class="title" x="{_LEFT}" y="18">{html.escape(sweep.optimizer)}</text>'
    note = f'<text class="note" x="{_LEFT}" y="33">{html.escape(reading.note)}</text>'
    finite = [loss for loss in run.val_losses if math.isfinite(loss)]
    if run.error or not finite or not math.isfinite(run.start):
        return title + note
    low = min(*finite, run.start)
    x, y, high = _scales(sweep, low)
    bottom, right = _HIGH - _BOTTOM, _WIDE - _RIGHT
    shade = (max(x(reading.narrowed[0]), _LEFT), min(x(reading.narrowed[1]), right))
    parts = [
        f'<rect class="search" x="{shade[0]:.1f}" y="{_TOP}" width="{shade[1] - shade[0]:.1f}" '
        f'height="{bottom - _TOP}"/>',
        *(_tick(x, decade, bottom) for decade in _decades(run.rates)),
        f'<text x="{_LEFT - 6}" y="{y(low) + 4:.1f}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{_LEFT - 6}" y="{y(run.start) + 4:.1f}" text-anchor="end">{run.start:.3g}</text>',
        _line("start", _LEFT, right, y(run.start), y(run.start)),
        _line("axis", _LEFT, right, bottom, bottom),
    ]
    for kind, rate in (("low", reading.low), ("edge", reading.edge)):
        if rate is not None:
            parts.append(_line(kind, x(rate), x(rate), _TOP, bottom))
    parts += _curve(sweep, x, y, high)
    for rate in reading.suggested:
        tip = x(rate)
        parts.append(f'<path class="try" d="M{tip:.1f} {bottom - 9} l5 9 h-10 z"/>')
    return title + note + "".join(parts)


def _scales(sweep: Sweep, low: float) -> tuple[Scale, Scale, float]:
    """From rates and from losses to pixels, and the highest loss that is shown."""
    rates, start = sweep.run.rates, sweep.run.start
    fall = max(start - low, 1e-3 * abs(start), 1e-12)
    high = start + _HEADROOM * fall
    first, last = math.log10(min(rates)), math.log10(max(rates))

    def x(rate: float) -> float:
        return _LEFT + (math.log10(rate) - first) / (last - first) * (_WIDE - _LEFT - _RIGHT)

    def y(loss: float) -> float:
        share = (min(loss, high) - low) / (high - low)
        return _HIGH - _BOTTOM - 10 - share * (_HIGH - _BOTTOM - 10 - _TOP)

    return x, y, high


def _curve(sweep: Sweep, x: Scale, y: Scale, high: float) -> list[str]:
    """The losses joined where neighbours are finite; a cross where a rate diverged."""
    parts, path, joined = [], "", False
    for rate, loss in zip(sweep.run.rates, sweep.run.val_losses, strict=True):
        across = x(rate)
        if not math.isfinite(loss):
            top, joined = _TOP + 6, False
            parts.append(f'<path class="diverged" d="M{across - 4:.1f} {top - 4} l8 8 m0 -8 l-8 8"/>')
            continue
        up = y(loss)
        path += f"{'L' if joined else 'M'}{across:.1f} {up:.1f}"
        joined = True
        if loss <= high:
            parts.append(f'<circle class="dot" cx="{across:.1f}" cy="{up:.1f}" r="2.4"/>')
    return [f'<path class="loss" d="{path}"/>', *parts]


def _decades(rates: tuple[float, ...]) -> range:
    return range(math.ceil(math.log10(min(rates)) - 1e-9), math.floor(math.log10(max(rates)) + 1e-9) + 1)


def _tick(x: Scale, decade: int, bottom: float) -> str:
    across = x(10.0**decade)
    return (
        _line("grid", across, across, _TOP, bottom)
        + f'<text x="{across:.1f}" y="{bottom + 16}" text-anchor="middle">{10.0**decade:g}</text>'
    )


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'
