"""Rules that train a model, seen on a plane through its weights.

The plane goes through the initial weights, from where all rules start. "paths": along the two directions in which the
paths of all rules, made equally long, together go farthest from there (principal components, as in section 7 of Li et
al. 2018, Visualizing the Loss Landscape of Neural Nets, arXiv:1712.09913, but around the start). "random": along
two random directions whose filters are as long as those of the initial weights (their section 4); the paths of a
training lie almost wholly outside such a plane, and the numbers say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from optselect.data import read
from optselect.demo.descent import Descent, Runner, best_walk, near
from optselect.demo.participant import Participant
from optselect.errors import InvalidData, InvalidModel, InvalidValue, UnknownName
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.task import Task, TaskSpec, make_spec
from optselect.trainer.feeding import batch_rows
from optselect.trainer.program import Program
from optselect.user_code.functions import where_it_failed
from optselect.util.seeds import derive
from optselect.util.suggestion import suggestion

__all__ = ["PLANES", "Plane", "descend_on_model"]

Tensor = Any

PLANES = ("paths", "random")
_MOST_ROWS = 1000  # of training, on which losses are taken: those of the map and those along the paths
_CELLS = 45  # of the map, along each side
_POINTS = 160  # of a path, at most: a picture shows no more
_MEMORY = 4e8  # bytes that the weights of all points may take
_MARGIN = 0.2  # around the paths, in shares of what they span


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plane:
    """A plane through weights. origin: (weights,); directions: (2, weights)."""

    origin: np.ndarray
    directions: np.ndarray

    def project(self, weights: np.ndarray) -> np.ndarray:
        """The nearest points of the plane, (n, 2), to weights of shape (n, weights)."""
        gram = self.directions @ self.directions.T
        return np.linalg.solve(gram, self.directions @ (weights - self.origin).T).T

    def held(self, weights: np.ndarray) -> float:
        """Which share of the squared distance of weights from the origin lies in the plane: 1 if they are in it."""
        away = weights - self.origin
        total = float(np.square(away, dtype="float64").sum())
        inside = float(np.square(self.project(weights) @ self.directions, dtype="float64").sum())
        return inside / total if total > 0 else 1.0


class _Trainer:
    """Trains the model with any rule, from the same weights, through the same batches."""

    def __init__(self, task: Any, rules: Sequence[Rule], *, steps: int, batch_size: int, seed: int) -> None:
        self.program = Program.of(task, rules, [seed])
        if self.program.feed.on_disk:
            raise InvalidData("demo: features that stay on disk cannot be used here; take some of their rows.")
        self.seed = seed
        self.size = min(batch_size, self.program.feed.rows)
        self._data = next(self.program.feed.chunks("train"))
        # The names of these streams are those of the published animations.
        self._order = tf.constant(batch_rows(derive(seed, "race"), self.size, steps, self.program.feed.rows))
        rows = np.random.default_rng(derive(seed, "race", "rows")).permutation(self.program.feed.rows)[:_MOST_ROWS]
        self.rows = len(rows)
        self._judged = tf.nest.map_structure(lambda a: tf.gather(a, np.sort(rows)), self._data)
        self._judge = self.program.traced.judge
        self._walks = tf.function(self._walk, autograph=False, reduce_retracing=True)
        self._losses = tf.function(self._losses_at, autograph=False, reduce_retracing=True)

    def train(self, rule: Rule, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights where the model is judged after so many steps, (marks, weights), and the losses there, (marks,).

        NaN from the first that is not finite.
        """
        configuration = Configuration(rule=rule, batch_size=self.size)
        carried = self.program.start(configuration, self.seed).carried
        rates = tf.fill([int(marks[-1])], tf.constant(rule.rate, tf.float64))
        selection = self.program.traced.step.selection(configuration)
        weights, losses = self._walks(carried, tf.constant(marks, tf.int32), rates, selection)
        losses = losses.numpy()
        finite = np.isfinite(losses) & np.isfinite(weights.numpy()).all(axis=1)
        finite = np.logical_and.accumulate(finite)
        return np.where(finite[:, None], weights.numpy(), np.nan), np.where(finite, losses, np.nan)

    def losses(self, weights: np.ndarray) -> np.ndarray:
        """Of the model with such weights, (n, weights), and its other variables as they were at the start."""
        others = self.program.start(Configuration(rule=self._any_rule()), self.seed).carried.others
        return np.asarray(self._losses(tf.constant(weights, tf.float32), others))

    def _any_rule(self) -> Rule:
        return next(iter(self.program.traced.step.layouts.values())).rule

    def _walk(self, carried: Any, marks: Tensor, rates: Tensor, selection: Any) -> tuple[Tensor, Tensor]:
        """All steps of a training in one loop; in it a loop over the steps from one mark to the next."""
        step, count = self.program.traced.step, tf.shape(marks)[0]

        def one_step(i: Tensor, carried: Any) -> Any:
            index = self._order[i * self.size : (i + 1) * self.size]
            batch = tf.nest.map_structure(lambda a: tf.gather(a, index), self._data)
            carried, _, _ = step(carried, batch, tf.constant(self.size), rates[i], selection)
            return i + 1, carried

        def to_mark(k: Tensor, carried: Any, points: Any, losses: Any) -> Any:
            _, carried = tf.while_loop(lambda i, _: i < marks[k], one_step, (marks[k - 1], carried))
            point = step.judged(carried, rates, selection)
            return k + 1, carried, points.write(k, point), losses.write(k, self._loss(point, carried.others))

        shape = carried.parameters.shape
        points = tf.TensorArray(tf.float32, count, element_shape=shape).write(0, carried.parameters)
        losses = tf.TensorArray(tf.float32, count, element_shape=()).write(
            0, self._loss(carried.parameters, carried.others)
        )
        begin = (tf.constant(1), carried, points, losses)
        _, _, points, losses = tf.while_loop(lambda k, *_: k < count, to_mark, begin)
        return points.stack(), losses.stack()

    def _losses_at(self, weights: Tensor, others: Any) -> Tensor:
        return tf.map_fn(lambda flat: self._loss(flat, others), weights, fn_output_signature=tf.float32)

    def _loss(self, flat: Tensor, others: Any) -> Tensor:
        (seen, total, *_), _ = self._judge.add(flat, self._judged, self._judge.nothing(others))
        return total / seen


