"""Trials and studies of optselect beside those of other tools, for six kinds of model, side by side in one run.

    just bench
    uv run --extra bench python -m benchmarks.trainer --only mlp,lstm --trials 6 --epochs 5 --out folder

Every tool trains the same configurations, Keras's optimizers at learning rates drawn once, on the same rows of
sklearn's digits, in the same batches, for the same epochs, from the same initial weights (scikit-learn draws its own;
the order of the rows and dropout are each tool's own). Each lives in a process of its own, with the same number of
threads for a training, and they take turns, so that whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import os
import statistics
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks import arithmetic, report, whole
from benchmarks.kinds import KINDS, configurations
from benchmarks.others import KerasTuner, Optuna, Sklearn
from benchmarks.ours import Optselect
from benchmarks.rooms import Block, Room, Setup, fresh_process

SIDES = {"optselect": Optselect, "optuna": Optuna, "keras_tuner": KerasTuner, "sklearn": Sklearn}
_TURNS = 3


class _Names(click.ParamType):
    """Names separated by commas, each of them known."""

    name = "names"

    def __init__(self, known: list[str]) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if unknown := [name for name in names if name not in self._known]:
            self.fail(f"{unknown[0]!r} is none of {', '.join(self._known)}.", param, ctx)
        return names


@click.command()
@click.option("--only", type=_Names([*KINDS]), default=",".join(KINDS), help="Kinds of model.")
@click.option("--tools", type=_Names([*SIDES]), default=",".join(SIDES), help="Tools; optselect is always there.")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True, help="Of every training.")
@click.option("--trials", type=click.IntRange(1), default=30, show_default=True, help="Of a study.")
@click.option("--seconds", default=30.0, show_default=True, help="For the trials of each other tool and kind.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of a training, for every tool.")
@click.option("--way", type=click.Choice(["graph", "xla"]), help="How optselect runs the steps.  [default: it chooses]")
@click.option("--long", "long_trials", default=1000, show_default=True, help="Trials of the long study; 0: none.")
@click.option("--cold", "cold_trials", default=100, show_default=True, help="Trials from a cold start; 0: none.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for log.txt, numbers.json and trials.png.")
def main(
    only: list[str],
    tools: list[str],
    epochs: int,
    trials: int,
    seconds: float,
    threads: int,
    way: str | None,
    long_trials: int,
    cold_trials: int,
    out: Path | None,
) -> None:
    """Compare optselect with Optuna and KerasTuner around `model.fit`, and with scikit-learn's MLPClassifier."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # processes that are started from here heed them
        os.environ[variable] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tools = [tool for tool in SIDES if tool in tools or tool == "optselect"]
    workers = max(1, min((os.cpu_count() or 1) // threads, 4))
    found: dict[str, Any] = {
        "machine": report.machine(),
        "settings": {"epochs": epochs, "trials": trials, "seconds": seconds, "threads": threads, "workers": workers},
        "kinds": {},
    }
    say = report.Speaker(out)
    say.lines(report.head(found, tools))
    with fresh_process() as bench:
        work = bench.submit(arithmetic.flops, only).result()
        for name in only:
            given = configurations(name, trials)
            setup = Setup(kind=name, configurations=given, epochs=epochs, threads=threads, workers=workers, way=way)
            measured = _measure(setup, tools, seconds, lambda k=name: _bound(bench, work[k], k, epochs))
            found["kinds"][name] = measured
            say.lines(report.kind(name, measured, trials))
    say.lines(report.alone(found))
    if long_trials:
        found["long"] = whole.long_study(long_trials, epochs, mlflow=False)
        say.lines(report.long(found["long"]))
        found["long_mlflow"] = whole.long_study(long_trials, epochs, mlflow=True)
        say.lines(report.long_mlflow(found["long"], found["long_mlflow"]))
    if cold_trials:
        found["cold"] = whole.cold_start(cold_trials, 20)
        say.lines(report.cold(found["cold"]))
    say.lines(report.aims(found))
    if out:
        (out / "numbers.json").write_text(json.dumps(_plain(found), indent=2, allow_nan=False) + "\n")
        report.picture(found, out / "trials.png")


def _measure(setup: Setup, tools: list[str], seconds: float, bound: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """All tools on one kind of model, turn by turn; optselect twice, with one worker and with all."""
    setups = {tool: (SIDES[tool], setup) for tool in tools if tool != "sklearn" or setup.kind == "mlp"}
    setups = {"optselect alone": (Optselect, dataclasses.replace(setup, workers=1)), **setups}
    blocks: dict[str, list[Block]] = {label: [] for label in setups}
    bounds = []
    rooms: dict[str, Room] = {}
    with contextlib.ExitStack() as stack:
        for turn in _turns(len(setup.configurations)):
            bounds.append(bound())
            for label, (side, given) in setups.items():
                if label not in rooms:  # workers that come up late cost their tool its first turn, as they cost a study
                    rooms[label] = stack.enter_context(Room(side, given))
                blocks[label].append(rooms[label].block(turn, seconds / _TURNS))
    return _summed({label: room.ready for label, room in rooms.items()}, blocks, bounds)


def _turns(count: int) -> list[range]:
    """The numbers of the configurations that are trained in each turn."""
    ends = [k * count // _TURNS for k in range(_TURNS + 1)]
    return [range(start, end) for start, end in itertools.pairwise(ends) if end > start]


def _bound(bench: ProcessPoolExecutor, work: arithmetic.Work, name: str, epochs: int) -> dict[str, float]:
    """Seconds of the arithmetic of a training: as counted, and, for dense layers, of products of just these shapes."""
    rate = bench.submit(arithmetic.matmul_rate).result()
    counted = arithmetic.operations(work, epochs) / rate
    exact = math.nan
    if work["dense"]:
        exact = bench.submit(arithmetic.seconds_of_matmuls, work, KINDS[name].batch_size, epochs).result()
    return {"gflops": rate / 1e9, "counted": counted, "exact": exact}


def _summed(ready: dict[str, float], blocks: dict[str, list[Block]], bounds: list[dict[str, float]]) -> dict[str, Any]:
    """The figures of a kind of model.

    apart: from optselect's loss in the same trial. at_once: how many times faster all workers are than one.
    """
    alone, together = blocks["optselect alone"], blocks["optselect"]
    ours = {t.number: t.val_loss for block in together for t in block.trials}
    timed = {**blocks, "optselect": alone}  # a trial's own time is known where one trains at a time
    tools = {}
    for tool in (t for t in blocks if t != "optselect alone"):
        trials = [t for block in blocks[tool] for t in block.trials]
        if not trials:  # scikit-learn has none of the list's optimizers
            continue
        pairs = [(t.val_loss, ours[t.number]) for t in trials if math.isfinite(t.val_loss)]
        spent = sum(block.seconds for block in blocks[tool])
        tools[tool] = {
            "ready": ready[tool],
            "trials": len(trials),
            "trial": _median([t.seconds for block in timed[tool] for t in block.trials]),
            "study": ready[tool] + spent * len(ours) / len(trials),
            "val_loss": _median([theirs for theirs, _ in pairs]),
            "val_loss_optselect": _median([own for _, own in pairs]),
            "apart": _median([abs(theirs - own) for theirs, own in pairs]),
            "val_losses": {t.number: t.val_loss for t in trials},
        }
    return {
        "tools": tools,
        "way": alone[0].way,
        "step": _median([t.step_seconds for block in alone for t in block.trials]),
        "at_once": _median([one.seconds / all_.seconds for one, all_ in zip(alone, together, strict=True)]),
        "bound": {name: _median([b[name] for b in bounds]) for name in bounds[0]},
    }


def _plain(found: Any) -> Any:
    """The figures as JSON has them: null where there is none."""
    if isinstance(found, dict):
        return {str(key): _plain(value) for key, value in found.items()}
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values) or [math.nan])


if __name__ == "__main__":
    main()
