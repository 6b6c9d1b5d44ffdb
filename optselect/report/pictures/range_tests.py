"""The learning-rate range tests: a small picture an optimizer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from markupsafe import Markup

from optselect.report.evidence import ArmRangeTest, Evidence
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, grouped, line, path, points, rect, svg, text
from optselect.verdict.numbers import number

TITLE = "Where each optimizer learns, and where it diverges"
PLACE = 30
READING = (
    "Each point is a short training from the same start at one learning rate: the validation loss after it; dashed is "
    "the loss before any step, × a rate that diverged, and the shaded range is where the search looked first."
)
_FRAME = Frame(wide=300, high=204, left=50, right=10, top=40, bottom=46)


def draw(evidence: Evidence) -> Drawn | str:
    """A panel for every range test that gave losses."""
    if not evidence.probes:
        return "No range tests were run: they were switched off, or the study is too small for them to pay."
    arms = [arm for arm in evidence.optimizers if arm in evidence.probes and _losses(evidence.probes[arm])]
    if not arms:
        return "No range test gave a loss that is a number."
    panels = [_panel(evidence.probes[arm], arm, evidence.optimizers.index(arm)) for arm in arms]
    return Drawn(
        svg=Markup('<div class="panels">{}</div>').format(Markup("").join(panels)),
        caption=_caption({arm: evidence.probes[arm] for arm in arms}),
        header=("optimizer", "learns from", "lowest loss at", "diverges from", "searched first"),
        rows=[(arm, *_row(evidence.probes[arm])) for arm in arms],
        wide=True,
    )


def _losses(probe: ArmRangeTest) -> list[tuple[float, float]]:
    pairs = zip(probe.run.rates, probe.run.val_losses, strict=False)
    return [(rate, loss) for rate, loss in pairs if math.isfinite(loss)] if math.isfinite(probe.run.start) else []


def _unbroken(probe: ArmRangeTest) -> list[list[tuple[float, float]]]:
    """The points between rates that diverged."""
    pairs = zip(probe.run.rates, probe.run.val_losses, strict=False)
    groups = itertools.groupby(pairs, key=lambda pair: math.isfinite(pair[1]))
    return [list(group) for finite, group in groups if finite]


def _panel(probe: ArmRangeTest, arm: str, place: int) -> Markup:
    known, start = _losses(probe), probe.run.start
    lowest = min([start, *(loss for _, loss in known)])
    fall = max(start - lowest, 1e-3 * abs(start), 1e-12)
    x = _FRAME.across(probe.run.rates, log=True)
    y = _FRAME.up([lowest, start + 0.2 * fall])
    top, floor = _FRAME.top, _FRAME.high - _FRAME.bottom
    shade = [x(rate) for rate in probe.reading.narrowed] if probe.reading.low is not None else []
    runs = [[(x(rate), y(loss)) for rate, loss in run] for run in _unbroken(probe)]
    lost = [(x(rate), top + 5) for rate, loss in zip(probe.run.rates, probe.run.val_losses, strict=False)
            if not math.isfinite(loss)]  # fmt: skip
    parts = [
        *([rect(shade[0], top, shade[1], floor, "shade")] if shade else []),
        _FRAME.axes(x, y, below="learning rate", beside=""),
        text(4, 16, arm, kind="name strong"),
        text(4, 31, f"learns from {number(probe.reading.low)}" if probe.reading.low else "no rate learns", kind="tick"),
        line(_FRAME.left, y(start), _FRAME.wide - _FRAME.right, y(start), "start"),
        grouped(
            [
                *(path(at, said=f"{arm}: {probe.reading.note}") for at in runs),
                *(points(at, mark(place), kind="small") for at in runs),
            ],
            f"arm a{place}",
        ),
        points(lost, "cross", kind="bad", said=f"{arm} diverged here"),
    ]
    return svg(parts, wide=_FRAME.wide, high=_FRAME.high, kind="panel")


def _row(probe: ArmRangeTest) -> list[str]:
    rates = [number(rate) if rate else "" for rate in (probe.reading.low, probe.reading.lowest, probe.reading.edge)]
    return [*rates, " to ".join(number(rate) for rate in probe.reading.narrowed) if probe.reading.low else "everywhere"]


def _caption(probes: Mapping[str, ArmRangeTest]) -> str:
    lows = {arm: probe.reading.low for arm, probe in probes.items() if probe.reading.low}
    said = []
    if lows:
        first, last = min(lows, key=lambda a: lows[a]), max(lows, key=lambda a: lows[a])
        span = f"{first} learns from {number(lows[first])}"
        said.append(span if first == last else f"{span}, {last} only from {number(lows[last])}")
    if still := [arm for arm in probes if arm not in lows]:
        said.append(f"{', '.join(still)} learnt nothing in so few steps")
    edges = {arm: probe.reading.edge for arm, probe in probes.items() if probe.reading.edge}
    least = min(edges, key=lambda a: edges[a], default="")
    if edges:
        said.append(
            f"{len(edges)} of {len(probes)} diverge within the rates tried, {least} first, from {number(edges[least])}"
        )
    else:
        said.append("none diverges within the rates tried")
    return "; ".join(said) + "."
