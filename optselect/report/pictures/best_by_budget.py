"""Best value against budget, an optimizer a line."""

from __future__ import annotations

import dataclasses

from optselect.report.evidence import Evidence
from optselect.report.palette import mark
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, grouped, path, points, svg
from optselect.study.curve import Curve, curves
from optselect.verdict.numbers import number

TITLE = "How far each optimizer got with how many trials"
PLACE = 10
READING = (
    "Each step is a trial that beat all before it of its optimizer, under one seed: who is lucky looks good here, so "
    "the race on fresh seeds decides and not this picture."
)


def draw(evidence: Evidence) -> Drawn | str:
    """The running best of every optimizer over its trials."""
    own = [dataclasses.replace(row.record, arm=row.optimizer) for row in evidence.search]
    found = {a: c for a, c in curves(own, evidence.objective).items() if any(v is not None for v in c.reached)}
    if not found:
        return "No trial of the search has a value yet."
    frame = Frame()
    values = [v for curve in found.values() for v in curve.reached if v is not None]
    x = frame.across([1, *(len(curve.reached) for curve in found.values())], log=False)
    y = frame.up(values, worse=evidence.worse)
    drawn = []
    for arm in sorted(found, key=evidence.optimizers.index, reverse=True):
        at = [(x(n), y(v)) for n, v in enumerate(found[arm].reached, start=1) if v is not None]
        said = f"{arm}: {evidence.objective} {number(_last(found[arm]))} after {len(found[arm].reached)} trials"
        place = evidence.optimizers.index(arm)
        drawn.append(
            grouped([path(at, steps=True, said=said), points(at[-1:], mark(place), said=said)], f"arm a{place}")
        )
    for out in evidence.eliminated:
        if out.arm in found:
            stop = (x(out.checkpoint), y(out.best))
            drawn.append(points([stop], "cross", kind="end", said=f"{out.arm} was given up here"))
    axes = frame.axes(x, y, below="trials of the optimizer", beside=f"best {evidence.objective} so far")
    return Drawn(
        svg=svg([axes, *drawn], high=frame.high),
        caption=_caption(evidence, found) + (" Lines at the edge lie beyond it." if y.beyond(values) else ""),
        optimizers=[arm for arm in evidence.optimizers if arm in found],
        header=("optimizer", "trials", f"best {evidence.objective}", "reached at trial"),
        rows=[
            (arm, str(len(c.reached)), number(_last(c)), str(_when(c)))
            for arm, c in sorted(found.items(), key=lambda item: evidence.optimizers.index(item[0]))
        ],
    )


def _caption(evidence: Evidence, found: dict[str, Curve]) -> str:
    leader = next(arm for arm in evidence.optimizers if arm in found)
    curve = found[leader]
    said = (
        f"{leader} came furthest in the search: {evidence.objective} {number(_last(curve))}, reached at its trial "
        f"{_when(curve)} of {len(curve.reached)}"
    )
    others = [arm for arm in evidence.optimizers if arm in found][1:]
    if others:
        said += f"; the last of {len(found)}, {others[-1]}, stands at {number(_last(found[others[-1]]))}"
    if given := [out.arm for out in evidence.eliminated if out.arm in found]:
        said += f"; given up as hopeless (×): {', '.join(given)}"
    return said + "."


def _last(curve: Curve) -> float:
    return float(next(v for v in reversed(curve.reached) if v is not None))


def _when(curve: Curve) -> int:
    return curve.reached.index(curve.reached[-1]) + 1
