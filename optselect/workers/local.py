"""Where trials run: worker processes on this machine, replaced when they die or swell."""

from __future__ import annotations

import collections
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal, get_args

from optselect.errors import InvalidValue, UnknownName, WorkerFailed
from optselect.optim.configuration import BASELINE
from optselect.optim.rule import Rule
from optselect.task import TaskDescription, TaskSpec
from optselect.trainer.messages import Done, Job, Plan, Probe, ProbeRun, Ready, Run, SetUp, Way, broken, decided
from optselect.util.machine import available_memory, cores, gigabytes, gpus
from optselect.util.suggestion import suggestion
from optselect.workers.executor import Executor
from optselect.workers.pool import Pool, kind_of
from optselect.workers.process import Lost, WorkerProcess, tail

__all__ = ["Device", "LocalExecutor"]

Device = Literal["auto", "cpu", "gpu"]
"""Where processes train: each on a GPU of its own if there are some, never on one, or never without one."""

_NO_GPU: dict[Device, str | None] = {"auto": None, "cpu": "-1", "gpu": None}  # for CUDA_VISIBLE_DEVICES
_TRIES = 3  # a job that kills its process this often is given up
_MOST = 8  # processes, if nobody asks for more: as many as one parent and a handful of arms keep busy
_USUAL = 1_200_000_000  # bytes of a process with a small model, most of them TensorFlow's
_COPIES = 4  # of the data in a process, while it prepares them
_LONG_STEP = 0.02  # seconds; below, threads within an operation cannot help
_WORTH_TRYING = 300.0  # seconds of steps in one process; to try one with all threads takes some twenty
_YOUNG = 120.0  # seconds; who dies before, and without a job, died while it set up


