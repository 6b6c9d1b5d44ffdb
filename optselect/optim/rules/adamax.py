"""Adamax: Adam with the largest gradient in place of the root of the mean square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, cast
from optselect.util.lazy import ops


class Adamax(Rule):
    r"""Step by the mean of the gradient over its largest size, which fades.

    With t the step and g the gradient::

        m ← m + (g - m)(1 - β₁)
        u ← max(β₂ u, |g|)
        w ← w - η m / ((1 - β₁ᵗ)(u + ε))

    PyTorch and optax have ε inside, max(β₂ u, |g| + ε).

    >>> import keras
    >>> rule = Adamax(learning_rate=1.0, beta_1=0.5, beta_2=0.5, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # 1 - 2 / (½ · 4): the first step is η against the sign of the gradient
    0.0
    >>> param, state = rule.update(keras.ops.convert_to_tensor([-1.0]), param, state, 2)
    >>> round(float(param[0]), 5)       # m = 0.5, u = max(½ · 4, 1): 0 - 0.5 / (¾ · 2)
    -0.33333
    """

    name = "adamax"
    common = False
    paper = "Kingma & Ba 2015, arXiv:1412.6980, section 7"
    twin = "keras.optimizers.Adamax"
    published: ClassVar[Mapping[str, Any]] = {"learning_rate": 2e-3}
    good_for = "Gradients that are mostly small or zero with rare large entries, as of embeddings."
    weakness = "One large gradient slows its entry for hundreds of steps, and elsewhere Adam is seldom behind."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of its largest size."
    )
    epsilon: float = hyper(
        default=1e-7,
        domain=NON_NEGATIVE,
        search=log(1e-10, 1.0, from_trials=25),
        doc="Added to the size: damps the step.",
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "norm")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        power = cast(self.beta_1, param.dtype) ** ops.cast(step, param.dtype)
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        u = ops.maximum(self.beta_2 * state["norm"], ops.abs(grad))
        param = param - lr * m / ((1 - power) * (u + self.epsilon))
        return param, {"momentum": m, "norm": u}
