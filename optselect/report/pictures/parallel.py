"""All trials of the search across their settings: parallel coordinates, the axes one under the other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from optselect.report.evidence import Evidence, Row
from optselect.report.pictures import Drawn
from optselect.report.svg import Scale, fitted, grouped, line, path, scale, short, svg, text
from optselect.verdict.numbers import number

TITLE = "Which settings the good trials have in common"
PLACE = 60
READING = (
    "Each line is a trial and crosses every axis at its setting, from the learning rate down to the objective; strong "
    "lines are the best tenth. Where strong lines meet, a setting matters; a line passes by what its optimizer lacks."
)
_DRAWN = 150  # lines; more are a blot
_AXES = 8  # beside the objective's
_WIDE, _LEFT, _RIGHT, _STEP = 480, 16, 16, 54


@dataclasses.dataclass(frozen=True)
class _Axis:
    """name: as people read it. of: the value of a trial, None where it has none. words: of a choice, in order."""

    name: str
    of: Callable[[Row], Any]
    words: Sequence[str] = ()

    def position(self, row: Row) -> float:
        """Where a trial stands; NaN if nowhere."""
        value = self.of(row)
        return math.nan if value is None else self.words.index(value) if self.words else float(value)


def draw(evidence: Evidence) -> Drawn | str:
    """The best trials with a value as lines."""
    sign = evidence.objective.sign
    whole = sorted((r for r in evidence.search if not math.isnan(r.value)), key=lambda r: sign * r.value)
    if len(whole) < 2:
        return "Fewer than two trials of the search have a value."
    axes = _axes(whole)
    strong = max(3, len(whole) // 10)
    shown = whole[:_DRAWN]
    scales = [_scale(axis, shown, worse="") for axis in axes]
    goal = _Axis(evidence.objective.name, lambda row: row.value)
    scales.append(_scale(goal, shown, worse=evidence.worse))
    every = [*axes, goal]
    heights = [30 + _STEP * k for k in range(len(every))]
    lines = [_trial(evidence, row, every, scales, heights, k < strong) for k, row in enumerate(shown)]
    drawn = [*lines[::-1], *(_axis(a, s, h) for a, s, h in zip(every, scales, heights, strict=True))]
    return Drawn(
        svg=svg(drawn, high=heights[-1] + 32),
        caption=_caption(evidence, whole, axes, strong),
        optimizers=[arm for arm in evidence.optimizers if any(row.optimizer == arm for row in shown)],
        header=("setting", "best tenth", "all trials"),
        rows=[(a.name, _span(a, whole[:strong]), _span(a, whole)) for a in every],
    )


def _axes(rows: Sequence[Row]) -> list[_Axis]:
    """The learning rate, then what differs in most trials."""
    numbers: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.numbers.items():
            numbers.setdefault(name, []).append(value)
    tried = {name: len({row.optimizer for row in rows if name in row.numbers}) for name in numbers}
    vary = [name for name, values in numbers.items() if len(set(values)) > tried[name]]
    vary.sort(key=lambda name: -len(numbers[name]))
    found = [_Axis(name, lambda row, name=name: row.numbers.get(name)) for name in vary]  # type: ignore[misc]
    choices: list[tuple[str, Callable[[Row], str]]] = [
        ("schedule", lambda row: row.record.configuration.schedule.key),
        ("clipping", lambda row: row.record.configuration.clipping.name),
    ]
    for name, of in choices:
        words = sorted({of(row) for row in rows})
        if 1 < len(words) <= 8:
            found.insert(0, _Axis(name, of, words))
    sizes = sorted({row.record.configuration.batch_size for row in rows})
    if len(sizes) > 1:
        if len(sizes) <= 8:
            found.insert(0, _Axis("batch_size", lambda r: str(r.record.configuration.batch_size), [*map(str, sizes)]))
        else:
            found.insert(0, _Axis("batch_size", lambda r: r.record.configuration.batch_size))
    return [_Axis("learning_rate", lambda row: row.rate), *found][:_AXES]


def _scale(axis: _Axis, rows: Sequence[Row], *, worse: str) -> Scale:
    values = [axis.position(row) for row in rows]
    ends = (_LEFT + 4, _WIDE - _RIGHT - 4)
    if axis.words:
        return Scale(-0.5, len(axis.words) - 0.5, *ends)
    return scale(values, *ends, worse=worse)


def _trial(
    evidence: Evidence, row: Row, axes: Sequence[_Axis], scales: Sequence[Scale], heights: Sequence[float], strong: bool
) -> Markup:
    at = [
        (s(v), h) for axis, s, h in zip(axes, scales, heights, strict=True) if not math.isnan(v := axis.position(row))
    ]
    place = evidence.optimizers.index(row.optimizer)
    said = f"#{row.record.number} {row.record.configuration}: {evidence.objective} {number(row.value)}"
    return grouped([path(at, "thread", said=said)], f"arm a{place} {'strong' if strong else 'faint'}")


def _axis(axis: _Axis, along: Scale, height: float) -> Markup:
    ticks = list(enumerate(axis.words)) if axis.words else [(v, short(v)) for v in along.ticks(6)]
    parts = [
        line(_LEFT, height, _WIDE - _RIGHT, height, "axis"),
        text(_LEFT, height - 8, axis.name + (" (log)" if along.log else ""), kind="name halo"),
        *(line(along(v), height, along(v), height + 4, "axis") for v, _ in ticks),
        *(
            text(along(v), height + 17, fitted(word, (_WIDE - 60) / len(ticks)), anchor="middle", kind="tick halo")
            for v, word in ticks
        ),
    ]
    return Markup("").join(parts)


def _span(axis: _Axis, rows: Sequence[Row]) -> str:
    known = [row for row in rows if axis.of(row) is not None]
    if axis.words:
        return ", ".join(sorted({axis.of(row) for row in known}, key=axis.words.index))
    values = [axis.position(row) for row in known]
    return f"{number(min(values))} to {number(max(values))}" if values else "none has it"


def _caption(evidence: Evidence, whole: Sequence[Row], axes: Sequence[_Axis], strong: int) -> str:
    best = whole[:strong]
    arms = [arm for arm in evidence.optimizers if any(row.optimizer == arm for row in best)]
    said = (
        f"The best {strong} of {len(whole)} whole trials are of {_listed(arms)}, with learning rates of "
        f"{_span(axes[0], best)}; all were tried over {_span(axes[0], whole)}"
    )
    if len(whole) > _DRAWN:
        said += f"; the best {_DRAWN} are drawn"
    return said + "."


def _listed(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), words[-1]])
