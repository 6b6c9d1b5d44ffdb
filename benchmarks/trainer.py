"""A trial by optselect's program and by `model.fit`, for six kinds of model, side by side in one run.

    uv run python -m benchmarks.trainer
    uv run python -m benchmarks.trainer --only mlp,lstm --epochs 5

Both sides train the same configurations from the same initial weights on the same rows for the same epochs, each in
a process of its own with one thread, one after the other. `model.fit` builds and traces a model a trial, as a
search loop around it does; the program is compiled before, which is shown apart ("ready after"). XLA is not tried
where `tune` would not try it. All models see sklearn's digits, as
64 numbers, as 28 x 28 images, as 32 steps of 2 numbers, or as 64 tokens.
"""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SIDES = ("graph", "xla", "fit")


def _numbers(x: Any) -> Any:
    return x.reshape(-1, 64).astype("float32") / 16


def _images(x: Any) -> Any:
    return np.pad(np.kron(x.reshape(-1, 8, 8) / 16, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))[..., None].astype("f4")


def _steps(x: Any) -> Any:
    return x.reshape(-1, 32, 2).astype("float32") / 16


def _tokens(x: Any) -> Any:
    return x.reshape(-1, 64).astype("int32")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A model, what it sees of the digits, and its batch size."""

    build: Callable[[], Any]
    see: Callable[[Any], Any]
    batch_size: int


def mlp() -> Any:
    import keras

    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((64,)), dense(128, "relu"), dense(128, "relu"), dense(10, "softmax")])


def mlp_norm_dropout() -> Any:
    import keras

    layers = keras.layers
    body = [
        layer
        for _ in range(2)
        for layer in (layers.Dense(256), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3))
    ]
    return keras.Sequential([keras.Input((64,)), *body, layers.Dense(10, "softmax")])


def cnn() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


def lstm() -> Any:
    import keras

    return keras.Sequential([keras.Input((32, 2)), keras.layers.LSTM(32), keras.layers.Dense(10, "softmax")])


def transformer() -> Any:
    import keras

    layers = keras.layers
    x = inputs = keras.Input((32, 2))
    x = layers.Dense(32)(x)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, "relu")(x)))
    return keras.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x)))


def text() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((64,), dtype="int32"),
            layers.Embedding(17, 32),
            layers.GlobalAveragePooling1D(),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )


KINDS = {
    "mlp": Kind(mlp, _numbers, 32),
    "mlp_norm_dropout": Kind(mlp_norm_dropout, _numbers, 64),
    "cnn": Kind(cnn, _images, 64),
    "lstm": Kind(lstm, _steps, 64),
    "transformer": Kind(transformer, _steps, 64),
    "text": Kind(text, _tokens, 64),
}


def measure(name: str, side: str, epochs: int, trials: int) -> dict[str, Any]:
    """Seconds before the first trial, of each trial and of a step, and the final validation losses."""
    import tensorflow as tf
    from sklearn.datasets import load_digits

    from optselect import tasks
    from optselect.configuration import Configuration
    from optselect.rules import RULES
    from optselect.tasks.task import Task
    from optselect.trainer.jobs import Job
    from optselect.trainer.run import CompiledTrainer, FitTrainer
    from optselect.trainer.ways import SLOW_IN_XLA

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    kind = KINDS[name]
    digits = load_digits()
    data = tasks.read((kind.see(digits.data), digits.target))
    task = Task.from_spec(tasks.make_spec(data, model=kind.build, epochs=epochs, seed=0))
    common = [rule for rule in RULES.values() if rule.common]
    rules = [common[k % len(common)]() for k in range(trials)]
    jobs = [
        Job(configuration=Configuration(rule=rule, batch_size=kind.batch_size), seed=1, epochs=epochs) for rule in rules
    ]
    began = time.perf_counter()
    trainer: Any
    if side == "fit":
        trainer = FitTrainer(task)
    else:
        trainer = CompiledTrainer(task, [rule() for rule in common], [1])
        trainer.run(dataclasses.replace(jobs[0], epochs=1))
        if side == "xla" and trainer.program.operations() & set(SLOW_IN_XLA):
            return {"ready": math.nan, "trial": [math.nan], "step_ms": math.nan, "val_loss": []}
        trainer.program.way = side
        trainer.run(dataclasses.replace(jobs[0], epochs=1))
        trainer.program.time_evaluation(trainer.program.start(jobs[0].configuration, 1), jobs[0].configuration)
    ready = time.perf_counter() - began
    runs = [trainer.run(job) for job in jobs]
    return {
        "ready": round(ready, 2),
        "trial": [round(r.seconds, 4) for r in runs],
        "step_ms": round(1e3 * statistics.median(r.step_seconds for r in runs), 4),
        "val_loss": [r.metrics["val_loss"] for r in runs],
    }


@click.command()
@click.option("--only", default=",".join(KINDS), help="Kinds of model, separated by commas.")
@click.option("--epochs", default=20, show_default=True)
@click.option("--trials", default=4, show_default=True, help="Trainings a side, of different optimizers.")
@click.option("--out", type=click.Path(path_type=Path), help="A JSON file for the numbers.")
def main(only: str, epochs: int, trials: int, out: Path | None) -> None:
    """Compare the time of a trial with that of the same training by `model.fit`."""
    found: dict[str, Any] = {}
    print(
        f"{'model':<17}{'fit s':>8}{'graph s':>9}{'xla s':>8}{'best':>7}{'fit/best':>9}"
        "  ms a step graph / xla, val_loss apart"
    )
    for name in only.split(","):
        sides: dict[str, Any] = {}
        for side in SIDES:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                sides[side] = pool.apply(measure, (name, side, epochs, trials))
        found[name] = sides
        trial = {side: statistics.median(sides[side]["trial"]) for side in SIDES}
        best = "xla" if trial["xla"] < trial["graph"] else "graph"  # nan: XLA was not tried
        apart = statistics.median(
            abs(a - b) for a, b in zip(sides["graph"]["val_loss"], sides["fit"]["val_loss"], strict=True)
        )
        print(
            f"{name:<17}{trial['fit']:>8.2f}{trial['graph']:>9.3f}{trial['xla']:>8.3f}{best:>7}"
            f"{trial['fit'] / trial[best]:>8.1f}x  {sides['graph']['step_ms']:.3f} / {sides['xla']['step_ms']:.3f}, "
            f"{apart:.4f}; ready after {sides['graph']['ready']:.1f} / {sides['xla']['ready']:.1f} s",
            flush=True,
        )
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"epochs": epochs, "cores": os.cpu_count(), "kinds": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
