"""One training process as its parent sees it: started by spawn, spoken to over a socket, gone with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Hashable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from optselect.errors import WorkerFailed
from optselect.trainer.messages import Done, Failed, Job, Probe, Ready, Renew, Request, Rest, Rested, SetUp, Way, Work
from optselect.util.machine import gigabytes, memory_kills, resident_memory
from optselect.util.whole_files import refusals

__all__ = ["Lost", "WorkerProcess", "tail"]

_SETTLING = 3  # jobs after which a process holds what it always will: traced functions, buffers, initial weights
_WAKING = 10.0  # seconds in which an idle process has forgotten its task

_disowned: list[WorkerProcess] = []  # kept: a `Popen` that goes while its process runs warns of it


class Lost(NamedTuple):
    """A process that will not answer. fate: how it ended, in words."""

    fate: str


class WorkerProcess:
    """A process that sets up a task and then takes a job at a time.

    threads: of one operation, 0 for as many as TensorFlow likes. log: the file that gets whatever the process prints.
    gpu: the one that it sees, as CUDA_VISIBLE_DEVICES names it, "-1" for none; None changes nothing. kind: as
    `optselect.workers.pool` tells it. job: under way, with its ticket. idle: whether it waits for one.
    """

    def __init__(self, threads: int, log: Path, gpu: str | None = None, *, kind: Hashable = None) -> None:
        self.gpu, self.kind = gpu, kind
        ours, theirs = socket.socketpair()
        # The child sees exactly our import path: not the folder it starts in, where a user's numpy.py may lie.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from optselect.trainer.process_main import main; main({theirs.fileno()}, {threads})"
        )
        with refusals(log, "Nothing was lost."):
            output = log.open("ab")
        with output:
            self.process = subprocess.Popen(  # noqa: S603 — our own interpreter and code
                [sys.executable, "-P", "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
                env=self._environment(),
            )
        theirs.close()
        self.pipe = Connection(ours.detach())
        self.job: tuple[int, Job | Probe] | None = None
        self._used = False

    def set_up(self, task: SetUp, log: Path) -> None:
        """Give it a task, and the file that gets what it prints from now on."""
        self.idle = False
        self.born = time.monotonic()
        self._kills = memory_kills()
        self._done, self._level = 0, 0
        if self._used:
            self.send(Renew(log=str(log.resolve()), environment=self._environment()))
        self._used = True
        # Its interpreter has to start before it reads: others need not wait for that.
        self._sender = threading.Thread(target=self.send, args=(task,), daemon=True)
        self._sender.start()

    def send(self, request: Request | Renew) -> None:
        """Ask something of the process; that it is dead shows when the answer is read."""
        with contextlib.suppress(OSError):
            self.pipe.send(request)

    def receive(self) -> Ready | Done | Lost:
        """Wait for its answer. Raises what is wrong with the task."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            return Lost(self._fate())
        if isinstance(answer, Failed):
            raise answer.error
        if not isinstance(answer, Ready | Done):
            raise WorkerFailed(f"The training process answered {answer!r}.")
        self.idle = self.idle or isinstance(answer, Ready)
        return answer

    def take(self, ticket: int, job: Job | Probe, way: Way | None) -> None:
        """Begin a job."""
        self.job, self.idle = (ticket, job), False
        self.send(Work(job=job, way=way))

    def finish(self) -> int:
        """Note that the job has ended; its ticket."""
        assert self.job is not None
        ticket, _ = self.job
        self.job, self.idle = None, True
        self._done += 1
        if self._done == _SETTLING:
            self._level = resident_memory(self.process.pid)
        return ticket

    def growth(self) -> int:
        """Bytes by which its memory has grown since its first jobs."""
        return resident_memory(self.process.pid) - self._level if self._done > _SETTLING else 0

    def rest(self) -> None:
        """Have the idle process forget its task."""
        self.idle = False
        self.send(Rest())

    def wake(self) -> bool:
        """Whether a process that rests is as good as a new one: it lives, and no code that it has loaded changed."""
        try:
            answer = self.pipe.recv() if self.pipe.poll(_WAKING) else None
        except (EOFError, OSError):
            return False
        return isinstance(answer, Rested) and all(_changed(Path(f)) == when for f, when in answer.files.items())

    def disown(self) -> None:
        """Leave the process to another one, whose child it is."""
        self.pipe.close()
        _disowned.append(self)

    def stop(self) -> None:
        """End the process, whatever it is busy with."""
        self.process.kill()
        self.process.wait()
        self._sender.join()
        self.pipe.close()

    def _environment(self) -> dict[str, str]:
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        return {**quiet, **os.environ, **({} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu})}

    def _fate(self) -> str:
        """How the process ended, in words."""
        try:
            _, status, usage = os.wait4(self.process.pid, 0)  # unlike `wait` it tells how much memory it had
        except ChildProcessError:  # somebody else in this process has waited for it
            return "nobody knows how"
        code = self.process.returncode = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name
        if code != -signal.SIGKILL:
            return f"killed by {name}"
        held = gigabytes(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        if memory_kills() > self._kills:
            return f"killed by the kernel since memory ran out; it had grown to {held}"
        return f"killed by {name}, as the kernel does where memory runs out; it had grown to {held}"


def _changed(file: Path) -> int:
    """When a file was written, 0 if it is gone."""
    return file.stat().st_mtime_ns if file.exists() else 0


def tail(log: Path, lines: int = 12) -> str:
    """The last words of a log, indented."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in text[-lines:]) or "  (it said nothing)"
