"""Early stopping beside a fixed number of epochs: what a study trains and finds, and what a trial costs.

    just bench-stopping
    uv run --extra bench python -m benchmarks.early_stopping --only iris,wine --patience 5 --out folder

Studies of real data sets with the default network, the same trials and seeds, once with a fixed number of epochs and
once with every patience: epochs trained in all, the loss on test rows of the recommended configuration and of Keras's
default Adam over the seeds of the confirmation, and the recommendation. Then trials of one list of configurations
beside Optuna around `model.fit` with the same callback, turn by turn, with early stopping and without it: the ratio
of the times must not be smaller with it. Finished studies are kept in --out and not run again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.data_sets import DATA_SETS
from benchmarks.kinds import configurations
from benchmarks.others import Optuna
from benchmarks.ours import Optselect
from benchmarks.rooms import Room, Setup

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SETS = "iris,wine,breast_cancer,diabetes,ISLR-OJ,modeldata-concrete,digits,openintro-email"


@click.command()
@click.option("--only", default=_SETS, show_default=True, help="Data sets, with commas.")
@click.option("--optimizers", default="adam,sgd,rmsprop", show_default=True)
@click.option("--trials", default=12, show_default=True, help="Of a study.")
@click.option("--epochs", default=20, show_default=True, help="Where they are fixed.")
@click.option("--most", default=100, show_default=True, help="The most with early stopping.")
@click.option("--patience", default="5", show_default=True, help="One or several, with commas.")
@click.option("--kinds", default="mlp,cnn", show_default=True, help='Models of the trials beside Optuna; none: "".')
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench-stopping"), show_default=True)
def main(**asked: Any) -> None:
    """Compare early stopping with a fixed number of epochs."""
    out: Path = asked["out"]
    out.mkdir(parents=True, exist_ok=True)
    patiences = [int(one) for one in asked["patience"].split(",")]
    rows: list[dict[str, Any]] = []
    print(_HEAD, flush=True)
    for name in filter(None, asked["only"].split(",")):
        for patience in (None, *patiences):
            kept = out / f"{name}-{patience or 'fixed'}.json"
            if not kept.exists():
                kept.write_text(json.dumps(study(name, patience, asked), indent=1) + "\n")
            rows.append(json.loads(kept.read_text()))
            print(_line(rows[-1]), flush=True)
    for patience in patiences:
        print(_compared(rows, patience), flush=True)
    trials = []
    for kind in filter(None, asked["kinds"].split(",")):
        trials += beside_optuna(kind, min(patiences))
        print(_of_trials(trials[-2:]), flush=True)
    (out / "numbers.json").write_text(json.dumps({"studies": rows, "trials": trials}, indent=1) + "\n")


# -- studies --------------------------------------------------------------------------------------------------------


def study(name: str, patience: int | None, asked: dict[str, Any]) -> dict[str, Any]:
    """One study in numbers. patience: None for a fixed number of epochs."""
    from optselect import Evaluation, RunOptions, SearchOptions, Tracking, tune

    frame, target = DATA_SETS[name].read()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = tune(
            None,
            frame,
            target=target,
            trials=asked["trials"],
            epochs=asked["epochs"] if patience is None else asked["most"],
            patience=patience,
            optimizers=asked["optimizers"],
            search=SearchOptions(range_test=False),
            evaluation=Evaluation(care="quick", check=False),
            run=RunOptions(out=folder, study="stopping", workers=1, report=False),
            tracking=Tracking(mlflow=None, storage=None),
        )
        seconds = time.perf_counter() - began
    verdict = result.verdict
    losses = {
        who: [
            r.metrics["test_loss"]
            for r in result.records
            if r.stage == "confirm" and r.configuration == of and "test_loss" in r.metrics
        ]
        for who, of in (("recommended", result.best), ("default", verdict.baseline))
    }
    used = [standing.epochs for standing in (verdict.recommended, verdict.default)]
    return {
        "data": name,
        "patience": patience,
        "trainings": len(result.records),
        "epochs": sum(r.epochs for r in result.records),
        "epochs_of": [None if one is None else one.median for one in used],
        "best_epoch_of": [None if one is None else one.best_epoch for one in used],
        "recommended": verdict.recommended.label,
        "arm": result.best.rule.key,
        "word": verdict.word,
        "misjudged": verdict.misjudged,
        "test_loss": {who: statistics.fmean(found) if found else None for who, found in losses.items()},
        "training_seconds": sum(r.seconds for r in result.records),
        "seconds": seconds,
    }


_HEAD = (
    f"{'data set':<20}{'patience':>9}{'trainings':>10}{'epochs':>8}{'each':>6}{'test loss':>11}{'of default':>11}"
    "  word, recommended"
)


def _line(row: dict[str, Any]) -> str:
    own, default = (row["test_loss"][who] for who in ("recommended", "default"))
    return (
        f"{row['data']:<20}{row['patience'] or 'fixed':>9}{row['trainings']:>10}{row['epochs']:>8}"
        f"{row['epochs'] / row['trainings']:>6.1f}{_number(own)}{_number(default)}  {row['word']}, {row['recommended']}"
    )


def _number(value: float | None) -> str:
    return f"{value:>11.4g}" if value is not None else f"{'none':>11}"


def _compared(rows: Sequence[dict[str, Any]], patience: int) -> str:
    """One patience against the fixed number, over the data sets."""
    fixed = {row["data"]: row for row in rows if row["patience"] is None}
    found = [(row, fixed[row["data"]]) for row in rows if row["patience"] == patience]
    epochs = _mean_ratio((row["epochs"] / row["trainings"], than["epochs"] / than["trainings"]) for row, than in found)
    said = [f"patience {patience} against fixed: {epochs:.2f} times the epochs of a training"]
    for who in ("recommended", "default"):
        pairs = [(row["test_loss"][who], than["test_loss"][who]) for row, than in found]
        whole = [(own, other) for own, other in pairs if own and other]
        better = sum(own < other for own, other in whole)
        said.append(f"test loss of the {who} x {_mean_ratio(whole):.3f}, lower on {better} of {len(whole)}")
    same = sum(row["arm"] == than["arm"] for row, than in found)
    words = sum(row["word"] == than["word"] for row, than in found)
    return "; ".join([*said, f"the same optimizer on {same}, the same word on {words} of {len(found)}"])


def _mean_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The geometric mean of ratios; NaN of none."""
    logs = [math.log(own / other) for own, other in pairs]
    return math.exp(statistics.fmean(logs)) if logs else math.nan


