"""Why an optimizer lost, and which ends of the ranges want to be wider: read off the records of its trials."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from types import MappingProxyType

from optselect.model.objective import Objective
from optselect.record.entries import TrialRecord
from optselect.verdict.numbers import number

__all__ = ["Edge", "Loss", "edges", "why_lost"]

FEW = 5  # whole trials; with fewer nobody can say that an optimizer is bad
NEAR_EDGE = 0.03  # of a range, on the scale on which it is searched
STILL = 0.99  # a training loss that stays above this share of its first epoch's has learnt nothing
ENOUGH = 3  # steps measured at a batch size, for a median that holds
SLOWER = 1.5  # times the step of the recommended optimizer, to be worth a word
ALWAYS = 0.9  # share of steps clipped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edge:
    """The best trial of an optimizer lies at the end of the range of a hyperparameter: the optimum may lie beyond."""

    name: str
    side: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.name} {number(self.value)} at the {self.side} end of {number(self.low)} to {number(self.high)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """What stood against an optimizer, the weightiest first.

    behind: how much worse its best trial was in the search, in the unit of the objective; NaN if none has a value.
    """

    arm: str
    behind: float
    reasons: tuple[str, ...]


def why_lost(
    trials: Sequence[TrialRecord],
    winner: str,
    *,
    objective: Objective,
    eliminated: Mapping[str, str] = MappingProxyType({}),
    raced: Mapping[str, str] = MappingProxyType({}),
) -> list[Loss]:
    """What stood against every optimizer but the winner, in the order in which they began.

    trials: of the search. eliminated, raced: why the search gave one up, and
    how it fared in the race, by its name.
    """
    arms = {arm: _of(trials, arm) for arm in dict.fromkeys(r.configuration.rule.key for r in trials)}
    found = []
    for arm, own in arms.items():
        if arm != winner:
            behind = _behind(own, trials, objective)
            reasons = (
                *([eliminated[arm]] if arm in eliminated else []),
                *_reasons(own, behind, objective),
                *([raced[arm]] if arm in raced else []),
                *_about_training(own, arms.get(winner, []), objective),
            )
            found.append(Loss(arm=arm, behind=behind, reasons=reasons))
    return found


def edges(trials: Sequence[TrialRecord], arm: str, objective: Objective) -> tuple[Edge, ...]:
    """The hyperparameters whose range ends where the best trial of an optimizer lies, if it has enough to say so.

    The ranges are those that the trials were drawn from.
    """
    own = [r for r in _of(trials, arm) if r.value is not None]
    if len(own) < FEW:
        return ()
    best = _best(own, objective)
    found = []
    for name, text in best.attributes.get("distributions", {}).items():
        about = json.loads(text)["attributes"]
        if "low" not in about or about["low"] >= about["high"]:
            continue
        scale = math.log if about.get("log") else float
        low, high, value = about["low"], about["high"], best.attributes["params"][name]
        place = (scale(value) - scale(low)) / (scale(high) - scale(low))
        if not NEAR_EDGE < place < 1 - NEAR_EDGE:
            side = "lower" if place < 0.5 else "upper"
            found.append(Edge(name=name, side=side, value=value, low=low, high=high))
    return tuple(found)


def _of(trials: Sequence[TrialRecord], arm: str) -> list[TrialRecord]:
    return [r for r in trials if r.configuration.rule.key == arm]


def _reasons(own: Sequence[TrialRecord], behind: float, objective: Objective) -> Iterator[str]:
    whole = [r for r in own if r.value is not None]
    if bad := [r for r in own if r.outcome == "diverged"]:
        yield f"diverged in {len(bad)} of {len(own)} trials, {_where(bad, whole)}"
    if failed := [r for r in own if r.outcome == "failed"]:
        first = (failed[-1].message.splitlines() or ["no message"])[0]
        yield f"failed in {len(failed)} of {len(own)} trials: {first}"
    if not math.isnan(behind):
        yield (
            f"its best {objective} was {behind:.2g} behind"
            if behind > 0
            else f"had the best {objective} of the search, under one seed"
        )
    for edge in edges(own, own[0].configuration.rule.key, objective):
        yield f"best with {edge}: widen it"
    if early := [r for r in own if r.outcome == "pruned"]:
        said = next((r.message for r in reversed(early) if r.message), "others were ahead")
        yield f"{len(early)} of {len(own)} trials ended early: {said.rstrip('.')}"
    if len(whole) < FEW:
        yield f"only {len(whole)} of its trials {'has' if len(whole) == 1 else 'have'} a value: too few to say much"


def _about_training(own: Sequence[TrialRecord], ours: Sequence[TrialRecord], objective: Objective) -> Iterator[str]:
    whole = [r for r in own if r.value is not None]
    if dead := [r for r in whole if _still(r)]:
        highest = number(max(_rates(dead)))
        yield f"learnt nothing in {len(dead)} of {len(whole)} trials, at learning rates up to {highest}"
    if whole and (clipped := _best(whole, objective).curves.get("clipped")) and fmean(clipped) > ALWAYS:
        yield f"its best trial was clipped in {fmean(clipped):.0%} of the steps"
    if (slower := _slower(own, ours)) >= SLOWER:
        yield f"a step takes {slower:.1f} times as long"


def _where(bad: Sequence[TrialRecord], whole: Sequence[TrialRecord]) -> str:
    """The learning rates of divergence, and whether those of success lie below."""
    lowest, stable = min(_rates(bad)), max(_rates(whole), default=0.0)
    if stable < lowest:
        return f"at all learning rates from {number(lowest)}"
    return f"at learning rates from {number(lowest)}"


def _rates(records: Sequence[TrialRecord]) -> list[float]:
    return [r.configuration.learning_rate for r in records]


def _behind(own: Sequence[TrialRecord], trials: Sequence[TrialRecord], objective: Objective) -> float:
    """How much worse the best value of an arm is than the best of all."""
    values = [r.value for r in own if r.value is not None]
    every = [r.value for r in trials if r.value is not None]
    if not values:
        return math.nan
    return abs(objective.best(values) - objective.best(every))


def _best(whole: Sequence[TrialRecord], objective: Objective) -> TrialRecord:
    return min(whole, key=lambda r: (r.value or 0.0) * objective.sign)


def _still(record: TrialRecord) -> bool:
    curve = record.curves.get("loss", [])
    return len(curve) > 1 and math.isfinite(curve[-1]) and curve[-1] > STILL * curve[0] > 0


def _slower(own: Sequence[TrialRecord], ours: Sequence[TrialRecord]) -> float:
    """The median step of an arm over that of the winner at the same batch sizes; 0.0 where that is not known."""
    ratios = []
    for size in {r.configuration.batch_size for r in own}:
        pair = [
            [r.step_seconds for r in side if r.configuration.batch_size == size and r.step_seconds > 0]
            for side in (own, ours)
        ]
        if min(map(len, pair)) >= ENOUGH:
            ratios.append(median(pair[0]) / median(pair[1]))
    return median(ratios) if ratios else 0.0
