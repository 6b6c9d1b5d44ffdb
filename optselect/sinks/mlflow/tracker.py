"""Telling an MLflow store of a study: from a thread while it runs, or of what is missing afterwards."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shlex
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from optselect.errors import OptselectError
from optselect.model.objective import Objective
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.mlflow.delivery import Delivery
from optselect.sinks.mlflow.ending import Ending
from optselect.sinks.mlflow.run_ids import Remembered
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
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds between attempts at a server that does not answer
_LAST_TRY = 3.0  # seconds that a store in trouble has to answer in the end
_SUMS = 2.0  # seconds between two looks at what the runs above the trials should say


class Delivered(NamedTuple):
    """What `MlflowTracker.catch_up` did. trials: that were not there. written: requests that changed something."""

    trials: int
    written: int
    version: str | None


class _Abandoned(Exception):
    """`close` ran out of time; no further request may be made."""


class MlflowTracker:
    """Tells an MLflow server or database, from one background thread.

    uri: `http(s)://...` of a server, or a database (`sqlite:///mlflow.db`, `postgresql+psycopg://...`).
    experiment: a name; made if it is not there. directory: the study's own folder; `mlflow.json` in it holds the key
    by which the study's runs are found again, and the address for `optselect sync`. objective: the
    study's, `val_loss` if not given. register: the name in the model registry for the study's model, None for none.

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
        self._store = Store.parse(uri)
        self._experiment = experiment
        self._directory = directory
        self._register = register
        self._sign = objective.sign
        self._thread: threading.Thread | None = None
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True: the last
        self._abandoned = threading.Event()
        self._lowered = contextlib.ExitStack()
        self._trials: dict[int, TrialRecord] = {}
        self._usage: Usage | None = None
        self._ending: Ending | None = None
        self._delivery: Delivery | None = None
        self._delivered: set[int] = set()
        self._failures: Counter[int] = Counter()
        self._refused: dict[int, str] = {}
        self._about_a_trial = False  # the last failure
        self._summed = 0.0
        self._ended = False
        self._trouble, self._troubled = "", False
        self._experiment_id = ""
        self._version: str | None = None

    # -- the caller's side --------------------------------------------------------------------------------------

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """Begin; what of `resumed` is not in MLflow yet will be delivered, what is half there is made anew."""
        self._lowered.enter_context(_settings())
        self._trials = {record.number: record for record in resumed}
        self._usage = Usage()
        self._thread = threading.Thread(target=self._work, args=(study,), name="optselect-mlflow", daemon=True)
        self._thread.start()

    def trial(self, record: TrialRecord) -> None:
        """Deliver a trial soon."""
        self._trials[record.number] = record
        self._news.put(False)

    def finish(self, ending: Ending) -> None:
        """Deliver the end; before the trials that are still to be delivered."""
        self._ending = ending
        self._news.put(False)

    def close(self, timeout: float) -> list[str]:
        """Deliver the rest, for at most `timeout` seconds, far fewer if the store did not answer and still does not."""
        if self._thread is None:
            return []
        self._news.put(True)
        began = time.monotonic()
        while self._thread.is_alive() and (passed := time.monotonic() - began) < timeout:
            if self._trouble and passed > _LAST_TRY:
                break
            self._thread.join(min(0.1, timeout - passed))
        late = self._thread.is_alive()
        self._abandoned.set()
        self._lowered.close()
        return self._warnings(f"did not take everything within {timeout:g} s" if late else "")

    def catch_up(
        self, study: StudyRecord, records: Sequence[TrialRecord], ending: Ending | None, *, when: float
    ) -> tuple[Delivered, list[str]]:
        """Deliver what is missing of a study that nobody runs, and wait for it; warnings besides.

        when: it ended, seconds since 1970. Raises `OptselectError` where the store does not take it.
        """
        self._trials = {record.number: record for record in records}
        self._ending = ending
        with _settings():
            others = 0  # failures that are not about a trial; the first may be another process's doing
            while not self._attempt(study, last=True, when=when):
                others += not self._about_a_trial
                if others > 1:
                    raise OptselectError(
                        f"MLflow at {self._store.shown} {self._trouble}. Nothing is lost: run the same command again."
                    )
        assert self._delivery is not None
        return Delivered(self._delivery.trials, self._delivery.written, self._version), self._warnings("")

    def where(self) -> str | None:
        """A link or, for a database, the command that serves it and the link."""
        return self._store.where(self._experiment_id)

    def version(self) -> str | None:
        """The number of the model's version in the registry, None if there is none."""
        return self._version

    def _warnings(self, late: str) -> list[str]:
        found = []
        if self._refused:
            number, why = next(iter(self._refused.items()))
            count = _counted(len(self._refused))
            found.append(f"MLflow at {self._store.shown} did not take {count}, such as number {number}: {why}")
        trouble = self._trouble or late
        if trouble:
            left = len(self._trials.keys() - self._delivered - self._refused.keys())
            what = f"{_counted(left)} {'is' if left == 1 else 'are'}" if left else "the end of the study is"
            up = " once the server is up" if self._store.is_server else ""
            found.append(
                f"MLflow at {self._store.shown} {trouble}: {what} in the ledger and will be delivered{up} by\n"
                f"  optselect sync {shlex.quote(str(self._directory))}"
            )
        return found

    # -- the thread's side --------------------------------------------------------------------------------------

    def _work(self, study: StudyRecord) -> None:
        pause, last = _FIRST_PAUSE, False
        while not last:
            well = self._attempt(study, last=False)
            pause = _FIRST_PAUSE if well else min(2 * pause, _LONGEST_PAUSE)
            last = self._await(pause)
        while not self._attempt(study, last=True):
            if not self._about_a_trial:  # one that fails twice is passed over
                return

    def _attempt(self, study: StudyRecord, *, last: bool, when: float | None = None) -> bool:
        self._about_a_trial = False
        try:
            self._deliver(study, last, None if when is None else round(1000 * when))
        except Exception as error:  # whatever it is, it must not reach the study
            self._delivery, self._troubled = None, True
            self._trouble = self._why(error)
            return False
        self._trouble = ""
        return True

    def _await(self, pause: float) -> bool:
        """Wait for news, for a reading of the machine or, in trouble, for `pause` seconds; True: the last."""
        until = time.monotonic() + pause
        while True:
            left = until - time.monotonic() if self._trouble else _SUMS
            if self._usage is not None and not self._trouble:
                left = min(left, self._usage.due())
            try:
                last = self._news.get(timeout=max(0.0, left))
            except queue.Empty:
                return False
            if last or not (self._trouble or not self._news.empty()):
                return last

    def _deliver(self, study: StudyRecord, last: bool, when: int | None) -> None:
        """Deliver all that is known and not there; `last`: nothing will follow. The verdict goes before trials."""
        self._go_on()
        if self._delivery is None:
            self._connect(study, goes_on=when is None)
        delivery, ending = self._delivery, self._ending
        assert delivery is not None
        said = ending is None or self._ended or delivery.finish(ending)
        if ending is not None and not self._ended:
            self._version = delivery.version(ending)
        for number, record in list(self._trials.items()):
            if number not in self._delivered and number not in self._refused:
                self._deliver_trial(delivery, record)
        over = last or ending is not None
        if over or time.monotonic() - self._summed > _SUMS:
            there = self._there()
            delivery.sum_up(there, self._usage.take() if self._usage else ())
            self._summed = time.monotonic()
        if not over or self._ended:
            return
        if self._troubled:
            delivery.sweep(list(self._trials.values()))
        if ending is not None and not said:
            delivery.stand(ending, self._there())
        delivery.end("FINISHED" if ending is not None else "KILLED", self._there(), when)
        self._ended = ending is not None

    def _connect(self, study: StudyRecord, *, goes_on: bool) -> None:
        kept = Remembered.keep(self._directory, self._store, self._register)
        delivery = Delivery(self._store, self._experiment, kept.key, self._sign, self._go_on)
        self._delivered = delivery.connect(study, list(self._trials.values()), goes_on=goes_on)
        self._experiment_id = delivery.experiment_id
        self._delivery, self._trouble = delivery, ""

    def _deliver_trial(self, delivery: Delivery, record: TrialRecord) -> None:
        try:
            delivery.deliver(record)
            self._delivered.add(record.number)
        except Exception as error:
            self._failures[record.number] += 1
            self._about_a_trial = True
            if self._failures[record.number] < 2:
                raise
            self._refused[record.number] = self._store.scrub(str(error))

    def _there(self) -> list[TrialRecord]:
        return [record for number, record in list(self._trials.items()) if number in self._delivered]

    def _go_on(self) -> None:
        if self._abandoned.is_set():
            raise _Abandoned
        if self._usage is not None:
            self._usage.look()

    def _why(self, error: Exception) -> str:
        message = str(error)
        if isinstance(error, OptselectError):
            return f"cannot be used ({self._store.scrub(message)})"
        answered = re.search(r"too many (\d+) error", message)
        if answered:
            return f"could not be reached (it answers {answered[1]})"
        if "timed out" in message:
            return f"could not be reached (no answer within {os.environ.get('MLFLOW_HTTP_REQUEST_TIMEOUT')} s)"
        if "refused" in message:
            return "could not be reached (connection refused)"
        return f"could not be reached ({self._store.scrub(message)})"


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


def _counted(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"
