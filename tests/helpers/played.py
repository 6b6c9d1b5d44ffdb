"""Studies whose trainings are numbers from a function, their stages driven as a study drives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.record.entries import StageName, TrialRecord
from optselect.study.stage import Planned, Stage
from optselect.verdict.finals import Around, Candidate, Contest, Rerun
from optselect.verdict.from_records import judge, seeds_around
from optselect.verdict.race import plan
from optselect.verdict.ranking import Verdict

World = Callable[[Configuration, int], tuple[float, float]]
"""Validation loss and held-out accuracy of a configuration under a seed; NaN where training breaks down."""


def record(
    number: int, stage: StageName, configuration: Configuration, seed: int, loss: float, accuracy: float
) -> TrialRecord:
    """What a study would keep of such a training."""
    whole = math.isfinite(loss)
    return TrialRecord(
        number=number,
        stage=stage,
        arm=configuration.rule.key,
        configuration=configuration,
        seed=seed,
        outcome="complete" if whole else "diverged",
        value=loss if whole else None,
        metrics={
            "val_loss": loss,
            "val_accuracy": accuracy,
            **({"test_accuracy": accuracy} if stage != "race" else {}),
        },
        curves={"loss": [1.0, 0.5], "val_loss": [2 * loss, loss]},
        epochs=2,
        started=0.0,
        seconds=1.0,
        step_seconds=0.001,
        memory=1000,
    )


def driven(stage: Stage, records: Iterable[TrialRecord], world: World, stop: int | None = None) -> list[TrialRecord]:
    """The records after a stage, or after `stop` of its trainings; two are under way at once, as with one worker."""
    found, running, done = list(records), list[Planned](), 0
    while stop is None or done < stop:
        while len(running) < 2 and (planned := stage.next(0, running)):
            running.append(planned)
        if not running:
            break
        planned = running.pop(0)
        values = world(planned.job.configuration, planned.job.seed)
        found.append(record(len(found), stage.name, planned.job.configuration, planned.job.seed, *values))
        stage.learn(found[-1])
        done += 1
    return found


def contest(
    configurations: Sequence[Configuration], *, care: str = "standard", confirm: int | None = None, seed: int = 0
) -> Contest:
    """A race among configurations, the first the most promising, with the baseline last if it is none of them."""
    every = list(dict.fromkeys([*configurations, BASELINE]))
    return Contest(
        candidates=[Candidate(arm=c.rule.key, configuration=c, screened=0.1) for c in every],
        plan=plan(care, candidates=len(every), confirmations=confirm),
        baseline=BASELINE,
        objective=Objective("val_loss"),
        seed=seed,
    )


def verdict(of: Contest, records: Sequence[TrialRecord], **how: object) -> Verdict:
    """What is said of accuracy."""
    return judge(of, records, headline=Objective("accuracy", maximize=True), **how)  # type: ignore[arg-type]


def played(of: Contest, world: World, records: Iterable[TrialRecord] = (), *, around: int = 0) -> list[TrialRecord]:
    """The records of a whole study: those of its search, race, confirmation, and `around` seeds at other rates."""
    found = list(records)
    for name in ("race", "confirm"):
        found = driven(Rerun(name, of, found, epochs=2), found, world)  # type: ignore[arg-type]
    if around:
        best = verdict(of, found).recommended.configuration
        stage = Around(best, of, found, seeds=seeds_around(of, around), epochs=2)
        found = driven(stage, found, world)
    return found
