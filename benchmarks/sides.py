"""The tools that are compared, each in a process of its own: optselect, Optuna and KerasTuner around `model.fit`,
scikit-learn's MLPClassifier."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from benchmarks.kinds import KINDS, LARGEST_RATE, SMALLEST_RATE, optimizer_names, parts, spec

__all__ = ["SIDES", "Block", "Room", "Setup", "Trained", "fresh_process"]

_SEED = 1  # of the initial weights, in every trial of every tool that starts as Keras does


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """What a side is to train. threads: of one training. workers: trainings at once, where the tool can."""

    kind: str
    configurations: Sequence[Any]
    epochs: int
    threads: int
    workers: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained:
    """number: of the configuration. seconds: from one result to the next, NaN where several train at once."""

    number: int
    seconds: float
    val_loss: float
    step_seconds: float = math.nan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Some trials one after the other. seconds: of all of them. way: how optselect ran the steps."""

    trials: list[Trained]
    seconds: float
    way: str = ""


class Side(Protocol):
    """A tool, ready to train."""

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """Train the configurations of these numbers, no new one after so many seconds."""
        ...

    def close(self) -> None: ...


def fresh_process() -> ProcessPoolExecutor:
    """A process of its own, started anew, whose libraries keep their remarks to themselves."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_hush)


def _hush() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class Room:
    """A fresh process in which one tool lives; it does nothing while it is not asked.

    ready: seconds from starting the process until the tool could train: imports, data, compilation.
    """

    def __init__(self, side: str, setup: Setup) -> None:
        began = time.perf_counter()
        self._pool = fresh_process()
        self._pool.submit(_enter, side, setup).result()
        self.ready = time.perf_counter() - began

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """As `Side.block`."""
        return self._pool.submit(_block, numbers, seconds).result()

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self._pool.submit(_leave).result()
        self._pool.shutdown()


_HERE: dict[str, Side] = {}  # the side that lives in this process


def _enter(side: str, setup: Setup) -> None:
    _HERE["side"] = SIDES[side](setup)


def _block(numbers: Sequence[int], seconds: float) -> Block:
    return _HERE["side"].block(numbers, seconds)


def _leave() -> None:
    _HERE.pop("side").close()


def _one_by_one(train: Callable[[int], float], numbers: Sequence[int], seconds: float) -> Block:
    trials: list[Trained] = []
    began = last = time.perf_counter()
    for number in numbers:
        if trials and last - began >= seconds:
            break
        val_loss = train(number)
        now = time.perf_counter()
        trials.append(Trained(number=number, seconds=now - last, val_loss=val_loss))
        last = now
    return Block(trials=trials, seconds=last - began)


# -- optselect ------------------------------------------------------------------------------------------------------


class Optselect:
    """The study loop with its ledger and its worker processes, without MLflow, over a given list of trials."""

    def __init__(self, setup: Setup) -> None:
        from optselect.executors import LocalExecutor
        from optselect.ledger import Ledger
        from optselect.study.study import Study
        from optselect.trainer.jobs import Plan

        self._setup, self._folder = setup, tempfile.TemporaryDirectory()
        task, folder = spec(setup.kind, setup.epochs), Path(self._folder.name)
        rules = {c.rule.key: c.rule for c in setup.configurations}
        batches = -(-len(task.split.train) // KINDS[setup.kind].batch_size)
        steps = len(setup.configurations) * setup.epochs * batches / setup.workers
        self._executor = LocalExecutor(
            task,
            list(rules.values()),
            [_SEED],
            workers=setup.workers,
            threads=setup.threads,
            log=folder / "worker.log",
            plan=Plan(steps=steps),
        )
        self._way = self._executor.start()["way"] or "fit"
        self._ledger = Ledger.open(folder / "ledger.jsonl")
        self._study = Study(self._ledger, restored=(), objective="val_loss")

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """As `Side.block`; the list is never cut short: it is what the others are compared with."""
        from optselect.tracking import NullTracker

        clock, alone = _Clock(), self._setup.workers == 1
        began = time.perf_counter()
        self._study.drive(_Listed(self._setup, numbers), self._executor, NullTracker(), clock)
        whole = time.perf_counter() - began
        starts = [began, *(moment for moment, _ in clock.trials)]
        trials = [
            Trained(
                number=record.attributes["number"],
                seconds=moment - start if alone else math.nan,
                val_loss=record.metrics.get("val_loss", math.nan),
                step_seconds=record.step_seconds,
            )
            for start, (moment, record) in zip(starts, clock.trials, strict=False)
        ]
        return Block(trials=sorted(trials, key=lambda t: t.number), seconds=whole, way=self._way)

    def close(self) -> None:
        self._executor.close()
        self._ledger.close()
        self._folder.cleanup()


class _Clock:
    """A listener that notes when a trial has ended."""

    def __init__(self) -> None:
        self.trials: list[tuple[float, Any]] = []

    def say(self, text: str) -> None: ...

    def ready(self, description: Any) -> None: ...

    def stage(self, name: str, done: int, total: int | None) -> None: ...

    def restored(self, records: Any) -> None: ...

    def trial(self, record: Any) -> None:
        self.trials.append((time.perf_counter(), record))


class _Listed:
    """A stage of a study that trains given configurations in their order."""

    def __init__(self, setup: Setup, numbers: Sequence[int]) -> None:
        self.name: Any = "search"
        self._setup, self._waiting, self._total, self._done = setup, list(numbers), len(numbers), 0

    def total(self) -> int | None:
        return self._total

    def done(self) -> int:
        return self._done

    def next(self, idle: int, running: Collection[Any]) -> Any:
        from optselect.study.stage import Planned

        if not self._waiting:
            return None
        number = self._waiting.pop(0)
        configuration = self._setup.configurations[number]
        return Planned(
            stage=self.name,
            arm=configuration.rule.key,
            configuration=configuration,
            seed=_SEED,
            epochs=self._setup.epochs,
            attributes={"number": number},
        )

    def goes_on(self, planned: Any, runs: Sequence[Any]) -> None:
        return None

    def learn(self, record: Any) -> None:
        self._done += 1


# -- Optuna ---------------------------------------------------------------------------------------------------------


def _prepare_keras(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _chosen(configuration: Any) -> dict[str, Any]:
    """A configuration as values of the other tools' parameters."""
    rule = configuration.rule
    return {"optimizer": rule.twin.rpartition(".")[2], "learning_rate": rule.learning_rate}


