"""Worker processes: they train, they die, they are replaced, they leave with their parent."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from optselect.configuration import BASELINE
from optselect.executors import LocalExecutor
from optselect.trainer.jobs import Job, Run

JOB = Job(configuration=BASELINE, seed=0, epochs=1)


def test_jobs_come_back_under_their_tickets(executor: LocalExecutor) -> None:
    """Every job submitted gives one run under its own number."""
    for ticket in range(5):
        executor.submit(ticket, dataclasses.replace(JOB, epochs=ticket + 1))
    found = {}
    while len(found) < 5:
        found.update(executor.results(timeout=5.0))
    assert {ticket: run.epochs for ticket, run in found.items()} == {t: t + 1 for t in range(5)}


def test_a_killed_worker_is_replaced_and_its_job_done_again(executor: LocalExecutor) -> None:
    """SIGKILL in the middle of a trial loses nothing: a new process runs it again."""
    [child] = [p for p in psutil.Process().children() if "optselect.trainer.worker" in " ".join(p.cmdline())]
    executor.submit(1, dataclasses.replace(JOB, epochs=5_000))
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    run = dict(_until_one(executor))[1]
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert run.epochs == 5_000
    assert not run.error


def _until_one(executor: LocalExecutor) -> list[tuple[int, Run]]:
    while True:
        if found := list(executor.results(timeout=5.0)):
            return found


def test_a_worker_leaves_with_its_parent(tmp_path: Path) -> None:
    """When the parent is killed with SIGKILL no training process stays behind."""
    code = (
        "import time\nfrom pathlib import Path\nfrom optselect import tasks\n"
        "from optselect.executors import LocalExecutor\n"
        "spec = tasks.make_spec(tasks.read('sklearn:iris'), epochs=1, seed=0)\n"
        f"e = LocalExecutor(spec, [], [], workers=1, threads=1, log=Path({str(tmp_path / 'log')!r}))\n"
        "print(e._crew[0].process.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(1.0)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(child)


def test_the_parent_never_loads_tensorflow() -> None:
    """The command line, the study and the verdict work without TensorFlow or MLflow in their process."""
    code = (
        "import sys, optselect.api, optselect.cli, optselect.cli.board, optselect.tasks\n"
        "from optselect import tasks\n"
        "tasks.make_spec(tasks.read('sklearn:iris'), epochs=1, seed=0)\n"
        "assert not {'tensorflow', 'keras', 'mlflow'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_training_goes_on_in_another_process(executor: LocalExecutor, tmp_path: Path) -> None:
    """Paused in one process and continued in another it ends, to the last bit, as the unpaused one."""
    paused = tmp_path / "paused.npz"
    whole = executor.run(dataclasses.replace(JOB, epochs=6))
    first = executor.run(dataclasses.replace(JOB, epochs=2, total_epochs=6, keep=paused))
    [child] = [p for p in psutil.Process().children() if "optselect.trainer.worker" in " ".join(p.cmdline())]
    child.kill()
    child.wait()
    second = executor.run(dataclasses.replace(JOB, epochs=6, start=paused))
    assert not second.error
    assert {name: first.curves[name] + second.curves[name] for name in whole.curves} == whole.curves
    assert second.metrics == whole.metrics
