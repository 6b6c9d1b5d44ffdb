"""Cost against quality: what a better objective costs in time and memory."""

from __future__ import annotations

import math

from optselect.report.evidence import Evidence, Row
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, grouped, path, points, svg
from optselect.study.findings import tradeoffs
from optselect.verdict.numbers import number

TITLE = "What quality costs"
PLACE = 90
READING = (
    "Each mark is a whole trial of the search; the line joins those that no other beats in both. Left is quicker, and "
    "of two marks at one height the left one is to be had for less. Times were taken beside other trainings."
)


def draw(evidence: Evidence) -> Drawn | str:
    """The objective against the seconds of a training."""
    whole = [row for row in evidence.search if not math.isnan(row.value) and row.record.seconds > 0]
    if not whole:
        return "No trial of the search has a value yet."
    frame = Frame()
    x = frame.across([row.record.seconds for row in whole], worse="high")
    y = frame.up([row.value for row in whole], worse=evidence.worse)
    front = _front(whole, evidence.objective.sign)
    parts = [frame.axes(x, y, below="seconds of a training", beside=evidence.objective.name)]
    parts.append(path([(x(r.record.seconds), y(r.value)) for r in front], "front"))
    for arm in reversed(evidence.optimizers):
        place = evidence.optimizers.index(arm)
        own = [row for row in whole if row.optimizer == arm]
        at = [(x(row.record.seconds), y(row.value)) for row in own]
        parts.append(grouped([points(at, mark(place), numbers=[r.record.number for r in own])], f"arm a{place}"))
    found = tradeoffs([row.record for row in whole], evidence.objective)
    return Drawn(
        svg=svg(parts, high=frame.high),
        caption=_caption(evidence, front)
        + x.beyond(r.record.seconds for r in whole)
        + y.beyond(r.value for r in whole),
        optimizers=[arm for arm in evidence.optimizers if any(row.optimizer == arm for row in whole)],
        header=("trial", "configuration", evidence.objective.name, "seconds", "memory"),
        rows=[
            (f"#{t.number}", str(t.configuration), number(t.value), f"{t.seconds:.3g}", f"{t.memory / 1e6:.3g} MB")
            for t in found
        ],
    )


def _front(rows: list[Row], sign: float) -> list[Row]:
    """Those that no other beats in objective and seconds at once, the best first."""
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (sign * row.value, row.record.seconds)):
        if not found or row.record.seconds < found[-1].record.seconds:
            found.append(row)
    return found


def _caption(evidence: Evidence, front: list[Row]) -> str:
    best = front[0]
    said = (
        f"The best trial, #{best.record.number} ({best.optimizer}), took {best.record.seconds:.2g} s for "
        f"{evidence.objective} {number(best.value)}"
    )
    near = [row for row in front if abs(row.value - best.value) <= 0.05 * abs(best.value)][-1]
    if near is best:
        return f"{said}; nothing quicker comes within 5 % of it."
    return (
        f"{said}; #{near.record.number} ({near.optimizer}) comes within 5 % of it, {number(near.value)}, in "
        f"{near.record.seconds / best.record.seconds:.0%} of the time."
    )
