"""How forgiving the recommended learning rate is."""

from __future__ import annotations

import math

from optselect.report.evidence import Evidence
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, grouped, line, path, points, svg
from optselect.verdict.lr_sensitivity import Basin
from optselect.verdict.numbers import number

TITLE = "What it costs to miss the learning rate"
PLACE = 40
READING = (
    "Each mark is a training of the recommended configuration at another learning rate, a thin line a seed, the strong "
    "line their mean; a wide flat valley forgives, × broke down. The upright line is the recommended rate."
)


def draw(evidence: Evidence) -> Drawn | str:
    """The objective around the recommended learning rate."""
    if evidence.verdict is None:
        return "Other learning rates are tried around the recommendation, which is not there yet."
    moved = [row for row in evidence.rows if row.record.stage == "basin"]
    best, basin = evidence.verdict.recommended, evidence.verdict.basin
    if basin is None or not moved:
        return "The recommended configuration was not trained at other learning rates: there was no time, or it failed."
    seeds = {row.record.seed for row in moved}
    itself = [r for r in evidence.reruns(best.configuration, "race", "confirm") if r.record.seed in seeds]
    by_rate: dict[float, list[float]] = {}
    for row in sorted([*itself, *moved], key=lambda row: row.rate):
        by_rate.setdefault(row.rate, []).append(row.value)
    means = {rate: sum(values) / len(values) for rate, values in by_rate.items()}  # NaN if one broke down
    frame = Frame()
    x = frame.across(by_rate, log=True)
    y = frame.up([v for values in by_rate.values() for v in values], worse=evidence.worse)
    place = evidence.optimizers.index(moved[0].optimizer)
    every = [(x(rate), y(v)) for rate, values in by_rate.items() for v in values if not math.isnan(v)]
    broken = [(x(rate), frame.top + 6) for rate, values in by_rate.items() if any(map(math.isnan, values))]
    middle = [(x(rate), y(mean)) for rate, mean in means.items() if not math.isnan(mean)]
    threads = [
        path([(x(row.rate), y(row.value)) for row in own if not math.isnan(row.value)], "thread")
        for seed in sorted(seeds)
        if (own := sorted((r for r in [*itself, *moved] if r.record.seed == seed), key=lambda row: row.rate))
    ]
    parts = [
        frame.axes(x, y, below="learning rate", beside=evidence.objective.name),
        *(line(x(row.rate), frame.top, x(row.rate), frame.high - frame.bottom, "chosen") for row in itself[:1]),
        grouped([*threads, path(middle), points(every, mark(place))], f"arm a{place}"),
        points(broken, "cross", kind="bad", said="broke down"),
    ]
    return Drawn(
        svg=svg(parts, high=frame.high),
        caption=_caption(evidence, best.label, basin, bool(broken)),
        optimizers=[moved[0].optimizer],
        header=("learning rate", f"mean {evidence.objective}", "seeds"),
        rows=[
            (number(r), "broke down" if math.isnan(m) else number(m), str(len(by_rate[r]))) for r, m in means.items()
        ],
    )


def _caption(evidence: Evidence, label: str, basin: Basin, broken: bool) -> str:
    beyond = basin.open_below or basin.open_above
    width = 10**basin.decades
    said = (
        f"{label}: {evidence.objective} stays as good over learning rates of {'at least ' if beyond else ''}a factor "
        f"of {width:.2g}"
    )
    if not math.isfinite(basin.off_by_3):
        return f"{said}; some other rates break training down." if broken else f"{said}."
    return f"{said}; three times too much or too little worsens it by {number(basin.off_by_3)} at most."
