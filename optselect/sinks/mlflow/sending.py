"""What is sent to an MLflow store at each of a courier's attempts, and what of it has arrived."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from optselect.errors import OptselectError
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.courier import Courier, Outbox
from optselect.sinks.mlflow.delivery import Delivery
from optselect.sinks.mlflow.ending import Ending
from optselect.sinks.mlflow.run_ids import Remembered
from optselect.sinks.mlflow.uris import Store
from optselect.sinks.mlflow.usage import Usage

__all__ = ["Place", "Sending"]

_SUMS = 2.0  # seconds between two looks at what the runs above the trials should say


class Place(NamedTuple):
    """Where a study goes. sign: -1 where its objective is maximised. The rest is as in `MlflowTracker`."""

    store: Store
    experiment: str
    directory: Path
    register: str | None
    sign: float


class Sending:
    """A study, its trials and its end on their way to a place.

    usage: readings of the machine to be sent too, None for none. when: the study ended, seconds since 1970; None while
    it is run. courier: calls for what is here. ending: the study's, when it has one. experiment_id, version: as the
    store has told them.
    """

    def __init__(
        self,
        place: Place,
        study: StudyRecord,
        trials: Outbox[TrialRecord],
        *,
        usage: Usage | None = None,
        when: float | None = None,
    ) -> None:
        self._place, self._study, self.trials = place, study, trials
        self._usage, self._when = usage, when
        self.courier = Courier(self._attempt, explain=self._explain, thread="optselect-mlflow")
        self._delivery: Delivery | None = None
        self._summed = 0.0
        self._complete = False
        self.ending: Ending | None = None
        self.experiment_id = ""
        self.version: str | None = None

    @property
    def written(self) -> tuple[int, int]:
        """Of this connection: trials that were not there, and requests that changed something."""
        return (self._delivery.trials, self._delivery.written) if self._delivery else (0, 0)

    def _attempt(self, last: bool) -> float:
        """Deliver all that is known and not there; seconds until there is more to do without news."""
        delivery, self._delivery = self._delivery, None  # unless this goes well, the next one connects anew
        self._look()
        delivery = delivery or self._connected()
        self._send(delivery, last)
        self._delivery = delivery
        return min(_SUMS, self._usage.due()) if self._usage else _SUMS

    def _explain(self, error: Exception) -> str:
        """An error as words that follow the name of the store."""
        store, message = self._place.store, str(error)
        if isinstance(error, OptselectError):
            return f"cannot be used ({store.scrub(message)})"
        answered = re.search(r"too many (\d+) error", message)
        if answered:
            return f"could not be reached (it answers {answered[1]})"
        if "timed out" in message:
            return f"could not be reached (no answer within {os.environ.get('MLFLOW_HTTP_REQUEST_TIMEOUT')} s)"
        if "refused" in message:
            return "could not be reached (connection refused)"
        return f"could not be reached ({store.scrub(message)})"

    def _connected(self) -> Delivery:
        place = self._place
        kept = Remembered.keep(place.directory, place.store, place.register)
        delivery = Delivery(place.store, place.experiment, kept.key, place.sign, self._look)
        self.trials.found(delivery.connect(self._study, self.trials.items, goes_on=self._when is None))
        self.experiment_id = delivery.experiment_id
        self.courier.answers()
        return delivery

    def _send(self, delivery: Delivery, last: bool) -> None:
        """The verdict goes before the trials, and what is said of them after them."""
        ending = None if self._complete else self.ending
        said = ending is None or delivery.finish(ending)
        if ending is not None:
            self.version = delivery.version(ending)
        self.trials.deliver(delivery.deliver, lambda error: self._place.store.scrub(str(error)))
        over = last or self.ending is not None
        if over or time.monotonic() - self._summed > _SUMS:
            delivery.sum_up(self.trials.arrived, self._usage.take() if self._usage else ())
            self._summed = time.monotonic()
        if not over or self._complete:
            return
        if self.courier.troubled:  # requests that were given up may have arrived since
            delivery.sweep(self.trials.items)
        if ending is not None and not said:
            delivery.stand(ending, self.trials.arrived)
        when = None if self._when is None else round(1000 * self._when)
        delivery.end("FINISHED" if ending is not None else "KILLED", self.trials.arrived, when)
        self._complete = ending is not None

    def _look(self) -> None:
        self.courier.check()
        if self._usage is not None:
            self._usage.look()
