"""One epoch of the compiled program beside one of `model.fit`, before anything is concluded from the program.

Both start from the same weights and take the same rows of a slice of the data in the same order, the last batch a
smaller one, with Keras's default Adam. `model.fit` runs eagerly: its operations are the same, and to trace it would
cost seconds. Where the two differ it runs once more, as a graph, before it is said that they do.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from optselect.data.on_disk import DiskArray
from optselect.errors import InvalidModel
from optselect.optim.configuration import BASELINE, Configuration
from optselect.task.agreement import Agreement, Figure, distance, figure, worst
from optselect.task.prepared import Task
from optselect.trainer.feeding import Feed, rows_of
from optselect.trainer.program import Program
from optselect.trainer.state import TrialState

__all__ = ["Reference"]

_TOLERANCE, _IN_HALF = 1e-4, 2e-2  # relative; in half precision numbers have 8 to 11 bits
_STEPS, _LAST = 3, 0.6  # batches of the epoch, and how much of a batch the last one is
_HELD_OUT = 64  # validation and test rows
_MEANINGFUL = 1e-3  # of the largest gradient: what lies below is rounding, of which Adam makes whole steps


class _Epoch(NamedTuple):
    """What an epoch on one side gave: figures by name, and the model's variables after it."""

    figures: Mapping[str, float]
    trainable: Sequence[np.ndarray]
    others: Sequence[np.ndarray]


class _Case(NamedTuple):
    """What is trained on both sides: the slice of the task, and with which batch size."""

    task: Task
    rows: int
    configuration: Configuration

    @property
    def steps(self) -> int:
        return self.configuration.steps_per_epoch(self.rows)


