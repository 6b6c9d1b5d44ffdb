"""A study written to an MLflow store: nothing of it twice, whoever wrote some of it before."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from optselect.errors import OptselectError
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.mlflow import charts, data_set, run_contents, sums
from optselect.sinks.mlflow.calls import Calls
from optselect.sinks.mlflow.ending import Ending
from optselect.sinks.mlflow.tree import PARENT, Branch, Tree
from optselect.sinks.mlflow.uris import Store

__all__ = ["Delivery"]


class Delivery:
    """A study in one MLflow store.

    `key` is in the tag `optselect.key` of every run of the study: what was delivered before is found by it,
    whoever delivered it. A trial's run is ended by the last call that is made for it, so one that is still running
    is half-written. sign: -1 where the objective is maximised. go_on: as in `Calls`.
    """

    def __init__(self, store: Store, experiment: str, key: str, sign: float, go_on: Callable[[], None]) -> None:
        self._calls = Calls(store, go_on)
        self._store, self._key, self._sign = store, key, sign
        self._name = run_contents.text(experiment, 500)
        self._marks: dict[str, str] = {}
        self.experiment_id = ""
        self._run = self._status = ""
        self._best: float | None = None
        self.trials = 0

    @property
    def written(self) -> int:
        """How many requests changed something."""
        return self._calls.written

    def connect(self, study: StudyRecord, records: Sequence[TrialRecord], *, goes_on: bool) -> set[int]:
        """Find or make the experiment and the study's run; the numbers of the trials that are there already.

        goes_on: the study is being run.
        """
        self.experiment_id = self._find_experiment()
        self._marks = {
            "optselect.key": self._key,
            "optselect.study": run_contents.text(study.name, run_contents.TAG_LENGTH),
        }
        self._study = study
        runs = self._runs()
        studies = [run for run in runs if run.data.tags.get("optselect.kind") == "study"]
        for other in studies[1:]:  # made by a request that timed out here and arrived there
            self._calls.write("delete_run", other.info.run_id)
        found = studies[0] if studies else self._make(study, records)
        self._run, self._status = found.info.run_id, found.info.status
        self._best = found.data.metrics.get("best_objective")
        self._tell(found)
        if goes_on and self._status != "RUNNING":
            self._calls.write("update_run", self._run, status="RUNNING")
            self._status = "RUNNING"
        self.tree = Tree(self._calls, self.experiment_id, self._run, self._marks)
        return self.tree.find(runs, records)

    def deliver(self, trial: TrialRecord) -> None:
        """One trial as a run that has ended, where it belongs."""
        home = self.tree.home(trial)
        start = run_contents.milliseconds(trial.started)
        run = self._calls.write(
            "create_run",
            self.experiment_id,
            start_time=start,
            tags={**run_contents.trial_tags(trial), **self.tree.alone(home), **self._marks, PARENT: home},
            run_name=f"{trial.configuration.rule.name} {trial.number}",
        ).info.run_id
        self._calls.log(run, run_contents.trial_params(trial), run_contents.trial_points(trial))
        self._calls.write("set_terminated", run, status=run_contents.status(trial), end_time=_end([trial]))
        self.tree.add(trial, run, home)
        self.trials += 1

    def sum_up(self, trials: Sequence[TrialRecord], usage: Sequence[run_contents.Point] = ()) -> None:
        """What the runs above say of their trials, where that has changed. trials: delivered, in their order."""
        points = list(usage)
        improved = sums.improvements(trials, self._sign)
        if improved and improved[-1].value != self._best:
            points += [
                run_contents.Point("best_objective", float(t.value or 0.0), _end([t]), t.number) for t in improved
            ]
            self._best = improved[-1].value
        if points:
            self._calls.log(self._run, {}, points)
        for arm, those in _grouped(trials, lambda trial: trial.arm).items():
            if self._lacks(self.tree.arms, arm, those):
                self._say(self.tree.arms, arm, len(those), {}, sums.arm_points(those, self._sign))
        for key, those in _grouped(trials, _configuration).items():
            if self._lacks(self.tree.configurations, key, those):
                params = run_contents.configuration_params(those[0].configuration)
                self._say(self.tree.configurations, key, len(those), params, sums.configuration_points(those))

    def finish(self, ending: Ending) -> bool:
        """The study's answer on its run, the verdict first, the model last; whether it was there already."""
        found = self._calls.read("get_run", self._run)
        if ending.delivered(found):
            return True
        ending.write(self._calls, found, self._study, self._key)
        return False

    def stand(self, ending: Ending, trials: Sequence[TrialRecord]) -> None:
        """Mean curves and what the verdict says of each configuration, on its run; the trials are there now."""
        for key, those in _grouped(trials, _configuration).items():
            if key in self.tree.configurations and (curves := sums.mean_curves(those)):
                self._calls.log(self.tree.configurations[key].run, {}, curves)
        ending.write_last(self._calls, self._run, self.tree.configurations)

    def version(self, ending: Ending) -> str | None:
        """The number of the model's version in the registry, None if it was not to be registered."""
        return ending.version(self._calls, self._key)

    def sweep(self, records: Sequence[TrialRecord]) -> None:
        """Delete what arrived late of requests that were given up here."""
        self.tree = Tree(self._calls, self.experiment_id, self._run, self._marks)
        self.tree.find(self._runs(), records)

    def end(self, status: str, trials: Sequence[TrialRecord], when: int | None = None) -> None:
        """Give the runs above the trials their end. when: milliseconds since 1970, None for now."""
        ends = {self.tree.arms[arm].run: _end(those) for arm, those in _grouped(trials, lambda t: t.arm).items()}
        for key, those in _grouped(trials, _configuration).items():
            if key in self.tree.configurations:
                ends[self.tree.configurations[key].run] = _end(those)
        self.tree.end(status, ends)
        if self._status != status:
            self._calls.write("set_terminated", self._run, status=status, end_time=when)
            self._status = status

    @staticmethod
    def _lacks(branches: Mapping[str, Branch], key: str, trials: Sequence[TrialRecord]) -> bool:
        """Whether there is a run above these trials that does not tell of all of them."""
        return key in branches and branches[key].said != len(trials)

    def _say(
        self,
        branches: dict[str, Branch],
        key: str,
        count: int,
        params: Mapping[str, str],
        points: Sequence[run_contents.Point],
    ) -> None:
        branch = branches[key]
        self._calls.log(branch.run, params, points)
        branches[key] = branch._replace(said=count)

    def _runs(self) -> list[Any]:
        return self._calls.runs(self.experiment_id, f"tags.`optselect.key` = '{self._key}'")

    def _find_experiment(self) -> str:
        found = self._calls.read("get_experiment_by_name", self._name)
        if found is not None and found.lifecycle_stage == "deleted":
            command = f"mlflow experiments restore --experiment-id {found.experiment_id}"
            raise OptselectError(f"the experiment {self._name!r} was deleted there. Take another name, or `{command}`.")
        if found is None:
            location = None
            if self._store.file:  # beside the database, not in the folder that we happen to run in
                folder = re.sub(r"[^\w.\-]+", "-", self._name, flags=re.ASCII)[:100]  # MLflow would undo a % twice
                location = (self._store.file.parent / "mlruns" / folder).as_uri()
            made = self._calls.write("create_experiment", self._name, artifact_location=location)
            found = self._calls.read("get_experiment", made)
        tag, state = charts.shared(maximize=self._sign < 0)
        if found.tags.get(tag) != state:
            self._calls.write("set_experiment_tag", found.experiment_id, tag, state)
        return str(found.experiment_id)

    def _make(self, study: StudyRecord, records: Iterable[TrialRecord]) -> Any:
        tags = {**run_contents.study_tags(study, _versions()), **self._marks}
        start = min((run_contents.milliseconds(record.started) for record in records), default=None)
        name = run_contents.text(study.name, 250)
        return self._calls.write("create_run", self.experiment_id, start_time=start, tags=tags, run_name=name)

    def _tell(self, run: Any) -> None:
        """Parameters and data of the study's run, where they are not there."""
        params = run_contents.study_params(self._study)
        if params and not run.data.params:
            self._calls.log(self._run, params, [])
        data = data_set.data_set(self._study)
        if data is not None and not run.inputs.dataset_inputs:
            self._describe_data(data)

    def _describe_data(self, data: Any) -> None:
        """Enter the data set, once more if another study of the same data did so at the same moment.

        MLflow looks whether it is there and then adds it, so that the second of two finds it a moment too late.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._calls.write("log_inputs", self._run, [data])
        except MlflowException as problem:
            if problem.error_code != "BAD_REQUEST":
                raise
            self._calls.write("log_inputs", self._run, [data])


def _grouped(trials: Iterable[TrialRecord], by: Callable[[TrialRecord], str]) -> dict[str, list[TrialRecord]]:
    found: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(by(trial), []).append(trial)
    return found


def _configuration(trial: TrialRecord) -> str:
    return run_contents.configuration_key(trial.arm, trial.configuration)


def _end(trials: Iterable[TrialRecord]) -> int:
    return max(run_contents.milliseconds(trial.started + trial.seconds) for trial in trials)


def _versions() -> dict[str, str]:
    names = ("optselect", "keras", "tensorflow", "optuna")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
