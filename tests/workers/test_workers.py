"""Worker processes: they train, they die, they swell, they are replaced, they leave with their parent."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from optselect.data import read
from optselect.errors import OptselectError
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.task import make_spec
from optselect.trainer.messages import Job, Plan, Run, Way
from optselect.util.machine import available_memory, cores
from optselect.workers.local import LocalExecutor
from tests.helpers import ROOT

JOB = Job(configuration=BASELINE, seed=0, epochs=1)
FAULTY = ROOT / "tests" / "helpers" / "faulty.py"


@pytest.fixture(scope="module")
def with_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LocalExecutor]]:
    """Workers for iris, as arrays, and a model of `faulty.py`."""
    made: list[LocalExecutor] = []
    log = tmp_path_factory.mktemp("faulty") / "worker.log"

    def start(
        function: str, rules: list[Rule] | None = None, data_function: str = "iris", **options: Any
    ) -> LocalExecutor:
        data = read(f"{FAULTY}:{data_function}")
        spec = make_spec(data, model=f"{FAULTY}:{function}", epochs=3, seed=0)
        options = {"workers": 1, "threads": 1, **options}
        for executor in made:
            executor.close()
        made[:] = [LocalExecutor(spec, rules or [], [0], log=log, **options)]
        return made[0]

    yield start
    for executor in made:
        executor.close()


def pids(executor: LocalExecutor) -> list[int]:
    return [worker.process.pid for worker in executor._crew]


def of_batch(size: int, epochs: int = 1) -> Job:
    return dataclasses.replace(JOB, configuration=dataclasses.replace(BASELINE, batch_size=size), epochs=epochs)


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
    [child] = [psutil.Process(worker.process.pid) for worker in executor._crew]
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
        "import time\nfrom pathlib import Path\nfrom optselect.data import read\nfrom optselect.task import make_spec\n"
        "from optselect.workers.local import LocalExecutor\n"
        "spec = make_spec(read('sklearn:iris'), epochs=1, seed=0)\n"
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
        "import sys, optselect.api, optselect.cli, optselect.cli.board\n"
        "from optselect.data import read\nfrom optselect.task import make_spec\n"
        "make_spec(read('sklearn:iris'), epochs=1, seed=0)\n"
        "assert not {'tensorflow', 'keras', 'mlflow'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_training_goes_on_in_another_process(executor: LocalExecutor, tmp_path: Path) -> None:
    """Paused in one process and continued in another it ends, to the last bit, as the unpaused one."""
    paused = tmp_path / "paused.npz"
    whole = executor.run(dataclasses.replace(JOB, epochs=6))
    first = executor.run(dataclasses.replace(JOB, epochs=2, total_epochs=6, keep=paused))
    [child] = [psutil.Process(worker.process.pid) for worker in executor._crew]
    child.kill()
    child.wait()
    second = executor.run(dataclasses.replace(JOB, epochs=6, start=paused))
    assert not second.error
    assert {name: first.curves[name] + second.curves[name] for name in whole.curves} == whole.curves
    assert second.metrics == whole.metrics


def walk() -> list[Configuration]:
    """Every rule, and a wrapper inside a wrapper."""
    outer, inner = [rule for rule in RULES.values() if rule.wraps()][:2]
    rules = [*(rule() for rule in RULES.values()), outer(rule=inner())]  # type: ignore[call-arg]
    return [Configuration(rule=rule, batch_size=32) for rule in rules]


@pytest.mark.parametrize("way", ["graph", pytest.param("xla", marks=pytest.mark.slow)])
def test_every_rule_goes_on_in_another_process(
    with_model: Callable[..., LocalExecutor], tmp_path: Path, way: Way
) -> None:
    """Paused, its process killed, a training ends in another one as an unpaused one does, byte for byte."""
    cases = dict(enumerate(walk()))
    executor = with_model("paused", [case.rule for case in cases.values()], plan=Plan(steps=0, way=way))
    executor.start()

    def train(number: int, epochs: int, start: str = "") -> Run:
        job = Job(
            configuration=cases[number],
            seed=0,
            epochs=epochs,
            total_epochs=3,
            start=tmp_path / f"{number}_{start}" if start else None,
            keep=tmp_path / f"{number}_{start}{epochs}",
        )
        run = executor.run(job)
        assert not run.error, (cases[number], run.error)
        return run

    whole = {number: train(number, 3) for number in cases}
    paused = {(number, epoch): train(number, epoch) for number in cases for epoch in (1, 2)}
    [before] = pids(executor)
    os.kill(before, signal.SIGKILL)
    for (number, epoch), first in paused.items():
        second = train(number, 3, start=str(epoch))
        name = cases[number].rule.key
        assert {k: first.curves[k] + second.curves[k] for k in first.curves} == whole[number].curves, name
        assert second.metrics == whole[number].metrics, name
        assert (tmp_path / f"{number}_{epoch}3").read_bytes() == (tmp_path / f"{number}_3").read_bytes(), name
    assert pids(executor) != [before]


def test_a_worker_that_swells_or_runs_out_of_memory(with_model: Callable[..., LocalExecutor]) -> None:
    """A leak costs a process now and then and nothing else: each job once, the same curves before and after.

    A batch that TensorFlow has no memory for fails one trial, with numbers and advice.
    """
    executor = with_model("leaky_and_greedy", growth=150_000_000)  # it keeps 48 MB a job
    executor.start()
    [before] = pids(executor)
    for ticket in range(12):
        executor.submit(ticket, JOB)
    found = []
    while len(found) < 12:
        found += executor.results(timeout=5.0)
        assert psutil.Process(pids(executor)[0]).memory_info().rss < 2_000_000_000
    assert sorted(ticket for ticket, _ in found) == list(range(12))
    assert not any(run.error for _, run in found)
    assert [run.curves for _, run in found] == [found[0][1].curves] * 12
    assert pids(executor) != [before]
    assert not psutil.pid_exists(before)
    run = executor.run(of_batch(50))
    for said in ("Memory ran out at batch 50", "shape[17592186044416]", "GB", "batch_size", "workers=1"):
        assert said in run.error
    assert "\n" not in run.error
    assert executor.run(JOB).curves == found[0][1].curves


def test_a_batch_larger_than_the_data_is_all_of_them(executor: LocalExecutor, iris: Any) -> None:
    """A batch of 10,000 trains as one of all training rows does."""
    rows = len(iris.split.train)
    assert executor.run(of_batch(10_000, epochs=2)).curves == executor.run(of_batch(rows, epochs=2)).curves


@pytest.mark.slow
def test_a_trial_that_is_killed_again_and_again_is_given_up(with_model: Callable[..., LocalExecutor]) -> None:
    """SIGKILL, as from the kernel without memory: some tries, then one message with numbers; the next trial trains."""
    executor = with_model("deadly")
    executor.start()
    run = executor.run(of_batch(50))
    for said in ("ended 3 times", "batch 50", "SIGKILL", "GB", "batch_size", "workers=1"):
        assert said in run.error
    assert not executor.run(of_batch(32)).error


WRONG = {
    "numpy_metric": ["`rounded` has no graph form", "keras.ops"],
    "numpy_loss": ["`distance` has no graph form", "keras.ops"],
    "numpy_layer": ["cannot be trained", "faulty.py", "in call", "run_eagerly=True"],
}


@pytest.mark.slow
@pytest.mark.parametrize("function", WRONG)
def test_a_model_that_cannot_train_is_refused(with_model: Callable[..., LocalExecutor], function: str) -> None:
    """One message, without a traceback, that names the user's part and the reason."""
    with pytest.raises(OptselectError) as refused:
        with_model(function).start()
    for said in WRONG[function]:
        assert said in str(refused.value)
    assert "Traceback" not in str(refused.value)


