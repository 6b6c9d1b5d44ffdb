"""The program's step, its judging and its evaluation for many members at once, traced once a kind of members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from optselect.trainer.evaluation import CHUNK, Judge, of_all_rows
from optselect.trainer.feeding import Part
from optselect.trainer.state import Carried
from optselect.trainer.step import Step
from optselect.trainer.watching import Watch, ran_at, watched

__all__ = ["Crew", "Kinds", "SideBySide", "stacked", "unstacked", "where"]

Tensor = Any
_ROWS = 2048  # of all members together, in one call of the model in evaluation
_FEWEST_ROWS = 32


class Kinds(NamedTuple):
    """What is fixed in a trace: the number of the rule, and those of the clippings that members have."""

    rule: int
    clips: tuple[int, ...]


class Crew(NamedTuple):
    """Members under way. Every tensor has a first axis of members.

    rates: (members, steps) of the whole training. values, clip, clip_values: as in `Step.selection`. alive:
    whether all losses were finite so far. sums: (members, 3), what the steps' figures add up to; done: how many
    steps. watch, terms: what their callbacks saw and go by, empty where there are none.
    """

    carried: Carried
    rates: Tensor
    values: Tensor
    clip: Tensor
    clip_values: Tensor
    alive: Tensor
    sums: Tensor
    done: Tensor
    watch: Any = ()
    terms: Any = ()

    def counting_anew(self) -> Crew:
        """The same before the first step of an epoch."""
        return self._replace(sums=tf.zeros_like(self.sums), done=tf.zeros_like(self.done))

    def unwatched(self) -> Crew:
        """The same as steps take it."""
        return self._replace(watch=(), terms=())

    def those(self, which: Sequence[int]) -> Crew:
        """Some of the members, by their numbers."""
        return Crew(*tf.nest.map_structure(lambda a: tf.gather(a, list(which)), tuple(self)))


class SideBySide:
    """Traced functions over a program's step, for any number of members."""

    def __init__(self, step: Step, judge: Judge) -> None:
        self._step, self._judge = step, judge
        self._steps: dict[Kinds, Any] = {}
        self._points: dict[Kinds, Any] = {}
        self._add_rows = tf.function(self._add_rows_impl, autograph=False, reduce_retracing=True)
        self._results = tf.function(self._results_impl, autograph=False, reduce_retracing=True)
        self._watched = tf.function(self._watched_impl, autograph=False, reduce_retracing=True)
        self._whole = tf.function(self._whole_impl, autograph=False, reduce_retracing=True)

    def steps(self, crew: Crew, kinds: Kinds, data: Part, orders: Tensor, size: int) -> Crew:
        """All batches of `orders`, (members, rows), the last perhaps a smaller one."""
        given = crew.unwatched(), data, orders, tf.constant(size)
        if kinds not in self._steps:
            self._steps[kinds] = _traced(lambda *parts: self._steps_impl(kinds, *parts), given)
        return Crew(*self._steps[kinds](*given))._replace(watch=crew.watch, terms=crew.terms)

    def points(self, crew: Crew, kinds: Kinds) -> Tensor:
        """Where each member's model is judged after the step that it took last: (members, parameters)."""
        if kinds not in self._points:

            def judged(crew: Crew) -> Tensor:
                return tf.vectorized_map(
                    lambda one: self._step.judged(one.carried, one.rates, _selection(one, kinds)), crew
                )

            self._points[kinds] = _traced(judged, (crew.unwatched(),))
        return self._points[kinds](crew.unwatched())

    def evaluate(self, points: Tensor, others: Any, chunks: Iterable[Part]) -> tuple[np.ndarray, Any]:
        """Loss and metrics on a part of the data, given in chunks: (members, 1 + metrics); and the members' other
        variables after it.
        """
        members = int(points.shape[0])
        totals = tf.nest.map_structure(lambda a: tf.repeat(a[None], members, 0), self._judge.nothing(()))
        totals, chunk, pieces = (*totals[:-1], tuple(others)), 0, []
        for data in chunks:
            if not chunk:
                first = points[0], tf.nest.map_structure(lambda a: a[0], tuple(others))
                few = max(_FEWEST_ROWS, _ROWS // members)
                chunk = CHUNK if self._judge.advances(*first, data) else few  # then as a training by itself has it
            totals, outputs = self._add_rows(points, data, totals, tf.constant(chunk))
            pieces.append((data[1:], outputs))
        found: np.ndarray = self._results(totals).numpy()
        if self._judge.whole:
            found = np.column_stack([found, self._of_all_rows(pieces)])
        return found, totals[-1]

    def _of_all_rows(self, pieces: Sequence[Any]) -> np.ndarray:
        """The metrics of all rows: (members, metrics)."""
        data = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *(data for data, _ in pieces))
        outputs = tf.nest.map_structure(lambda *parts: tf.concat(parts, 1), *(outputs for _, outputs in pieces))
        return self._whole(data, outputs).numpy()  # type: ignore[no-any-return]

    def watched(self, crew: Crew, figures: Tensor, weights: tuple[Tensor, ...]) -> Crew:
        """Members after an epoch, as `watched` has it for each; those that go on have the rates that it leaves them."""
        now = weights if crew.watch.kept else ()
        watch = Watch(*self._watched(crew.watch, crew.terms, figures, now))
        return crew._replace(watch=watch, rates=ran_at(watch, crew.rates))

    def _steps_impl(self, kinds: Kinds, crew: Crew, data: Part, orders: Tensor, size: Tensor) -> Crew:
        rows = tf.shape(orders)[1]
        steps = -(-rows // size)

        def body(i: Tensor, crew: Crew) -> Any:
            index = orders[:, i * size : tf.minimum((i + 1) * size, rows)]
            batches = tf.nest.map_structure(lambda a: tf.gather(a, index), data)

            def one(given: Any) -> Any:
                member, batch = given
                rate = member.rates[tf.cast(member.carried.updates, tf.int32)]
                return self._step(member.carried, batch, tf.shape(index)[1], rate, _selection(member, kinds))

            moved, figures, good = tf.vectorized_map(one, (crew, batches))
            alive = crew.alive
            carried = tf.cond(tf.reduce_all(alive), lambda: moved, lambda: where(alive, moved, crew.carried))
            return i + 1, crew._replace(
                carried=carried,
                alive=alive & good,
                sums=crew.sums + where(alive, figures, tf.zeros_like(figures)),
                done=crew.done + tf.cast(alive, tf.int32),
            )

        _, after = tf.while_loop(lambda i, crew: (i < steps) & tf.reduce_any(crew.alive), body, (tf.constant(0), crew))
        return after  # type: ignore[no-any-return]

    def _add_rows_impl(self, points: Tensor, data: Part, totals: Any, chunk: Tensor) -> Any:
        return tf.vectorized_map(lambda given: self._judge.add(given[0], data, given[1], chunk), (points, totals))

    def _whole_impl(self, data: Part, outputs: Any) -> Tensor:
        def one(outputs: Any) -> Tensor:
            return tf.cast(tf.stack(of_all_rows(self._judge.whole, (None, *data), outputs)), tf.float32)

        return tf.map_fn(one, outputs, fn_output_signature=tf.float32)  # a function of the user's cannot be vectorized

    def _results_impl(self, totals: Any) -> Tensor:
        return tf.vectorized_map(self._judge.results, totals)

    def _watched_impl(self, watch: Any, terms: Any, figures: Tensor, weights: Any) -> Any:
        def one(given: Any) -> Any:
            watch, terms, figures, weights = given
            return watched(watch, terms, figures, weights, _either)

        return tf.vectorized_map(one, (watch, terms, figures, weights))


def stacked(trees: Sequence[Any]) -> Any:
    """Equal structures of tensors as one whose tensors have a first axis more."""
    return tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *trees)


