"""The copy of a study in a database, written by a thread that the study never waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import optuna
import sqlalchemy as sa

from optselect.errors import OptselectError
from optselect.sinks.optuna_db.database import Database, deliver

__all__ = ["Mirror"]

_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds between two writings; longer where one takes long or fails
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
        self._database, self._key, self._name = database, key, name
        self._studies: Mapping[str, optuna.Study] = {}
        self._thread: threading.Thread | None = None
        self._closing, self._abandoned = threading.Event(), threading.Event()
        self._engine: sa.Engine | None = None
        self._delivered = 0
        self._trouble = ""

    def start(self, studies: Mapping[str, optuna.Study]) -> None:
        """Begin. studies: Optuna studies in memory, which go on growing, by the names of their arms."""
        if self._database is None:
            return
        self._studies = dict(studies)
        self._thread = threading.Thread(
            target=self._work, args=(self._database,), name="optselect-storage", daemon=True
        )
        self._thread.start()

    def close(self, timeout: float) -> list[str]:
        """Write the rest, for at most `timeout` seconds; warnings for a person, none if all is there."""
        if self._thread is None or self._database is None:
            return []
        self._closing.set()
        self._thread.join(timeout)
        late = self._thread.is_alive()
        self._abandoned.set()
        trouble = f"did not take everything within {timeout:g} s" if late else self._trouble
        if not trouble:
            return []
        left = self._finished() - self._delivered
        what = f"{left} trial{' is' if left == 1 else 's are'}" if left else "the study is"
        return [
            f"The database {self._database.store.shown} {trouble}: {what} in the ledger and will be delivered when "
            "the same command runs again."
        ]

    def where(self) -> str | None:
        """How to look at it; None where nothing could be written."""
        return f"optuna-dashboard {self._database.store.shown}" if self._database and not self._trouble else None

    def _finished(self) -> int:
        trials = (trial for study in self._studies.values() for trial in study.get_trials(deepcopy=False))
        return sum(trial.state.is_finished() for trial in trials)

    def _work(self, database: Database) -> None:
        pause = _PAUSE
        while not self._closing.is_set():
            began = time.monotonic()
            well = self._attempt(database)
            took = time.monotonic() - began
            pause = max(_PAUSE, took / _SHARE) if well else min(2 * pause, _LONGEST_PAUSE)
            self._closing.wait(pause)
        for _ in range(2):
            if self._abandoned.is_set() or self._attempt(database):
                break
        if self._engine is not None:
            self._engine.dispose()

    def _attempt(self, database: Database) -> bool:
        try:
            anew = self._engine is None
            self._engine = self._engine or database.open()
            with self._engine.begin() as connection:
                # An earlier process may have had the trials in another order, so the first time all are replaced.
                found = deliver(connection, self._key, self._name, self._studies, anew=anew)
                if self._abandoned.is_set():
                    raise OptselectError("was too slow")
            self._delivered = sum(found.values())
        except Exception as error:  # whatever it is, it must not reach the study
            self._engine = None
            message = database.store.scrub(str(getattr(error, "orig", None) or error))
            self._trouble = message if isinstance(error, OptselectError) else f"could not be written to ({message})"
            return False
        self._trouble = ""
        return True
