"""A study's arms as a SQLite file that Optuna and optuna-dashboard read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import optuna
import sqlalchemy as sa

from optselect.errors import OptselectError
from optselect.export.rows import add_study, add_trials

__all__ = ["export"]


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
        _write(draft, studies)
        draft.replace(path)
    except (OSError, sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        why = getattr(error, "orig", None) or error
        raise OptselectError(
            f"{path}: the study cannot be exported, {why}. What was there before is unchanged."
        ) from error
    finally:
        _discard(draft)


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


def _discard(draft: Path) -> None:
    for path in (draft, draft.with_name(f"{draft.name}-journal")):  # a killed process left both
        path.unlink(missing_ok=True)
