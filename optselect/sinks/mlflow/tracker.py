"""Telling an MLflow store of a study: from a thread while it runs, or of what is missing afterwards."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from optselect.errors import OptselectError
from optselect.model.objective import Objective
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.courier import Outbox, counted
from optselect.sinks.mlflow.ending import Ending
from optselect.sinks.mlflow.sending import Place, Sending
from optselect.sinks.mlflow.uris import Store
from optselect.sinks.mlflow.usage import Usage

__all__ = ["Delivered", "MlflowTracker"]

# MLflow's own defaults keep one request alive for 246 s. A repeated request could also make a second run: none is
# repeated, the tracker looks at what arrived instead.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_LOSS = Objective("val_loss")


class Delivered(NamedTuple):
    """What `MlflowTracker.catch_up` did. trials: that were not there. written: requests that changed something."""

    trials: int
    written: int
    version: str | None


class MlflowTracker:
    """Tells an MLflow server or database, from one background thread.

    uri: `http(s)://...` of a server, or a database (`sqlite:///mlflow.db`, `postgresql+psycopg://...`).
    experiment: a name; made if it is not there. directory: the study's own folder; `mlflow.json` in it holds the key
    by which the study's runs are found again, and the address for `optselect sync`. objective: the study's, `val_loss`
    if not given. register: the name in the model registry for the study's model, None for none.

    Every trial arrives exactly once, also if the process is killed: see `start`. Until `close`, MLflow's HTTP
    timeout and retries are lowered in this process, unless the user has set them.

    Raises `InvalidValue` for a `uri` that cannot hold a study.
    """

    def __init__(
        self,
        uri: str,
        *,
        experiment: str,
        directory: Path,
        objective: Objective = _LOSS,
        register: str | None = None,
    ) -> None:
        self._place = Place(Store.parse(uri), experiment, directory, register, objective.sign)
        self._sending: Sending | None = None
        self._lowered = contextlib.ExitStack()

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """Begin; what of `resumed` is not in MLflow yet will be delivered, what is half there is made anew."""
        self._lowered.enter_context(_settings())
        self._sending = self._from(study, resumed, usage=Usage())
        self._sending.courier.start()

    def trial(self, record: TrialRecord) -> None:
        """Deliver a trial soon."""
        if self._sending is not None:
            self._sending.trials.put(record.number, record)
            self._sending.courier.news()

    def finish(self, ending: Ending) -> None:
        """Deliver the end; before the trials that are still to be delivered."""
        if self._sending is not None:
            self._sending.ending = ending
            self._sending.courier.news()

    def close(self, timeout: float) -> list[str]:
        """Deliver the rest, for at most `timeout` seconds, far fewer if the store did not answer and still does not."""
        if self._sending is None:
            return []
        trouble = self._sending.courier.close(timeout)
        self._lowered.close()
        return self._warnings(self._sending.trials, trouble)

    def catch_up(
        self, study: StudyRecord, records: Sequence[TrialRecord], ending: Ending | None, *, when: float
    ) -> tuple[Delivered, list[str]]:
        """Deliver what is missing of a study that nobody runs, and wait for it; warnings besides.

        when: it ended, seconds since 1970. Raises `OptselectError` where the store does not take it.
        """
        self._sending = sending = self._from(study, records, when=when)
        sending.ending = ending
        with _settings():
            if not sending.courier.finish():
                raise OptselectError(
                    f"MLflow at {self._place.store.shown} {sending.courier.trouble}. Nothing is lost: run the same "
                    "command again."
                )
        return Delivered(*sending.written, sending.version), self._warnings(sending.trials, "")

    def where(self) -> str | None:
        """A link or, for a database, the command that serves it and the link."""
        return self._place.store.where(self._sending.experiment_id if self._sending else "")

    def version(self) -> str | None:
        """The number of the model's version in the registry, None if there is none."""
        return self._sending.version if self._sending else None

    def _from(
        self,
        study: StudyRecord,
        records: Sequence[TrialRecord],
        *,
        usage: Usage | None = None,
        when: float | None = None,
    ) -> Sending:
        trials = Outbox({record.number: record for record in records})
        return Sending(self._place, study, trials, usage=usage, when=when)

    def _warnings(self, trials: Outbox[TrialRecord], trouble: str) -> list[str]:
        store, found = self._place.store, []
        if trials.refused:
            number, why = next(iter(trials.refused.items()))
            count = len(trials.refused)
            found.append(
                f"MLflow at {store.shown} did not take {count} trial{'s' * (count > 1)}, such as number {number}: {why}"
            )
        if trouble:
            up = " once the server is up" if store.is_server else ""
            found.append(
                f"MLflow at {store.shown} {trouble}: {counted(trials.left, 'the end of the study is')} in the ledger "
                f"and will be delivered{up} by\n  optselect sync {shlex.quote(str(self._place.directory))}"
            )
        return found


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """MLflow's patience, lowered for a while where the user has not set it."""
    own = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)