# -- trials ---------------------------------------------------------------------------------------------------------


def beside_optuna(kind: str, patience: int, *, count: int = 6, epochs: int = 20) -> list[dict[str, Any]]:
    """A trial of optselect and of Optuna around `model.fit`, without early stopping and with it."""
    setups = {
        (side.__name__, given): (
            side,
            Setup(kind=kind, configurations=configurations(kind, count), epochs=epochs, threads=1, patience=given),
        )
        for given in (None, patience)
        for side in (Optselect, Optuna)
    }
    trials: dict[tuple[str, int | None], list[Any]] = {}
    with contextlib.ExitStack() as stack:
        rooms = {label: stack.enter_context(Room(side, setup)) for label, (side, setup) in setups.items()}
        for number in range(count):
            for label, room in rooms.items():
                trials.setdefault(label, []).extend(room.block([number], math.inf).trials)
    return [_ratio(kind, given, trials[Optselect.__name__, given], trials[Optuna.__name__, given])
            for given in (None, patience)]  # fmt: skip


def _ratio(kind: str, patience: int | None, ours: Sequence[Any], theirs: Sequence[Any]) -> dict[str, Any]:
    """Medians; the first trial of each, which traces, is left out."""
    ratios = [other.seconds / own.seconds for own, other in zip(ours[1:], theirs[1:], strict=True)]
    return {
        "kind": kind,
        "patience": patience,
        "ours": statistics.median(t.seconds for t in ours[1:]),
        "optuna": statistics.median(t.seconds for t in theirs[1:]),
        "ratio": statistics.median(ratios),
    }


def _of_trials(found: Sequence[dict[str, Any]]) -> str:
    return "; ".join(
        f"{one['kind']}, {'patience ' + str(one['patience']) if one['patience'] else 'fixed'}: {one['ours']:.3f} s "
        f"beside {one['optuna']:.2f} s, {one['ratio']:.0f} times"
        for one in found
    )


if __name__ == "__main__":
    main()
