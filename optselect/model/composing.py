"""Loss and metrics of a whole model out of those of its outputs, on structures of tensors as Keras arranges them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from optselect.data.target import Target
from optselect.model.output_scoring import FunctionLoss, Judging, judging
from optselect.model.outputs import Output, find_outputs

__all__ = ["Composed", "OutputLoss", "OutputMetric", "Term", "TotalLoss", "compose"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """One output's part of a loss. place: of the output in `keras.tree.flatten`. weight: its factor, or None."""

    place: int
    output: str
    loss: Any
    weight: float | None

    @property
    def name(self) -> str:
        """For people."""
        factor = "" if self.weight is None else f"{self.weight:g} "
        return f"{factor}{self.output}{': ' if self.output else ''}{self.loss.name}"

    def __call__(self, y: Any, outputs: Any, sample_weight: Any = None) -> Any:
        """A scalar: the mean over the batch, without the factor."""
        # The leaf of the outputs itself: a mask is an attribute of it, which a copy would lose.
        weight = _weight_leaf(sample_weight, self.place)
        return self.loss(_leaf(y, self.place), _leaf(outputs, self.place), sample_weight=weight)


class TotalLoss:
    """The sum of the outputs' losses, each times its weight, as `compile(loss=..., loss_weights=...)` has it.

    y, outputs: the same structure of tensors; sample_weight: float32, shape (rows,), or such a structure too, or
    None. The answer is a scalar. What the losses of Keras make of masks and weights, they make here.

    >>> loss = TotalLoss([Term(place=i, output=name, loss=keras.losses.MeanSquaredError(), weight=w)
    ...                   for i, (name, w) in enumerate([("a", None), ("b", 0.5)])])
    >>> y = {"a": ops.zeros((2, 1)), "b": ops.zeros((2, 1))}
    >>> outputs = {"a": ops.ones((2, 1)), "b": 2 * ops.ones((2, 1))}
    >>> float(loss(y, outputs)), loss.name
    (3.0, 'a: mean_squared_error + 0.5 b: mean_squared_error')
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)

    @property
    def name(self) -> str:
        """For people."""
        return " + ".join(term.name for term in self.terms)

    def __call__(self, y: Any, outputs: Any, sample_weight: Any = None) -> Any:
        values = []
        for term in self.terms:
            value = ops.cast(term(y, outputs, sample_weight), keras.config.floatx())
            values.append(value if term.weight is None else ops.multiply(value, term.weight))
        return sum(values[1:], values[0])


class OutputMetric(keras.metrics.Metric):  # type: ignore[misc]
    """A metric of Keras or of the user's at its own output, with sample weights only if it is a weighted one.

    place: of the output in `keras.tree.flatten`. name: as `model.fit` calls it.
    """

    def __init__(self, metric: Any, *, place: int, weighted: bool, name: str) -> None:
        super().__init__(name=name, dtype=metric.dtype)
        self.metric, self.place, self.weighted = metric, place, weighted

    def update_state(self, y: Any, outputs: Any, sample_weight: Any = None) -> None:
        """y, outputs: structures of tensors; sample_weight: shape (rows,), or such a structure too, or None."""
        weight = _weight_leaf(sample_weight, self.place) if self.weighted else None
        self.metric.update_state(_leaf(y, self.place), _leaf(outputs, self.place), sample_weight=weight)

    def result(self) -> Any:
        """What the metric says."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Begin anew."""
        self.metric.reset_state()


