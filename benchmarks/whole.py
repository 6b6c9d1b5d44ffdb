"""Whole studies of optselect: what a long one costs beside its trials, and a cold start from the command line."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.kinds import KINDS
from benchmarks.ours import Clock

__all__ = ["cold_start", "long_study"]


def long_study(trials: int, epochs: int, mlflow: bool) -> dict[str, Any]:
    """`tune` on the MLP over the default space: seconds of the search, and of its trials inside the workers.

    overhead: the share of the search in which the workers did not train. at: seconds of an epoch at the tenth,
    hundredth, ... trial, the median of up to 20 around it.
    """
    from sklearn.datasets import load_digits

    from optselect import RunOptions, Tracking, tune

    digits, kind, clock = load_digits(), KINDS["mlp"], Clock()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db" if mlflow else None
        data = (kind.see(digits.data), digits.target)
        tune(
            kind.build,
            data,
            trials=trials,
            epochs=epochs,
            run=RunOptions(out=folder, study="long"),
            tracking=Tracking(mlflow=uri),
            listener=clock,
        )
        whole = time.perf_counter() - began
    moments = [moment for moment, record in clock.trials if record.stage == "search"]
    records = [record for _, record in clock.trials if record.stage == "search"]
    search = moments[-1] - clock.began["search"]
    inside = sum(record.seconds for record in records)
    epoch = [record.seconds / max(record.epochs, 1) for record in records]  # some trials end early
    points = [n for n in (10, 100, 1000, 10_000) if n <= len(records)]
    return {
        "trials": len(records),
        "workers": clock.workers,
        "whole_seconds": whole,
        "search_seconds": search,
        "trial_seconds": inside,
        "overhead": 1 - inside / clock.workers / search,
        "at": {n: statistics.median(epoch[max(0, n - 10) : n + 10]) for n in points},
    }


def cold_start(trials: int, epochs: int) -> dict[str, float]:
    """`optselect tune sklearn:digits` as a person types it: seconds until its first result and until it is done."""
    from optselect.record import read

    with tempfile.TemporaryDirectory() as folder:
        words = ["tune", "sklearn:digits", "--trials", str(trials), "--epochs", str(epochs), "--mlflow", "none"]
        clock, began = time.time(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "optselect", *words, "--out", folder],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        whole = time.perf_counter() - began
        [ledger] = Path(folder).glob("*/ledger.jsonl")
        records = [entry for entry in read(ledger) if entry["kind"] == "trial"]
    first = min(record["started"] + record["seconds"] for record in records) - clock
    return {
        "trials": trials,
        "epochs": epochs,
        "first_seconds": first,
        "whole_seconds": whole,
        "trainings": len(records) + 1,
    }
