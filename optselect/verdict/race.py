"""The race: which candidate is re-run under which fresh seed, as a plan that can be gone on with at any point."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from optselect.errors import InvalidValue, UnknownName
from optselect.model.objective import Objective
from optselect.record.notes import Preset
from optselect.util.suggestion import suggestion

__all__ = ["PRESETS", "Progress", "RacePlan", "Round", "plan", "progress"]

Runs = Mapping[tuple[int, int], float]


PRESETS = {"quick": Preset(4, 6, 5, 1), "standard": Preset(8, 12, 10, 2), "careful": Preset(16, 24, 30, 2)}
FINALISTS = 2


@dataclasses.dataclass(frozen=True)
class Round:
    """How many candidates are in it, and the new seeds that each of them runs under, by number."""

    candidates: int
    seeds: range


@dataclasses.dataclass(frozen=True)
class RacePlan:
    """The rounds of a race, the last between two finalists, and the fresh seeds after it."""

    rounds: tuple[Round, ...]
    confirmation: range

    @property
    def cost(self) -> int:
        """How many trainings it takes at most: where the baseline would have been out it runs along as one more.

        >>> plan("standard").cost           # 8 x 2, then 5 x 3, then 3 x 6, then 3 x 10
        79
        """
        size = self.rounds[0].candidates if self.rounds else 1
        race = sum(min(r.candidates + 1, size) * len(r.seeds) for r in self.rounds)
        return race + min(FINALISTS + 1, size) * len(self.confirmation)


def plan(
    preset: str | Preset = "standard", *, candidates: int | None = None, confirmations: int | None = None
) -> RacePlan:
    """Successive halving on paired seeds (Karnin et al. 2013; Jamieson & Talwalkar 2016).

    Every round costs about the same: half the candidates, more seeds for each, never fewer than two. "standard"
    is 8 candidates x 2 seeds, then 4 x 3, then 2 x 6, then 10 confirmations. Seeds have numbers from 0 and none
    is used twice; all in a round share them. The last round puts the two finalists in order, so that
    confirmation has nothing left to choose and its numbers are unbiased.

    preset: its name among `PRESETS`, or one of your own. candidates: how many there are, the baseline among them, if
    not the preset's number. confirmations: likewise.

    Raises `UnknownName` or `InvalidValue`.

    >>> [(r.candidates, len(r.seeds)) for r in plan().rounds], plan().confirmation
    ([(8, 2), (4, 3), (2, 6)], range(11, 21))
    >>> [(r.candidates, len(r.seeds)) for r in plan("quick", candidates=5).rounds]
    [(5, 2), (3, 2), (2, 3)]
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise UnknownName(f"plan: no preset is called {preset!r}. {suggestion(preset, PRESETS)}")
    care = PRESETS[preset] if isinstance(preset, str) else preset
    size = care.candidates if candidates is None else candidates
    confirmed = care.confirmations if confirmations is None else confirmations
    for name, value, least in (("candidates", size, 1), ("confirmations", confirmed, 0)):
        if value < least:
            raise InvalidValue(f"plan: `{name}` must be at least {least}, got {value}.")
    rounds: list[Round] = []
    used = 0
    while size > 1:
        seeds = range(used, used + max(2, care.round_cost // size))
        rounds.append(Round(size, seeds))
        used = seeds.stop
        size = max(FINALISTS, (size + 1) // 2) if size > FINALISTS else 1
    return RacePlan(tuple(rounds), range(used, used + confirmed))


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a race stands.

    stage: of the runs that are due, or "done". standing: the candidates still in, the best first; at the end the
    finalists. missing: (candidate, seed number) of the runs to do next, those of one seed together.
    """

    stage: Literal["race", "confirm", "done"]
    standing: tuple[int, ...]
    missing: tuple[tuple[int, int], ...]


def progress(plan: RacePlan, runs: Runs, *, baseline: int, objective: Objective) -> Progress:
    """What is next, given what has been run: a pure function, so a race that was killed goes on where it stood.

    A round ends when all its runs are there. The better half by the mean over all seeds so far goes on; whoever
    broke down under a seed comes after all who did not; ties go to the candidate with the lower number. The
    baseline runs in every round, in or out.

    runs: value by (candidate, seed number), NaN where the training broke down. Candidates are numbered from 0 in
    the order of screening. baseline: the number of Keras's default Adam.

    >>> short, loss = plan("quick", candidates=3, confirmations=1), Objective("val_loss")
    >>> start = progress(short, {}, baseline=2, objective=loss)
    >>> start.missing
    ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1))
    >>> runs = {run: [0.3, 0.1, 0.5][run[0]] for run in start.missing}
    >>> then = progress(short, runs, baseline=2, objective=loss)
    >>> then.standing, then.missing
    ((1, 0), ((1, 2), (0, 2), (2, 2), (1, 3), (0, 3), (2, 3), (1, 4), (0, 4), (2, 4)))
    """
    standing = tuple(range(plan.rounds[0].candidates)) if plan.rounds else (baseline,)
    stage: Literal["race", "confirm"] = "race"
    for current in plan.rounds:
        standing = standing[: current.candidates]
        if missing := _missing(standing, baseline, current.seeds, runs):
            return Progress(stage, standing, missing)
        standing = _ranked(standing, range(current.seeds.stop), runs, objective)
    missing = _missing(standing, baseline, plan.confirmation, runs)
    return Progress("confirm" if missing else "done", standing, missing)


def _missing(standing: tuple[int, ...], baseline: int, seeds: range, runs: Runs) -> tuple[tuple[int, int], ...]:
    due = dict.fromkeys([*standing, baseline])
    return tuple((candidate, seed) for seed in seeds for candidate in due if (candidate, seed) not in runs)


def _ranked(standing: tuple[int, ...], seeds: range, runs: Runs, objective: Objective) -> tuple[int, ...]:
    def key(candidate: int) -> tuple[int, float, int]:
        values = np.array([runs[candidate, seed] for seed in seeds])
        broken = np.isnan(values)
        return int(broken.sum()), objective.sign * float(values[~broken].mean()) if not broken.all() else 0.0, candidate

    return tuple(sorted(standing, key=key))