class OutputLoss(keras.metrics.Metric):  # type: ignore[misc]
    """The mean over rows of one output's loss, as `model.fit` reports it beside the total.

    Keras averages over batches and lets a smaller last one count as much as the others; here each row counts alike.
    """

    def __init__(self, term: Term, name: str) -> None:
        super().__init__(name=name)
        self.term = term
        self.mean = keras.metrics.Mean()

    def update_state(self, y: Any, outputs: Any, sample_weight: Any = None) -> None:
        """As `OutputMetric.update_state`; the loss always heeds sample weights."""
        rows = ops.shape(_leaf(y, self.term.place))[0]
        self.mean.update_state(self.term(y, outputs, sample_weight), sample_weight=rows)

    def result(self) -> Any:
        """The mean so far."""
        return self.mean.result()

    def reset_state(self) -> None:
        """Begin anew."""
        self.mean.reset_state()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Composed:
    """How a whole model is judged.

    answers: of the model to a few rows, in the structure of its outputs, which is that of the targets too. outputs,
    judgings: in the order of `keras.tree.flatten`; a judging is None where an output has no loss.
    """

    answers: Any
    outputs: tuple[Output, ...]
    judgings: tuple[Judging | None, ...]

    @property
    def judged(self) -> list[tuple[int, Output, Target, Judging]]:
        """The outputs that have a loss, with their places."""
        both = zip(self.outputs, self.judgings, strict=True)
        return [(i, o, o.target, j) for i, (o, j) in enumerate(both) if o.target is not None and j is not None]

    @property
    def loss(self) -> Any:
        """The loss of the only output itself, or a `TotalLoss`."""
        terms = self._terms()
        alone = len(self.outputs) == 1 and not keras.tree.is_nested(self.answers) and terms[0].weight is None
        return terms[0].loss if alone else TotalLoss(terms)

    def metrics(self) -> list[Any]:
        """Fresh metrics, named as `model.fit` names them: the outputs' own, then the losses of several."""
        found = [(i, o.name, m, weighted) for i, o, _, j in self.judged for m, weighted in j.metrics()]
        names = _names([(output, metric.name, weighted) for _, output, metric, weighted in found])
        metrics: list[Any] = [
            OutputMetric(metric, place=i, weighted=weighted, name=name)
            for (i, _, metric, weighted), name in zip(found, names, strict=True)
        ]
        terms = self._terms()
        return metrics + [OutputLoss(t, f"{t.output}_loss") for t in terms if len(terms) > 1]

    def arranged(self, arrays: Sequence[Any]) -> Any:
        """One thing an output in the structure of the outputs."""
        return keras.tree.pack_sequence_as(self.answers, list(arrays))

    def encode(self, values: dict[str, np.ndarray]) -> Any:
        """The targets' values, by their names, as the losses take them."""
        rows = len(next(iter(values.values())))
        encoded = [
            j.encode(values[o.target.name], len(o.target.classes)) if j and o.target else np.zeros((rows, 1), "float32")
            for o, j in zip(self.outputs, self.judgings, strict=True)
        ]
        return self.arranged(encoded)

    def weights(self, each: np.ndarray) -> Any:
        """What each row counts, shape (rows,), as `fit` takes it: with axes of 1 for an output of several values a row.

        Arranged like the outputs if these differ so.
        """
        axes = [max(output.answers.ndim - 2, 0) for output in self.outputs]
        shaped = [each.reshape(-1, *[1] * n) for n in axes]
        return self.arranged(shaped) if any(axes) else each

    def compile(self, model: Any, optimizer: Any) -> None:
        """`model.compile` with what the user compiled or we chose, all of it Keras's or the user's own."""
        losses = [j and (j.loss.function if isinstance(j.loss, FunctionLoss) else j.loss) for j in self.judgings]
        weights = [output.compiled.loss_weights for output in self.outputs]
        pairs = [j.metrics() if j else [] for j in self.judgings]
        metrics = [[[m for m, weighted in found if weighted is asked] for found in pairs] for asked in (False, True)]
        given: dict[str, Any] = {"loss": losses, "metrics": metrics[0], "weighted_metrics": metrics[1]}
        if any(weight is not None for weight in weights):
            given["loss_weights"] = [1.0 if weight is None else weight for weight in weights]
        if len(self.outputs) == 1:
            given = {word: values[0] for word, values in given.items()}
        else:
            given = {word: self.arranged(values) for word, values in given.items()}
            model.output_names = [output.name for output in self.outputs]  # Keras numbers nameless layers on and on
        model.compile(optimizer=optimizer, jit_compile=False, **given)

    def _terms(self) -> list[Term]:
        return [Term(place=i, output=o.name, loss=j.loss, weight=o.compiled.loss_weights) for i, o, _, j in self.judged]


def compose(model: Any, answers: Any, targets: Sequence[Target], who: str, *, by_place: bool = False) -> Composed:
    """What compile() and the data say of a model.

    answers: of the model to a few rows, arrays as it arranges them. by_place: whether the targets came as a list, in
    the order of the outputs. Raises InvalidModel if they do not fit.
    """
    outputs = find_outputs(model, answers, targets, who, by_place=by_place)
    defaults = not any(o.compiled.metrics or o.compiled.weighted_metrics for o in outputs)
    judgings = [None if o.target is None else judging(o, o.target, defaults=defaults, who=who) for o in outputs]
    return Composed(answers=answers, outputs=tuple(outputs), judgings=tuple(judgings))


def _names(metrics: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Names of metrics as `model.fit` has them, from (output, metric, whether weighted)."""
    seen: collections.Counter[str] = collections.Counter()
    names = []
    for output, metric, weighted in metrics:
        prefix = f"{output}_" if output else ""
        name = f"{prefix}weighted_{metric}" if weighted and seen[prefix + metric] else prefix + metric
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def _leaf(structure: Any, place: int) -> Any:
    return keras.tree.flatten(structure)[place]


def _weight_leaf(weights: Any, place: int) -> Any:
    return _leaf(weights, place) if keras.tree.is_nested(weights) else weights
