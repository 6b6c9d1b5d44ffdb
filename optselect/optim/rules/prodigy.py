"""Prodigy: Adam that finds its rate from how far the weights have come."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, exact
from optselect.util.lazy import ops


class Prodigy(Rule):
    r"""Step as AdamW, by an estimate d of the distance from the start to the solution, which only grows.

    With t the step, g the gradient, w₀ the start, β₃ = √β₂, κ the coefficient, and sums over the whole model::

        δ = η d √(1 - β₂ᵗ) / (1 - β₁ᵗ)
        m ← β₁ m + (1 - β₁) d g
        v ← β₂ v + (1 - β₂) d² g²
        r ← β₃ r + d δ / d₀ ⟨g, w₀ - w⟩
        s ← β₃ s + d δ / d₀ g
        d ← max(d, κ r / ‖s‖₁)             at first d = d₀
        w ← w - δ m / (√v + d ε) - δ λ w

    This is the form with Adam's bias correction, which the authors' code has as an option.

    >>> import keras
    >>> rule = Prodigy(initial_distance=0.5, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([4.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # Adam's first step, by d₀ against the sign of the gradient
    0.5
    """

    name = "prodigy"
    paper = "Mishchenko & Defazio 2023, arXiv:2306.06101"
    references = "prodigyopt"
    scope = "model"
    common = False
    scaling = Scaling(powers={"epsilon": -0.5})
    good_for = "A first training without any rate to choose: Adam's step sizes within a few hundred steps."
    weakness = "A tuned Adam is slightly ahead of it, and a training of few steps ends before the rate is found."

    learning_rate: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.1, 10.0), doc="Factor of the step size that is found."
    )
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the step size.",
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the root, times d.")
    initial_distance: float = hyper(default=1e-6, domain=POSITIVE, doc="First estimate d₀: far too small is right.")
    coefficient: float = hyper(default=1.0, domain=POSITIVE, doc="Factor of the estimate of the distance.")

    def init(self, param: Tensor) -> State:
        slots = {name: ops.zeros_like(param) for name in ("momentum", "velocity", "sum")}
        zero = ops.zeros((), dtype=param.dtype)
        return {**slots, "start": ops.copy(param), "numerator": zero, "distance": zero + self.initial_distance}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, b1, b2 = (exact(x, param.dtype) for x in (step, self.beta_1, self.beta_2))
        d, d0, b3 = state["distance"], self.initial_distance, ops.sqrt(b2)
        delta = exact(self.learning_rate, param.dtype) * d * ops.sqrt(1 - b2**t) / (1 - b1**t)
        m = b1 * state["momentum"] + d * grad * (1 - self.beta_1)
        v = b2 * state["velocity"] + ops.square(d * grad) * (1 - self.beta_2)
        r = b3 * state["numerator"] + d / d0 * delta * ops.sum(grad * (state["start"] - param))
        s = b3 * state["sum"] + d / d0 * delta * grad
        size = ops.sum(ops.abs(s))
        found = r * self.coefficient / ops.where(size > 0, size, 1)
        d = ops.maximum(d, found)
        param = param - delta * (m / (ops.sqrt(v) + d * self.epsilon) + param * self.weight_decay)
        return param, {**state, "momentum": m, "velocity": v, "sum": s, "numerator": r, "distance": d}