class Reference:
    """A task's model as `model.fit` trains it, to compare a compiled program with.

    Make it before the program: whoever builds a model resets TensorFlow's seed, and with it what was optimized.
    """

    def __init__(self, task: Task, seed: int) -> None:
        began = time.perf_counter()
        self.task, self.seed = task, seed
        self.model = task.build(seed)
        self._initial = _values(self.model.variables)
        self._eager = self.model.run_eagerly
        half = {getattr(layer, "compute_dtype", "") for layer in self.model._flatten_layers()}
        self._tolerance = _IN_HALF if half & {"float16", "bfloat16"} else _TOLERANCE
        self._velocities: list[np.ndarray] = []
        self._spent = time.perf_counter() - began

    def agreement(self, program: Program) -> Agreement:
        """Compare the two. Raises InvalidModel with Keras's words where `model.fit` cannot train the model."""
        with tf.device(program.traced.device), _full_precision():
            return self._agreement(program)

    def _agreement(self, program: Program) -> Agreement:
        began, failure = time.perf_counter(), None
        for rows, configuration in _sizes(len(tf.nest.flatten(self.task.y_train)[0])):
            case = _Case(_slice(self.task, rows), rows, configuration)
            try:
                found = self._compared(program, case)
            except (MemoryError, tf.errors.ResourceExhaustedError):
                raise
            except Exception as error:  # a model of a fixed batch size takes no smaller last batch
                failure = failure or error
            else:
                return dataclasses.replace(found, seconds=self._spent + time.perf_counter() - began)
        raise InvalidModel(f"The model cannot be trained by `model.fit`: {self._why(failure)}.") from failure

    def _why(self, failure: Exception | None) -> str:
        """What Keras says, in words for a user."""
        text = str(failure)
        if "No gradients provided" in text:
            count = len(self.model.trainable_variables)
            return (
                f"no gradient reaches any of its {count} weights, since a layer such as round or argmax stands between "
                "them and the loss, or they are not used"
            )
        line = next((line.strip() for line in text.splitlines() if line.strip()), type(failure).__name__)
        return line[:300].rstrip(".")

    def _compared(self, program: Program, case: _Case) -> Agreement:
        other = program.kept.over(case.task, [self.seed])
        start = other.start(case.configuration, self.seed)
        end, curves, _ = other.train(start, case.configuration, seed=self.seed, epochs=1, total_epochs=1)
        ours = self._loaded(other, end, case, {name: values[-1] for name, values in curves.items()})
        try:
            figures = self._figures(ours, self._fitted(case, eagerly=True), case)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise
        except Exception:  # layers and metrics may work in a graph alone
            figures = self._figures(ours, self._fitted(case, eagerly=False), case)
        else:
            if not worst(figures).equal and self._draws_numbers(case):
                return self._without_noise(other, (start, end), case)
            if not worst(figures).equal:
                figures = self._figures(ours, self._fitted(case, eagerly=False), case)
        paths = zip([v.path for v in self.model.trainable_variables], self._velocities, strict=True)
        return _agreement("training", figures, case, tuple(path for path, v in paths if not v.any()))

    def _loaded(self, program: Program, state: TrialState, case: _Case, figures: Mapping[str, float]) -> _Epoch:
        """The program's side; its variables by way of the model, so that they have their shapes."""
        program.load(state, case.configuration, self.model)
        return self._epoch(figures)

    def _fitted(self, case: _Case, *, eagerly: bool) -> _Epoch:
        """The side of `model.fit`."""
        self._reset()
        optimizer, feed = keras.optimizers.Adam(), Feed(case.task)
        case.task.compile(self.model, optimizer)
        self.model.run_eagerly = eagerly or self._eager
        x, y, *weights = _in_order(feed, self.seed, case.configuration.batch_size)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")  # these weights are named by us
            history = self.model.fit(
                x,
                y,
                sample_weight=weights[0] if weights else None,
                batch_size=case.configuration.batch_size,
                shuffle=False,
                validation_data=_whole(feed, "validation"),
                validation_batch_size=_HELD_OUT,
                verbose=0,
            ).history
        self._velocities = _values(optimizer._velocities)
        return self._epoch({name: float(values[-1]) for name, values in history.items()})

    def _epoch(self, figures: Mapping[str, float]) -> _Epoch:
        return _Epoch(figures, _values(self.model.trainable_variables), _values(self.model.non_trainable_variables))

    def _figures(self, ours: _Epoch, theirs: _Epoch, case: _Case) -> list[Figure]:
        """All figures by both sides."""
        one_row = 1.5 / rows_of(case.task.y_validation)  # a metric jumps where a row lies on the edge
        tolerances = {"loss": self._tolerance, "val_loss": self._tolerance}
        tolerances |= {f"val_{name}": max(self._tolerance, one_row) for name in case.task.metric_names}
        found = [
            figure(name, ours.figures[name], theirs.figures[name], tolerance)
            for name, tolerance in tolerances.items()
            if name in theirs.figures
        ]
        largest = max((float(v.max(initial=0.0)) for v in self._velocities), default=0.0)
        kept = [v > largest * _MEANINGFUL**2 for v in self._velocities]  # means of squared gradients
        weights = [(a[k], b[k]) for a, b, k in zip(ours.trainable, theirs.trainable, kept, strict=True)]
        others = [(a, b) for a, b in zip(ours.others, theirs.others, strict=True) if np.dtype(a.dtype).kind == "f"]
        found.append(distance("norm of the weights", weights, self._tolerance))
        found.append(distance("norm of the layers' statistics", others, self._tolerance))
        return found

    def _draws_numbers(self, case: _Case) -> bool:
        """Whether two calls of the model in training, from the same state, answer differently."""
        x = keras.tree.map_structure(lambda a: tf.convert_to_tensor(np.asarray(a[:8])), case.task.x_train)
        answers = []
        for _ in range(2):
            self._reset()
            outputs = keras.tree.flatten(self.model(x, training=True))
            answers.append([output.numpy() for output in outputs])
        return not all(np.array_equal(a, b) for a, b in zip(*answers, strict=True))

    def _without_noise(self, program: Program, states: Sequence[TrialState], case: _Case) -> Agreement:
        """The losses outside of training, before the first step and with the weights that the program came to."""
        feed, figures = Feed(case.task), []
        case.task.compile(self.model)
        self.model.run_eagerly = True
        for state in states:
            program.load(state, case.configuration, self.model)
            for part in ("train", "validation"):
                x, y, *weights = _whole(feed, part)
                given: dict[str, Any] = {"sample_weight": weights[0] if weights else None, "batch_size": case.rows}
                theirs = self.model.evaluate(x, y, **given, verbose=0, return_dict=True)
                ours = program.evaluate(state, case.configuration, part)
                figures.append(figure("loss", ours["loss"], float(theirs["loss"]), self._tolerance))
        return _agreement("inference", figures, case)

    def _reset(self) -> None:
        """Everything in the model as it was built."""
        for variable, value in zip(self.model.variables, self._initial, strict=True):
            variable.assign(value)


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """On a GPU, products with all digits of float32, so that the order of operations hardly shows."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _agreement(what: str, figures: Sequence[Figure], case: _Case, unreached: tuple[str, ...] = ()) -> Agreement:
    """The figure that differs most decides."""
    most = worst(figures)
    return Agreement(
        equal=most.equal,
        what=what,
        rows=case.rows,
        steps=case.steps,
        figure=most.name,
        difference=most.difference,
        program=most.program,
        fit=most.fit,
        unreached=unreached,
    )


def _sizes(rows: int) -> Iterator[tuple[int, Configuration]]:
    """How many rows in which batches: with a smaller last one, else in whole ones."""
    size = min(BASELINE.batch_size, max(1, rows // _STEPS))
    few = (_STEPS - 1) * size + max(1, int(_LAST * size))
    yield min(rows, few), dataclasses.replace(BASELINE, batch_size=size)
    if rows >= BASELINE.batch_size:
        yield min(rows // BASELINE.batch_size, _STEPS) * BASELINE.batch_size, BASELINE


def _slice(task: Task, rows: int) -> Task:
    """The same task with its first rows alone; what lies on disk stays there."""

    def head(array: Any, count: int) -> Any:
        return array.take(np.arange(min(count, len(array)))) if isinstance(array, DiskArray) else array[:count]

    small = copy.copy(task)
    for part, count in (("train", rows), ("validation", _HELD_OUT), ("test", _HELD_OUT)):
        for name in (f"{letter}_{part}" for letter in "xyw"):
            arrays = getattr(task, name)
            if arrays is not None:
                setattr(small, name, tf.nest.map_structure(lambda a, n=count: head(a, n), arrays))
    return small


def _in_order(feed: Feed, seed: int, size: int) -> Any:
    """The training rows in the order in which the program takes them in the first epoch."""
    return _joined(
        tf.nest.map_structure(lambda a, o=order: tf.gather(a, o), data) for data, order, _ in feed.epoch(seed, 0, size)
    )


def _whole(feed: Feed, part: str) -> Any:
    return _joined(feed.chunks(part))


def _joined(pieces: Any) -> Any:
    return tf.nest.map_structure(lambda *arrays: np.concatenate([a.numpy() for a in arrays]), *pieces)


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [np.array(v.value.numpy()) for v in variables]
