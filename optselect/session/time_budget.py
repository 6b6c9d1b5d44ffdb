"""Less of what follows the search where time is short: fewer candidates, confirmations, other learning rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from optselect.record.notes import Preset
from optselect.verdict.lr_sensitivity import FACTORS
from optselect.verdict.race import PRESETS, plan

__all__ = ["cost", "fewer_confirmations", "fewer_seeds_around", "told", "within"]

_LEAST = Preset(candidates=2, round_cost=4, confirmations=2, around=0)  # the default and who is the most promising
_RATES = len(FACTORS) - 1  # other learning rates


def cost(care: Preset) -> int:
    """How many trainings follow the search at most, those of `model.fit` aside.

    >>> cost(PRESETS["standard"]), cost(PRESETS["quick"])
    (87, 36)
    """
    return plan(care).cost + care.around * _RATES


def within(care: Preset, trainings: float) -> Preset:
    """The most care, up to the one asked for, whose trainings fit; the least there is if none does.

    >>> within(PRESETS["standard"], 50) == PRESETS["quick"], within(PRESETS["standard"], 0).candidates
    (True, 2)
    """
    for other in [care, *_below(care)]:
        if cost(other) <= trainings:
            return other
    return _below(care)[-1]


def fewer_confirmations(care: Preset, trainings: float, runners: int) -> Preset:
    """As many confirmations of each runner as fit, two at least; none where none was asked for."""
    fitting = max(2, int(min(trainings // runners, care.confirmations)))
    return dataclasses.replace(care, confirmations=min(care.confirmations, fitting))


def fewer_seeds_around(care: Preset, trainings: float) -> Preset:
    """As many seeds at other learning rates as fit."""
    return dataclasses.replace(care, around=int(min(trainings // _RATES, care.around)))


def told(before: Preset, after: Preset) -> str:
    """What a user is told of it; empty if nothing changed.

    >>> told(PRESETS["standard"], PRESETS["quick"])
    'Time is short: 4 candidates, not 8; 5 confirmations, not 10; 1 seed at other learning rates, not 2.'
    """
    what = {"candidates": "candidate{}", "confirmations": "confirmation{}", "around": "seed{} at other learning rates"}
    parts = []
    for field, name in what.items():
        now, was = getattr(after, field), getattr(before, field)
        if now != was:
            parts.append(f"{now or 'no'} {name.format('s' * (now > 1))}, not {was}")
    return f"Time is short: {'; '.join(parts)}." if parts else ""


def _below(care: Preset) -> Sequence[Preset]:
    """Presets with less care, the most first, and the least there is."""
    smaller = [p for p in PRESETS.values() if p.candidates < care.candidates]
    ladder = [*sorted(smaller, key=lambda p: -p.candidates), _LEAST]
    return [dataclasses.replace(p, confirmations=min(p.confirmations, care.confirmations)) for p in ladder]
