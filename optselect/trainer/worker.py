"""The process that trains: TensorFlow lives here and nowhere else.

It reads pickled requests from a socket and answers each: a task first, then jobs. It ends when its parent does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import queue
import re
import signal
import socket
import sys
import sysconfig
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from optselect.errors import CannotWrite, InvalidModel, InvalidState, OptselectError
from optselect.trainer.messages import Job, Probe, ProbeRun, Run, broken
from optselect.util.machine import available_memory, gigabytes, resident_memory
from optselect.util.whole_files import reason, refusal

__all__ = ["main"]


def main(descriptor: int, threads: int) -> None:
    """Serve the socket `descriptor` with `threads` threads an operation (0: as many as TensorFlow likes)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pipe = Connection(socket.socket(fileno=descriptor).detach())
    requests: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_receive, args=(pipe, requests), daemon=True).start()
    _prepare_tensorflow(threads)
    trainers: dict[str, Any] = {}
    while True:
        kind, payload = requests.get()
        try:
            if kind == "renew":
                _renew(*payload)
                continue
            if kind == "rest":
                answer: Any = _rest(trainers)
            elif kind == "task":
                answer = _take_task(payload, trainers)
            else:
                answer = _run(payload, trainers)
        except OptselectError as error:
            pipe.send(("error", error))
        except Exception as error:
            pipe.send(("error", _refused(error) or InvalidModel(f"Training failed: {_said(error)}")))
            _print_trace()
        else:
            pipe.send((kind, answer))


def _receive(pipe: Connection, requests: queue.Queue[Any]) -> None:
    """Pass requests on; end the process, in whatever it is busy with, when the parent is gone."""
    try:
        while True:
            requests.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)


def _prepare_tensorflow(threads: int) -> None:
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    gc.freeze()  # what has been imported stays: to look through it takes half a second


def _take_task(payload: Any, trainers: dict[str, Any]) -> dict[str, Any]:
    """Build the task and trace its program; a description for the user."""
    from optselect.optim.configuration import BASELINE
    from optselect.task.prepared import Task
    from optselect.trainer.first_look import FirstLook
    from optselect.trainer.trial import CompiledTrainer, FitTrainer, make_trainer

    spec, rules, seeds, plan = payload
    task = Task.from_spec(spec)
    kinds = {rule.key: rule for rule in (*rules, BASELINE.rule)}
    probe = Job(configuration=BASELINE, seed=seeds[0] if seeds else 0, epochs=1, test=True)
    before = trainers.pop("before", None)
    look = FirstLook(task, probe.seed, plan, before)
    trainer, note = (
        (FitTrainer(task), "")
        if plan.way == "fit"
        else look.checked(*make_trainer(task, list(kinds.values()), seeds, probe, before))
    )
    trainers["search"] = trainer
    trainers["plain"] = FitTrainer(task)
    way, how, step_seconds = "", "", 0.0
    if isinstance(trainer, CompiledTrainer):
        how = trainer.prepare(plan, probe.seed)
        way = trainer.program.way
        if not plan.way:  # nobody has decided how many train at once
            step_seconds = trainer.run(probe).step_seconds
    lines = [line for line in (_summary(task), note, *look.notes, how) if line]
    measured = {"way": way, "memory": resident_memory(os.getpid()), "step_seconds": step_seconds}
    found = {**task.describe(), "architecture": task.architecture, **_judged(task), **look.facts()}
    return {**found, **measured, "lines": lines}


def _rest(trainers: dict[str, Any]) -> dict[str, int]:
    """Forget the task, but for the traced program, until the next one.

    When the files were written from which modules were loaded, those aside that were installed.
    """
    import keras

    from optselect.trainer.trial import CompiledTrainer

    trainer = trainers.get("search")
    trainers.clear()
    if isinstance(trainer, CompiledTrainer):
        trainers["before"] = trainer.program
        trainer.program.rest()
    keras.utils.clear_session(free_memory=False)  # layers are numbered from 1 again, as in a new process
    gc.collect()
    _print_to(os.devnull)
    installed = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    own = [Path(file) for file in files if not file.startswith(installed)]
    return {str(file): file.stat().st_mtime_ns for file in own if file.is_file()}


