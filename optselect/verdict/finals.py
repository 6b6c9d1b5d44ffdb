"""The stages after the search: a race among candidates, confirmation of the finalists, other learning rates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import StageName, TrialRecord
from optselect.study.stage import Planned
from optselect.trainer.messages import Job, Run
from optselect.util.seeds import derive, on_fold
from optselect.verdict.lr_sensitivity import FACTORS
from optselect.verdict.race import FINALISTS, Progress, RacePlan, progress
from optselect.verdict.scaled import around
from optselect.verdict.screening import candidates, noise, smoothed

__all__ = ["Around", "Candidate", "Contest", "Rerun", "fresh_seed", "screen"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that is re-run. screened: its objective in the search, None if it was not there."""

    arm: str
    configuration: Configuration
    screened: float | None = None


def screen(
    records: Iterable[TrialRecord], *, baseline: Configuration, objective: Objective, size: int
) -> list[Candidate]:
    """The candidates of a race, the most promising first, from the trials of a search: at most `size`.

    They are ranked by their values smoothed over the learning rate; the best of every arm that the noise does not
    rule out is among them, and Keras's default Adam always. A trial that was ended early has no value and is none.
    Empty if no trial gave a value.
    """
    trials = {r.configuration: r for r in sorted(records, key=lambda r: -r.number) if r.stage == "search"}
    found = [trials[c] for c in reversed(trials)]  # the first of each configuration, by number
    values = [math.nan if r.value is None or r.outcome != "complete" else r.value for r in found]
    if all(map(math.isnan, values)):
        return []
    if baseline not in trials:
        found.append(_unsearched(baseline))
        values.append(math.nan)
    rates = [r.configuration.learning_rate for r in found]
    groups = [(r.configuration.rule.key, r.configuration.schedule.key) for r in found]
    chosen = candidates(
        smoothed(values, rates, groups, objective),
        [r.configuration.rule.key for r in found],
        baseline=[r.configuration for r in found].index(baseline),
        noise_sd=noise(values, rates, groups, objective),
        objective=objective,
        size=size,
    )
    return [Candidate(arm=found[i].arm, configuration=found[i].configuration, screened=found[i].value) for i in chosen]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contest:
    """A race with its confirmation: who takes part, which seeds they run under, and where records put it.

    candidates: in the order of screening, `baseline` among them. seed: of the study. rho: the correlation of two runs
    on redrawn splits of training and validation rows, `overlap` of their numbers; 0 where all runs have one split.
    folds: that the seeds walk through, 0 if they draw their splits.
    """

    candidates: Sequence[Candidate]
    plan: RacePlan
    baseline: Configuration
    objective: Objective
    seed: int
    rho: float = 0.0
    folds: int = 0

    @property
    def redraw(self) -> bool:
        """Whether every seed draws its own split of training and validation rows."""
        return self.rho > 0

    @property
    def default(self) -> int:
        """The number of the baseline among the candidates."""
        return [c.configuration for c in self.candidates].index(self.baseline)

    def runs(self, records: Iterable[TrialRecord]) -> dict[tuple[int, int], TrialRecord]:
        """The records of race and confirmation by candidate and number of the seed."""
        who = {c.configuration: i for i, c in enumerate(self.candidates)}
        which = {fresh_seed(self.seed, k, self.folds): k for k in range(self.plan.confirmation.stop)}
        return {
            (who[r.configuration], which[r.seed]): r
            for r in records
            if r.stage in ("race", "confirm") and r.configuration in who and r.seed in which
        }

    def progress(self, records: Iterable[TrialRecord]) -> Progress:
        """Where the race stands."""
        values = {run: score(record) for run, record in self.runs(records).items()}
        return progress(self.plan, values, baseline=self.default, objective=self.objective)

    def confirmed(self, records: Iterable[TrialRecord]) -> list[int]:
        """The finalists, the best of the race first, and the baseline, by number."""
        return list(dict.fromkeys([*self.progress(records).standing[:FINALISTS], self.default]))


