"""Who is compared: each buys from a `Shop` until the budget is used up."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.search import grid
from benchmarks.search.answering import Shop, TableExecutor
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES

__all__ = ["CONTENDERS", "Contender"]


@dataclasses.dataclass(frozen=True)
class Contender:
    """search: takes a shop, how many whole trainings may be bought, and a seed. anytime: what it does first does not
    depend on how much it may buy, so that one long run tells of all budgets. slow: beyond 32 trainings it takes
    minutes to make up its mind, so it is run that far.
    """

    search: Callable[[Shop, int, int], None]
    anytime: bool = True
    slow: bool = False


_MEMORY = Path("/dev/shm")  # files that nobody reads need no disk


def arms(shop: Shop, trials: int, seed: int, **options: Any) -> None:
    """optselect's own search: range tests, an Optuna study an optimizer, elimination."""
    from benchmarks.search.ours import searched

    epochs, rows = shop.results.task.epochs, shop.results.rows
    searched(TableExecutor(shop), grid.space(), epochs=epochs, rows=rows, trials=trials, seed=seed, **options)


def arms_halving(shop: Shop, trials: int, seed: int) -> None:
    """The same with rungs, and as many trials more as rungs save: half as many again."""
    arms(shop, trials * 3 // 2, seed, pruner="halving")


def arms_untested(shop: Shop, trials: int, seed: int) -> None:
    """The same without range tests."""
    arms(shop, trials, seed, range_test=False)


def defaults(shop: Shop, trials: int, seed: int) -> None:
    """Every rule as Keras has it, then stop."""
    for configuration in grid.at_defaults()[:trials]:
        shop.train(configuration, shop.results.task.epochs)


def optuna_tpe(shop: Shop, trials: int, seed: int) -> None:
    """Optuna as its tutorials have it: one study, the optimizer a categorical parameter, TPE."""
    import optuna

    _optuna(shop, trials, optuna.samplers.TPESampler(seed=seed))


def optuna_random(shop: Shop, trials: int, seed: int) -> None:
    """The same with random search."""
    import optuna

    _optuna(shop, trials, optuna.samplers.RandomSampler(seed=seed))


def kt_bayesian(shop: Shop, trials: int, seed: int) -> None:
    """KerasTuner's BayesianOptimizationOracle."""
    import keras_tuner

    with _keras_tuner() as folder:
        oracle = keras_tuner.oracles.BayesianOptimizationOracle(
            objective=keras_tuner.Objective("val_loss", "min"),
            max_trials=trials,
            seed=seed,
            hyperparameters=_hyperparameters(),
        )
        _obey(oracle, folder, shop, trials)


def kt_hyperband(shop: Shop, trials: int, seed: int) -> None:
    """KerasTuner's HyperbandOracle, again and again until the budget is used up.

    A promoted trial goes on where it paused, for the price of the new epochs. (KerasTuner's own tuner restarts
    momentum and schedule there, which a table cannot show.)
    """
    import keras_tuner

    with _keras_tuner() as folder:
        oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective("val_loss", "min"),
            max_epochs=shop.results.task.epochs,
            hyperband_iterations=1000,
            seed=seed,
            hyperparameters=_hyperparameters(),
        )
        _obey(oracle, folder, shop, trials)


CONTENDERS = {
    "optselect": Contender(arms, anytime=False),
    "optselect, rungs": Contender(arms_halving, anytime=False),
    "optselect, no range test": Contender(arms_untested, anytime=False),
    "Optuna TPE": Contender(optuna_tpe),
    "random search": Contender(optuna_random),
    "KerasTuner Bayesian": Contender(kt_bayesian, slow=True),
    "KerasTuner Hyperband": Contender(kt_hyperband, slow=True),
    "defaults": Contender(defaults),
}


def _optuna(shop: Shop, trials: int, sampler: Any) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)

    def objective(trial: Any) -> float:
        arm = trial.suggest_categorical("optimizer", list(grid.space().optimizers))
        rates = grid.space().optimizers[arm]["learning_rate"]
        drawn = {
            "learning_rate": trial.suggest_float(f"{arm}_learning_rate", rates.low, rates.high, log=True),
            "second": trial.suggest_categorical(f"{arm}_{_second(arm)}", list(_choices(arm))),
            "schedule": trial.suggest_categorical("schedule", list(grid.space().schedules)),
            "batch_size": trial.suggest_categorical("batch_size", list(grid.space().batch_size.choices)),
        }
        shop.train(_configuration(arm, drawn), shop.results.task.epochs)
        loss = shop.history[-1].loss
        return loss if math.isfinite(loss) else math.nan

    study.optimize(objective, n_trials=trials)


def _second(arm: str) -> str:
    return grid.second(RULES[arm])


def _choices(arm: str) -> tuple[float, ...]:
    return grid.space().optimizers[arm][_second(arm)].choices


def _configuration(arm: str, drawn: dict[str, Any]) -> Configuration:
    rule = RULES[arm](**{"learning_rate": drawn["learning_rate"], _second(arm): drawn["second"]})
    return Configuration(rule=rule, schedule=SCHEDULES[drawn["schedule"]](), batch_size=drawn["batch_size"])


# -- KerasTuner -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _keras_tuner() -> Iterator[str]:
    """A folder for its files, and silence: it prints every trial."""
    logging.getLogger("keras_tuner").setLevel(logging.ERROR)
    home = _MEMORY if _MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=home) as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield folder


def _hyperparameters() -> Any:
    """The same space as its users write it, with conditional scopes."""
    import keras_tuner

    found = keras_tuner.HyperParameters()
    found.Choice("optimizer", list(grid.space().optimizers))
    for arm, searches in grid.space().optimizers.items():
        with found.conditional_scope("optimizer", [arm]):
            rates = searches["learning_rate"]
            found.Float(f"{arm}_learning_rate", rates.low, rates.high, sampling="log")
            found.Choice(f"{arm}_second", list(_choices(arm)))
    found.Choice("schedule", list(grid.space().schedules))
    found.Choice("batch_size", list(grid.space().batch_size.choices))
    return found


def _obey(oracle: Any, folder: str, shop: Shop, trials: int) -> None:
    """Train what the oracle says until the budget is used up or it stops.

    A loss that is not finite is told as the worst finite one so far: told as it is, KerasTuner gives up after three
    in a row.
    """
    oracle._set_project_dir(folder, "search")
    longest, worst = shop.results.task.epochs, 0.0
    while shop.paid < trials * longest:
        trial = oracle.create_trial("tuner")
        if trial.status != "RUNNING":
            return
        values = trial.hyperparameters.values
        arm = values["optimizer"]
        drawn = {"learning_rate": values[f"{arm}_learning_rate"], "second": values[f"{arm}_second"], **values}
        epochs, begun = values.get("tuner/epochs", longest), values.get("tuner/initial_epoch", 0)
        shop.train(_configuration(arm, drawn), int(epochs), begun=int(begun), total=longest)
        loss = shop.history[-1].loss
        worst = max(worst, loss) if math.isfinite(loss) else worst
        oracle.update_trial(trial.trial_id, {"val_loss": loss if math.isfinite(loss) else worst})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
