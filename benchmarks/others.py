"""The other tools as their users run them: Optuna and KerasTuner around `model.fit`, scikit-learn's MLPClassifier."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

from benchmarks.kinds import KINDS, LARGEST_RATE, SMALLEST_RATE, optimizer_names, parts
from benchmarks.rooms import SEED, Block, Setup, one_by_one

__all__ = ["KerasTuner", "Optuna", "Sklearn"]


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
        keras.utils.set_random_seed(SEED)
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
            callbacks=self._callbacks(),
            verbose=False,
        )
        return float(model.evaluate(self._x_valid, self._y_valid, verbose=0)[0])

    def _callbacks(self) -> list[Any]:
        patience = self._setup.patience
        stop = self._keras.callbacks.EarlyStopping
        return [] if patience is None else [stop(patience=patience, restore_best_weights=True)]

    def _train(self, number: int) -> float:
        self._study.enqueue_trial(_chosen(self._setup.configurations[number]))
        self._study.optimize(self._objective, n_trials=1)
        value = self._study.trials[-1].value
        return math.nan if value is None else float(value)

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        return one_by_one(self._train, numbers, seconds)

    def close(self) -> None: ...


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
                keras.utils.set_random_seed(SEED)
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
        return one_by_one(self._train, numbers, seconds)

    def close(self) -> None:
        self._folder.cleanup()


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
            random_state=SEED,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the epochs are used up is what was asked for
            model.fit(self._x, self._y)
        return float(self._loss(self._y_valid, model.predict_proba(self._x_valid)))

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        able = [n for n in numbers if self._setup.configurations[n].rule.key in self.SOLVERS]
        return one_by_one(self._train, able, seconds)

    def close(self) -> None: ...
