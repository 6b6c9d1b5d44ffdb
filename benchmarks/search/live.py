"""Searches on the real trainer: optselect's arms, one joint TPE and random search, over the default space."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

from benchmarks.search.grid import TableTask
from benchmarks.search.ours import searched
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.hyperparameters import log
from optselect.optim.rules import parse
from optselect.spaces import Space, default_space
from optselect.study import ranging
from optselect.study.search import search_seed
from optselect.trainer.messages import Job
from optselect.util.seeds import derive
from optselect.workers.local import LocalExecutor

__all__ = ["TASKS", "diverging", "live"]

TASKS = (TableTask("digits", 8), TableTask("breast_cancer", 16), TableTask("diabetes", 16))
_FRESH = 2  # seeds on which a recommendation is judged
_REPETITIONS = 16  # whose seeds a worker knows from its start
_RATES = log(1e-3, 1e4)  # of SGD, most of which diverges


@dataclasses.dataclass(frozen=True)
class Room:
    """A task with a worker that has it."""

    task: TableTask
    rows: int
    executor: LocalExecutor


Found = list[tuple[Configuration, float]]
"""Configurations and their validation losses, infinite where training broke down."""


def live(budgets: tuple[int, ...], repetitions: int) -> pd.DataFrame:
    """A row for every task, contender, budget and repetition: the held-out loss of what it recommends."""
    rows = []
    space = default_space()
    for task in TASKS:
        with _room(task, space) as room:
            for repetition in range(repetitions):
                for budget in budgets:
                    for name, search in _CONTENDERS.items():
                        began = time.perf_counter()
                        found = search(room, space, budget, repetition)
                        took = time.perf_counter() - began
                        best, value = min(found, key=lambda one: one[1])
                        rows.append(
                            {
                                "task": task.data,
                                "contender": name,
                                "budget": budget,
                                "repetition": repetition,
                                "val_loss": value,
                                "test_loss": _judged(room, best, repetition),
                                "rule": best.rule.key,
                                "diverged": sum(not math.isfinite(v) for _, v in found),
                                "seconds": round(took, 2),
                            }
                        )
        print(f"  {task.data}: done", flush=True)
    return pd.DataFrame(rows)


def diverging(trials: int, repetitions: int) -> pd.DataFrame:
    """SGD on diabetes where most rates diverge: how many of the trials do, and the best loss."""
    arm = default_space().only(["sgd"])
    space = dataclasses.replace(
        arm, optimizers={"sgd": {**arm.optimizers["sgd"], "learning_rate": _RATES}}, schedules={"constant": {}}
    )
    contenders: dict[str, Callable[..., Found]] = {
        "optselect": _arms,
        "optselect, no range test": lambda *given: _arms(*given, range_test=False),
        "Optuna TPE": _joint_tpe,
    }
    rows = []
    with _room(TASKS[-1], space) as room:
        for repetition in range(repetitions):
            for name, search in contenders.items():
                found = search(room, space, trials, repetition)
                bad = sum(not math.isfinite(value) for _, value in found)
                best = min(value for _, value in found)
                rows.append(
                    {"contender": name, "repetition": repetition, "diverged": bad, "of": len(found), "best": best}
                )
    return pd.DataFrame(rows)


@contextlib.contextmanager
def _room(task: TableTask, space: Space) -> Iterator[Room]:
    spec = task.spec()
    seeds = [search_seed(repetition) for repetition in range(_REPETITIONS)]
    seeds += [derive(repetition, "judge", number) for repetition in range(_REPETITIONS) for number in range(_FRESH)]
    with tempfile.TemporaryDirectory() as folder:
        log_file = Path(folder) / "worker.log"
        rules = [parse(arm) for arm in space.optimizers]
        with LocalExecutor(spec, rules, seeds, log=log_file, workers=1) as executor:
            executor.start()
            yield Room(task, len(spec.split.train), executor)


def _arms(room: Room, space: Space, budget: int, seed: int, **options: Any) -> Found:
    """optselect's search. What its range tests cost, it has fewer trials."""
    tested = options.get("range_test", True) and budget / len(space.optimizers) >= ranging.WORTHWHILE
    trials = budget - (_price(room, space) if tested else 0)
    epochs, rows = room.task.epochs, room.rows
    found = searched(room.executor, space, epochs=epochs, rows=rows, trials=trials, seed=seed, **options)
    return [(r.configuration, math.inf if r.value is None else r.value) for r in found]


def _price(room: Room, space: Space) -> int:
    """What the range tests cost, in whole trainings."""
    size = min(BASELINE.batch_size, room.rows)
    whole = room.task.epochs * BASELINE.steps_per_epoch(room.rows)
    probes = ranging.probes(space, seed=0, batch_size=size, whole=whole).values()
    return round(sum(len(probe.rates) * probe.steps for probe in probes) / whole)


def _joint_tpe(room: Room, space: Space, budget: int, seed: int) -> Found:
    return _joint(room, space, budget, seed, optuna.samplers.TPESampler(seed=seed))


def _joint_random(room: Room, space: Space, budget: int, seed: int) -> Found:
    return _joint(room, space, budget, seed, optuna.samplers.RandomSampler(seed=seed))


def _joint(room: Room, space: Space, budget: int, seed: int, sampler: Any) -> Found:
    """One Optuna study as its tutorials have it: the optimizer a categorical parameter, NaN returned as it is."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    arms, found = list(space.optimizers), []

    def objective(trial: optuna.Trial) -> float:
        arm = trial.suggest_categorical("optimizer", arms)
        named: Any = _Named(trial, arm)
        configuration = space.suggest(named, arm, share=budget // len(arms), rows=room.rows)
        value = _trained(room, configuration, search_seed(seed))
        found.append((configuration, value if math.isfinite(value) else math.inf))
        return value

    optuna.create_study(sampler=sampler).optimize(objective, n_trials=budget)
    return found


class _Named:
    """An Optuna trial whose parameters are named after an arm."""

    def __init__(self, trial: optuna.Trial, arm: str) -> None:
        self._trial, self._arm = trial, arm

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return self._trial.suggest_float(f"{self._arm} {name}", low, high, **options)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._trial.suggest_categorical(f"{self._arm} {name}", choices)


_CONTENDERS: dict[str, Callable[..., Found]] = {
    "optselect": _arms,
    "Optuna TPE": _joint_tpe,
    "random search": _joint_random,
}


def _trained(room: Room, configuration: Configuration, seed: int) -> float:
    """The validation loss; NaN if training broke down."""
    run = room.executor.run(Job(configuration=configuration, seed=seed, epochs=room.task.epochs))
    return run.metrics.get("val_loss", math.nan)


def _judged(room: Room, configuration: Configuration, repetition: int) -> float:
    """The mean held-out loss over fresh seeds."""
    losses = []
    for number in range(_FRESH):
        seed = derive(repetition, "judge", number)
        run = room.executor.run(Job(configuration=configuration, seed=seed, epochs=room.task.epochs, test=True))
        losses.append(run.metrics.get("test_loss", math.inf))
    return float(np.mean(losses))
