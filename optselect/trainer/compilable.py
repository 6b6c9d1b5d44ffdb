"""Whether the compiled program can train a model, and if not, what `model.fit` would call and it would not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.errors import InvalidModel
from optselect.model.own_methods import is_own
from optselect.task.prepared import Task

__all__ = [
    "CannotCompile",
    "NoGradient",
    "cannot_compile",
    "check_fit",
    "hidden_state",
    "no_gradient",
    "own_hooks",
    "own_loss",
    "without_gradient",
]

_ASIDE = {  # what the program honours, and what a study's training never calls
    "compute_loss",
    "compiled_loss",
    "compiled_metrics",
    "compile_from_config",
    "get_compile_config",
    "loss",
    "make_predict_function",
    "metrics_names",
    "predict",
    "predict_on_batch",
    "predict_step",
    "test_on_batch",
    "train_on_batch",
}
_OF_VARIABLES = ("trainable_variables", "trainable_weights", "non_trainable_variables", "variables")

_HIDDEN = {
    "assigns to a `tf.Variable` while it is called, which no trial can start anew": (
        "AssignVariableOp",
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "ResourceScatterAdd",
        "ResourceScatterUpdate",
    ),
    "draws random numbers by `tf.random`, which the seed of a trial does not start anew": (
        "RandomUniform",
        "RandomUniformInt",
        "RandomStandardNormal",
        "TruncatedNormal",
        "RandomShuffle",
        "Multinomial",
        "RandomGamma",
        "RandomPoissonV2",
        "RngReadAndSkip",
        "StatefulUniform",
        "StatefulStandardNormalV2",
    ),
    "calls Python at every step (`tf.py_function`, `tf.numpy_function`)": ("PyFunc", "EagerPyFunc"),
}


class CannotCompile(Exception):
    """What a model does that the compiled program cannot follow; `str` of it goes on from "since"."""


class NoGradient(Exception):
    """The loss depends on none of the weights, as far as the tape can see."""


def cannot_compile(task: Task, model: Any) -> str:
    """Why the model must be trained by `model.fit`, as far as can be told without tracing it; "" if it can be traced.

    The reason goes on from "since".
    """
    if hooks := own_hooks(model):
        named = " and ".join([", ".join(f"`{name}`" for name in hooks[:-1])] * (len(hooks) > 1) + [f"`{hooks[-1]}`"])
        return f"the model has its own {named}"
    if task.spec.callbacks:
        return f"the study was given callbacks ({task.spec.callbacks.name})"
    arrays = tf.nest.flatten((task.x_train, task.y_train))
    if any(np.dtype(a.dtype).kind in "OUS" for a in arrays):
        return "the model takes strings"
    if len({v.dtype for v in model.trainable_variables}) > 1:
        return "its variables have different dtypes"
    if any(getattr(v, "overwrite_with_gradient", False) for v in model.trainable_variables):
        return "some of its variables are overwritten with their gradients (float8)"
    return ""


def own_hooks(model: Any) -> list[str]:
    """Methods of the user's own that `model.fit` would call, and that the program would not.

    They are found by what Keras's trainers define: a class of Keras may override them, a class of anybody else's may
    not. Of submodels Keras calls none of them.
    """
    trainers = [cls for cls in keras.Model.__mro__ if cls.__name__ in ("Trainer", "TensorFlowTrainer")]
    names = {name: None for cls in trainers for name, value in vars(cls).items() if _is_hook(name, value)}
    own = [name for name in (*names, *_OF_VARIABLES) if is_own(model, name)]
    return sorted(own, key=lambda name: (name != "train_step", name))


def own_loss(model: Any) -> bool:
    """Whether the model computes its loss itself, as Keras's guide has it: by a `compute_loss`."""
    return is_own(model, "compute_loss")


def check_fit(task: Task, model: Any) -> None:
    """Raise InvalidModel where `model.fit` would train nothing."""
    if not model.trainable_variables:
        frozen = f"all its {model.count_params():,} weights are frozen" if model.count_params() else "it has no weights"
        raise InvalidModel(f"{task.who}: {frozen}, so there is nothing to train: set `trainable = True` somewhere.")


def hidden_state(operations: Mapping[str, int]) -> str:
    """Why a traced program would not give the same for the same seed; "" if nothing is in the way.

    operations: how many TensorFlow operations of each kind it has.
    """
    for reason, kinds in _HIDDEN.items():
        if operations.keys() & set(kinds):
            return f"one of its layers {reason}"
    return ""


def without_gradient(task: Task, model: Any, rows: tuple[Any, ...]) -> tuple[int, ...]:
    """The numbers of the trainable weights whose gradient is None in `model.fit`.

    model: its state changes, as in a step. rows: some of the training part.
    """
    x, y, w = (*rows, None)[:3]
    task.compile(model)
    with tf.GradientTape() as tape:
        outputs = model(x, training=True) if model._call_has_training_arg else model(x)
        loss = model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=w, training=True)
    found = tape.gradient(loss, [v.value for v in model.trainable_variables])
    return tuple(i for i, grad in enumerate(found) if grad is None)


def no_gradient(task: Task, model: Any) -> str:
    """For people: none of the weights would be trained."""
    return (
        f"{task.who}: no gradient reaches any of the {task.parameters:,} weights, so nothing would be trained: a step "
        "such as round, argmax or a comparison stands between them and the loss. Leave it out of the model that is "
        "trained, or use a smooth one instead."
    )


def _is_hook(name: str, value: Any) -> bool:
    return not name.startswith("__") and name not in _ASIDE and (callable(value) or isinstance(value, property))
