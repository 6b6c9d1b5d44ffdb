"""Deliver to MLflow what is missing there of studies that nobody runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.api.studies import folder, folders
from optselect.errors import DamagedFile, OptselectError
from optselect.record import StudyLog
from optselect.record.entries import TrialRecord
from optselect.session.mlflow_copy import ending
from optselect.session.saved_model import model_problem
from optselect.sinks.mlflow import Delivered, Ending, MlflowTracker, Remembered, default_uri
from optselect.verdict.answer import Answer

__all__ = ["Synced", "sync"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Synced:
    """What was delivered of a study.

    Parameters
    ----------
    study : str
        Name of the study.
    trials : int, default 0
        Trials delivered now.
    total : int, default 0
        Trials of the study.
    written : int, default 0
        Requests that changed something in MLflow.
    finished : bool, default False
        Whether the study has an answer; a study without one is ended as KILLED in MLflow.
    registered : str, default ""
        Name and version of its model in the registry, "" if it is not registered.
    where : str, default ""
        How to see it in MLflow.
    warnings : sequence of str, default ()
        What should be known.
    problem : str, default ""
        Why nothing was delivered, "" if it was.
    """

    study: str
    trials: int = 0
    total: int = 0
    written: int = 0
    finished: bool = False
    registered: str = ""
    where: str = ""
    warnings: Sequence[str] = ()
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Describe the result with JSON types.

        Returns
        -------
        dict
            Fields by name.
        """
        return {**dataclasses.asdict(self), "warnings": list(self.warnings)}


def sync(
    study: str | Path | None = None,
    *,
    mlflow: str | None = None,
    out: str | Path | None = None,
    register: str | None = None,
) -> list[Synced]:
    """Deliver what MLflow lacks of a study, or of all studies in a folder; a second call adds nothing.

    Parameters
    ----------
    study : str or Path, optional
        Name or folder of the study. Default: all studies in `out`.
    mlflow : str, optional
        A tracking URI. Default: where the study was delivered before, otherwise `MLFLOW_TRACKING_URI`, otherwise
        `mlflow.db` in the current folder.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.
    register : str, optional
        Name under which the trained model becomes a version in MLflow's registry.

    Returns
    -------
    list of Synced
        One result per study. Where all studies of a folder are delivered, a failure is the `problem` of its study.

    Raises
    ------
    OptselectError
        If a study that was named cannot be delivered: it is running or unknown, or the server does not answer.

    Examples
    --------
    >>> import tempfile
    >>> sync(out=tempfile.mkdtemp())
    []
    """
    if study is not None:
        return [_synced(folder(study, out), mlflow, register)]
    found = []
    for place in folders(out):
        try:
            found.append(_synced(place, mlflow, register))
        except OptselectError as error:
            found.append(Synced(study=place.name, problem=str(error)))
    return found


def _synced(directory: Path, mlflow: str | None, register: str | None) -> Synced:
    with StudyLog.open(directory / "ledger.jsonl") as log:  # held, so that no process runs the study meanwhile
        if log.task is None:
            return Synced(study=directory.name)  # it has not begun
        record, records = dataclasses.replace(log.begun, task=log.task), log.trials
        kept = Remembered.of(directory)
        tracker = MlflowTracker(
            mlflow or (kept.address() if kept else default_uri()),
            experiment=f"optselect/{record.name}",
            directory=directory,
            objective=log.task.objective,
            register=register,
        )
        end = _ending(log, register or (kept.register if kept else None))
        done, warnings = tracker.catch_up(record, records, end, when=_when(records, log.path))
    return _told(record.name, done, end, records, tracker.where() or "", warnings)


def _ending(log: StudyLog, register: str | None) -> Ending | None:
    """The end of a study that has one. Raises `DamagedFile` where its answer or its model is not whole."""
    answer, directory = Answer.read(log), log.path.parent
    refit = log.final("refit")
    if answer.state == "missing" or (answer.usable and refit is None):
        return None
    recommendation = answer.wanted()
    if refit is not None and (problem := model_problem(directory, refit)):
        raise DamagedFile(problem)
    return ending(recommendation, directory, log.trials, register)


def _when(records: Sequence[TrialRecord], ledger: Path) -> float:
    """When a study ended, as far as anybody knows: with its last trial."""
    return max((record.started + record.seconds for record in records), default=ledger.stat().st_mtime)


def _told(
    name: str,
    done: Delivered,
    end: Ending | None,
    records: Sequence[TrialRecord],
    where: str,
    warnings: Sequence[str],
) -> Synced:
    return Synced(
        study=name,
        trials=done.trials,
        total=len(records),
        written=done.written,
        finished=end is not None,
        registered=f"{end.register} {done.version}" if end is not None and done.version else "",
        where=where,
        warnings=warnings,
    )
