"""The copy of a study in a database, written by a thread that the study never waits for."""

from __future__ import annotations

import time
from collections.abc import Mapping

import optuna
import sqlalchemy as sa

from optselect.errors import OptselectError
from optselect.sinks.courier import Courier, State, counted
from optselect.sinks.optuna_db.database import Database, deliver

__all__ = ["Mirror"]

_PAUSE = 5.0  # seconds between two writings; longer where one takes long
_SHARE = 0.05  # of the time that writing may take


class Mirror:
    """Keeps a study's arms in a `Database` up to date while they are searched.

    database: None for none. key: of the study, known to no other. name: what the study is called. Whatever happens to
    the database, nothing is raised: `close` says what is missing, and the next `Mirror` of the same study delivers it.

    >>> import tempfile
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/optuna.db"
    >>> study = optuna.create_study()
    >>> study.add_trial(optuna.trial.create_trial(value=0.5))
    >>> mirror = Mirror(Database.parse(url), key="1f2e3d", name="digits")
    >>> mirror.start({"adam": study})
    >>> mirror.close(timeout=60)
    []
    >>> optuna.load_study(storage=url, study_name="digits/adam").best_value
    0.5
    """

    def __init__(self, database: Database | None, *, key: str, name: str) -> None:
        self._writer = _Writer(database, key, name) if database is not None else None

    def start(self, studies: Mapping[str, optuna.Study]) -> None:
        """Begin. studies: Optuna studies in memory, which go on growing, by the names of their arms."""
        if self._writer is not None:
            self._writer.studies = dict(studies)
            self._writer.courier.start()

    def close(self, timeout: float) -> list[str]:
        """Write the rest, for at most `timeout` seconds; warnings for a person, none if all is there."""
        writer = self._writer
        if writer is None or not (trouble := writer.courier.close(timeout)):
            return []
        return [
            f"The database {writer.database.store.shown} {trouble}: {counted(writer.left(), 'the study is')} in the "
            "ledger and will be delivered when the same command runs again."
        ]

    def where(self) -> str | None:
        """How to look at it; None where nothing could be written."""
        writer = self._writer
        if writer is None or writer.courier.state is State.TROUBLED:
            return None
        return f"optuna-dashboard {writer.database.store.shown}"


class _Writer:
    """What the thread of a courier writes. studies: in memory, by the names of their arms."""

    def __init__(self, database: Database, key: str, name: str) -> None:
        self.database, self._key, self._name = database, key, name
        self.studies: Mapping[str, optuna.Study] = {}
        self.courier = Courier(self._write, explain=self._explain, thread="optselect-storage")
        self._engine: sa.Engine | None = None
        self._delivered = 0

    def left(self) -> int:
        """How many finished trials are not there."""
        trials = (trial for study in self.studies.values() for trial in study.get_trials(deepcopy=False))
        return sum(trial.state.is_finished() for trial in trials) - self._delivered

    def _write(self, last: bool) -> float:
        """Write what is not there; seconds until the next time, so that writing takes its share of them at most."""
        began, engine = time.monotonic(), self._engine
        self._engine = None  # unless this goes well
        anew, engine = engine is None, engine or self.database.open()
        with engine.begin() as connection:
            # An earlier process may have had the trials in another order, so the first time all are replaced.
            found = deliver(connection, self._key, self._name, self.studies, anew=anew)
            self.courier.check()
        self._delivered = sum(found.values())
        if last:
            engine.dispose()
        else:
            self._engine = engine
        return max(_PAUSE, (time.monotonic() - began) / _SHARE)

    def _explain(self, error: Exception) -> str:
        message = self.database.store.scrub(str(getattr(error, "orig", None) or error))
        return message if isinstance(error, OptselectError) else f"could not be written to ({message})"