class Optuna:
    """A study around `model.fit`, written as Optuna's example for Keras writes it (optuna-examples, keras_simple.py);
    each trial is enqueued, so that the sampler draws the given configuration."""

    def __init__(self, setup: Setup) -> None:
        _prepare_keras(setup.threads)
        import keras
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._setup, self._keras = setup, keras
        self._x, self._y, self._x_valid, self._y_valid = parts(setup.kind)
        self._study = optuna.create_study(direction="minimize")

    def _objective(self, trial: Any) -> float:
        keras, kind = self._keras, KINDS[self._setup.kind]
        keras.utils.clear_session()
        keras.utils.set_random_seed(_SEED)
        model = kind.build()
        optimizer = getattr(keras.optimizers, trial.suggest_categorical("optimizer", optimizer_names()))
        learning_rate = trial.suggest_float("learning_rate", SMALLEST_RATE, LARGEST_RATE, log=True)
        model.compile(
            loss="sparse_categorical_crossentropy",
            optimizer=optimizer(learning_rate=learning_rate),
            metrics=["accuracy"],
        )
        model.fit(
            self._x,
            self._y,
            validation_data=(self._x_valid, self._y_valid),
            shuffle=True,
            batch_size=kind.batch_size,
            epochs=self._setup.epochs,
            verbose=False,
        )
        return float(model.evaluate(self._x_valid, self._y_valid, verbose=0)[0])

    def _train(self, number: int) -> float:
        self._study.enqueue_trial(_chosen(self._setup.configurations[number]))
        self._study.optimize(self._objective, n_trials=1)
        value = self._study.trials[-1].value
        return math.nan if value is None else float(value)

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        return _one_by_one(self._train, numbers, seconds)

    def close(self) -> None: ...


