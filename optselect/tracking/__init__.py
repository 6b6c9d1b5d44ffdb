"""Mirrors of a study for people who look at MLflow. A mirror never slows, stops or fails a study.

The ledger is the record; what MLflow misses is delivered when the study is run again.
"""

from __future__ import annotations

import json
import math
import os
import queue
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from optselect.errors import OptselectError
from optselect.records import StudyRecord, TrialRecord
from optselect.tracking.delivery import Delivery
from optselect.tracking.uris import Store, default_uri

__all__ = ["MlflowTracker", "NullTracker", "Tracker", "default_uri"]

# MLflow's own defaults keep one request alive for 246 s. A repeated request could also make a second run: none is
# repeated, the tracker looks at what arrived instead.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds between attempts at a server that does not answer


class Tracker(Protocol):
    """Who is told of a study while it runs. No call waits for anything; none raises once made."""

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """A study begins or goes on. `resumed`: all trials that it has already."""

    def trial(self, record: TrialRecord) -> None:
        """A trial ended."""

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """The study has its answer. `summary`: scalars by name, with a `note` in Markdown. `artifacts`: files."""

    def close(self, timeout: float) -> list[str]:
        """Stop, within `timeout` seconds. Warnings for a person; empty if all was delivered."""

    def where(self) -> str | None:
        """How to look at the study."""


