"""Mirrors of a study for people who look at MLflow. A mirror never slows, stops or fails a study.

The ledger is the record, and so the outbox: what MLflow misses is delivered by the study's next process, or by
`optselect sync`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.mlflow.ending import ALIAS, Ending, RunSummary, check_name
from optselect.sinks.mlflow.run_ids import Remembered
from optselect.sinks.mlflow.tracker import Delivered, MlflowTracker
from optselect.sinks.mlflow.uris import default_uri

__all__ = [
    "ALIAS",
    "Delivered",
    "Ending",
    "MlflowTracker",
    "NullTracker",
    "Remembered",
    "RunSummary",
    "Tracker",
    "check_name",
    "default_uri",
]


class Tracker(Protocol):
    """Who is told of a study while it runs. No call waits for anything; none raises once made."""

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """A study begins or goes on. `resumed`: all trials that it has already."""

    def trial(self, record: TrialRecord) -> None:
        """A trial ended."""

    def finish(self, ending: Ending) -> None:
        """The study has its answer."""

    def close(self, timeout: float) -> list[str]:
        """Stop, within `timeout` seconds. Warnings for a person; empty if all was delivered."""

    def where(self) -> str | None:
        """How to look at the study."""

    def version(self) -> str | None:
        """The number of the model's version in the registry, None if there is none."""


class NullTracker:
    """Tells nobody.

    >>> NullTracker().close(timeout=1.0)
    []
    """

    def start(self, study: StudyRecord, *, resumed: Sequence[TrialRecord]) -> None:
        """Nothing."""

    def trial(self, record: TrialRecord) -> None:
        """Nothing."""

    def finish(self, ending: Ending) -> None:
        """Nothing."""

    def close(self, timeout: float) -> list[str]:
        """No warnings."""
        return []

    def where(self) -> str | None:
        """Nowhere."""
        return None

    def version(self) -> str | None:
        """None."""
        return None