class Rerun:
    """Race or confirmation as a stage: what it asks for follows from the records alone, so it can be gone on with.

    records: the trials of the study that are there.
    """

    def __init__(
        self, name: Literal["race", "confirm"], contest: Contest, records: Iterable[TrialRecord], *, epochs: int
    ) -> None:
        self.name: StageName = name
        self._contest, self._epochs = contest, epochs
        self._records = [r for r in records if r.stage in ("race", "confirm")]

    def total(self) -> int | None:
        """How many runs at most: one fewer in each round in which the baseline holds its own."""
        plan = self._contest.plan
        race = dataclasses.replace(plan, confirmation=range(0)).cost
        return race if self.name == "race" else plan.cost - race

    def done(self) -> int:
        return sum(r.stage == self.name for r in self._records)

    def finished(self) -> bool:
        """Whether nothing is left to run."""
        stage = self._contest.progress(self._records).stage
        return stage == "done" or (self.name == "race" and stage == "confirm")

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        now = self._contest.progress(self._records)
        busy = {(planned.job.configuration, planned.job.seed) for planned in running}
        for number, k in now.missing if now.stage == self.name else ():
            candidate, seed = self._contest.candidates[number], fresh_seed(self._contest.seed, k, self._contest.folds)
            if (candidate.configuration, seed) not in busy:
                return Planned(
                    stage=self.name,
                    arm=candidate.arm,
                    job=Job(
                        configuration=candidate.configuration,
                        seed=seed,
                        epochs=self._epochs,
                        test=self.name == "confirm",
                        redraw=self._contest.redraw,
                    ),
                )
        return None

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        return None

    def learn(self, record: TrialRecord) -> None:
        self._records.append(record)


class Around:
    """The stage that trains one configuration at other learning rates, under seeds that it has run with.

    configuration: of a candidate. seeds: numbers of fresh seeds. records: the trials of the study that are there.
    """

    name: StageName = "basin"

    def __init__(
        self,
        configuration: Configuration,
        contest: Contest,
        records: Iterable[TrialRecord],
        *,
        seeds: Iterable[int],
        epochs: int,
    ) -> None:
        done = {(r.configuration, r.seed) for r in records if r.stage == self.name}
        fresh = [fresh_seed(contest.seed, k, contest.folds) for k in seeds]
        moved = around(configuration, [factor for factor in FACTORS if factor != 1.0])
        self._total = len(fresh) * len(moved)
        self._waiting = [
            Planned(
                stage=self.name,
                arm=next(c.arm for c in contest.candidates if c.configuration == configuration),
                job=Job(configuration=other, seed=s, epochs=epochs, redraw=contest.redraw),
            )
            for s in fresh
            for other in moved
            if (other, s) not in done
        ]
        self._done = self._total - len(self._waiting)

    def total(self) -> int | None:
        return self._total

    def done(self) -> int:
        return self._done

    def finished(self) -> bool:
        """Whether nothing is left to run."""
        return self._done == self._total

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        return self._waiting.pop(0) if self._waiting else None

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        return None

    def learn(self, record: TrialRecord) -> None:
        self._done += 1


def fresh_seed(seed: int, number: int, folds: int = 0) -> int:
    """The seed of a number in a plan: none of them is the search's. folds: that they walk through, each in its turn."""
    return on_fold(derive(seed, "fresh", number), number, folds)


def score(record: TrialRecord) -> float:
    """The objective's value in a run, NaN where it broke down."""
    return math.nan if record.value is None or record.outcome != "complete" else record.value


def _unsearched(baseline: Configuration) -> TrialRecord:
    """Stands for the baseline where the search did not try it."""
    return TrialRecord(
        number=-1, stage="search", arm=baseline.rule.key, configuration=baseline, seed=0, outcome="failed", value=None,
        metrics={}, curves={}, epochs=0, started=0.0, seconds=0.0,
    )  # fmt: skip
