"""What it costs to compare a compiled program with `model.fit` before the first trial, and to score simple answers.

For each kind of model: seconds of CPU of the comparison (`model.fit` run eagerly) and of the simple answers, beside
those of the same comparison with `model.fit` traced as a graph, and of tracing the program itself. Then a study on
digits with the default model: the share of its seconds of CPU that the first look takes.

uv run --extra bench python -m benchmarks.first_look
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.kinds import KINDS, spec


def cpu(call: Callable[[], Any]) -> float:
    """Seconds of CPU of this process: the clock on the wall tells of everybody on the machine."""
    began = time.process_time()
    call()
    return time.process_time() - began


def of_kind(name: str) -> dict[str, float]:
    """Seconds of CPU by what was done, in a process of its own."""
    from optselect.optim.configuration import BASELINE
    from optselect.optim.rules import RULES
    from optselect.task.baselines import baselines
    from optselect.task.prepared import Task
    from optselect.trainer.comparison import Reference
    from optselect.trainer.compiled import CompiledTrainer
    from optselect.trainer.messages import Job

    task, found = Task.from_spec(spec(name, 1)), dict[str, float]()
    reference, traced = Reference(task, 0), Reference(task, 0)
    made: list[CompiledTrainer] = []

    def program() -> None:
        made.append(CompiledTrainer(task, [RULES["adam"]()], [0]))
        made[0].run(Job(configuration=BASELINE, seed=0, epochs=1))

    found["tracing the program and its first epoch"] = cpu(program)
    fitted = traced._fitted
    traced._fitted = lambda case, *, eagerly: fitted(case, eagerly=False)  # type: ignore[method-assign]
    found["comparison, model.fit eagerly"] = cpu(lambda: reference.agreement(made[0].program))
    found["comparison, model.fit as a graph"] = cpu(lambda: traced.agreement(made[0].program))
    found["largest difference"] = reference.agreement(made[0].program).difference
    found["simple answers"] = cpu(lambda: baselines(task))
    return found


def of_study(trials: int, epochs: int) -> str:
    """A study on digits by the command line, and what its first look took."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["tune", "sklearn:digits", "--trials", str(trials), "--epochs", str(epochs), "--mlflow", "none"]
        command = [sys.executable, "-m", "optselect", *arguments, "--workers", "1", "--out", folder]
        before, began = os.times(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, after = time.perf_counter() - began, os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        lines = (Path(folder) / "digits" / "ledger.jsonl").read_text().splitlines()
    task = next(entry for entry in map(json.loads, lines) if entry["kind"] == "task")
    took = task["description"]["comparison"]["seconds"]
    return (
        f"optselect {' '.join(arguments)}: {wall:.1f} s, {used:.1f} s of CPU; the comparison {took:.2f} s, "
        f"{took / wall:.1%} of the study"
    )


@click.command()
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Kinds of models.")
@click.option("--trials", default=60, show_default=True, help="Of the study; 0 for none.")
@click.option("--epochs", default=20, show_default=True, help="Of a trial.")
@click.option("--one", default=None, hidden=True, help="Print one kind as JSON.")
def main(kinds: str, trials: int, epochs: int, one: str | None) -> None:
    """Print what the first look at a task costs."""
    if one:
        click.echo(json.dumps(of_kind(one)))
        return
    click.echo(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
    for name in filter(None, kinds.split(",")):
        command = [sys.executable, "-m", "benchmarks.first_look", "--one", name]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        found = json.loads(told)
        difference = found.pop("largest difference")
        parts = "; ".join(f"{what} {seconds:.2f} s" for what, seconds in found.items())
        click.echo(f"{KINDS[name].title} (CPU): {parts}; largest difference {difference:.1g}")
    if trials:
        click.echo(of_study(trials, epochs))


if __name__ == "__main__":
    main()
