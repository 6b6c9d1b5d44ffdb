"""How long until something happens: `optselect --help`, and the first trial of a study, each in a fresh process.

On a machine that others use too, compare with `import tensorflow` in the same run, and look at the seconds of CPU:
with one worker hardly anything happens in parallel.

uv run python -m benchmarks.cold_start
"""

from __future__ import annotations

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


def seconds(*arguments: str) -> float:
    """Of a command from its start to its end."""
    began = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


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
    bare = statistics.median(seconds(sys.executable, "-c", "pass") for _ in range(5))
    helps = statistics.median(seconds(*_COMMAND, "--help") for _ in range(5))
    print(f"optselect --help: {helps:.2f} s ({bare:.2f} of them Python's own); heavy packages loaded: {loaded()}")
    quiet = "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; import tensorflow"
    tf = statistics.median(seconds(sys.executable, "-c", quiet) for _ in range(repeats))
    print(f"import tensorflow: {tf:.1f} s")
    for workers in ("1", "2"):
        runs = [first_trial(data, "--workers", workers) for _ in range(repeats)]
        ready, trial, used = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{data}, --workers {workers}: task ready after {ready:.1f} s, first trial after {trial:.1f} s "
            f"({used:.1f} s of CPU)"
        )


if __name__ == "__main__":
    main()