class NullTracker:
    """Tells nobody.

    >>> NullTracker().close(timeout=1.0)
    []
    """

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """Nothing."""

    def trial(self, record: TrialRecord) -> None:
        """Nothing."""

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Nothing."""

    def close(self, timeout: float) -> list[str]:
        """No warnings."""
        return []

    def where(self) -> str | None:
        """Nowhere."""
        return None


class _Abandoned(Exception):
    """`close` ran out of time; no further request may be made."""


class MlflowTracker:
    """Tells an MLflow server or database, from one background thread.

    uri: `http(s)://...` of a server, or a database (`sqlite:///mlflow.db`, `postgresql+psycopg://...`).
    experiment: a name; made if it is not there. directory: the study's own folder; `mlflow.json` in it holds the key
    by which the study's runs are found again. direction: which objective is best.

    Every trial arrives exactly once, also if the process is killed: see `start`. Until `close`, MLflow's HTTP
    timeout and retries are lowered in this process, unless the user has set them.

    Raises `InvalidValue` for a `uri` that cannot hold a study.
    """

    def __init__(
        self, uri: str, *, experiment: str, directory: Path, direction: Literal["minimize", "maximize"] = "minimize"
    ) -> None:
        self._store = Store.parse(uri)
        self._experiment = experiment
        self._directory = directory
        self._sign = 1.0 if direction == "minimize" else -1.0
        self._thread: threading.Thread | None = None
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True: the last
        self._abandoned = threading.Event()
        self._own_settings: list[str] = []
        self._trials: dict[int, TrialRecord] = {}
        self._final: tuple[Mapping[str, Any], Mapping[str, Path]] | None = None
        self._delivery: Delivery | None = None
        self._delivered: set[int] = set()
        self._noted = 0  # how many of `_improved` are there
        self._failures: Counter[int] = Counter()
        self._refused: dict[int, str] = {}
        self._ended = False
        self._trouble = ""
        self._experiment_id = ""

    # -- the caller's side --------------------------------------------------------------------------------------

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """Begin; what of `resumed` is not in MLflow yet will be delivered, what is half there is made anew."""
        for name, value in _SETTINGS.items():
            if name not in os.environ:
                os.environ[name] = value
                self._own_settings.append(name)
        self._trials = {record.number: record for record in resumed}
        self._thread = threading.Thread(target=self._work, args=(study,), name="optselect-mlflow", daemon=True)
        self._thread.start()

    def trial(self, record: TrialRecord) -> None:
        """Deliver a trial soon."""
        self._trials[record.number] = record
        self._news.put(False)

    def finish(self, summary: Mapping[str, Any], artifacts: Mapping[str, Path]) -> None:
        """Deliver the end: `note` becomes the run's description, other text tags, numbers metrics."""
        self._final = dict(summary), dict(artifacts)
        self._news.put(False)

    def close(self, timeout: float) -> list[str]:
        """Deliver the rest, with one more attempt at a server that did not answer, for at most `timeout` seconds."""
        if self._thread is None:
            return []
        self._news.put(True)
        self._thread.join(timeout)
        late = self._thread.is_alive()
        self._abandoned.set()
        for name in self._own_settings:
            os.environ.pop(name, None)
        self._own_settings.clear()
        return self._warnings(f"did not take everything within {timeout:g} s" if late else "")

    def where(self) -> str | None:
        """A link or, for a database, the command that serves it and the link."""
        return self._store.where(self._experiment_id, ascending=self._sign > 0)

    def _warnings(self, late: str) -> list[str]:
        found = []
        if self._refused:
            number, why = next(iter(self._refused.items()))
            count = _trials(len(self._refused))
            found.append(f"MLflow at {self._store.shown} did not take {count}, such as number {number}: {why}")
        trouble = self._trouble or late
        if trouble:
            left = len(self._trials.keys() - self._delivered - self._refused.keys())
            what = f"{_trials(left)} {'is' if left == 1 else 'are'}" if left else "the end of the study is"
            up = " with the server up" if self._store.is_server else ""
            found.append(
                f"MLflow at {self._store.shown} {trouble}: {what} in the ledger and will be delivered when the same "
                f"command runs again{up}."
            )
        return found

    # -- the thread's side --------------------------------------------------------------------------------------

    def _work(self, study: StudyRecord) -> None:
        pause, last = _FIRST_PAUSE, False
        while not last:
            well = self._attempt(study, last=False)
            pause = _FIRST_PAUSE if well else min(2 * pause, _LONGEST_PAUSE)
            last = self._await(pause)
        for _ in range(2):  # a trial that fails twice is passed over
            if self._attempt(study, last=True):
                return

    def _attempt(self, study: StudyRecord, *, last: bool) -> bool:
        try:
            self._deliver(study, last)
        except Exception as error:  # whatever it is, it must not reach the study
            self._delivery = None
            self._trouble = self._why(error)
            return False
        self._trouble = ""
        return True

    def _await(self, pause: float) -> bool:
        """Wait for news or, in trouble, for `pause` seconds; True if the tracker is being closed."""
        until = time.monotonic() + pause
        while True:
            try:
                last = self._news.get(timeout=max(0.0, until - time.monotonic()) if self._trouble else None)
            except queue.Empty:
                return False
            if last or not (self._trouble or not self._news.empty()):
                return last

    def _deliver(self, study: StudyRecord, last: bool) -> None:
        """Deliver all that is known and not there; `last`: nothing will follow."""
        self._go_on()
        if self._delivery is None:
            delivery = Delivery(self._store, self._experiment, self._key(), self._go_on)
            self._delivered = delivery.connect(study)
            self._experiment_id = delivery.experiment_id
            self._delivery, self._noted = delivery, 0
        for number, record in list(self._trials.items()):
            if number not in self._delivered and number not in self._refused:
                try:
                    self._delivery.deliver(record)
                    self._delivered.add(number)
                except Exception as error:
                    self._failures[number] += 1
                    if self._failures[number] < 2:
                        raise
                    self._refused[number] = self._store.scrub(str(error))
        improved = self._improved()
        self._delivery.improve(improved[self._noted :])
        self._noted = len(improved)
        if self._final is not None and not self._ended:
            self._delivery.finish(*self._final)
            self._ended = True
        elif last and not self._ended:
            self._delivery.end("KILLED")

    def _improved(self) -> list[TrialRecord]:
        """The delivered trials of the search that were the best when they came."""
        best, found = math.inf, []
        for number, record in list(self._trials.items()):
            value = math.inf if record.value is None or record.stage != "search" else self._sign * record.value
            if value < best and number in self._delivered:
                best = value
                found.append(record)
        return found

    def _go_on(self) -> None:
        if self._abandoned.is_set():
            raise _Abandoned

    def _key(self) -> str:
        """The study's key; written before MLflow hears it, so that nothing there is ever without an owner."""
        path = self._directory / "mlflow.json"
        if not path.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".tmp")
            with draft.open("w") as file:
                json.dump({"key": uuid.uuid4().hex}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return str(json.loads(path.read_text())["key"])

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


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"