# -- KerasTuner -----------------------------------------------------------------------------------------------------


class KerasTuner:
    """Its tuner with its random-search oracle; instead of random values the oracle hands out the given ones."""

    def __init__(self, setup: Setup) -> None:
        _prepare_keras(setup.threads)
        import keras
        import keras_tuner

        kind, losses, self._setup = KINDS[setup.kind], [], setup
        self._losses: list[float] = losses

        class Model(keras_tuner.HyperModel):
            def build(self, hp: Any) -> Any:
                keras.utils.set_random_seed(_SEED)
                model = kind.build()
                optimizer = getattr(keras.optimizers, hp.Choice("optimizer", optimizer_names()))
                learning_rate = hp.Float("learning_rate", SMALLEST_RATE, LARGEST_RATE, sampling="log")
                model.compile(
                    optimizer=optimizer(learning_rate=learning_rate),
                    loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"],
                )
                return model

            def fit(self, hp: Any, model: Any, *args: Any, **options: Any) -> Any:
                history = model.fit(*args, **options)
                losses.append(float(history.history["val_loss"][-1]))
                return history

        class Given(keras_tuner.oracles.RandomSearchOracle):
            values: dict[str, Any] | None = None

            def populate_space(self, trial_id: str) -> dict[str, Any]:
                given, self.values = self.values, None
                return {"status": "STOPPED" if given is None else "RUNNING", "values": given}

        self._folder = tempfile.TemporaryDirectory()
        self._oracle = Given(
            objective=keras_tuner.Objective("val_loss", "min"),
            max_trials=len(setup.configurations),
            max_consecutive_failed_trials=1,
        )
        self._tuner = keras_tuner.Tuner(self._oracle, Model(), directory=self._folder.name, project_name="study")
        self._data = parts(setup.kind)

    def _train(self, number: int) -> float:
        x, y, x_valid, y_valid = self._data
        self._oracle.values = _chosen(self._setup.configurations[number])
        self._tuner.search(
            x,
            y,
            validation_data=(x_valid, y_valid),
            batch_size=KINDS[self._setup.kind].batch_size,
            epochs=self._setup.epochs,
            verbose=0,
        )
        return self._losses[-1]

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        return _one_by_one(self._train, numbers, seconds)

    def close(self) -> None:
        self._folder.cleanup()


# -- scikit-learn ---------------------------------------------------------------------------------------------------


class Sklearn:
    """MLPClassifier with the layers of the MLP, for those configurations whose optimizer it has."""

    SOLVERS = ("adam", "sgd")

    def __init__(self, setup: Setup) -> None:
        from sklearn.metrics import log_loss
        from sklearn.neural_network import MLPClassifier

        self._setup, self._model, self._loss = setup, MLPClassifier, log_loss
        self._x, self._y, self._x_valid, self._y_valid = parts(setup.kind)

    def _train(self, number: int) -> float:
        configuration, epochs = self._setup.configurations[number], self._setup.epochs
        model = self._model(
            (128, 128),
            solver=configuration.rule.key,
            learning_rate_init=configuration.rule.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            alpha=0.0,
            batch_size=configuration.batch_size,
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            random_state=_SEED,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the epochs are used up is what was asked for
            model.fit(self._x, self._y)
        return float(self._loss(self._y_valid, model.predict_proba(self._x_valid)))

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        able = [n for n in numbers if self._setup.configurations[n].rule.key in self.SOLVERS]
        return _one_by_one(self._train, able, seconds)

    def close(self) -> None: ...


SIDES: dict[str, Callable[[Setup], Side]] = {
    "optselect": Optselect,
    "optuna": Optuna,
    "keras_tuner": KerasTuner,
    "sklearn": Sklearn,
}