class LocalExecutor(Executor):
    """Worker processes that each hold the task and its traced program.

    spec, rules, seeds: as in `SetUp`. log: the file that gets whatever the workers print. plan: what all of them will
    have to do, by which the way of running the steps is chosen. workers: how many processes; None for as many as cores
    and memory allow, or a single one with all threads where `start` finds that faster. threads: of one operation in
    each process; None to share the cores among them. The last bits of a result depend on it: `start` tells what a study
    has to keep to. growth: bytes by which the memory of a process may grow over what it needs for its first jobs; it is
    then replaced between two jobs. device: where they train; GPUs are shared out, one process each if `workers` is
    None.

    Raises what is wrong with data or model, from `start`; `WorkerFailed` when processes do not come up.
    """

    def __init__(
        self,
        spec: TaskSpec,
        rules: Sequence[Rule],
        seeds: Sequence[int],
        *,
        log: Path,
        plan: Plan | None = None,
        workers: int | None = None,
        threads: int | None = None,
        growth: int = 500_000_000,
        device: Device = "auto",
        pool: Pool | None = None,
    ) -> None:
        self._device, self._gpus = device, _gpus(device)
        self._log, self._growth, self._pool = log, growth, pool
        self._waiting: collections.deque[tuple[int, Job | Probe]] = collections.deque()
        self._tries: collections.Counter[int] = collections.Counter()
        self._cores, self._memory = cores(), available_memory() + (pool.held() if pool else 0)
        self._free = workers is None, threads is None
        self._lines: list[str] = []
        count = (
            workers
            or len(self._gpus)
            or self._fitting(max(1, min(self._cores // (threads or 1), _MOST)), _USUAL + _COPIES * spec.data.resident)
        )
        self._threads = max(1, self._cores // count) if threads is None else threads
        plan = plan or Plan(steps=0)
        plan = dataclasses.replace(plan, steps=plan.steps / count)
        self._task = SetUp(spec=spec, rules=tuple(rules), seeds=tuple(seeds), plan=plan)
        # One process measures which way is the fastest and all follow it; the others set up meanwhile.
        follow = self._planned(way=plan.way or "graph")
        self._crew: list[WorkerProcess] = []
        for task in (self._task, *[follow] * (count - 1)):
            self._crew.append(self._process(task))

    def start(self) -> TaskDescription:
        """Wait until the first worker is ready (the others join as they are); what it says of the task.

        `workers` and `threads` are as they were given or decided.
        """
        first = self._crew[0]
        while not first.idle:
            for worker in self._ready():
                answer = worker.receive()
                if isinstance(answer, Lost):
                    self._lost_in_setup(worker, answer.fate)
                elif worker is first and isinstance(answer, Ready):
                    ready = answer
        about = ready.description
        self._task = self._planned(way=decided(about, self._task.plan.way))  # the others have set up their own
        self._settle(ready.memory, ready.step_seconds)
        lines = (*about.lines, *self._lines)
        return dataclasses.replace(about, workers=self.capacity, threads=self._threads, lines=lines)

    def submit(self, ticket: int, job: Job | Probe) -> None:
        self._waiting.append((ticket, job))
        self._hand_out()

    @property
    def capacity(self) -> int:
        return len(self._crew)

    def results(self, timeout: float) -> Iterator[tuple[int, Any]]:
        for worker in self._ready(timeout):
            answer = worker.receive()
            if isinstance(answer, Lost):
                yield from self._bury(worker, answer.fate)
            elif isinstance(answer, Done):
                ticket = worker.finish()
                if worker.growth() > self._growth:
                    self._replace(worker)
                self._hand_out()  # the caller may take its time with the answer
                yield ticket, answer.result
        self._hand_out()

    def close(self) -> None:
        """End all processes, or leave those that are idle to whoever comes next."""
        for worker in self._crew:
            if self._pool is not None and worker.idle:
                self._pool.park(worker)
            else:
                worker.stop()
        self._crew = []

    def _planned(self, way: Way | None) -> SetUp:
        """The task for those who follow what the first process has found."""
        return dataclasses.replace(self._task, plan=dataclasses.replace(self._task.plan, way=way, compare=False))

    def _process(self, task: SetUp, instead: WorkerProcess | None = None) -> WorkerProcess:
        """A process on the GPU that has the fewest, or on that of the one whose place it takes."""
        held = collections.Counter(worker.gpu for worker in self._crew)
        gpu = instead.gpu if instead else min(self._gpus, key=lambda name: held[name], default=_NO_GPU[self._device])
        kind = kind_of(task.spec.model, self._threads)
        waiting = self._pool.take(kind, gpu) if self._pool else None
        worker = waiting or WorkerProcess(self._threads, self._log, gpu, kind=kind)
        worker.set_up(task, self._log)
        return worker

    def _hand_out(self) -> None:
        for worker in self._crew:
            if worker.idle and self._waiting:
                worker.take(*self._waiting.popleft(), way=self._task.plan.way)

    def _ready(self, timeout: float | None = None) -> list[WorkerProcess]:
        pipes = wait([worker.pipe for worker in self._crew], timeout)
        return [worker for worker in self._crew if worker.pipe in pipes]

    # -- who dies or swells -----------------------------------------------------------------------------------

    def _replace(self, worker: WorkerProcess) -> None:
        """Put a new process in a worker's place; it sets up while the others go on."""
        worker.stop()
        self._crew[self._crew.index(worker)] = self._process(self._task, instead=worker)

    def _bury(self, worker: WorkerProcess, fate: str) -> Iterator[tuple[int, Run | ProbeRun]]:
        """Replace a dead worker; its job goes first, or is given up after some tries."""
        if worker.job is None and worker.born > time.monotonic() - _YOUNG:
            self._lost_in_setup(worker, fate)
            return
        self._replace(worker)
        if worker.job is None:
            return
        ticket, job = worker.job
        self._tries[ticket] += 1
        if self._tries[ticket] < _TRIES:
            self._waiting.appendleft(worker.job)
        else:
            error = (
                f"The training process ended {_TRIES} times in this trial, at batch {job.configuration.batch_size} "
                f"(the last one {fate}; {gigabytes(available_memory())} of memory are free with {self.capacity} at "
                "work). If memory is short, use smaller batches (`batch_size` in the space) or fewer workers "
                "(`RunOptions(workers=1)`)."
            )
            yield ticket, broken(job, error)

    def _lost_in_setup(self, worker: WorkerProcess, fate: str) -> None:
        """Go on without a process that did not come up, if there is another one that others follow."""
        if worker is self._crew[0] or self.capacity == 1:
            raise WorkerFailed(
                f"The training process ended while it set up the task ({fate}). Its last words:\n{tail(self._log)}"
            )
        worker.stop()
        self._crew.remove(worker)
        self._lines.append(f"A training process ended while it set up the task ({fate}): {self.capacity} go on.")

    # -- how many at once -------------------------------------------------------------------------------------

    def _fitting(self, count: int, each: float) -> int:
        """How many of `count` processes the memory holds."""
        fit = _fitting(self._memory, count, each)
        if fit < count:
            self._lines.append(
                f"{gigabytes(self._memory)} of free memory hold {fit} training process{'es' * (fit > 1)} of "
                f"{gigabytes(each)}, not {count}."
            )
        return fit

    def _settle(self, memory: int, step_seconds: float) -> None:
        """Fewer processes if they are larger than thought; a single one with all threads where that is faster.

        memory: bytes that the first one needed. step_seconds: of one step in it.
        """
        workers_free, threads_free = self._free
        if not workers_free or self._gpus:
            return
        wanted = self.capacity
        fit = self._fitting(wanted, memory)
        for worker in self._crew[fit:]:
            worker.stop()
        del self._crew[fit:]
        slow = step_seconds > _LONG_STEP or fit < wanted
        long = self._task.plan.steps * step_seconds > _WORTH_TRYING
        if threads_free and self._threads < self._cores and slow and long:
            self._compare(room=self._memory > (fit + 1) * memory)

    def _compare(self, room: bool) -> None:
        """Measure one process with all threads beside the crew, and keep what takes more steps a second.

        room: whether the memory holds it beside the crew.
        """
        for worker in self._crew:
            if not worker.idle:
                worker.receive()
        crew, threads = self._crew, self._threads
        together = self._speed()
        if not room:
            for worker in crew:
                worker.stop()
        self._threads = self._cores
        self._crew = [self._process(self._task)]
        self._crew[0].receive()
        alone = self._speed()
        several = f"{len(crew)} with {threads} thread{'s' * (threads > 1)} each"
        if alone > together:
            chosen, losers = "One trial at a time", crew if room else []
        else:
            chosen, losers, self._threads = f"{len(crew)} trial{'s' * (len(crew) > 1)} at a time", self._crew, threads
            self._crew = crew if room else [self._process(self._task) for _ in crew]
        self._lines.append(
            f"{chosen}: {several} take {together:.3g} steps a second, one with {self._cores} threads {alone:.3g}."
        )
        for worker in losers:
            worker.stop()

    def _speed(self) -> float:
        """Steps a second of all workers together, all at work at once."""
        seeds = self._task.seeds
        job = Job(configuration=BASELINE, seed=seeds[0] if seeds else 0, epochs=3)
        for worker in self._crew:
            worker.take(-1, job, way=self._task.plan.way)
        rate = 0.0
        for worker in self._crew:
            answer = worker.receive()
            if isinstance(answer, Done) and isinstance(answer.result, Run):
                worker.finish()
                rate += 1 / answer.result.step_seconds if answer.result.step_seconds else 0.0
        return rate


def _gpus(device: Device) -> list[str]:
    """The GPUs to share among the processes."""
    if device not in get_args(Device):
        raise UnknownName(f"Executor: no `device` {device!r}. {suggestion(device, get_args(Device))}")
    found = gpus() if device != "cpu" else []
    if device == "gpu" and not found:
        raise InvalidValue("Executor: `device` is gpu, but no NVIDIA GPU is to be seen here; use cpu or auto.")
    return found


def _fitting(memory: int, count: int, each: float) -> int:
    """How many of `count` processes of `each` bytes the memory holds, at least one.

    >>> [_fitting(memory, 4, 1e9) for memory in (500_000_000, 2_500_000_000, 9_000_000_000)]
    [1, 2, 4]
    """
    return max(1, min(count, math.floor(memory / each)))