def descend_on_model(
    entries: Sequence[Participant],
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    model: Any = None,
    kind: str | Mapping[str, str] | None = None,
    plane: str = "paths",
    batch_size: int = 32,
    steps: int = 100,
    seed: int = 0,
) -> Descent:
    """`descend` on a data set; model, target, kind: as in `tune`. plane: of `PLANES`.

    Heights are training losses. A rule gets the best of four learning rates a decade over the range that it declares.
    Raises a subclass of `OptselectError` for whatever is wrong with the input.
    """
    if plane not in PLANES:
        raise UnknownName(f"demo: no `plane` {plane!r}. {suggestion(plane, PLANES)}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidValue(f"demo: `batch_size` must be a whole number from 1, got {batch_size!r}.")
    spec = make_spec(read(data, target=target), model=model, epochs=1, seed=seed, kind=kind)
    task = Task.from_spec(spec)
    rules = {entry.rule.key: entry.rule for entry in entries}
    try:
        trainer = _Trainer(task, list(rules.values()), steps=steps, batch_size=batch_size, seed=seed)
        marks = _marks(steps, task.parameters, len(entries))
        found = [_run(trainer, entry, marks) for entry in entries]
    except tf.errors.OpError as problem:
        raise InvalidModel(f"demo: {where_it_failed(getattr(spec.model, 'path', Path()), problem)}") from problem
    chosen = _plane(plane, trainer, [weights for _, _, weights, _ in found], seed)
    runners = [
        Runner(
            label=entry.label,
            rule=rule,
            tried=tried,
            path=chosen.project(weights).astype("float32"),
            heights=losses,
            held=chosen.held(weights[np.isfinite(losses)]),
        )
        for entry, (rule, tried, weights, losses) in zip(entries, found, strict=True)
    ]
    x, y, z = _map(trainer, chosen, runners)
    lowest = float(min(np.nanmin(runner.heights) for runner in runners))
    start = float(runners[0].heights[0])
    return Descent(
        on=spec.data.name,
        about=_about(spec, task, trainer, steps, runners),
        runners=tuple(runners),
        steps=marks,
        x=x,
        y=y,
        z=z,
        minima=(),
        lowest=lowest,
        within=near(lowest, start, share=0.05),
        height_name="training loss",
        axis_names=_axes(plane),
        notes=tuple(_notes(runners, trainer, plane)),
    )


def _marks(steps: int, parameters: int, entries: int) -> np.ndarray:
    """After how many steps weights are kept: from 0 to the last, as many as memory and a picture allow."""
    room = int(_MEMORY // (4 * parameters * entries))
    count = max(2, min(steps + 1, _POINTS + 1, room))
    return np.unique(np.round(np.linspace(0, steps, count)).astype(int))


def _run(
    trainer: _Trainer, entry: Participant, marks: np.ndarray
) -> tuple[Rule, tuple[float, ...], np.ndarray, np.ndarray]:
    """The rule with its rate, the rates that were tried, weights and losses."""
    tried = () if entry.given else entry.rates()
    rule = entry.rule
    if tried:
        few = np.unique(np.round(np.linspace(0, marks[-1], min(21, int(marks[-1]) + 1))).astype(int))
        losses = [trainer.train(rule.replaced(learning_rate=rate), few)[1] for rate in tried]
        rule = rule.replaced(learning_rate=tried[best_walk(np.array(losses), None)])
    weights, heights = trainer.train(rule, marks)
    return rule, tried, weights, heights


def _plane(kind: str, trainer: _Trainer, weights: Sequence[np.ndarray], seed: int) -> Plane:
    origin = weights[0][0]
    if kind == "random":
        generator = np.random.default_rng(derive(seed, "race", "plane"))
        directions = [_filters(generator, origin, trainer.program.traced.variables) for _ in range(2)]
        return Plane(origin=origin, directions=np.array(directions, "float32"))
    paths = [w[np.isfinite(w).all(axis=1)] - origin for w in weights]
    # All paths count alike: else the plane would be that of the rule that goes farthest.
    away = np.concatenate([path / max(np.abs(path).max(), 1e-30) for path in paths])
    # The few points span no more directions than they are, so the small matrix of their products has them all.
    values, vectors = np.linalg.eigh((away @ away.T).astype("float64"))
    directions = (vectors[:, [-1, -2]].T @ away) / np.sqrt(np.maximum(values[[-1, -2]], 1e-30))[:, None]
    # Of the two signs of a direction the one in which the paths end.
    signs = np.where(directions @ sum(path[-1] for path in paths) < 0, -1.0, 1.0)
    return Plane(origin=origin, directions=(directions * signs[:, None]).astype("float32"))


def _filters(generator: np.random.Generator, origin: np.ndarray, variables: Sequence[Any]) -> np.ndarray:
    """A random direction, each filter (what leads to one unit) as long as that of the weights; none for vectors."""
    parts, begin = [], 0
    for variable in variables:
        size = int(np.prod(variable.shape))
        own = origin[begin : begin + size].reshape(variable.shape)
        begin += size
        if len(variable.shape) < 2:
            parts.append(np.zeros(size))
            continue
        drawn = generator.normal(size=variable.shape)
        axes = tuple(range(len(variable.shape) - 1))
        length = np.sqrt(np.square(drawn).sum(axis=axes, keepdims=True))
        parts.append((drawn / length * np.sqrt(np.square(own).sum(axis=axes, keepdims=True))).ravel())
    return np.concatenate(parts)


def _map(trainer: _Trainer, plane: Plane, runners: Sequence[Runner]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses on the plane around where the paths go; a path that runs far out does not stretch it."""
    points = np.concatenate([runner.path[np.isfinite(runner.heights)] for runner in runners])
    ends = np.concatenate([[runners[0].path[0]], *(r.path[: r.last + 1] for r in runners if not r.diverged)])
    seen = ends if len(ends) > 1 else points
    low, high = seen.min(axis=0), seen.max(axis=0)
    span = max(float((high - low).max()), 1e-3)
    low, high = low - _MARGIN * span, high + _MARGIN * span
    x, y = np.linspace(low[0], high[0], _CELLS), np.linspace(low[1], high[1], _CELLS)
    rows = [plane.origin + np.array([[a, b] for a in x], "float32") @ plane.directions for b in y]
    return x, y, np.array([trainer.losses(row) for row in rows], "float64")


def _axes(plane: str) -> tuple[str, str]:
    if plane == "random":
        return "first random direction", "second random direction"
    return "first principal direction of the paths", "second"


def _about(spec: TaskSpec, task: Any, trainer: _Trainer, steps: int, runners: Sequence[Runner]) -> str:
    least, most = (f"{100 * find(runner.held or 0.0 for runner in runners):.2g}" for find in (min, max))
    held = least if least == most else f"{least} to {most}"
    model = getattr(spec.model, "function", None) or getattr(spec.model, "name", "the default model")
    return (
        f"{model}, {task.parameters:,} weights, {steps} steps of {trainer.size} rows; "
        f"the plane holds {held} % of the squared distance."
    )


def _notes(runners: Sequence[Runner], trainer: _Trainer, kind: str) -> list[str]:
    """What must be said of a picture with two of so many dimensions."""
    each = "; ".join(f"{runner.label}: {100 * (runner.held or 0.0):.2g} %" for runner in runners)
    notes = [
        f"Of the squared distance from the start the plane holds: {each}. "
        "A marker is the projection of weights that lie off the plane: its loss, at the right, is that of the real "
        "weights and not the height of the map under it.",
        f"Losses are those of {trainer.rows:,} training rows, without dropout; the lowest is the lowest that was seen, "
        "and who comes within a twentieth of the way to it has arrived.",
    ]
    if kind == "random":
        notes.append("In random directions a training hardly moves: Li et al. 2018, section 7.")
    if trainer.program.traced.model.non_trainable_variables:
        notes.append(
            "The map has batch statistics as they were at the start, the losses of the paths those of the path."
        )
    return notes
