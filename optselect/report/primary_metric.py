"""The numbers that matter: the headline metric, the chances, the gain over the default, the finalists."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from markupsafe import Markup

from optselect.optim.configuration import Configuration
from optselect.report.evidence import Evidence
from optselect.report.svg import Scale, grouped, line, points, scale
from optselect.util.intervals import Estimate
from optselect.verdict import Standing, Verdict
from optselect.verdict.numbers import number, seconds, signed
from optselect.verdict.statistics import PairedComparison

__all__ = ["Finalist", "Tile", "better", "finalists", "settings", "tiles"]


@dataclasses.dataclass(frozen=True)
class Tile:
    """A number that matters: what it is, the number, what stands under it."""

    name: str
    value: str
    under: str


def tiles(evidence: Evidence) -> Iterator[Tile]:
    """The headline metric, the chance to be the best, the gain over the default, the price."""
    v = evidence.verdict
    if v is None:
        values = [row.value for row in evidence.search]
        yield Tile("trials so far", str(len(evidence.search)), f"of {evidence.trials}" if evidence.trials else "")
        reached = evidence.objective.best(values)
        yield Tile(f"best {evidence.objective}", "none yet" if math.isnan(reached) else number(reached), "one seed")
        return
    best, name = v.recommended, v.headline.replace("_", " ")
    held = best.held_out
    where = "held-out" if v.confirmed else "validation"
    yield Tile(f"{name}, {where} data", _number(held.mean), f"{_span(held, 1.0)}, {held.seeds} seeds")
    if len(v.ranking) > 1 and not math.isnan(best.p_best):
        top = max(v.ranking, key=lambda s: s.p_best)
        width = f"{100 * best.regret:.2g} points" if v.share else number(best.regret)
        who = "Keras's default" if top.is_default else _rule(top)
        ahead = f"{who} has {top.p_best:.2f}; not taking it costs {width} on average"
        under = f"the best of the {len(v.ranking)} confirmed" if top.p_best == best.p_best else ahead
        yield Tile("P(best)", f"{best.p_best:.2f}", under)
    yield from _against_default(v)
    yield Tile("trainings", str(len(evidence.rows)), f"{seconds(v.seconds)} of training in all")


def _against_default(v: Verdict) -> Iterator[Tile]:
    gain, factor = v.recommended.gain, 100.0 if v.share else 1.0
    if gain is None:
        gains = ((s, s.gain) for s in v.ranking if s.gain is not None and not math.isnan(s.gain.mean))
        under = next((f"{_rule(rival)} beside it: {_gain(v, ahead)}" for rival, ahead in gains), "")
        yield Tile("against Keras's default", "it is the default", under)
    elif not math.isnan(gain.mean):
        word = f": {better(v.default.versus)}" if v.default.versus else ""
        yield Tile("against Keras's default", _gain(v, gain), _span(gain, _sign(v) * factor) + word)


def better(versus: PairedComparison) -> str:
    """What may be said of one against another.

    >>> better(PairedComparison(better=0.99, equivalent=0.01, worse=0.0))
    'clearly better'
    """
    return versus.word.replace("best", "better")


def _rule(standing: Standing) -> str:
    """The configuration without its settings."""
    return standing.label.split(" (")[0]


def _sign(v: Verdict) -> int:
    """Differences are told in the metric's own direction, as the paragraph tells them."""
    return 1 if v.maximize else -1


def _gain(v: Verdict, gain: Estimate) -> str:
    if v.share:
        return f"{signed(_sign(v) * 100 * gain.mean, 2)} points"
    return f"{signed(_sign(v) * gain.mean)} {v.headline.replace('_', ' ')}"


def _span(held: Estimate, factor: float) -> str:
    if math.isnan(held.low):
        return "no interval"
    low, high = sorted((factor * held.low, factor * held.high))
    if factor == 1.0 and held.low >= 0:
        return f"95 % interval {number(low)} to {number(high)}"
    digits = 2 if abs(factor) > 1 else None
    return f"{signed(low, digits)} to {signed(high, digits)}"


def _number(value: float) -> str:
    return "none" if math.isnan(value) else number(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finalist:
    """A finalist in the words of its numbers. strip: its interval as a picture, on an axis that all share."""

    label: str
    place: int
    marks: str
    held: str
    span: str
    strip: Markup
    p_best: str
    gain: str
    seconds: str
    chosen: bool


def finalists(evidence: Evidence) -> list[Finalist]:
    """Those that were confirmed, in the order of the race."""
    v = evidence.verdict
    if v is None:
        return []
    every = [standing.held_out for standing in v.ranking]
    ends = [end for held in every for end in (held.low, held.high, held.mean) if not math.isnan(end)]
    along = scale(ends, 4, 156, log=False)
    return [_finalist(evidence, v, standing, i == v.chosen, along) for i, standing in enumerate(v.ranking)]


def _finalist(evidence: Evidence, v: Verdict, standing: Standing, chosen: bool, along: Scale) -> Finalist:
    held, gain = standing.held_out, standing.gain
    return Finalist(
        label=standing.label,
        place=evidence.optimizers.index(standing.configuration.rule.key),
        marks=", ".join(["recommended"] * chosen + ["Keras's default"] * standing.is_default),
        held=_number(held.mean),
        span="" if math.isnan(held.low) else f"{number(held.low)} to {number(held.high)}",
        strip=_strip(held, along),
        p_best="" if math.isnan(standing.p_best) else f"{standing.p_best:.2f}",
        gain="" if gain is None or math.isnan(gain.mean) else _gain(v, gain),
        seconds="" if math.isnan(standing.seconds) else f"{standing.seconds:.2g} s",
        chosen=chosen,
    )


def _strip(held: Estimate, along: Scale) -> Markup:
    if math.isnan(held.mean):
        return Markup("")
    bar = [] if math.isnan(held.low) else [line(along(held.low), 8, along(held.high), 8, "line")]
    return Markup('<svg class="strip" viewBox="0 0 160 16" aria-hidden="true">{}</svg>').format(
        grouped([*bar, points([(along(held.mean), 8)], "dot")], "arm")
    )


def settings(made: Configuration) -> list[tuple[str, str]]:
    """A configuration, setting by setting; what is at its default is left out."""
    names = [type(part).__name__ for part in made.rule.parts]
    found = [("optimizer", "(".join(names) + ")" * (len(names) - 1))]
    if made.schedule.key != "constant":
        found.append(("schedule", made.schedule.key))
    if made.clipping.name != "none":
        found.append(("clipping", made.clipping.name))
    changed = {k: f"{v:.4g}" if isinstance(v, float) else str(v).lower() for k, v in made.changed().items()}
    return [*found, *((k.replace("schedule_", "schedule: "), v) for k, v in changed.items()),
            ("batch_size", str(made.batch_size))]  # fmt: skip
