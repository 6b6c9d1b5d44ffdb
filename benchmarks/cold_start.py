"""How long until something happens: `optselect --help`, and the first trial of a study, each in a fresh process.

On a machine that others use too, compare with `import tensorflow` in the same run, and look at the seconds of CPU:
with one worker hardly anything happens in parallel.

uv run python -m benchmarks.cold_start
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

_COMMAND = [sys.executable, "-m", "optselect"]
_HEAVY = ("tensorflow", "keras", "mlflow", "optuna", "sklearn", "pandas", "numpy")


def seconds(repeats: int, *arguments: str) -> str:
    """Of a command from its start to its end, and of CPU: medians."""
    taken = []
    for _ in range(repeats):
        began, before = time.perf_counter(), os.times()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        taken.append((time.perf_counter() - began, used))
    whole, used = (statistics.median(column) for column in zip(*taken, strict=True))
    return f"{whole:.2f} s ({used:.2f} s of CPU)"


def loaded() -> str:
    """Which heavy packages the help loads."""
    code = (
        "import sys\nfrom optselect.cli import cli\ncli(['--help'], standalone_mode=False)\n"
        f"print('heavy:', *[name for name in {_HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.rpartition("heavy:")[2].strip() or "none"


def first_trial(data: str, *options: str) -> tuple[float, float, float]:
    """Seconds until the task is set up, until the first trial is in the ledger, and of CPU until then."""
    found: dict[bytes, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [*_COMMAND, "tune", data, "--mlflow", "none", "--out", folder, "--study", "cold", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ledger = Path(folder) / "cold" / "ledger.jsonl"
        while len(found) < 2 and process.poll() is None:
            time.sleep(0.01)
            text = ledger.read_bytes() if ledger.exists() else b""
            for kind in (b'"kind": "task"', b'"kind": "trial"'):
                if kind in text:
                    found.setdefault(kind, time.perf_counter() - began)
        if len(found) < 2:
            sys.exit(f"{' '.join(command)} ended before its first trial.")
        parent = psutil.Process(process.pid)
        used = sum(sum(p.cpu_times()[:2]) for p in (parent, *parent.children(recursive=True)))
        process.terminate()
        process.wait()
    ready, trial = found.values()
    return ready, trial, used


@click.command()
@click.option("--data", default="sklearn:digits", show_default=True)
@click.option("--repeats", default=3, show_default=True)
def main(data: str, repeats: int) -> None:
    """Medians over some fresh processes."""
    print(f"python -c pass: {seconds(5, sys.executable, '-c', 'pass')}")
    print(f"optselect --help: {seconds(5, *_COMMAND, '--help')}; heavy packages loaded: {loaded()}")
    quiet = "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; import tensorflow"
    print(f"import tensorflow: {seconds(repeats, sys.executable, '-c', quiet)}")
    for workers in ("1", "2"):
        runs = [first_trial(data, "--workers", workers) for _ in range(repeats)]
        ready, trial, used = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{data}, --workers {workers}: task ready after {ready:.1f} s, first trial after {trial:.1f} s "
            f"({used:.1f} s of CPU)"
        )


if __name__ == "__main__":
    main()
