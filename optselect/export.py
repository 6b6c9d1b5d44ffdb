"""A study's arms as a SQLite file that Optuna and optuna-dashboard read."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from optselect.errors import OptselectError

__all__ = ["export"]

_Rows = dict[str, list[tuple[Any, ...]]]

# The tables of Optuna 5 and the columns that are written here; Optuna makes them, with their version.
_COLUMNS = {
    "studies": "study_id, study_name",
    "study_directions": "direction, study_id, objective",
    "study_user_attributes": "study_id, key, value_json",
    "study_system_attributes": "study_id, key, value_json",
    "trials": "trial_id, number, study_id, state, datetime_start, datetime_complete",
    "trial_values": "trial_id, objective, value, value_type",
    "trial_params": "trial_id, param_name, param_value, distribution_json",
    "trial_user_attributes": "trial_id, key, value_json",
    "trial_system_attributes": "trial_id, key, value_json",
    "trial_intermediate_values": "trial_id, step, intermediate_value, intermediate_value_type",
}


def export(path: Path | str, studies: Mapping[str, optuna.Study]) -> None:
    """Write `studies` (by the name that they get in the file) to `path`, in place of a file that is there.

    A reader sees the old file or the new one, never a part. Through Optuna itself a trial costs 17 to 48 ms and
    more the more there are; here all rows are written in one transaction.

    >>> import tempfile
    >>> study = optuna.create_study()  # in memory
    >>> study.add_trial(optuna.trial.create_trial(value=0.5))
    >>> path = Path(tempfile.mkdtemp()) / "study.db"
    >>> export(path, {"digits/adam": study})
    >>> optuna.load_study(storage=f"sqlite:///{path}", study_name="digits/adam").best_value
    0.5

    Raises `OptselectError` if the disk refuses.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _discard(draft)
        storage = optuna.storages.RDBStorage(f"sqlite:///{draft}")
        storage.engine.dispose()
        _write(draft, _rows(studies))
        draft.replace(path)
    except (OSError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        raise OptselectError(
            f"{path}: the study cannot be exported, {error}. What was there before is unchanged."
        ) from error
    finally:
        _discard(draft)


def _discard(draft: Path) -> None:
    for path in (draft, draft.with_name(f"{draft.name}-journal")):  # a killed process left both
        path.unlink(missing_ok=True)


def _write(path: Path, rows: _Rows) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        # The file is a draft until it is whole: no journal, and one sync by the commit.
        connection.execute("pragma journal_mode = memory")
        for table, values in rows.items():
            marks = ", ".join("?" * len(_COLUMNS[table].split(", ")))
            connection.executemany(f"insert into {table} ({_COLUMNS[table]}) values ({marks})", values)  # noqa: S608


def _rows(studies: Mapping[str, optuna.Study]) -> _Rows:
    rows: _Rows = {table: [] for table in _COLUMNS}
    trial_ids = itertools.count(1)
    for study_id, (name, study) in enumerate(studies.items(), start=1):
        rows["studies"].append((study_id, name))
        for objective, direction in enumerate(study.directions):
            rows["study_directions"].append((direction.name, study_id, objective))
        _attributes(rows["study_user_attributes"], study_id, study.user_attrs)
        if study.metric_names is not None:
            _attributes(rows["study_system_attributes"], study_id, {"study:metric_names": study.metric_names})
        for trial in study.get_trials(deepcopy=False):
            _trial(rows, study_id, next(trial_ids), trial)
    return rows


def _trial(rows: _Rows, study_id: int, trial_id: int, trial: optuna.trial.FrozenTrial) -> None:
    times = _utc(trial.datetime_start), _utc(trial.datetime_complete)
    rows["trials"].append((trial_id, trial.number, study_id, trial.state.name, *times))
    for objective, value in enumerate(trial.values or ()):
        rows["trial_values"].append((trial_id, objective, *_stored(value)))
    for name, parameter in trial.params.items():
        distribution = trial.distributions[name]
        internal = distribution.to_internal_repr(parameter)
        text = optuna.distributions.distribution_to_json(distribution)
        rows["trial_params"].append((trial_id, name, internal, text))
    _attributes(rows["trial_user_attributes"], trial_id, trial.user_attrs)
    _attributes(rows["trial_system_attributes"], trial_id, trial.system_attrs)
    for step, value in trial.intermediate_values.items():
        rows["trial_intermediate_values"].append((trial_id, step, *_stored(value)))


def _attributes(rows: list[tuple[Any, ...]], owner: int, attributes: Mapping[str, Any]) -> None:
    rows += [(owner, key, json.dumps(value)) for key, value in attributes.items()]


def _stored(value: float) -> tuple[float | None, str]:
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return float(value), "FINITE"


def _utc(moment: datetime.datetime | None) -> str | None:
    """Optuna's trials have local times without a zone, its tables UTC."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None
