"""Optuna's tables: writing studies and trials from memory, many rows a statement."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import sqlalchemy as sa

__all__ = ["add_study", "add_trials", "column", "remove_trials", "set_attributes", "table"]

# The tables of Optuna 5 and the columns that are written here; Optuna makes them, with their version.
_COLUMNS = {
    "studies": "study_id study_name",
    "study_directions": "direction study_id objective",
    "study_user_attributes": "study_id key value_json",
    "study_system_attributes": "study_id key value_json",
    "trials": "trial_id number study_id state datetime_start datetime_complete",
    "trial_values": "trial_id objective value value_type",
    "trial_params": "trial_id param_name param_value distribution_json",
    "trial_user_attributes": "trial_id key value_json",
    "trial_system_attributes": "trial_id key value_json",
    "trial_intermediate_values": "trial_id step intermediate_value intermediate_value_type",
}
_OF_TRIALS = [name for name in _COLUMNS if name.startswith("trial_")]
_TABLES = {name: sa.table(name, *map(sa.column, columns.split())) for name, columns in _COLUMNS.items()}

_Rows = list[tuple[Any, ...]]


def table(name: str) -> sa.TableClause:
    """One of Optuna's tables.

    >>> print(table("studies").select())
    SELECT studies.study_id, studies.study_name
    FROM studies
    """
    return _TABLES[name]


def column(name: str) -> sa.ColumnClause[Any]:
    """A column, named with its table.

    >>> print(column("trials.number"))
    trials.number
    """
    of, _, own = name.partition(".")
    return _TABLES[of].c[own]


def add_study(connection: sa.Connection, name: str, study: optuna.Study) -> int:
    """Write a study without its trials; its number in the database."""
    _insert(connection, "studies", [(name,)], without="study_id")
    study_id = connection.scalar(sa.select(column("studies.study_id")).where(column("studies.study_name") == name))
    assert isinstance(study_id, int)
    directions = [(d.name, study_id, objective) for objective, d in enumerate(study.directions)]
    _insert(connection, "study_directions", directions)
    set_attributes(connection, study_id, study.user_attrs)
    if study.metric_names is not None:
        names = _attributes(study_id, {"study:metric_names": study.metric_names})
        _insert(connection, "study_system_attributes", names)
    return study_id


def set_attributes(connection: sa.Connection, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Add user attributes, JSON by name, to a study that has none of these names."""
    _insert(connection, "study_user_attributes", _attributes(study_id, attributes))


def add_trials(connection: sa.Connection, study_id: int, trials: Sequence[optuna.trial.FrozenTrial]) -> None:
    """Write trials of a study that has none of their numbers."""
    heads = [(t.number, study_id, t.state.name, _utc(t.datetime_start), _utc(t.datetime_complete)) for t in trials]
    _insert(connection, "trials", heads, without="trial_id")
    known = sa.select(column("trials.number"), column("trials.trial_id")).where(column("trials.study_id") == study_id)
    ids = {row.number: row.trial_id for row in connection.execute(known)}
    rows: dict[str, _Rows] = {name: [] for name in _OF_TRIALS}
    for trial in trials:
        _details(rows, ids[trial.number], trial)
    for name, values in rows.items():
        _insert(connection, name, values)


def remove_trials(connection: sa.Connection, study_id: int) -> None:
    """Take all trials of a study out of the database."""
    own = sa.select(column("trials.trial_id")).where(column("trials.study_id") == study_id).scalar_subquery()
    for name in (*_OF_TRIALS, "trial_heartbeats"):
        of = sa.table(name, sa.column("trial_id"))
        connection.execute(of.delete().where(of.c.trial_id.in_(own)))
    connection.execute(table("trials").delete().where(column("trials.study_id") == study_id))


def _insert(connection: sa.Connection, name: str, rows: _Rows, *, without: str = "") -> None:
    """without: a column that the database fills."""
    columns = [own for own in _COLUMNS[name].split() if own != without]
    if rows:
        values = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.execute(table(name).insert(), values)


def _details(rows: dict[str, _Rows], trial_id: int, trial: optuna.trial.FrozenTrial) -> None:
    for objective, value in enumerate(trial.values or ()):
        rows["trial_values"].append((trial_id, objective, *_stored(value)))
    for name, parameter in trial.params.items():
        distribution = trial.distributions[name]
        text = optuna.distributions.distribution_to_json(distribution)
        rows["trial_params"].append((trial_id, name, distribution.to_internal_repr(parameter), text))
    rows["trial_user_attributes"] += _attributes(trial_id, trial.user_attrs)
    rows["trial_system_attributes"] += _attributes(trial_id, trial.system_attrs)
    for step, value in trial.intermediate_values.items():
        rows["trial_intermediate_values"].append((trial_id, step, *_stored(value)))


def _attributes(owner: int, attributes: Mapping[str, Any]) -> _Rows:
    return [(owner, key, json.dumps(value)) for key, value in attributes.items()]


def _stored(value: float) -> tuple[float | None, str]:
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return float(value), "FINITE"


def _utc(moment: datetime.datetime | None) -> str | None:
    """Optuna's trials have local times without a zone, its tables UTC."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None
