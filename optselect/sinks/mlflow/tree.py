"""The runs of a study in MLflow: study > arm > configuration > trial, found again, mended, and made where needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from optselect.record.entries import TrialRecord
from optselect.sinks.mlflow import run_contents
from optselect.sinks.mlflow.calls import Calls

__all__ = ["ENDED", "PARENT", "Branch", "Tree"]

ENDED = ("FINISHED", "KILLED", "FAILED")
PARENT = "mlflow.parentRunId"


class Branch(NamedTuple):
    """The run of an arm or a configuration. status: MLflow's word. said: trainings that its metrics tell of."""

    run: str
    parent: str
    status: str
    said: int


class Tree:
    """What is below the study's run.

    A configuration gets a run of its own with its second training, and the first moves below it: most of a search
    are trained once, and a run around a single one would cost as much as the training's own and say no more.

    marks: tags of every run of the study.
    """

    def __init__(self, calls: Calls, experiment: str, study: str, marks: Mapping[str, str]) -> None:
        self._calls, self._experiment, self._study, self._marks = calls, experiment, study, marks
        self.arms: dict[str, Branch] = {}
        self.configurations: dict[str, Branch] = {}
        self._trials: dict[int, tuple[str, str]] = {}  # run and parent by number
        self._of: dict[str, list[int]] = {}  # numbers of the trials that are there, by configuration

    def find(self, runs: Iterable[Any], records: Iterable[TrialRecord]) -> set[int]:
        """Take in what is there already; the numbers of the whole trials.

        Deleted is what was left half-written, and what arrived twice: a request that timed out here may have come
        through there. Whatever hangs elsewhere, since a run above was deleted by hand, is hung where it belongs.
        """
        by_kind: dict[str, list[Any]] = {"arm": [], "configuration": [], "trial": []}
        for run in runs:
            if run.data.tags.get("optselect.kind") in by_kind:
                by_kind[run.data.tags["optselect.kind"]].append(run)
        self._adopt(by_kind["arm"], "optselect.arm", self.arms, lambda run: self._study)
        self._adopt(
            by_kind["configuration"],
            "optselect.configuration_key",
            self.configurations,
            lambda run: self._arm(run.data.tags["optselect.arm"], run.info.start_time),
        )
        known = {record.number: record for record in records}
        for run in by_kind["trial"]:
            number = int(run.data.tags["optselect.number"])
            if run.info.status not in ENDED or number in self._trials or number not in known:
                self._calls.write("delete_run", run.info.run_id)
                continue
            self._note(known[number], run.info.run_id, run.data.tags.get(PARENT, ""))
        for number in self._trials:
            self._hang(number, self._home(known[number], len(self._of[_key(known[number])])))
        return set(self._trials)

    def home(self, trial: TrialRecord) -> str:
        """The run below which a trial that comes now belongs; those of its configuration are moved there too."""
        key = _key(trial)
        home = self._home(trial, len(self._of.get(key, [])) + 1)
        for number in self._of.get(key, []):
            self._hang(number, home)
        return home

    def add(self, trial: TrialRecord, run: str, home: str) -> None:
        """A trial's run was made."""
        self._note(trial, run, home)

    def alone(self, home: str) -> dict[str, str]:
        """The tag of a trial there: below an arm it stands for its configuration."""
        return run_contents.distinct(home in {branch.run for branch in self.arms.values()})

    def end(self, status: str, ends: Mapping[str, int]) -> None:
        """Give all branches their end. ends: milliseconds since 1970, by the run's id."""
        for branches in (self.configurations, self.arms):
            for key, branch in branches.items():
                if branch.status != status:
                    self._calls.write("set_terminated", branch.run, status=status, end_time=ends.get(branch.run))
                    branches[key] = branch._replace(status=status)

    def _home(self, trial: TrialRecord, seeds: int) -> str:
        key, start = _key(trial), run_contents.milliseconds(trial.started)
        arm = self._arm(trial.arm, start)
        if seeds > 1 and key not in self.configurations:
            tags = run_contents.configuration_tags(trial.arm, trial.configuration)
            tags |= run_contents.distinct(True)
            self.configurations[key] = self._made(tags, str(trial.configuration), arm, start)
        return self.configurations[key].run if key in self.configurations else arm

    def _arm(self, arm: str, start: int) -> str:
        if arm not in self.arms:
            self.arms[arm] = self._made(run_contents.arm_tags(arm), arm, self._study, start)
        return self.arms[arm].run

    def _made(self, tags: Mapping[str, str], name: str, parent: str, start: int) -> Branch:
        run = self._calls.write(
            "create_run",
            self._experiment,
            start_time=start,
            tags={**tags, **self._marks, PARENT: parent},
            run_name=run_contents.text(name, 250),
        )
        return Branch(run.info.run_id, parent, "RUNNING", 0)

    def _adopt(self, runs: Iterable[Any], tag: str, branches: dict[str, Branch], parent: Callable[[Any], str]) -> None:
        for run in runs:
            key = run.data.tags[tag]
            if key in branches:
                self._calls.write("delete_run", run.info.run_id)
                continue
            home = parent(run)
            self._move(run.info.run_id, run.data.tags.get(PARENT, ""), home, {})
            said = int(run.data.metrics.get("trainings", 0))
            branches[key] = Branch(run.info.run_id, home, run.info.status, said)

    def _note(self, trial: TrialRecord, run: str, parent: str) -> None:
        self._trials[trial.number] = run, parent
        self._of.setdefault(_key(trial), []).append(trial.number)

    def _hang(self, number: int, home: str) -> None:
        run, parent = self._trials[number]
        self._move(run, parent, home, self.alone(home))
        self._trials[number] = run, home

    def _move(self, run: str, parent: str, home: str, tags: Mapping[str, str]) -> None:
        if parent != home:
            self._calls.log(run, {}, [], {PARENT: home, **tags})


def _key(trial: TrialRecord) -> str:
    return run_contents.configuration_key(trial.arm, trial.configuration)
