"""Writing to an MLflow server or database, one call after the other: the only importer of mlflow."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from optselect.errors import OptselectError
from optselect.records import StudyRecord, TrialRecord
from optselect.tracking import layout
from optselect.tracking.uris import Store

__all__ = ["Delivery"]

_PAGE = 1000
_ENDED = ("FINISHED", "KILLED", "FAILED")
_PARENT = "mlflow.parentRunId"


class Delivery:
    """A study in one MLflow store.

    `study_key` is in the tag `optselect.key` of every run of the study: what was delivered before is found by it,
    whoever delivered it. A trial's run is ended by the last call that is made for it, so one that is still running
    is half-written. `go_on` is called before each request and raises to stop.
    """

    def __init__(self, store: Store, experiment: str, study_key: str, go_on: Callable[[], None]) -> None:
        refuse_optuna(store)
        from mlflow.tracking import MlflowClient

        if "MLFLOW_LOGGING_LEVEL" not in os.environ:  # two lines about tables that it makes
            logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        self._store = store
        self._key = study_key
        self._go_on = go_on
        self._client = MlflowClient(tracking_uri=store.uri)
        self._name = layout.text(experiment, 500)
        self._experiment = ""
        self._parent = ""
        self._marks: dict[str, str] = {}

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the experiment, "" until connected."""
        return self._experiment

    def connect(self, study: StudyRecord) -> set[int]:
        """Find or make the experiment and the study's run; the numbers of the trials that are there already."""
        self._experiment = self._find_experiment()
        self._marks = {"optselect.key": self._key, "optselect.study": layout.text(study.name, layout.TAG_LENGTH)}
        self._parent = self._find_parent(study)
        return self._sweep()

    def deliver(self, trial: TrialRecord) -> None:
        """One trial as a child run that has ended."""
        tags = {**layout.trial_tags(trial), **self._marks, _PARENT: self._parent}
        start = layout.milliseconds(trial.started)
        end = layout.milliseconds(trial.started + trial.seconds)
        name = f"{trial.configuration.rule.name} {trial.number}"
        run = self._call("create_run", self._experiment, start_time=start, tags=tags, run_name=name).info.run_id
        self._log(run, layout.trial_params(trial), layout.trial_points(trial))
        self._call("set_terminated", run, status=layout.status(trial), end_time=end)

    def improve(self, trials: Sequence[TrialRecord]) -> None:
        """`best_objective` of the study's run gets the value of each, by its number; a repeated one changes nothing."""
        points = []
        for trial in trials:
            end = layout.milliseconds(trial.started + trial.seconds)
            points.append(layout.Point("best_objective", float(trial.value or 0.0), end, trial.number))
        self._log(self._parent, {}, points)

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Text of `summary` becomes tags (`note` the description in Markdown), its numbers metrics.

        artifacts: local files by their path in MLflow; the file name is that of the local file.
        """
        now = layout.milliseconds(time.time())
        points = []
        for name, value in summary.items():
            if name == "note":
                self._call("set_tag", self._parent, "mlflow.note.content", layout.text(value, layout.TAG_LENGTH))
            elif isinstance(value, str | bool):
                tag = layout.text(value, layout.TAG_LENGTH)
                self._call("set_tag", self._parent, layout.key(f"optselect.{name}"), tag)
            elif layout.finite(value):
                points.append(layout.Point(layout.key(name), float(value), now, 0))
        self._log(self._parent, {}, points)
        for name, path in artifacts.items():
            if path.exists():
                self._call("log_artifact", self._parent, str(path), posixpath.dirname(name) or None)
        self._sweep()  # a request that timed out here may have arrived there, later
        self.end("FINISHED")

    def end(self, status: str) -> None:
        """Give the study's run its end."""
        self._call("set_terminated", self._parent, status=status)

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        self._go_on()
        return getattr(self._client, method)(*arguments, **named)

    def _find_experiment(self) -> str:
        found = self._call("get_experiment_by_name", self._name)
        if found is not None and found.lifecycle_stage == "deleted":
            command = f"mlflow experiments restore --experiment-id {found.experiment_id}"
            raise OptselectError(f"the experiment {self._name!r} was deleted there. Take another name, or `{command}`.")
        if found is not None:
            return str(found.experiment_id)
        location = None
        if self._store.file:  # beside the database, not in the folder that we happen to run in
            location = (self._store.file.parent / "mlruns" / quote(self._name, safe="")[:100]).as_uri()
        return str(self._call("create_experiment", self._name, artifact_location=location))

    def _find_parent(self, study: StudyRecord) -> str:
        found = self._search("study")
        if found:
            first, *others = found
            for other in others:  # made by a request that timed out here and arrived there
                self._call("delete_run", other.info.run_id)
            self._call("update_run", first.info.run_id, status="RUNNING")
            return str(first.info.run_id)
        tags = {**layout.study_tags(study, _versions()), **self._marks}
        run = self._call("create_run", self._experiment, tags=tags, run_name=layout.text(study.name, 250)).info.run_id
        self._log(run, layout.study_params(study), [])
        return str(run)

    def _sweep(self) -> set[int]:
        """Delete half-written trials; the numbers of the whole ones, now under the study's run if they were not."""
        whole: set[int] = set()
        for run in self._search("trial"):
            number = int(run.data.tags["optselect.number"])
            if run.info.status not in _ENDED or number in whole:
                self._call("delete_run", run.info.run_id)
                continue
            whole.add(number)
            if run.data.tags.get(_PARENT) != self._parent:  # its parent was deleted by hand
                self._call("set_tag", run.info.run_id, _PARENT, self._parent)
        return whole

    def _search(self, kind: str) -> list[Any]:
        wanted = f"tags.`optselect.key` = '{self._key}' and tags.`optselect.kind` = '{kind}'"
        found: list[Any] = []
        token = None
        while True:
            page = self._call(
                "search_runs",
                [self._experiment],
                wanted,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return found

    def _log(self, run: str, params: Mapping[str, str], points: list[layout.Point]) -> None:
        from mlflow.entities import Metric, Param

        for some, part in layout.batches(params, points):
            self._call(
                "log_batch",
                run,
                metrics=[Metric(p.name, p.value, p.milliseconds, p.step) for p in part],
                params=[Param(name, value) for name, value in some.items()],
            )


def refuse_optuna(store: Store) -> None:
    """Raise `OptselectError` if the database is Optuna's.

    Optuna and MLflow both keep their schema's version in a table `alembic_version`: in one database each breaks
    the other, with a message about versions.
    """
    if not store.is_database or (store.file and not store.file.is_file()):
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(store.uri, poolclass=sqlalchemy.pool.NullPool)
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()
    if {"studies", "trials", "version_info"} <= tables:
        raise OptselectError(
            "it holds Optuna studies, which MLflow would break: both keep their schema's version in the table "
            "`alembic_version`; give MLflow a database of its own, such as sqlite:///mlflow.db"
        )


def _versions() -> dict[str, str]:
    names = ("optselect", "keras", "tensorflow", "optuna")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
