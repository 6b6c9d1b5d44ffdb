"""What a study asks of whatever runs its trials: processes on this machine, actors on others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol, Self, overload

from optselect.trainer.messages import Job, Probe, ProbeRun, Run

__all__ = ["Executor"]


class Executor(Protocol):
    """Runs jobs, some at once, in any order. Each has workers that answer the messages of `optselect.trainer.messages`.

    A job whose worker is lost is run again, by another one; one that cannot be run is answered with a result that
    says why. What is wrong with the task or the machine is raised, by whichever call meets it.
    """

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many jobs can run at once."""

    @abstractmethod
    def submit(self, ticket: int, job: Job | Probe) -> None:
        """Queue a job or a range test under a number of the caller's."""

    @abstractmethod
    def results(self, timeout: float) -> Iterator[tuple[int, Any]]:
        """What has ended, after waiting up to `timeout` seconds for the first: a `Run` of a job, or a `ProbeRun`."""

    @abstractmethod
    def close(self) -> None:
        """Give all workers up, whatever they are busy with."""

    @overload
    def run(self, job: Job) -> Run: ...
    @overload
    def run(self, job: Probe) -> ProbeRun: ...
    def run(self, job: Job | Probe) -> Run | ProbeRun:
        """Run one job or range test and wait for it; nothing else may be under way."""
        self.submit(-1, job)
        while True:
            for _, answer in self.results(timeout=1.0):
                return answer  # type: ignore[no-any-return]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