def unstacked(tree: Any, index: int) -> Any:
    """One of those that were stacked."""
    return tf.nest.map_structure(lambda a: a[index], tree)


def _selection(member: Any, kinds: Kinds) -> dict[str, Any]:
    """A member's choices as the program's step takes them."""
    among = {"rule": (kinds.rule,), "clip": kinds.clips}
    return {
        "rule": kinds.rule,
        "values": member.values,
        "clip": member.clip,
        "clip_values": member.clip_values,
        "among": among,
    }


def where(alive: Tensor, new: Any, old: Any) -> Any:
    """`new` for the living members, `old` for the others."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return tf.where(tf.reshape(alive, [-1, *[1] * (a.shape.rank - 1)]), a, b)

    return tf.nest.map_structure(choose, new, old)


def _either(which: Tensor, new: Any, old: Any) -> Any:
    return tf.nest.map_structure(lambda a, b: tf.where(which, a, b), new, old)


def _traced(function: Callable[..., Any], given: Any) -> Any:
    """Traced for any number of members, rows and steps."""

    def signature(tree: Any, free: int) -> Any:
        return tf.nest.map_structure(
            lambda a: tf.TensorSpec((*[None] * min(free, a.shape.rank), *a.shape[free:]), a.dtype), tree
        )

    crew, *rest = given
    members = signature(crew, 1)._replace(rates=tf.TensorSpec((None, None), crew.rates.dtype))
    if not rest:
        return tf.function(function, autograph=False, input_signature=(members,))
    data, orders, size = rest
    specs = members, signature(data, 1), signature(orders, 2), signature(size, 0)
    return tf.function(function, autograph=False, input_signature=specs)
