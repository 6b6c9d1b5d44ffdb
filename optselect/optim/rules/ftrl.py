"""FTRL-Proximal: each weight is solved anew from the sum of all gradients; l1 makes it exactly zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, Domain, hyper, linear, log
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast, exact
from optselect.util.lazy import ops


class Ftrl(Rule):
    r"""Follow the regularised leader, for linear models of sparse data.

    With g the gradient, p = -`learning_rate_power`, n₀ = `initial_accumulator_value`, λ₁ and λ₂ the
    regularisation, s the shrinkage::

        n' = n + g²
        z ← z + g + 2 s w - (n'ᵖ - nᵖ) / η · w
        w ← (clip(z, ±λ₁) - z) / (n'ᵖ / η + 2 (λ₂ + β / 2η))
        n ← n'

    The first step forgets the weights it starts from: z knows nothing of them. So it does in Keras, and a
    deep network is best left to other rules.

    >>> import keras
    >>> rule = Ftrl(learning_rate=1.0, initial_accumulator_value=0.0, l1_regularization_strength=0.5)
    >>> param = keras.ops.convert_to_tensor([0.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([2.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # n' = 4, z = 2, so (0.5 - 2) / √4
    -0.75
    """

    name = "ftrl"
    common = False  # its first step forgets the initial weights: for linear models
    paper = "McMahan et al. 2013, KDD"
    twin = "keras.optimizers.Ftrl"
    needs_rate = True
    scaling = Scaling(
        powers={
            "initial_accumulator_value": -2.0,  # of a sum of squares
            "l1_regularization_strength": -1.0,  # beside a sum of gradients
            "l2_regularization_strength": -1.0,
            "beta": -1.0,
        }
    )
    exempt: ClassVar[Mapping[str, str]] = {
        "stays_without_gradient_and_decay": "it forgets where it starts, as in Keras",
        "goes_downhill_first": "it forgets where it starts, as in Keras",
    }
    good_for = "Linear models of many sparse features, in which l1 makes most weights exactly zero."
    weakness = "The first step forgets the initial weights, so a deep network starts from all zeros and learns little."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-3, 1.0), doc="Step size.")
    learning_rate_power: float = hyper(
        default=-0.5,
        domain=Domain(high=0.0, high_open=False),
        search=linear(-1.0, 0.0, from_trials=25),
        doc="How the rate falls with the sum of squares; 0 keeps it fixed.",
    )
    initial_accumulator_value: float = hyper(
        default=0.1,
        domain=NON_NEGATIVE,
        search=log(1e-3, 1.0, from_trials=50),
        doc="The sum of squares at the start: damps the first steps.",
    )
    l1_regularization_strength: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-6, 1e-1, from_trials=10), doc="Pull to exact zeros."
    )
    l2_regularization_strength: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-6, 1e-1, from_trials=10), doc="Pull to small weights."
    )
    l2_shrinkage_regularization_strength: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-6, 1e-1, from_trials=50), doc="Pull through the gradient."
    )
    beta: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Added to the root: damps the first steps.")

    def init(self, param: Tensor) -> State:
        return {
            "accumulator": ops.ones_like(param) * cast(self.initial_accumulator_value, param.dtype),
            "linear": ops.zeros_like(param),
        }

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        p, l1 = -self.learning_rate_power, self.l1_regularization_strength
        l2 = self.l2_regularization_strength + self.beta / (2.0 * lr)
        n, z = state["accumulator"], state["linear"]
        shrunk = grad + (2 * self.l2_shrinkage_regularization_strength) * param
        n_new = n + ops.square(grad)
        z = z + (shrunk - (n_new**p - n**p) / lr * param)
        clipped = ops.clip(z, exact(-l1, z.dtype), exact(l1, z.dtype))
        param = (clipped - z) / (n_new**p / lr + 2 * l2)
        return param, {"accumulator": n_new, "linear": z}
