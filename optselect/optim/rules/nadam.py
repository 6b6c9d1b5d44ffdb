"""Nadam: Adam with Nesterov's momentum and a warm-up of the momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, cast
from optselect.util.lazy import ops


class Nadam(Rule):
    r"""Step by a mean of the gradient that looks one step ahead, over the root of its mean square.

    With t the step, g the gradient, and P the product of all μ so far, P₀ = 1::

        μₜ = β₁ (1 - ½ 0.96ᵗ)
        P ← P μₜ
        m ← m + (g - m)(1 - β₁)
        v ← v + (g² - v)(1 - β₂)
        m̂ = μₜ₊₁ m / (1 - P μₜ₊₁) + (1 - μₜ) g / (1 - P)
        w ← w - η m̂ / (√(v / (1 - β₂ᵗ)) + ε)

    ε stands beside the corrected root, unlike in Keras's Adam. The momentum's schedule is the paper's, which
    optax leaves out and PyTorch slows down by its `momentum_decay`.

    >>> import keras
    >>> rule = Nadam(learning_rate=1.0, beta_1=0.5, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # μ₁ = 0.26, μ₂ = 0.2696: 1 - (0.2696 · 0.5 / (1 - 0.26 · 0.2696) + 1)
    -0.14496
    """

    name = "nadam"
    paper = "Dozat 2016, ICLR workshop"
    twin = "keras.optimizers.Nadam"
    shared = ("u_product",)
    exempt: ClassVar[Mapping[str, str]] = {
        "keeps_bfloat16": "0.999 is 1 in bfloat16, and the correction divides by 1 - 1, as in Keras",
    }
    good_for = "Adam's cases, where a look ahead may help: with ε tuned, it never lost to SGD or momentum in one study."
    weakness = (
        "Its momentum schedule is another in every library, and without a decay its cousin NAdamW is the better choice."
    )

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-7,
        domain=NON_NEGATIVE,
        search=log(1e-10, 1.0, from_trials=25),
        doc="Added to the root: damps the step.",
    )

    def init(self, param: Tensor) -> State:
        slots = {name: ops.zeros_like(param) for name in ("momentum", "velocity")}
        return {**slots, "u_product": ops.ones((), dtype=param.dtype)}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, t_next = ops.cast(step, param.dtype), ops.cast(step + 1, param.dtype)
        lr, decay = cast(self.learning_rate, param.dtype), cast(0.96, param.dtype)
        b1, b2 = cast(self.beta_1, param.dtype), cast(self.beta_2, param.dtype)
        # Keras keeps the product with β₁ and 0.96 as they are, everything else with both cast.
        p = state["u_product"] * self.beta_1 * (1.0 - 0.5 * ops.power(0.96, t))
        u, u_next = b1 * (1.0 - 0.5 * decay**t), b1 * (1.0 - 0.5 * decay**t_next)
        m = state["momentum"] + (grad - state["momentum"]) * (1 - b1)
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - b2)
        m_hat = u_next * m / (1 - p * u_next) + (1 - u) * grad / (1 - p)
        v_hat = v / (1 - b2**t)
        param = param - m_hat * lr / (ops.sqrt(v_hat) + self.epsilon)
        return param, {"momentum": m, "velocity": v, "u_product": p}
