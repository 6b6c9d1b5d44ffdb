"""Where trials run: worker processes on this machine, replaced when they die."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from optselect.errors import OptselectError, WorkerFailed
from optselect.rule import Rule
from optselect.trainer.jobs import Job, Plan, Run

__all__ = ["LocalExecutor"]

_TRIES = 3  # a job that kills its process this often is given up


class LocalExecutor:
    """Worker processes that each hold the task and its traced program.

    spec: a picklable `TaskSpec`. rules: one of each kind that will be trained. seeds: those that will be asked for;
    others cost a second each. plan: what is to come, by which the way of running the steps is chosen. workers: how
    many processes. threads: of one operation in each, 0 for as many as
    TensorFlow likes. log: the file that gets whatever the workers print.

    Raises what is wrong with data or model, from `start`; `WorkerFailed` when processes do not come up.
    """

    def __init__(
        self,
        spec: Any,
        rules: Sequence[Rule],
        seeds: Sequence[int],
        *,
        workers: int,
        threads: int,
        log: Path,
        plan: Plan | None = None,
    ) -> None:
        self._threads, self._log = threads, log
        self._plan = plan or Plan(steps=0)
        self._about = spec, list(rules), list(seeds)
        self._waiting: collections.deque[tuple[int, Job]] = collections.deque()
        self._tries: collections.Counter[int] = collections.Counter()
        # One process measures which way is the fastest and all follow it; the others set up meanwhile.
        follow = dataclasses.replace(self._plan, way=self._plan.way or "graph")
        plans = [self._plan, *[follow] * (workers - 1)]
        self._crew = [_Worker((*self._about, p), threads, log) for p in plans]

    def start(self) -> dict[str, Any]:
        """Wait until the first worker is ready (the others join as they are); what it says of the task."""
        while True:
            for worker in self._ready():
                kind, answer = self._receive(worker)
                if kind == "task":
                    worker.idle = True
                    if worker is self._crew[0]:
                        self._plan = dataclasses.replace(self._plan, way=answer["way"] or None)
                        return dict(answer)
                if kind == "dead":
                    raise WorkerFailed(
                        "The training process ended while it set up the task "
                        f"({answer}). Its last words:\n{_tail(self._log)}"
                    )

    def submit(self, ticket: int, job: Job) -> None:
        """Queue a job under a number of the caller's."""
        self._waiting.append((ticket, job))
        self._hand_out()

    @property
    def capacity(self) -> int:
        """How many jobs can run at once."""
        return len(self._crew)

    def results(self, timeout: float) -> Iterator[tuple[int, Run]]:
        """The jobs that have ended, after waiting up to `timeout` seconds for the first."""
        for worker in self._ready(timeout):
            kind, answer = self._receive(worker)
            if kind == "task":
                worker.idle = True
            elif kind == "dead":
                yield from self._replace(worker, answer)
            else:
                assert worker.job is not None
                ticket, _ = worker.job
                worker.job, worker.idle = None, True
                yield ticket, answer
        self._hand_out()

    def run(self, job: Job) -> Run:
        """Run one job and wait for it; nothing else may be under way."""
        self.submit(-1, job)
        while True:
            for _, run in self.results(timeout=1.0):
                return run

    def close(self) -> None:
        """End all processes."""
        for worker in self._crew:
            worker.stop()

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hand_out(self) -> None:
        for worker in self._crew:
            if worker.idle and self._waiting:
                worker.job, worker.idle = self._waiting.popleft(), False
                with contextlib.suppress(OSError):  # a dead worker shows at the next read
                    worker.pipe.send(("job", (self._plan.way or "", worker.job[1])))

    def _ready(self, timeout: float | None = None) -> list[_Worker]:
        pipes = wait([worker.pipe for worker in self._crew], timeout)
        return [worker for worker in self._crew if worker.pipe in pipes]

    def _receive(self, worker: _Worker) -> tuple[str, Any]:
        try:
            kind, answer = worker.pipe.recv()
        except (EOFError, OSError):
            return "dead", worker.fate()
        if kind == "error":
            raise answer if isinstance(answer, OptselectError) else WorkerFailed(str(answer))
        return kind, answer

    def _replace(self, worker: _Worker, fate: str) -> Iterator[tuple[int, Run]]:
        """Put a new process in a dead one's place; its job goes first, or is given up after some tries."""
        job = worker.job
        worker.stop()
        if job is None and worker.born > time.monotonic() - 120:
            raise WorkerFailed(f"A training process ended before its first job ({fate}):\n{_tail(self._log)}")
        self._crew[self._crew.index(worker)] = _Worker((*self._about, self._plan), self._threads, self._log)
        if job is None:
            return
        ticket, _ = job
        self._tries[ticket] += 1
        if self._tries[ticket] < _TRIES:
            self._waiting.appendleft(job)
        else:
            error = f"The training process ended {_TRIES} times in this trial ({fate})."
            yield ticket, Run(curves={}, metrics={}, epochs=0, finite=False, seconds=0.0, error=error)


class _Worker:
    """One process and the socket to it."""

    def __init__(self, task: Any, threads: int, log: Path) -> None:
        ours, theirs = socket.socketpair()
        # The child sees exactly our import path: not the folder it starts in, where a user's numpy.py may lie.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from optselect.trainer.worker import main; main({theirs.fileno()}, {threads})"
        )
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 — our own interpreter and code
                [sys.executable, "-P", "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
                env={**os.environ, **{k: v for k, v in quiet.items() if k not in os.environ}},
            )
        theirs.close()
        self.pipe = Connection(ours.detach())
        self.job: tuple[int, Job] | None = None
        self.idle = False
        self.born = time.monotonic()
        with contextlib.suppress(OSError):
            self.pipe.send(("task", task))

    def fate(self) -> str:
        """How the process ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        code = self.process.returncode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def stop(self) -> None:
        """End the process: it leaves by itself when its socket closes."""
        self.pipe.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _tail(log: Path, lines: int = 12) -> str:
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in text[-lines:]) or "  (it said nothing)"
