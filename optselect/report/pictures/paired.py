"""Paired differences: the finalists and the default against each other, seed by seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from optselect.report.evidence import Evidence
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.primary_metric import better
from optselect.report.svg import Frame, fitted, grouped, line, points, rect, svg, text, tick
from optselect.util.intervals import Estimate
from optselect.verdict import Verdict
from optselect.verdict.numbers import number, signed

TITLE = "Who beats whom, seed by seed"
PLACE = 70
READING = (
    "Each mark is the difference of two trainings under the same seed, the bar their mean with its 95 % interval. "
    "Right of zero the first named is better; inside the shaded band a difference does not matter in practice."
)
_ROW = 72


@dataclasses.dataclass(frozen=True)
class _Pair:
    """One against another. values: by seed, positive where the first is better. told: mean and interval."""

    who: str
    against: str
    place: int
    values: Sequence[float]
    told: Estimate
    word: str = ""


def draw(evidence: Evidence) -> Drawn | str:
    """A row a pair."""
    verdict = evidence.verdict
    if verdict is None:
        return "There are no finalists yet: they come from the race on fresh seeds."
    pairs = [pair for pair in _pairs(evidence, verdict) if len(pair.values) > 1 and not math.isnan(pair.told.mean)]
    if not pairs:
        return "There is nothing to compare: fewer than two configurations came whole through two seeds or more."
    factor, unit = (100.0, "points of ") if verdict.share else (1.0, "")
    frame = Frame(high=26 + _ROW * len(pairs) + 48, left=14, top=20)
    ends = [v for p in pairs for v in (*p.values, p.told.low, p.told.high) if not math.isnan(v)]
    half, name = verdict.rope, verdict.headline.replace("_", " ")
    x = frame.across([factor * v for v in (*ends, -half, half)], log=False)
    floor = frame.high - frame.bottom
    parts = [
        rect(x(-factor * half), frame.top, x(factor * half), floor, "shade", f"no more than {number(half)} apart"),
        *(tick(x(v), floor, f"{v:+.4g}" if v else "0") for v in x.ticks(7)),
        line(frame.left, floor, frame.wide - frame.right, floor, "axis"),
        line(x(0), frame.top, x(0), floor, "zero"),
        *(_row(pair, x, factor, frame.top + _ROW * k) for k, pair in enumerate(pairs)),
        text(frame.wide - frame.right, frame.high - 7, f"ahead by, {unit}{name}", anchor="end", kind="name"),
    ]
    return Drawn(
        svg=svg(parts, high=frame.high),
        caption=_caption(pairs[0], verdict, factor),
        header=("pair", "seeds", "better under", "mean difference", "95 % interval", "word"),
        rows=[_numbers(pair, factor) for pair in pairs],
    )


def _pairs(evidence: Evidence, verdict: Verdict) -> Iterator[_Pair]:
    """The recommended one against every other; then the others against the default."""
    stage, prefix = ("confirm", "test") if verdict.confirmed else ("race", "val")
    metric, sign = f"{prefix}_{verdict.headline}", 1 if verdict.maximize else -1
    scores = []
    for standing in verdict.ranking:
        rows = [row for row in evidence.reruns(standing.configuration, stage) if not math.isnan(row.value)]
        scores.append({r.record.seed: sign * r.record.metrics.get(metric, math.nan) for r in rows})
    ranking, chosen = verdict.ranking, verdict.chosen
    default = ranking.index(verdict.default)
    versus = [(chosen, i, s.lead) for i, s in enumerate(ranking) if i != chosen]
    versus += [(i, default, s.gain) for i, s in enumerate(ranking) if i not in (chosen, default) and chosen != default]
    for one, other, told in versus:
        assert told is not None
        values = [scores[one][seed] - scores[other][seed] for seed in scores[one] if seed in scores[other]]
        odds = ranking[other].versus if one == chosen else None
        first = ranking[one].configuration
        place = next(evidence.optimizers.index(r.optimizer) for r in evidence.reruns(first, "race", "confirm"))
        against = "Keras's default Adam" if other == default else ranking[other].label
        who = "Keras's default Adam" if one == default else ranking[one].label
        yield _Pair(who, against, place, values, told, better(odds) if odds else "")


def _row(pair: _Pair, x: Any, factor: float, top: float) -> Markup:
    middle = top + 53
    low, high = pair.told.low, pair.told.high
    mean = points([(x(factor * pair.told.mean), middle)], "bar", kind="mean")
    told = [line(x(factor * low), middle, x(factor * high), middle, "interval")] if not math.isnan(low) else []
    at = _stacked([x(factor * v) for v in pair.values], middle)
    word = f": {pair.word}" * bool(pair.word)
    return Markup("").join(
        [
            text(14, top + 16, fitted(pair.who, 450, 7.6), kind="tick halo strong"),
            text(14, top + 31, fitted(f"against {pair.against}", 450 - 7.4 * len(word), 7.4) + word, kind="tick halo"),
            grouped([*told, points(at, mark(pair.place), kind="seed"), mean], f"arm a{pair.place}"),
        ]
    )


def _stacked(across: Sequence[float], middle: float) -> list[tuple[float, float]]:
    """Points at their places, those that would cover each other above and below the middle."""
    piles: dict[int, list[float]] = {}
    for x in sorted(across):
        piles.setdefault(round(x / 7), []).append(x)
    return [
        (x, middle + (k - (len(pile) - 1) / 2) * min(6.0, 26 / len(pile)))
        for pile in piles.values()
        for k, x in enumerate(pile)
    ]


def _numbers(pair: _Pair, factor: float) -> tuple[str, ...]:
    digits = 2 if factor > 1 else None
    low, high = pair.told.low, pair.told.high
    span = f"{signed(factor * low, digits)} to {signed(factor * high, digits)}" if not math.isnan(low) else ""
    ahead = f"{sum(v > 0 for v in pair.values)} of {len(pair.values)}"
    mean = signed(factor * pair.told.mean, digits)
    return (f"{pair.who} against {pair.against}", str(len(pair.values)), ahead, mean, span, pair.word)


def _caption(pair: _Pair, verdict: Verdict, factor: float) -> str:
    better, worse = (sum(sign * v > 0 for v in pair.values) for sign in (1, -1))
    inside = sum(abs(v) <= verdict.rope for v in pair.values)
    width = f"{factor * verdict.rope:.2g}{' points' if factor > 1 else ''}"
    small = f"under {inside} they are" if inside else "under none are they"
    return (
        f"{pair.who} is better than {pair.against} under {better} of {len(pair.values)} seeds and worse under {worse}; "
        f"{small} no more than {width} apart, which {'does' if inside else 'would'} not matter."
    )
