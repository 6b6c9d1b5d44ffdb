"""What other libraries make of the same steps: data for `test_references.py`.

Agreement tells of a rule that it is the algorithm and not only Keras's code again; a known difference is asserted
too, so that a repair or a change in the other library is noticed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import optax
import tensorflow as tf
from optax import contrib

from optselect.optim.rule import Rule
from optselect.optim.rules import RULES

__all__ = ["AGREE", "DIFFER", "RAW", "Pair", "keras_end", "optax_end"]

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Pair:
    """A rule and a way to the same place in another library: start and gradients in, end out.

    bound: the largest difference for a pair that agrees, the least for one that does not, relative to the path.
    """

    rule: Rule
    other: Callable[[Array, Array], Array]
    bound: float
    why: str = ""


def optax_end(made: Any, judged: bool = False) -> Callable[[Array, Array], Array]:
    """Where optax ends. judged: at the average of a schedule-free optimizer."""

    def end(w: Array, grads: Array) -> Array:
        import jax

        with jax.enable_x64(True):
            param = jax.numpy.asarray(w)
            state = made.init(param)

            def walked(carry: Any, g: Any) -> Any:
                param, state = carry
                step, state = made.update(g, state, param)
                return (optax.apply_updates(param, step), state), None

            (param, state), _ = jax.lax.scan(walked, (param, state), jax.numpy.asarray(grads))
            return np.asarray(contrib.schedule_free_eval_params(state, param) if judged else param)

    return end


def keras_end(make: Callable[[], Any]) -> Callable[[Array, Array], Array]:
    """Where a Keras optimizer ends."""

    def end(w: Array, grads: Array) -> Array:
        variable, optimizer = keras.Variable(w, dtype="float64"), make()
        for g in grads:
            optimizer.apply([tf.constant(g)], [variable])
        return np.asarray(variable.value)

    return end


def _raw(op: str, slots: dict[str, float], **numbers: Any) -> Callable[[Array, Array], Array]:
    """Where one of TensorFlow's own kernels ends. `numbers`: what does not change, or a function of the step."""

    def end(w: Array, grads: Array) -> Array:
        variable = tf.Variable(w)
        kept = [tf.Variable(np.full_like(w, value)) for value in slots.values()]
        own = {name: slot.handle for name, slot in zip(slots, kept, strict=True)}
        for t, g in enumerate(grads, start=1):
            now = {k: v(t) if callable(v) else v for k, v in numbers.items()}
            now = {k: tf.constant(v, "float64") if isinstance(v, float) else v for k, v in now.items()}
            getattr(tf.raw_ops, op)(var=variable.handle, grad=tf.constant(g), **own, **now)
        return variable.numpy()

    return end


def _f32(value: float) -> float:
    """What is float32 already: Keras rounds hyperparameters so, in float64 too."""
    return float(np.float32(value))


B1, B2, LR, RHO = _f32(0.9), _f32(0.99), _f32(0.01), _f32(0.9)
TINY = 1e-30  # where two libraries add epsilon in two places
ADAM = {"learning_rate": LR, "beta_1": B1, "beta_2": B2}
BETAS = {"beta1": B1, "beta2": B2, "lr": LR}
POWERS = {"beta1_power": lambda t: B1**t, "beta2_power": lambda t: B2**t}
L1, L2 = _f32(0.001), _f32(0.01)
FTRL = {"l1_regularization_strength": L1, "l2_regularization_strength": L2, "learning_rate": LR}