def _renew(log: str, environment: dict[str, str]) -> None:
    """Be as a process that starts now: its log, its environment."""
    _print_to(log)
    os.environ.clear()
    os.environ.update(environment)


def _print_to(log: str) -> None:
    with Path(log).open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(output.fileno(), stream.fileno())


def _judged(task: Any) -> dict[str, Any]:
    """What the study and the report must know of loss and metrics."""
    return {
        "headline": task.headline.name,
        "headline_maximize": task.headline.maximize,
        "objective_maximize": task.objective.maximize,
    }


def _summary(task: Any) -> str:
    about = task.describe()
    prepared = " and ".join(" x ".join(map(str, shape)) for shape in about["prepared_features"])
    return (
        f"Model: {about['model']} on {prepared} prepared features, {about['parameters']:,} parameters; "
        f"loss {about['loss']}, metrics {', '.join(about['metrics'])}"
    )


def _run(payload: tuple[Any, Job | Probe], trainers: dict[str, Any]) -> Run | ProbeRun:
    from optselect.trainer.trial import CompiledTrainer

    way, job = payload
    plain = isinstance(job, Job) and job.plain
    trainer = trainers["plain" if plain or way == "fit" else "search"]
    try:
        if isinstance(job, Job) and job.refit:
            trainer = _refitting(trainer, whole=job.whole)
        if way and isinstance(trainer, CompiledTrainer):
            trainer.program.way = way
        answer: Run | ProbeRun = _train(trainer, job) if isinstance(job, Job) else trainer.probe(job)
    except Exception as error:
        if refused := _refused(error):  # no fault of this trial: nothing that is written now would be whole
            raise refused from error
        _print_trace()
        return broken(job, _said(error, f" at batch {job.configuration.batch_size}"))
    return answer


def _train(trainer: Any, job: Job) -> Run:
    """Run a job; one whose paused state is lost is trained from the start, and then tells of all its epochs."""
    try:
        return trainer.run(job)  # type: ignore[no-any-return]
    except InvalidState as error:
        if job.start is None:
            raise
        print(f"{error} The trial is trained from its start.", file=sys.stderr)  # noqa: T201  the worker's log
        return trainer.run(dataclasses.replace(job, start=None))  # type: ignore[no-any-return]


def _refused(error: Exception) -> CannotWrite | None:
    """What to say if it was the disk that refused something that this process wrote."""
    if isinstance(error, CannotWrite):
        return error
    found = refusal(error)
    if found is None:
        return None
    where = found.filename or "a file that the training process writes"
    return CannotWrite(
        f"{where}: cannot be written, {reason(found)}. All finished trainings are safe in the ledger: mend that and "
        "run the same command again."
    )


def _print_trace() -> None:
    with contextlib.suppress(OSError):  # the log may lie on the disk that is full
        traceback.print_exc(file=sys.stderr)


def _refitting(trainer: Any, *, whole: bool) -> Any:
    """A trainer of the same task whose training part holds the validation rows too, prepared anew.

    whole: and the test rows.
    """
    from optselect.task.prepared import Task
    from optselect.trainer.trial import CompiledTrainer, FitTrainer

    task = Task.from_spec(trainer.task.spec.joined(whole=whole))
    # A category that only validation rows have is one feature more.
    if isinstance(trainer, CompiledTrainer) and trainer.program.serves(task):
        return CompiledTrainer(task, [], program=trainer.program.over(task))
    return FitTrainer(task)


def _said(error: Exception, where: str = "") -> str:
    """An exception for people; with numbers and what to do if memory ran out."""
    from optselect.trainer.trial import out_of_memory

    if not out_of_memory(error):
        return f"{type(error).__name__}: {error}"[:2000]
    asked = re.search(r"(?<=allocating tensor with )shape\S*|Unable to allocate [^,\n]*", str(error))
    wanted = f" for {asked[0]}" if asked else ""
    return (
        f"Memory ran out{where}{wanted}: the process holds {gigabytes(resident_memory(os.getpid()))}, "
        f"{gigabytes(available_memory())} are free. Use smaller batches (`batch_size` in the space), fewer workers "
        "(`--workers 1`) or a smaller model."
    )
