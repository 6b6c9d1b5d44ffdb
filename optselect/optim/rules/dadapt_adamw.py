"""D-Adapt AdamW: AdamW that finds its rate from the gradients' agreement."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, exact
from optselect.util.lazy import ops


class DAdaptAdamW(Rule):
    r"""Step as AdamW, by an estimate d of the distance from the start to the solution, which only grows.

    With t the step, g the gradient, β₃ = √β₂, and sums over the whole model::

        δ = η d √(1 - β₂ᵗ) / (1 - β₁ᵗ)
        a = ⟨g, s / (√v + ε)⟩
        m ← β₁ m + (1 - β₁) δ g
        v ← β₂ v + (1 - β₂) g²
        s ← β₃ s + (1 - β₃) δ g
        r ← β₃ r + (1 - β₃) δ a
        d ← max(d, r / ((1 - β₃) ‖s‖₁))    at first d = d₀
        w ← w - m / (√v + ε) - δ λ w

    This is the form with Adam's bias correction, which the authors' code has as an option.

    >>> import keras
    >>> rule = DAdaptAdamW(initial_distance=0.5, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([4.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # Adam's first step, by d₀ against the sign of the gradient
    0.5
    """

    name = "dadapt_adamw"
    paper = "Defazio & Mishchenko 2023, arXiv:2301.07733"
    references = "dadaptation"
    scope = "model"
    common = False
    scaling = Scaling(powers={"epsilon": -0.5})
    good_for = "A first training without any rate to choose, where steps are many."
    weakness = "Finds its rate later than Prodigy, which came out of it; behind a tuned AdamW with literature defaults."

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
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the root: damps the step.")
    initial_distance: float = hyper(default=1e-6, domain=POSITIVE, doc="First estimate d₀: far too small is right.")

    def init(self, param: Tensor) -> State:
        slots = {name: ops.zeros_like(param) for name in ("momentum", "velocity", "sum")}
        zero = ops.zeros((), dtype=param.dtype)
        return {**slots, "numerator": zero, "distance": zero + self.initial_distance}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, b1, b2 = (exact(x, param.dtype) for x in (step, self.beta_1, self.beta_2))
        d, v, b3 = state["distance"], state["velocity"], ops.sqrt(b2)
        rest = exact(1 - self.beta_2**0.5, param.dtype)
        delta = exact(self.learning_rate, param.dtype) * d * ops.sqrt(1 - b2**t) / (1 - b1**t)
        agreement = ops.sum(grad * state["sum"] / (ops.sqrt(v) + self.epsilon))
        m = b1 * state["momentum"] + delta * grad * (1 - self.beta_1)
        v = b2 * v + ops.square(grad) * (1 - self.beta_2)
        s = b3 * state["sum"] + rest * delta * grad
        r = b3 * state["numerator"] + rest * delta * agreement
        size = rest * ops.sum(ops.abs(s))
        d = ops.maximum(d, r / ops.where(size > 0, size, 1))
        param = param - m / (ops.sqrt(v) + self.epsilon) - delta * param * self.weight_decay
        return param, {"momentum": m, "velocity": v, "sum": s, "numerator": r, "distance": d}
