"""AdaMod: Adam whose step sizes are bounded by their own moving mean."""

from __future__ import annotations

from optselect.optim import POSITIVE, UNIT, Rule, State, Tensor, exact, hyper, log, log1m, ops


class AdaMod(Rule):
    """Step as Adam, but by no more than a moving mean of the step sizes of each entry.

    With t the step and g the gradient::

        m ← β₁ m + (1 - β₁) g,  m̂ = m / (1 - β₁ᵗ)
        v ← β₂ v + (1 - β₂) g²,  v̂ = v / (1 - β₂ᵗ)
        s ← β₃ s + (1 - β₃) η / (√v̂ + ε)
        w ← w - min(η / (√v̂ + ε), s) m̂

    >>> import keras
    >>> rule = AdaMod(learning_rate=0.5, beta_3=0.75, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # the bound is a quarter of Adam's first step, η
    0.875
    """

    name = "adamod"
    common = False  # not in the default search space
    paper = "Ding et al. 2019, arXiv:1910.12249"
    good_for = "Adam's cases where the first steps are too large, in place of a warmup."
    weakness = "The bound starts at zero, so the first thousand steps are short whether that is needed or not."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(0.01, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    beta_3: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=25), doc="Decay of the mean of step sizes."
    )
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the root: damps the step.")

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity", "step_size")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, lr, b1, b2 = (exact(x, param.dtype) for x in (step, self.learning_rate, self.beta_1, self.beta_2))
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        size = lr / (ops.sqrt(v / (1 - b2**t)) + self.epsilon)
        s = state["step_size"] + (size - state["step_size"]) * (1 - self.beta_3)
        param = param - ops.minimum(size, s) * m / (1 - b1**t)
        return param, {"momentum": m, "velocity": v, "step_size": s}
