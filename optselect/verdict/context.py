"""What a verdict is measured by: answers that need no network, and signs that nothing was learned or compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from optselect.record.entries import TrialRecord
from optselect.study.oddities import oddities
from optselect.task.agreement import unreached
from optselect.task.description import SimpleAnswer, TaskDescription
from optselect.verdict.numbers import number

if TYPE_CHECKING:
    from optselect.verdict.ranking import Verdict

__all__ = ["Context", "beside", "doubts"]

_SAME = 1e-6  # relative: a score no further than this from the constant's is no better


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What is known of a task beside its trainings.

    constant, linear: the scores of a constant and of a linear model by name, `val_...` and `test_...`; {} where
    there are none. answer: what the constant says, in words. suspects: likely causes of a training that learns
    nothing. oddities: signs that the trainings learned or compared nothing. covers: what intervals over fresh
    seeds cover, "" for the default split.
    """

    constant: Mapping[str, float]
    linear: Mapping[str, float]
    answer: str = ""
    suspects: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    covers: str = ""

    @classmethod
    def of(cls, task: TaskDescription, records: Sequence[TrialRecord]) -> Context:
        """From what the worker said of the task, and the trainings."""
        found = task.baselines or {}
        constant, linear = found.get("constant", SimpleAnswer()), found.get("linear", SimpleAnswer())
        unreached = task.comparison.unreached if task.comparison else ()
        return cls(
            constant=constant.metrics,
            linear=linear.metrics,
            answer=constant.answer,
            suspects=task.suspects or (),
            oddities=(*oddities(records, task.objective.name), *_unreached(unreached)),
            covers=task.covers or "",
        )


def doubts(v: Verdict) -> Iterator[str]:
    """Sentences that stand before the verdict: why its numbers may be worth nothing."""
    if v.context is None:
        return
    for oddity in v.context.oddities:
        yield f"Warning: {oddity}."
    constant, mean = _of(v, v.context.constant), v.recommended.held_out.mean
    if constant is None or not _beats(v, constant, mean, equal=True):
        return
    always = f"always answering {v.context.answer}" if v.context.answer else "the best constant answer"
    cause = f" Likely cause: {v.context.suspects[0]}." if v.context.suspects else ""
    yield (
        f"No better than a constant: {always} has {_name(v)} {number(constant)} on these rows, the recommended "
        f"training {number(mean)}.{cause}"
    )


def beside(v: Verdict) -> Iterator[str]:
    """Sentences behind the number of the recommended one, where a simple answer comes near it or is better."""
    if v.context is None:
        return
    constant, linear, held = _of(v, v.context.constant), _of(v, v.context.linear), v.recommended.held_out
    worst = held.low if v.maximize else held.high
    if constant is not None and not _beats(v, constant, held.mean, equal=True) and _beats(v, constant, worst):
        yield f"The interval holds what a constant has, {number(constant)}: it may have learned nothing."
    if linear is not None and _beats(v, linear, held.mean) and (constant is None or _beats(v, linear, constant)):
        yield f"A linear model is better on these rows: {_name(v)} {number(linear)}."


def _of(v: Verdict, scores: Mapping[str, float]) -> float | None:
    """The headline metric of a simple answer on the rows of the verdict's numbers."""
    found = scores.get(f"{'test' if v.confirmed else 'val'}_{v.headline}")
    return None if found is None or not math.isfinite(found) else found


def _beats(v: Verdict, simple: float, value: float, *, equal: bool = False) -> bool:
    """Whether a simple answer is better than a value; `equal`: or as good."""
    ahead = simple - value if v.maximize else value - simple
    slack = _SAME * max(abs(simple), abs(value))
    return ahead >= -slack if equal else ahead > slack


def _name(v: Verdict) -> str:
    return v.headline.replace("_", " ")


def _unreached(paths: Sequence[str]) -> list[str]:
    return [unreached(paths)] if paths else []
