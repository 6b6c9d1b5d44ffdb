"""A study's arms as a SQLite file that Optuna and optuna-dashboard read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import optuna
import sqlalchemy as sa

from optselect.sinks.optuna_db.rows import add_study, add_trials
from optselect.util.whole_files import draft, refusals

__all__ = ["export", "holds"]

_SAFE = "What was there before is unchanged."


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

    Raises `CannotWrite` if the disk refuses.
    """
    path = Path(path)
    with refusals(path, _SAFE):
        path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path, safe=_SAFE) as aside:
        try:
            aside.unlink(missing_ok=True)
            _write(aside, studies)
        except (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise OSError(str(getattr(error, "orig", None) or error)) from error  # SQLite's word for a full disk
        finally:
            aside.with_name(f"{aside.name}-journal").unlink(missing_ok=True)


def holds(path: Path, studies: Mapping[str, optuna.Study]) -> bool:
    """Whether a file is a whole database with these studies and as many trials of each."""
    wanted = {name: len(study.get_trials(deepcopy=False)) for name, study in studies.items()}
    counted = (
        "select study_name, count(trial_id) from studies left join trials using (study_id) group by studies.study_id"
    )
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            whole = database.execute("pragma quick_check").fetchone() == ("ok",)
            return whole and dict(database.execute(counted).fetchall()) == wanted
    except (sqlite3.Error, OSError):
        return False


def _write(path: Path, studies: Mapping[str, optuna.Study]) -> None:
    engine = optuna.storages.RDBStorage(f"sqlite:///{path}").engine
    try:
        with engine.begin() as connection:
            # The file is a draft until it is whole: no journal, and one sync by the commit.
            connection.exec_driver_sql("pragma journal_mode = memory")
            for name, study in studies.items():
                add_trials(connection, add_study(connection, name, study), study.get_trials(deepcopy=False))
    finally:
        engine.dispose()
