"""One call of a model and its loss as a step of `model.fit` makes it, with all variables given and returned as tensors.

Keras's `stateless_call` goes past `Layer.__call__`: it forgets that the model trains where layers are not told so by
hand, it keeps one loss of a layer that is called twice, and it drops what layers assign to trainable weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from optselect.task.prepared import Task
from optselect.trainer.compilable import CannotCompile, own_loss

__all__ = ["Forward", "Loss", "forward", "prepare_loss"]

Tensor = Any
Loss = Callable[..., Any]  # like a keras.losses.Loss
Pairs = list[tuple[Any, Any]]  # of a keras.Variable and its value


class Forward(NamedTuple):
    """What a call of the model gives.

    outputs: as the model arranges them, with their masks. loss: a scalar, what is minimised. weights, others: the
    trainable and the other variables after the call. moved: whether a layer assigned to trainable ones. advanced:
    whether one assigned to others.
    """

    outputs: Any
    loss: Tensor
    weights: list[Tensor]
    others: list[Tensor]
    moved: bool
    advanced: bool


class _Scope(keras.StatelessScope):  # type: ignore[misc]
    """Variables as they behave on TensorFlow's tape: no gradient flows through an assignment, and a weight that is read
    after one is still the weight whose gradient is asked for.
    """

    def __init__(self, trainable: Pairs, others: Pairs) -> None:
        super().__init__([*trainable, *others], collect_losses=True)
        self._weights = {id(variable): value for variable, value in trainable}
        self.assigned: dict[int, Any] = {}

    def add_update(self, update: tuple[Any, Tensor]) -> None:
        """Called by Keras where a variable is assigned."""
        variable, value = update
        value = tf.stop_gradient(value)
        weight = self._weights.get(id(variable))
        if weight is not None:
            value += weight - tf.stop_gradient(weight)
        self.assigned[id(variable)] = variable
        super().add_update((variable, value))


def forward(
    objective: Loss,
    model: Any,
    weights: Sequence[Tensor],
    others: Sequence[Tensor],
    x: Any,
    y: Any,
    w: Any,
    *,
    training: bool,
) -> Forward:
    """Call the model on a batch and compute its loss; nothing but what is returned changes.

    weights, others: values of the model's trainable and other variables. y, w: what the loss takes; w may be None.
    Raises CannotCompile where a variable is assigned that is neither.
    """
    trainable, rest = model.trainable_variables, model.non_trainable_variables
    scope = _Scope(list(zip(trainable, weights, strict=True)), list(zip(rest, others, strict=True)))
    with scope, _watched(list(weights)):
        outputs = model(x, training=training) if model._call_has_training_arg else model(x)
        if own_loss(model):
            loss = model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=w, training=training)
        else:
            loss = objective(y, outputs, sample_weight=w)
            extra = [tf.reduce_sum(term) for term in model.losses]
            loss = tf.add_n([loss, *(tf.cast(term, loss.dtype) for term in extra)]) if extra else loss
    known = {id(v) for v in (*trainable, *rest, *model.metrics_variables)}
    for variable in scope.assigned.values():
        if id(variable) not in known:
            raise CannotCompile(_stranger(variable))
    moved, advanced = (any(id(v) in scope.assigned for v in variables) for variables in (trainable, rest))
    return Forward(
        outputs,
        loss,
        [tf.stop_gradient(scope.get_current_value(v)) for v in trainable] if moved else list(weights),
        [scope.get_current_value(v) for v in rest],
        moved,
        advanced,
    )


def prepare_loss(task: Task, model: Any, rows: tuple[Any, ...]) -> None:
    """Make the variables of a model's own `compute_loss`: inside a trace none can be made.

    rows: some of the training part.
    """
    x, y, w = (*rows, None)[:3]
    task.compile(model)
    model._compute_loss(x=x, y=y, y_pred=model(x), sample_weight=w, training=True)


@contextlib.contextmanager
def _watched(weights: list[Tensor]) -> Iterator[None]:
    """Within, a tape that a layer opens watches the weights, as a tape watches variables by itself."""
    enter = tf.GradientTape.__enter__

    def entered(tape: Any) -> Any:
        enter(tape)
        tape.watch(weights)
        return tape

    tf.GradientTape.__enter__ = entered
    try:
        yield
    finally:
        tf.GradientTape.__enter__ = enter


def _stranger(variable: Any) -> str:
    """Why a variable that is assigned and that the model does not know cannot be followed."""
    if "seed_generator" in variable.path:
        return (
            "one of its layers draws random numbers by `keras.random` without a `seed=keras.random.SeedGenerator()` "
            "that the layer keeps"
        )
    return f"one of its layers assigns to `{variable.path}` while it is called, which is no variable of the model"
