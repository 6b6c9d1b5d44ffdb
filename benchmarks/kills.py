"""A study killed again and again beside one that runs through: `python -m benchmarks.kills --trials 200 --kills 40`.

Each time the process group's parent gets SIGKILL at a random moment after a random number of further trials; the same
command then goes on. Exit code 1 if a trial is lost, doubled or another one than in the uninterrupted study.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from optselect.record import read

_CLOCKS = ("started", "seconds", "step_seconds", "crc")
_PATIENCE = 600.0  # seconds for a start and some trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no more kills are begun")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        _finish(whole, options)
        hit = _kill(killed, options)
        _finish(killed, options)
        ok = _compare(whole, killed, options)
    print(f"{hit} kills, {time.monotonic() - started:.0f} s in all")
    sys.exit(0 if ok else 1)


def _command(options: argparse.Namespace) -> list[str]:
    settings = {
        "--trials": options.trials,
        "--workers": options.workers,
        "--epochs": 4,
        "--optimizers": "adam,sgd,rmsprop,adagrad",
        "--pruner": "halving",
        "--care": "quick",
        "--confirm": 0,
        "--mlflow": "none",
    }
    chosen = [str(word) for pair in settings.items() for word in pair]
    return [sys.executable, "-m", "optselect", "tune", "sklearn:iris", *chosen]


def _finish(folder: Path, options: argparse.Namespace) -> None:
    folder.mkdir(exist_ok=True)
    done = subprocess.run([*_command(options), "--json"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


def _kill(folder: Path, options: argparse.Namespace) -> int:
    """Start and kill the study, as often as asked or until it is through; how often."""
    folder.mkdir()
    moments, begun = random.Random(options.seed), time.monotonic()
    for number in range(options.kills):
        if time.monotonic() - begun > 60 * options.minutes:
            return int(number)
        before = _lines(folder)
        left = options.trials - len(_search(folder))
        further = moments.randint(1, max(1, 2 * left // (options.kills - number)))
        process = subprocess.Popen(
            _command(options), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + _PATIENCE
        while _lines(folder) < before + further and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.01))
        if process.poll() is not None:
            return number
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        print(f"kill {number + 1}: {len(_search(folder))} trials are there", flush=True)
    return options.kills


def _lines(folder: Path) -> int:
    path = folder / "optselect-studies/iris/ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _entries(folder: Path) -> list[dict[str, Any]]:
    path = folder / "optselect-studies/iris/ledger.jsonl"
    return read(path) if path.exists() else []


def _search(folder: Path) -> list[dict[str, Any]]:
    """The trials of the search by number, without what a clock says."""
    found = [e for e in _entries(folder) if e["kind"] == "trial" and e["stage"] == "search"]
    bare = [{k: v for k, v in entry.items() if k not in _CLOCKS} for entry in found]
    return sorted(bare, key=lambda entry: int(entry["number"]))


def _compare(whole: Path, killed: Path, options: argparse.Namespace) -> bool:
    expected, found = _search(whole), _search(killed)
    numbers = [entry["number"] for entry in found]
    best = [min(e["value"] for e in trials if e["value"] is not None) for trials in (expected, found)]
    rungs = [sum(e["kind"] == "rung" for e in _entries(folder)) for folder in (whole, killed)]
    checks = {
        f"exact budget: {len(found)} trials": len(found) == options.trials,
        f"nothing doubled, nothing lost: {len(set(numbers))} numbers": sorted(set(numbers))
        == list(range(len(expected))),
        f"the same sequence, to the bit: {json.dumps(found) == json.dumps(expected)}": found == expected,
        f"the same best: {best[1]!r} and {best[0]!r}": best[0] == best[1],
    }
    for said, good in checks.items():
        print(f"{'ok ' if good else 'BAD'} {said}")
    print(f"    {rungs[0]} rungs were trained without kills, {rungs[1]} with them")
    outcomes = [entry["outcome"] for entry in found]
    print("    " + ", ".join(f"{outcomes.count(o)} {o}" for o in sorted(set(outcomes))))
    print(f"    eliminated: {[e['arm'] for e in _entries(killed) if e['kind'] == 'eliminated']}")
    return all(checks.values())


if __name__ == "__main__":
    main()