RAW = {
    "momentum": Pair(
        RULES["sgd"](learning_rate=LR, momentum=B1),
        _raw("ResourceApplyKerasMomentum", {"accum": 0.0}, lr=LR, momentum=B1),
        1e-12,
    ),
    "nesterov": Pair(
        RULES["sgd"](learning_rate=LR, momentum=B1, nesterov=True),
        _raw("ResourceApplyKerasMomentum", {"accum": 0.0}, lr=LR, momentum=B1, use_nesterov=True),
        1e-12,
    ),
    "adagrad": Pair(
        RULES["adagrad"](learning_rate=LR, epsilon=TINY),
        _raw("ResourceApplyAdagradV2", {"accum": _f32(0.1)}, lr=LR, epsilon=TINY),
        1e-12,
    ),
    "adadelta": Pair(
        RULES["adadelta"](learning_rate=1.0, rho=RHO),
        _raw("ResourceApplyAdadelta", {"accum": 0.0, "accum_update": 0.0}, lr=1.0, rho=RHO, epsilon=1e-7),
        1e-12,
    ),
    "rmsprop": Pair(
        RULES["rmsprop"](learning_rate=LR, rho=RHO, momentum=B1),
        _raw("ResourceApplyRMSProp", {"ms": 0.0, "mom": 0.0}, lr=LR, rho=RHO, momentum=B1, epsilon=1e-7),
        1e-12,
    ),
    "rmsprop centered": Pair(
        RULES["rmsprop"](learning_rate=LR, rho=RHO, momentum=B1, epsilon=1e-3, centered=True),
        _raw(
            "ResourceApplyCenteredRMSProp",
            {"mg": 0.0, "ms": 0.0, "mom": 0.0},
            lr=LR,
            rho=RHO,
            momentum=B1,
            epsilon=1e-3,
        ),
        1e-12,
    ),
    "adam": Pair(
        RULES["adam"](**ADAM, epsilon=1e-3),
        _raw("ResourceApplyAdam", {"m": 0.0, "v": 0.0}, **BETAS, **POWERS, epsilon=1e-3),
        1e-12,
    ),
    "amsgrad": Pair(
        RULES["adam"](**ADAM, epsilon=1e-3, amsgrad=True),
        _raw("ResourceApplyAdamWithAmsgrad", {"m": 0.0, "v": 0.0, "vhat": 0.0}, **BETAS, **POWERS, epsilon=1e-3),
        1e-12,
    ),
    "adamax": Pair(
        RULES["adamax"](**ADAM, epsilon=TINY),
        _raw("ResourceApplyAdaMax", {"m": 0.0, "v": 0.0}, **BETAS, beta1_power=POWERS["beta1_power"], epsilon=TINY),
        1e-12,
    ),
    "ftrl": Pair(
        RULES["ftrl"](**FTRL, l2_shrinkage_regularization_strength=L2),
        _raw(
            "ResourceApplyFtrlV2",
            {"accum": _f32(0.1), "linear": 0.0},
            lr=LR,
            l1=L1,
            l2=L2,
            l2_shrinkage=L2,
            lr_power=-0.5,
        ),
        1e-12,
    ),
}

