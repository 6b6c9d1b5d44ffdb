"""A database in which Optuna keeps the studies of many people: which are refused, and one transaction that writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import optuna
import sqlalchemy as sa

from optselect.errors import InvalidValue, OptselectError
from optselect.sinks.mlflow.uris import Store, masked
from optselect.sinks.optuna_db.rows import add_study, add_trials, column, remove_trials, set_attributes

__all__ = ["Database"]

_KEY = "optselect.key"  # the user attribute by which an arm's study is known to be ours
_MLFLOW = {"experiments", "runs", "latest_metrics"}
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_TIMEOUT = {"postgresql": "connect_timeout", "mysql": "connect_timeout", "sqlite": "timeout"}
_SECONDS = 5  # that a server may take to answer


class Database(NamedTuple):
    """An address that was looked at. url: complete. store: the same for people, without passwords."""

    url: str
    store: Store

    @classmethod
    def find(cls, storage: str | None) -> Database | None:
        """What `tune(storage=...)` means: a URL, "default" for `OPTSELECT_STORAGE`, None for none.

        Raises as `parse`.
        """
        url = os.environ.get("OPTSELECT_STORAGE") if storage == "default" else storage
        return cls.parse(url) if url else None

    @classmethod
    def parse(cls, url: str) -> Database:
        """Check a SQLAlchemy URL. A server that does not answer is no error here.

        >>> Database.parse("sqlite:///:memory:")
        Traceback (most recent call last):
        optselect.errors.InvalidValue: tune: `storage` 'sqlite:///:memory:' is gone with the process. Name a file
        (sqlite:///optuna.db) or a server (postgresql://user@host/optuna).

        Raises `InvalidValue` for what is no such URL or only in memory, if the driver is not installed, and if the
        database is MLflow's: both keep their schema's version in a table `alembic_version`, and in one database
        each breaks the other.
        """
        store = Store(url, *masked(url))
        try:
            parsed = sa.make_url(url)
            parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
            database = cls(parsed.render_as_string(hide_password=False), store)
            engine = database._engine()
        except ImportError as error:
            raise InvalidValue(
                f"tune: `storage` {store.shown!r} needs a package that is not installed ({error}). For Postgres: "
                "pip install 'optselect[postgres]'"
            ) from None
        except (sa.exc.ArgumentError, ValueError):
            raise InvalidValue(
                f"tune: `storage` must be the URL of a database, such as postgresql://user@host/optuna or "
                f"sqlite:///optuna.db; got {store.shown!r}."
            ) from None
        if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
            raise InvalidValue(
                f"tune: `storage` {store.shown!r} is gone with the process. Name a file (sqlite:///optuna.db) or a "
                "server (postgresql://user@host/optuna)."
            )
        try:
            _refuse_mlflow(engine)
        except OptselectError as error:
            raise InvalidValue(f"tune: `storage` {store.shown!r} {error}") from None
        except sa.exc.SQLAlchemyError:
            pass  # it may be there when there is something to write
        return database

    def open(self) -> sa.Engine:
        """Connect, with Optuna's tables made if they are not there.

        Raises what SQLAlchemy raises if it does not answer, `OptselectError` if it is MLflow's, and what Optuna
        raises if its tables are of another version.
        """
        engine = self._engine()
        _refuse_mlflow(engine)
        engine.dispose()
        return optuna.storages.RDBStorage(self.url, self._options()).engine

    def _engine(self) -> sa.Engine:
        return sa.create_engine(self.url, **self._options())

    def _options(self) -> dict[str, Any]:
        url = sa.make_url(self.url)
        name = _TIMEOUT.get(url.get_backend_name())
        given = {name: _SECONDS} if name and name not in url.query else {}
        return {"poolclass": sa.NullPool, "connect_args": given}


def deliver(
    connection: sa.Connection, key: str, name: str, studies: Mapping[str, optuna.Study], *, anew: bool
) -> dict[str, int]:
    """Write what is not there yet of a study whose arms are `studies`; how many finished trials each has there.

    key: known to no other study. name: what its arms' studies are called before the slash, with a part of the key if
    another study in the database has that name. anew: take out what is there first.
    """
    found = {}
    for arm, study in studies.items():
        study_id = _study_id(connection, f"{key}/{arm}") or _begin(connection, key, name, arm, study)
        mine = sa.select(column("studies.study_id")).where(column("studies.study_id") == study_id)
        connection.execute(mine.with_for_update())  # until the commit nobody else adds the same trials
        if anew:
            remove_trials(connection, study_id)
        numbers = sa.select(column("trials.number")).where(column("trials.study_id") == study_id)
        there = set(connection.scalars(numbers))
        finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        add_trials(connection, study_id, [trial for trial in finished if trial.number not in there])
        found[arm] = len(finished)
    return found


def _begin(connection: sa.Connection, key: str, name: str, arm: str, study: optuna.Study) -> int:
    wanted = f"{name}/{arm}"
    taken = sa.select(column("studies.study_id")).where(column("studies.study_name") == wanted)
    if connection.scalar(taken) is not None:
        wanted = f"{name}-{key[:6]}/{arm}"
    study_id = add_study(connection, wanted, study)
    set_attributes(connection, study_id, {_KEY: f"{key}/{arm}"})
    return study_id


def _study_id(connection: sa.Connection, key: str) -> int | None:
    of, value = column("study_user_attributes.key"), column("study_user_attributes.value_json")
    ours = sa.select(column("study_user_attributes.study_id")).where(of == _KEY, value == json.dumps(key))
    found: int | None = connection.scalar(ours)
    return found


def _refuse_mlflow(engine: sa.Engine) -> None:
    if set(sa.inspect(engine).get_table_names()) >= _MLFLOW:
        raise OptselectError(
            "holds MLflow's tables, which Optuna's would break: both keep their schema's version in the table "
            "`alembic_version`. Give Optuna a database of its own, such as postgresql://user@host/optuna"
        )