@pytest.mark.slow
def test_data_with_gaps_are_refused(with_model: Callable[..., LocalExecutor]) -> None:
    """NaN among the features of a user's own model: where, and what to do."""
    with pytest.raises(OptselectError, match=r"1 of 600 values of `x`, in x\[:, 1\].*remove these rows"):
        with_model("paused", data_function="with_gap").start()


@pytest.mark.slow
@pytest.mark.parametrize(("function", "reason"), [("own_step", "`train_step`"), ("eager_layer", "one traced program")])
def test_a_model_that_no_program_holds_trains_by_fit(
    with_model: Callable[..., LocalExecutor], function: str, reason: str
) -> None:
    """What `model.fit` can train is trained by it, and the reason is said."""
    executor = with_model(function)
    said = " ".join(executor.start().lines)
    assert "model.fit" in said
    assert reason in said
    assert executor.run(dataclasses.replace(JOB, epochs=2)).epochs == 2


@pytest.mark.slow
@pytest.mark.skipif(cores() < 2, reason="nothing to share out")
@pytest.mark.parametrize(("function", "alone"), [("slow", False), ("threaded", True)])
def test_how_many_train_at_once_is_measured(
    with_model: Callable[..., LocalExecutor], function: str, alone: bool
) -> None:
    """Several at once where threads do not help, one with all of them where they do: said, and told to be kept."""
    executor = with_model(function, workers=None, threads=None, plan=Plan(steps=1e6, way=None))
    about = executor.start()
    assert (about.workers == executor.capacity == 1) == alone
    assert about.threads == (cores() if alone else max(1, cores() // executor.capacity))
    assert any("steps a second" in line for line in about.lines)
    for ticket in range(3):
        executor.submit(ticket, JOB)
    found: dict[int, Run] = {}
    while len(found) < 3:
        found.update(executor.results(timeout=5.0))
    assert not any(run.error for run in found.values())


@pytest.mark.slow
def test_small_steps_are_not_weighed(with_model: Callable[..., LocalExecutor]) -> None:
    """Threads that were given are kept to, and a small model is shared out over the cores without a measurement."""
    executor = with_model("paused", workers=None, threads=1)
    about = executor.start()
    assert about.threads == 1
    assert about.workers == executor.capacity <= cores()
    assert not any("at a time" in line for line in about.lines)


def test_a_container_bounds_cores_and_memory(tmp_path: Path) -> None:
    """Control groups of both versions count; files that the kernel can drop are free."""
    assert available_memory(cgroup=tmp_path) > 10_000_000
    assert 1 <= cores(cgroup=tmp_path) <= (os.cpu_count() or 1)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cores(cgroup=tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores(cgroup=tmp_path) == cores()
    for names, key in (
        (("memory.max", "memory.current", "memory.stat"), "inactive_file"),
        (("limit_in_bytes", "usage_in_bytes", "stat"), "total_inactive_file"),
    ):
        folder = tmp_path if names[0] == "memory.max" else tmp_path / "memory"
        folder.mkdir(exist_ok=True)
        prefix = "" if names[0] == "memory.max" else "memory."
        for name, text in zip(names, ("5000000\n", "4000000\n", f"anon 7\n{key} 1000000\n"), strict=True):
            (folder / f"{prefix}{name}").write_text(text)
        assert available_memory(cgroup=tmp_path) == 2_000_000
        (folder / f"{prefix}{names[0]}").write_text("max\n")


def test_a_paused_training_that_is_torn_is_trained_from_its_start(executor: LocalExecutor, tmp_path: Path) -> None:
    """A damaged file of a paused training fails no trial: the answer is that of a training without a pause."""
    torn = tmp_path / "3-1.npz"
    torn.write_bytes(b"PK\x03\x04 half a file")
    job = Job(configuration=BASELINE, seed=3, epochs=2, total_epochs=2)
    whole, again = (executor.run(dataclasses.replace(job, start=start)) for start in (None, torn))
    assert again.error == ""
    assert again.curves == whole.curves
    assert again.epochs == len(again.curves["loss"]) == 2
