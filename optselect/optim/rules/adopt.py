"""ADOPT: Adam that divides a gradient by a mean square which has not seen it."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, exact
from optselect.util.lazy import ops


class ADOPT(Rule):
    r"""Step by the mean of gradients that are each divided by the root of the mean square before them.

    The first step only sets v = g². From then on, with t the step (2 at the first move), g the gradient and λ
    the weight decay::

        u = g / max(√v, ε), clipped to ±(t - 1)^¼
        m ← β₁ m + (1 - β₁) u
        w ← w - η (m + λ w)
        v ← β₂ v + (1 - β₂) g²

    The clip counts from zero as the authors' code does; pytorch_optimizer 4.1.0 is one step ahead.

    >>> import keras
    >>> rule = ADOPT(learning_rate=1.0)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> param, state = rule.update(keras.ops.convert_to_tensor([2.0]), param, state, 2)
    >>> round(float(param[0]), 5)       # u = 2 / 4: 1 - 0.1 · 0.5
    0.95
    """

    name = "adopt"
    common = False
    paper = "Taniguchi et al. 2024, arXiv:2411.02853"
    references = "optax, pytorch_optimizer"
    good_for = "A drop-in for Adam that converges with any β₂, where noise is heavy."
    weakness = "The first gradient sets the scale of all early steps; on tabular data it only equals AdamW."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.9999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-6, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="The root is at least this."
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        before = ops.cast(step, "float64") - 1
        m, v, square = state["momentum"], state["velocity"], ops.square(grad)
        limit = ops.cast(before**0.25, param.dtype)
        u = ops.clip(grad / ops.maximum(ops.sqrt(v), exact(self.epsilon, param.dtype)), -limit, limit)
        m = m + (u - m) * (1 - self.beta_1)  # at the first step the limit is 0, and so is u
        moved = param - self.learning_rate * (m + self.weight_decay * param)
        v = ops.where(before > 0, v + (square - v) * (1 - self.beta_2), square)
        return ops.where(before > 0, moved, param), {"momentum": m, "velocity": v}
