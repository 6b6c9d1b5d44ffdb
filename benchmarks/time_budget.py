"""Whether `--time` holds: `python -m benchmarks.time_budget`, the whole command by the clock, cold start included."""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from optselect.record import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="*", default=["sklearn:iris", "sklearn:digits"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    print(f"optselect tune DATA --time {options.seconds}s, MLflow to a new file; {os.cpu_count()} cores")
    for data in options.data * options.repeats:
        with tempfile.TemporaryDirectory() as folder:
            print(_measured(data, options.seconds, Path(folder)), flush=True)


def _measured(data: str, seconds: int, folder: Path) -> str:
    """One study from its command to its end, in words."""
    command = [sys.executable, "-m", "optselect", "tune", data, "--time", f"{seconds}s", "--study", "timed", "--json"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--mlflow", "sqlite:///mlflow.db"], cwd=folder, capture_output=True, text=True, check=False
    )
    took = time.monotonic() - began
    if done.returncode:
        return f"{data}: {done.stderr}"
    entries = read(folder / "optselect-studies/timed/ledger.jsonl")
    stages = collections.Counter(e["stage"] for e in entries if e["kind"] == "trial")
    trained = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    return f"{data:15} {took:6.1f} s, {took / seconds:.2f} of the time: {trained}; load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
