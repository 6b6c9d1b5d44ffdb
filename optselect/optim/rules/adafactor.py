"""Adafactor: a root mean square kept as its row and column means, and steps relative to the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, Domain, choice, hyper, linear, log
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast, choose, exact
from optselect.util.lazy import ops


class Adafactor(Rule):
    r"""Step by the gradient over its root mean square, known from means of rows and columns, times the weights' size.

    With t the step, g the gradient of a variable and RMS the root mean square of all its entries::

        β = 1 - tᵈ, d the field beta_2_decay
        r ← β r + (1 - β) mean of g² + ε₁ over the last axis
        c ← β c + (1 - β) mean of g² + ε₁ over the last but one
        v = r c / (mean of r over its last axis)
        u = g / √v,  u ← u / max(1, RMS(u) / clip_threshold)
        w ← w - ρ max(ε₂, RMS(w)) u,  ρ = min(η, 1 / √t) if relative_step else η

    A variable of fewer than two axes keeps v ← β v + (1 - β)(g² + ε₁) itself. Only r and c are kept of the
    others, where Keras keeps a v of full size too. Keras takes the minimum whatever its `relative_step` says.

    >>> import keras
    >>> rule = Adafactor(learning_rate=0.1)
    >>> grad, param = (keras.ops.convert_to_tensor([[x, x], [x, x]]) for x in (3.0, 2.0))
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0, 0]), 5)    # u = 1: a tenth of the weights' size
    1.8
    """

    name = "adafactor"
    common = False
    scope = "variable"
    paper = "Shazeer & Stern 2018, arXiv:1804.04235"
    twin = "keras.optimizers.Adafactor"
    twin_at: ClassVar[Mapping[str, Any]] = {"relative_step": True}
    twin_slots = (("r", "c", "velocity"),)
    twin_fills = ("r", "c", "velocity")
    published: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2}  # ρ = min(0.01, 1 / √t)
    scaling = Scaling(powers={"learning_rate": 0.5, "epsilon_1": -1.0})
    good_for = "Large matrices in little memory: its state is a row and a column for each."
    weakness = "No momentum: on small models Adam is steadier, and nothing is saved."

    learning_rate: float = hyper(
        default=1e-3, domain=POSITIVE, search=log(1e-4, 1.0), doc="Step size as a share of the weights' size."
    )
    beta_2_decay: float = hyper(
        default=-0.8,
        domain=Domain(high=0.0),
        search=linear(-1.0, -0.5, from_trials=50),
        doc="Power of the step that the newest square has in the mean.",
    )
    epsilon_1: float = hyper(default=1e-30, domain=NON_NEGATIVE, doc="Added to the square of the gradient.")
    epsilon_2: float = hyper(
        default=1e-3, domain=NON_NEGATIVE, search=log(1e-4, 1.0, from_trials=25), doc="Least size of the weights."
    )
    clip_threshold: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.1, 10.0, from_trials=25), doc="Largest root mean square of u."
    )
    relative_step: bool = hyper(
        default=True, domain=BOOLEAN, search=choice(True, False, from_trials=25), doc="Bound the rate by 1 / √t."
    )

    def init(self, param: Tensor) -> State:
        if len(param.shape) < 2:
            return {"velocity": ops.zeros_like(param)}
        return {"r": ops.zeros_like(param[..., 0]), "c": ops.zeros_like(param[..., 0, :])}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, lr = ops.cast(step, param.dtype), cast(self.learning_rate, param.dtype)
        rate = choose(self.relative_step, ops.minimum(lr, 1 / ops.sqrt(t)), lr)
        alpha = ops.maximum(cast(self.epsilon_2, param.dtype), _rms(param)) * rate
        beta = 1 - ops.power(t, exact(self.beta_2_decay, param.dtype))
        square = ops.square(grad) + self.epsilon_1
        if len(param.shape) < 2:
            v = beta * state["velocity"] + (1 - beta) * square
            state = {"velocity": v}
        else:
            r = beta * state["r"] + (1 - beta) * ops.mean(square, axis=-1)
            c = beta * state["c"] + (1 - beta) * ops.mean(square, axis=-2)
            v = ops.expand_dims(r / ops.mean(r, axis=-1, keepdims=True), -1) * ops.expand_dims(c, -2)
            state = {"r": r, "c": c}
        u = ops.divide_no_nan(grad, ops.sqrt(v))  # v vanishes where a row and a column got no gradient; Keras: NaN
        u = u / ops.maximum(exact(1.0, param.dtype), _rms(u) / self.clip_threshold)
        return param - alpha * u, state


def _rms(x: Tensor) -> Tensor:
    return ops.sqrt(ops.mean(ops.square(x)))
