"""What a study left in its folder, as the report reads it: the ledger, and the answer if there is one."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record import Stamp, StudyLog
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.record.notes import FINALS, Eliminated
from optselect.study import range_test
from optselect.task import TaskDescription
from optselect.trainer.messages import ProbeRun
from optselect.verdict import Verdict
from optselect.verdict.answer import Answer
from optselect.verdict.recommendation import Recommendation

__all__ = ["ArmRangeTest", "Evidence", "Row", "gather"]


@dataclasses.dataclass(frozen=True)
class Row:
    """A trial as pictures and table see it: its record, its optimizer, learning rate and other numbers by name."""

    record: TrialRecord
    optimizer: str
    rate: float
    numbers: Mapping[str, float]

    @property
    def value(self) -> float:
        """The objective, NaN unless the trial is complete."""
        whole = self.record.outcome == "complete" and self.record.value is not None
        return float(self.record.value or 0.0) if whole else math.nan


class ArmRangeTest(NamedTuple):
    """What a range test measured, and what that says."""

    run: ProbeRun
    reading: range_test.RangeReading


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that there is to tell of a study.

    study: what it asks, None before it has begun. task: empty before it is known.
    settings: what was asked for, as `StudyLog` has them. rows: every trial, by number. answer: what
    `recommendation.json` holds, None without one that is of these trainings; unusable: what is wrong with the file
    that is there. seal: by which a page of just this is known. probes: by optimizer its range test. eliminated: in
    their order. trials: how many were asked for, None where time was the budget. failures: of the trainings with
    plain `model.fit`, by kind.
    """

    name: str
    folder: Path
    study: StudyRecord | None
    task: TaskDescription
    settings: Mapping[str, Any]
    rows: Sequence[Row]
    answer: Recommendation | None
    unusable: str
    seal: str
    probes: Mapping[str, ArmRangeTest]
    eliminated: Sequence[Eliminated]
    trials: int | None
    failures: Mapping[str, str]

    @property
    def description(self) -> Mapping[str, Any]:
        """Of the study, for people; {} before it has begun."""
        return self.study.description if self.study else {}

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """What must not change in the study, by name; {} before it has begun."""
        return self.study.fingerprint if self.study else {}

    @property
    def verdict(self) -> Verdict | None:
        """What the answer says, None without one."""
        return self.answer.verdict if self.answer else None

    @property
    def finished(self) -> bool:
        """Whether the verdict is of all trials that there are."""
        return self.verdict is not None and sum(self.verdict.runs.values()) == len(self.rows)

    @property
    def objective(self) -> Objective:
        """What the study improves."""
        return self.task.objective

    @property
    def worse(self) -> Literal["high", "low"]:
        """The end of an axis where values of the objective are worse."""
        return "low" if self.objective.maximize else "high"

    @functools.cached_property
    def search(self) -> list[Row]:
        """The trials of the search."""
        return [row for row in self.rows if row.record.stage == "search"]

    @functools.cached_property
    def optimizers(self) -> list[str]:
        """All of them, the best in the search first: their places are their colours, in every picture."""
        values: dict[str, list[float]] = {arm: [] for arm in self.probes}
        for row in self.rows:
            values.setdefault(row.optimizer, []).append(row.value if row.record.stage == "search" else math.nan)
        sign = self.objective.sign
        best = {arm: self.objective.best(found) for arm, found in values.items()}
        return sorted(best, key=lambda arm: (math.isnan(best[arm]), sign * best[arm], arm))

    def of(self, optimizer: str) -> list[Row]:
        """The trials of the search with an optimizer."""
        return [row for row in self.search if row.optimizer == optimizer]

    def reruns(self, configuration: Configuration, *stages: str) -> list[Row]:
        """The trainings of a configuration in some stages."""
        rows = [row for row in self.rows if row.record.stage in stages]
        return [row for row in rows if row.record.configuration == configuration]


def gather(folder: Path) -> Evidence:
    """Read what there is. Raises `UnknownName` without a ledger, `StudyConflict` if it is damaged."""
    log = StudyLog.read(folder / "ledger.jsonl")
    answer, study = Answer.read(log), log.study
    records = sorted(log.trials, key=lambda r: r.number)
    return Evidence(
        name=study.name if study else folder.name,
        folder=folder,
        study=study,
        task=log.task or TaskDescription(),
        settings=log.settings,
        rows=[_row(record) for record in records],
        answer=answer.recommendation,
        unusable="" if answer.usable or answer.state == "missing" else answer.problem,
        seal=f"{Stamp.of(log.data).sha256} {answer.digest}".strip(),
        probes={test.arm: ArmRangeTest(test.run, range_test.read(test.run)) for test in log.range_tests},
        eliminated=log.eliminated,
        trials=log.share,
        failures={kind: last.error for kind in FINALS if (last := log.final(kind))},
    )


def _row(record: TrialRecord) -> Row:
    rule = record.configuration.rule
    numbers = {name: float(value) for name, value in rule.named_numbers().items()}
    rates = {name for name in numbers if name.endswith("learning_rate")}
    rate = numbers[max(rates, key=len)]  # the wrapped rule's: its name has the most before it
    return Row(record, rule.key, rate, {name: value for name, value in numbers.items() if name not in rates})