AGREE = {
    "sgd": Pair(RULES["sgd"](learning_rate=LR), optax_end(optax.sgd(LR)), 1e-12),
    "momentum": Pair(RULES["sgd"](learning_rate=LR, momentum=B1), optax_end(optax.sgd(LR, B1)), 1e-12),
    "nesterov": Pair(
        RULES["sgd"](learning_rate=LR, momentum=B1, nesterov=True), optax_end(optax.sgd(LR, B1, nesterov=True)), 1e-12
    ),
    "adagrad": Pair(RULES["adagrad"](learning_rate=LR), optax_end(optax.adagrad(LR, _f32(0.1), 1e-7)), 1e-12),
    "adadelta": Pair(RULES["adadelta"](learning_rate=1.0, rho=RHO), optax_end(optax.adadelta(1.0, RHO, 1e-7)), 1e-12),
    "rmsprop": Pair(
        RULES["rmsprop"](learning_rate=LR, rho=RHO, epsilon=1e-3), optax_end(optax.rmsprop(LR, RHO, 1e-3)), 1e-8
    ),
    "rmsprop centered": Pair(
        RULES["rmsprop"](learning_rate=LR, rho=RHO, epsilon=1e-3, centered=True),
        optax_end(optax.rmsprop(LR, RHO, 1e-3, centered=True)),
        1e-12,
    ),
    "adam": Pair(RULES["adam"](**ADAM, epsilon=TINY), optax_end(optax.adam(LR, B1, B2, TINY)), 1e-12),
    "adamw": Pair(
        RULES["adamw"](**ADAM, epsilon=TINY, weight_decay=0.004),
        optax_end(optax.adamw(LR, B1, B2, TINY, weight_decay=0.004)),
        1e-5,  # optax decays the weights that the step begins with, together with Adam's step
    ),
    "adamax": Pair(RULES["adamax"](**ADAM, epsilon=TINY), optax_end(optax.adamax(LR, B1, B2, TINY)), 1e-12),
    "lion": Pair(
        RULES["lion"](learning_rate=LR, beta_1=B1, beta_2=B2, weight_decay=0.5),
        optax_end(optax.lion(LR, B1, B2, weight_decay=0.5)),
        1e-12,
    ),
    "lamb": Pair(
        RULES["lamb"](**ADAM, epsilon=1e-3, weight_decay=0.5),
        optax_end(optax.lamb(LR, B1, B2, 1e-3, weight_decay=0.5)),
        1e-12,
    ),
    "adafactor": Pair(
        RULES["adafactor"](learning_rate=LR),
        optax_end(optax.adafactor(LR, min_dim_size_to_factor=1)),
        1e-6,
    ),
    "muon": Pair(
        RULES["muon"](learning_rate=LR, momentum=B1, nesterov=False, weight_decay=0.0),
        optax_end(contrib.muon(LR, beta=B1, nesterov=False, adaptive=False, consistent_rms=0.2)),
        1e-6,
    ),
    "schedule-free": Pair(
        RULES["schedule_free_adamw"](**ADAM, epsilon=1e-3, weight_decay=0.1),
        optax_end(contrib.schedule_free_adamw(LR, b1=B1, b2=B2, eps=1e-3, weight_decay=0.1)),
        1e-12,
    ),
}

DIFFER = {
    "amsgrad of optax": Pair(
        RULES["adam"](**ADAM, amsgrad=True),
        optax_end(optax.amsgrad(LR, B1, B2, TINY)),
        1e-3,
        "optax takes the largest of the corrected mean squares",
    ),
    "nadam of optax": Pair(
        RULES["nadam"](**ADAM), optax_end(optax.nadam(LR, B1, B2, 1e-7)), 1e-2, "optax has no schedule of the momentum"
    ),
    "nesterov's Muon of optax": Pair(
        RULES["muon"](learning_rate=LR, momentum=B1, weight_decay=0.0),
        optax_end(contrib.muon(LR, beta=B1, adaptive=False, consistent_rms=0.2)),
        1e-4,
        "optax corrects the bias of Nesterov's momentum",
    ),
    "warm-up of optax's schedule-free": Pair(
        RULES["schedule_free_adamw"](**ADAM, epsilon=1e-3, warmup_steps=10.0),
        optax_end(contrib.schedule_free_adamw(LR, b1=B1, b2=B2, eps=1e-3, warmup_steps=10)),
        1e-3,
        "optax warms up from zero, the authors' code from 1 / warm-up",
    ),
    "Keras's schedule-free": Pair(
        RULES["schedule_free_adamw"](**ADAM, epsilon=1e-3),
        keras_end(lambda: keras.optimizers.ScheduleFreeAdamW(LR, B1, B2, 1e-3)),
        1e-2,
        "on TensorFlow Keras takes the new z for the old, for it keeps the variable and not its value",
    ),
    "Keras's LAMB with decay": Pair(
        RULES["lamb"](**ADAM, weight_decay=0.5),
        keras_end(lambda: keras.optimizers.Lamb(LR, B1, B2, weight_decay=0.5)),
        1e-2,
        "Keras decays outside the trust ratio",
    ),
    "Keras's Adafactor without relative step": Pair(
        RULES["adafactor"](learning_rate=0.5, relative_step=False),
        keras_end(lambda: keras.optimizers.Adafactor(0.5, relative_step=False)),
        1e-2,
        "Keras takes the minimum all the same",
    ),
}
