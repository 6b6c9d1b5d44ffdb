"""Which optimizers diverged, and at which learning rates."""

from __future__ import annotations

import math

from optselect.report.evidence import Evidence, Row
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, Scale, fitted, grouped, line, points, short, svg, text
from optselect.report.svg import marks as single
from optselect.verdict.numbers import number

TITLE = "What diverged, at which learning rate"
PLACE = 80
READING = (
    "Each mark is a training at its learning rate: × diverged, a hollow ring was ended early or failed, any other came "
    "to its end. Rates at which only × stand are not worth another trial."
)
_ROW = 24
_MOST = 180.0  # pixels for names


def draw(evidence: Evidence) -> Drawn | str:
    """A row an optimizer, a mark a training of any stage."""
    if not evidence.rows:
        return "Nothing has been trained yet."
    arms = [arm for arm in evidence.optimizers if any(row.optimizer == arm for row in evidence.rows)]
    left = min(_MOST, max(60.0, 6.6 * max(map(len, arms)) + 14))
    frame = Frame(left=left, top=8, high=8 + _ROW * len(arms) + 44)
    x = frame.across([row.rate for row in evidence.rows], log=True)
    floor = frame.high - frame.bottom
    parts = [
        *(line(x(v), frame.top, x(v), floor, "grid") + text(x(v), floor + 18, short(v), anchor="middle", kind="tick")
          for v in x.ticks(7)),
        *(_row(evidence, arm, x, frame.top + _ROW * (k + 0.5), frame) for k, arm in enumerate(arms)),
        line(frame.left, floor, frame.wide - frame.right, floor, "axis"),
        text(frame.wide - frame.right, frame.high - 7, "learning rate (log)", anchor="end", kind="name"),
    ]  # fmt: skip
    bad = {arm: [r for r in evidence.rows if r.optimizer == arm and r.record.outcome == "diverged"] for arm in arms}
    return Drawn(
        svg=svg(parts, high=frame.high),
        caption=_caption(evidence, bad),
        key=[(single("cross"), "diverged"), (single("ring"), "ended early or failed"), (single("dot"), "complete")],
        header=("optimizer", "trainings", "diverged", "lowest rate that diverged", "highest that did not"),
        rows=[_numbers(evidence, arm, bad[arm]) for arm in arms],
    )


def _row(evidence: Evidence, arm: str, x: Scale, middle: float, frame: Frame) -> str:
    place = evidence.optimizers.index(arm)
    own = [row for row in evidence.rows if row.optimizer == arm]
    shapes = {"complete": mark(place), "diverged": "cross"}
    parts = [text(frame.left - 8, middle + 4, fitted(arm, _MOST), anchor="end", kind="tick")]
    parts.append(line(frame.left, middle, frame.wide - frame.right, middle, "grid"))
    for shape, outcomes in (
        (shapes["complete"], ("complete",)),
        ("ring", ("pruned", "failed")),
        ("cross", ("diverged",)),
    ):
        some = [row for row in own if row.record.outcome in outcomes]
        at = [(x(row.rate), middle + (row.record.number * 7 % 11 - 5)) for row in some]
        parts.append(
            points(at, shape, numbers=[row.record.number for row in some], kind="bad" if shape == "cross" else "")
        )
    return grouped(parts, f"arm a{place}")


def _numbers(evidence: Evidence, arm: str, bad: list[Row]) -> tuple[str, ...]:
    own = [row for row in evidence.rows if row.optimizer == arm]
    good = [row.rate for row in own if not math.isnan(row.value)]
    lowest = number(min(row.rate for row in bad)) if bad else ""
    return (arm, str(len(own)), str(len(bad)), lowest, number(max(good)) if good else "")


def _caption(evidence: Evidence, bad: dict[str, list[Row]]) -> str:
    every = sum(map(len, bad.values()))
    if not every:
        return f"None of the {len(evidence.rows)} trainings diverged."
    worst = sorted((arm for arm in bad if bad[arm]), key=lambda arm: -len(bad[arm]))
    said = [f"{arm} {len(bad[arm])} from {number(min(row.rate for row in bad[arm]))}" for arm in worst[:4]]
    more = f", and {len(worst) - 4} more" if len(worst) > 4 else ""
    calm = [arm for arm in bad if not bad[arm]]
    never = f"; never: {', '.join(calm)}" if 0 < len(calm) <= 6 else ""
    return f"{every} of {len(evidence.rows)} trainings diverged: {', '.join(said)}{more}{never}."
