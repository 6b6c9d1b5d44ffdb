"""Learning curves of the finalists over their fresh seeds, and the learning rate that each had."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from optselect.report.evidence import Evidence
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, Scale, grouped, path, points, svg
from optselect.verdict import Standing
from optselect.verdict.numbers import number

TITLE = "How the finalists learn"
PLACE = 20
READING = (
    "The line is the median over fresh seeds and the band reaches from the lowest to the highest seed; where bands "
    "overlap, one training cannot tell the two apart. Below it is the learning rate of the same epoch."
)


@dataclasses.dataclass(frozen=True)
class _Learner:
    """A finalist: curves and rates of shape (seeds, epochs), the runs that broke down aside.

    ends: the objective of the weights at the end, shape (seeds,). kept: with early stopping the epochs of these
    weights, shape (seeds,), else empty. A training that has stopped lies at what it kept until the longest ends.
    """

    label: str
    optimizer: str
    style: str
    curves: np.ndarray
    rates: np.ndarray
    ends: np.ndarray
    kept: np.ndarray
    broken: int

    @property
    def middle(self) -> np.ndarray:
        """The median over seeds, of each epoch."""
        return np.asarray(np.median(self.curves, axis=0))


def draw(evidence: Evidence) -> Drawn | str:
    """The objective by epoch, and below it the learning rate."""
    if evidence.verdict is None:
        return "There are no finalists yet: they come from the race on fresh seeds."
    chosen = evidence.verdict.chosen
    every = [_learner(evidence, standing, i == chosen) for i, standing in enumerate(evidence.verdict.ranking)]
    first = every[chosen]
    found = [learner for learner in every if learner is not None]
    if first is None:
        return "The recommended configuration has no whole training on fresh seeds with a curve."
    frame = Frame(high=260)
    epochs = max(learner.curves.shape[1] for learner in found)
    x = frame.across([1, epochs], log=False)
    values = [float(v) for learner in found for v in learner.curves.ravel()]
    near = [float(v) for learner in (first, found[-1]) for v in learner.curves.ravel()]  # one that raves is cut off
    y = frame.up(near, worse=evidence.worse)
    below = Frame(high=150, top=26)
    rate = below.up([float(v) for learner in found for v in learner.rates.ravel() if v > 0])
    above = [frame.axes(x, y, below="epoch", beside=evidence.objective.name)]
    under = [below.axes(x, rate, below="epoch", beside="learning rate")]
    for learner in reversed(found):
        kind = f"arm a{evidence.optimizers.index(learner.optimizer)} {learner.style}"
        line = _line(learner.middle, x, y, learner.label)
        above.append(grouped([_band(learner, x, y), line, *_mark(learner, x, y)], kind))
        under.append(grouped([_line(np.nanmedian(learner.rates, axis=0), x, rate, learner.label)], kind))
    beyond = " What lies beyond the picture is drawn at its edge." if y.beyond(values) else ""
    return Drawn(
        svg=svg(above, high=frame.high) + svg(under, high=below.high),
        caption=_caption(evidence, first, found) + beyond,
        key=[(_swatch(evidence, learner), learner.label) for learner in found],
        header=("configuration", "seeds", f"{evidence.objective} at the end, median", "lowest", "highest"),
        rows=[
            (f.label, str(len(f.curves)), *(number(float(v)) for v in (np.median(f.ends), f.ends.min(), f.ends.max())))
            for f in found
        ],
    )  # fmt: skip


def _learner(evidence: Evidence, standing: Standing, chosen: bool) -> _Learner | None:
    rows = evidence.reruns(standing.configuration, "race", "confirm")
    whole = [r for r in rows if not math.isnan(r.value) and r.record.curves.get(evidence.objective.name)]
    if not whole:
        return None
    curves, rates = (
        [r.record.curves.get(name, []) for r in whole] for name in (evidence.objective.name, "learning_rate")
    )
    kept = [r.record.best_epoch for r in whole if r.record.best_epoch]
    epochs = max(map(len, curves)) if kept else min(map(len, curves))
    held = np.array([_held(curve, epochs, r.value) for curve, r in zip(curves, whole, strict=True)])
    return _Learner(
        label=standing.label + " (default)" * standing.is_default,
        style="solid" if chosen else "dotted" if standing.is_default else "dashed",
        optimizer=whole[0].optimizer,
        curves=held,
        rates=np.array(
            [_held(curve, epochs, math.nan) for curve in rates if curve and (kept or len(curve) >= epochs)]
        ).reshape(-1, epochs),
        ends=np.array([r.value for r in whole]) if kept else held[:, -1],
        kept=np.array(kept),
        broken=len(rows) - len(whole),
    )


def _held(curve: Sequence[float], epochs: int, value: float) -> list[float]:
    """A curve of so many epochs: cut, or with a value behind its end."""
    return [*curve[:epochs], *[value] * (epochs - len(curve))]


def _mark(learner: _Learner, x: Scale, y: Scale) -> list[Markup]:
    """Where the weights are kept, in the median; nothing without early stopping."""
    if not len(learner.kept):
        return []
    epoch, value = float(np.median(learner.kept)), float(np.median(learner.ends))
    said = f"{learner.label}: keeps epoch {epoch:g}, {number(value)}"
    return [points([(x(epoch), y(value))], "dot", said=said)]


def _band(learner: _Learner, x: Scale, y: Scale) -> Markup:
    low, high = learner.curves.min(axis=0), learner.curves.max(axis=0)
    edge = [(x(k), y(float(v))) for k, v in enumerate(low, start=1)]
    back = [(x(k), y(float(v))) for k, v in enumerate(high, start=1)][::-1]
    return path([*edge, *back], "band")


def _line(values: Sequence[float] | np.ndarray, x: Scale, y: Scale, said: str) -> Markup:
    at = [(x(k), y(float(v))) for k, v in enumerate(values, start=1) if math.isfinite(v)]
    return path(at, said=said)


def _swatch(evidence: Evidence, learner: _Learner) -> Markup:
    return Markup(
        '<svg class="key long" viewBox="0 0 30 12" aria-hidden="true"><g class="arm a{} {}">{}</g></svg>'
    ).format(evidence.optimizers.index(learner.optimizer), learner.style, path([(1, 6), (29, 6)]))


def _caption(evidence: Evidence, first: _Learner, found: Sequence[_Learner]) -> str:
    ends = first.ends
    said = (
        f"{first.label} ends at {evidence.objective} {number(float(np.median(ends)))} in the median of {len(ends)} "
        f"seeds ({number(float(ends.min()))} to {number(float(ends.max()))})"
    )
    default = next((f for f in found if f.label.endswith("(default)") and f is not first), None)
    if default is not None:
        goal = np.median(default.ends)
        there = np.flatnonzero(evidence.objective.sign * first.middle <= evidence.objective.sign * goal)
        said += (
            f" and is where Keras's default ends ({number(float(goal))}) after epoch {there[0] + 1} of "
            f"{default.curves.shape[1]}"
            if len(there)
            else f" and does not get where Keras's default ends ({number(float(goal))})"
        )
    if len(first.kept):
        said += f", with the weights of epoch {np.median(first.kept):g} (the dots), after which it did not improve"
    else:
        late = first.middle[-1] - first.middle[max(0, int(0.8 * len(first.middle)) - 1)]
        gained = -evidence.objective.sign * late > 0.02 * abs(first.middle[0] - first.middle[-1])
        said += "; it was still improving at the end" if gained else "; it had levelled off by the end"
    if broken := sum(f.broken for f in found):
        said += f"; {broken} trainings that broke down are left out"
    return said + "."
