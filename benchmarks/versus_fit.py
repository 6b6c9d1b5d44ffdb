"""The trials of a study, once through optselect and once through `model.fit`, side by side in one run.

    uv run python -m benchmarks.versus_fit sklearn:digits --trials 60 --epochs 20

Both sides train the same configurations with the same initial weights on the same rows for the same epochs. The
`model.fit` side builds one model a trial and uses the stock Keras optimizer, as a hand-written search loop does;
it gets a process of its own with all cores.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.command()
@click.argument("data")
@click.option("--target")
@click.option("--trials", default=60)
@click.option("--epochs", default=20)
@click.option("--workers", type=int)
@click.option("--fit-trials", type=int, help="How many trials `model.fit` repeats, spread evenly.")
@click.option("--out", type=click.Path(path_type=Path), help="A JSON file for the numbers.")
def main(
    data: str,
    target: str | None,
    trials: int,
    epochs: int,
    workers: int | None,
    fit_trials: int | None,
    out: Path | None,
) -> None:
    """Compare the time of a study with the time of its trials in `model.fit`."""
    from optselect import tasks, tune

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = tune(None, data, target=target, trials=trials, epochs=epochs, workers=workers, mlflow=None, out=folder)
        whole = time.perf_counter() - began
    print(result.verdict.text(), flush=True)
    searched = [r for r in result.records if r.stage == "search"]
    chosen = searched[:: max(1, len(searched) // (fit_trials or len(searched)))]
    spec = tasks.make_spec(tasks.read(data, target=target), epochs=epochs, seed=0)
    theirs = _by_fit(spec, chosen, epochs)
    ours = [r.seconds for r in chosen]
    apart = [abs(r.metrics["val_loss"] - v) for r, (_, v) in zip(chosen, theirs, strict=True) if r.value is not None]
    fit_seconds = [s for s, _ in theirs]
    numbers = {
        "data": data,
        "trials": len(searched),
        "epochs": epochs,
        "study_seconds": round(whole, 1),
        "study_trainings": len(result.records) + 1,
        "optselect_median_seconds": round(statistics.median(ours), 3),
        "fit_median_seconds": round(statistics.median(fit_seconds), 3),
        "trial_ratio": round(sum(fit_seconds) / sum(ours), 1),
        "fit_trials": len(chosen),
        "fit_seconds": round(sum(fit_seconds), 1),
        "fit_seconds_for_all": round(sum(fit_seconds) * len(searched) / len(chosen), 1),
        "median_val_loss_optselect": round(statistics.median(r.metrics["val_loss"] for r in chosen if r.value), 4),
        "median_val_loss_fit": round(
            statistics.median(v for r, (_, v) in zip(chosen, theirs, strict=True) if r.value), 4
        ),
        "median_val_loss_apart": round(statistics.median(apart), 4),
        "cores": os.cpu_count(),
    }
    for name, value in numbers.items():
        print(f"{name:<28}{value}")
    if out:
        out.write_text(json.dumps(numbers, indent=2) + "\n")


def _by_fit(spec: Any, records: list[Any], epochs: int) -> list[tuple[float, float]]:
    """Seconds and final validation loss of each trial with `model.fit`."""
    from optselect.tasks.task import Task
    from optselect.trainer.jobs import Job
    from optselect.trainer.run import FitTrainer

    trainer = FitTrainer(Task.from_spec(spec))
    found = []
    for record in records:
        run = trainer.run(Job(configuration=record.configuration, seed=record.seed, epochs=epochs))
        found.append((run.seconds, run.metrics.get("val_loss", float("nan"))))
    return found


if __name__ == "__main__":
    main()
