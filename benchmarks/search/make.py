"""Trains every configuration of the grid on every task with every seed, once, and keeps what came of it.

    uv run --extra bench python -m benchmarks.search.make

Parts of tasks go to `--parts` every minute, and the same command goes on with what is missing. When nothing is, it
writes benchmarks/data/search_table.parquet and search_sweeps.parquet.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.search import grid
from benchmarks.search.table import COLUMNS, SWEEPS, TABLE

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_KEPT_EVERY = 60.0  # seconds
_IDENTITY = ["rule", "learning_rate", "value", "schedule", "batch_size", "seed", "epochs"]


def _part(folder: Path, task: grid.TableTask, kind: str) -> Path:
    return folder / f"{task.data}.{kind}.parquet"


def _wanted(task: grid.TableTask) -> list[tuple[Any, int, int]]:
    """Configuration, seed and epochs of all trainings.

    With a constant rate a shorter training is the beginning of a longer one, so only the longest is made.
    """
    return [
        (configuration, seed, epochs)
        for configuration in grid.configurations()
        for epochs in grid.lengths(task.epochs)[-1 if configuration.schedule.name == "constant" else 0 :]
        for seed in grid.SEEDS
    ]


def _missing(task: grid.TableTask, folder: Path) -> tuple[pd.DataFrame, list[tuple[Any, int, int]]]:
    """What a task's part has, and what it lacks."""
    path = _part(folder, task, "table")
    there = pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=list(COLUMNS))
    done = set(there[_IDENTITY].itertuples(index=False, name=None))
    return there, [(c, seed, epochs) for c, seed, epochs in _wanted(task) if (*grid.key(c), seed, epochs) not in done]


def _make(task: grid.TableTask, folder: Path) -> str:
    """All trainings and range tests of a task, in this process."""
    began = kept = time.perf_counter()
    there, missing = _missing(task, folder)
    trainer = _trainer(task)
    pd.DataFrame(_swept(trainer, task)).to_parquet(_part(folder, task, "sweeps"))
    rows: list[dict[str, Any]] = []
    for number, (configuration, seed, epochs) in enumerate(missing, 1):
        rows.append(_trained(trainer, task, configuration, seed, epochs))
        if time.perf_counter() > kept + _KEPT_EVERY or number == len(missing):
            kept = time.perf_counter()
            _keep(there, rows, _part(folder, task, "table"))
            print(f"  {task.data}: {number} of {len(missing)} trainings", flush=True)
    return f"{task.data}: {len(missing)} trainings, {time.perf_counter() - began:.0f} s"


def _keep(there: pd.DataFrame, rows: list[dict[str, Any]], path: Path) -> None:
    """Replace the part by one with the new rows, so that it is never half a file."""
    fresh = path.with_suffix(".new")
    frame = pd.DataFrame(rows)
    (pd.concat([there, frame]) if len(there) else frame).astype(COLUMNS).to_parquet(fresh, index=False)
    fresh.replace(path)


def _trainer(task: grid.TableTask) -> Any:
    import tensorflow as tf

    from optselect.task.prepared import Task
    from optselect.trainer.compiled import CompiledTrainer

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return CompiledTrainer(Task.from_spec(task.spec()), [rule() for rule in grid.rules()], grid.SEEDS)


def _trained(trainer: Any, task: grid.TableTask, configuration: Any, seed: int, epochs: int) -> dict[str, Any]:
    from optselect.trainer.messages import Job

    run = trainer.run(Job(configuration=configuration, seed=seed, epochs=epochs, test=True))
    rule, rate, value, schedule, size = grid.key(configuration)
    return {
        "task": task.data,
        "rule": rule,
        "learning_rate": rate,
        "second": grid.second(type(configuration.rule)),
        "value": value,
        "schedule": schedule,
        "batch_size": size,
        "seed": seed,
        "epochs": epochs,
        "val_loss": _short(run.curves["val_loss"]),
        "test_loss": _short([run.metrics.get("test_loss", np.nan)])[0],
        "seconds": float(f"{run.seconds:.2g}"),
    }


def _swept(trainer: Any, task: grid.TableTask) -> list[dict[str, Any]]:
    """The range tests that a study of this task would make, with every seed."""
    from optselect.study import ranging

    found = []
    default, rows = grid.at_defaults()[0], trainer.program.feed.rows
    whole, size = task.epochs * default.steps_per_epoch(rows), default.batch_size
    for seed in grid.SEEDS:
        probes = ranging.probes(grid.space(), seed=seed, batch_size=size, whole=whole)
        for arm, probe in probes.items():
            run = trainer.probe(probe)
            found.append(
                {
                    "task": task.data,
                    "rule": arm,
                    "seed": seed,
                    "rows": rows,
                    "batch_size": size,
                    "steps": probe.steps,
                    "rates": np.asarray(run.rates),
                    "start": run.start,
                    "losses": _short(run.losses),
                    "val_losses": _short(run.val_losses),
                }
            )
    return found


def _short(values: list[float]) -> Any:
    """float32 with five significant digits, which compress."""
    return np.asarray([float(f"{v:.5g}") for v in values], np.float32)


def _join(folder: Path) -> None:
    """One file of the parts each, strings as dictionaries."""
    for kind, path in (("table", TABLE), ("sweeps", SWEEPS)):
        frame = pd.concat([pd.read_parquet(_part(folder, task, kind)) for task in grid.TASKS], ignore_index=True)
        texts = [name for name in frame.columns if isinstance(frame[name].iloc[0], str)]
        frame = frame.astype(dict.fromkeys(texts, "category"))
        path.parent.mkdir(exist_ok=True)
        frame.to_parquet(path, compression="zstd", compression_level=19, index=False)
        print(f"{path.name}: {len(frame):,} rows, {path.stat().st_size / 1e6:.2f} MB")


@click.command()
@click.option(
    "--parts",
    type=click.Path(path_type=Path),
    default=Path(tempfile.gettempdir()) / "optselect_search_parts",
    show_default=True,
)
@click.option("--workers", type=int, default=os.cpu_count(), show_default=True, help="Training processes.")
@click.option("--only", help="Data sets with commas, to make their parts alone.")
def main(parts: Path, workers: int, only: str | None) -> None:
    """Make the table, or go on with making it."""
    parts.mkdir(parents=True, exist_ok=True)
    wanted = [task for task in grid.TASKS if only is None or task.data in only.split(",")]
    print(f"{len(grid.configurations())} configurations, {len(grid.SEEDS)} seeds, {len(wanted)} tasks", flush=True)
    unfinished = [t for t in wanted if _missing(t, parts)[1] or not _part(parts, t, "sweeps").exists()]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context, max_tasks_per_child=1) as pool:
        for done in concurrent.futures.as_completed([pool.submit(_make, task, parts) for task in unfinished]):
            print(done.result(), flush=True)
    if only is None:
        _join(parts)


if __name__ == "__main__":
    main()
