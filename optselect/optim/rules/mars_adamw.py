"""MARS-AdamW: AdamW on gradients whose noise is damped by the gradient before."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, linear, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, exact
from optselect.util.lazy import ops


class MARSAdamW(Rule):
    r"""Add to the gradient a share of its change, shorten it to norm one, then step as AdamW.

    With t the step, g the gradient and g' the one before, at first 0::

        c = g + γ β₁ / (1 - β₁) (g - g')
        c ← c / max(‖c‖, 1)
        m ← β₁ m + (1 - β₁) c
        v ← β₂ v + (1 - β₂) c²
        w ← w - η (m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε) + λ w)

    This is for matrices; any other variable has c = g, and its own β₁, β₂, λ, and factor of η. g' comes from
    another batch than g, as in the authors' default; the exact form would need two gradients a step.

    >>> import keras
    >>> rule = MARSAdamW(learning_rate=0.5, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([[4.0]]), keras.ops.convert_to_tensor([[1.0]])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0, 0]), 5)    # Adam's first step: η against the sign of the gradient
    0.5
    """

    name = "mars_adamw"
    paper = "Yuan et al. 2024, arXiv:2411.10438"
    references = "mars.py"
    scope = "variable"
    common = False
    scaling = Scaling(
        powers={"learning_rate": 0.5},  # no epsilon: gradients of matrices have norm one whatever their noise
        means=("beta_1", "beta_2", "beta_1_1d", "beta_2_1d"),
        decays=("weight_decay", "weight_decay_1d"),
    )
    good_for = "Transformers with small batches, where it was among the best in a comparison of language models."
    weakness = "Under 1.2 times faster than a tuned AdamW in another; remembers one more gradient."

    learning_rate: float = hyper(default=3e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.95, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.99, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the root: damps the step.")
    gamma: float = hyper(
        default=0.025, domain=NON_NEGATIVE, search=linear(0.0, 0.1, from_trials=25), doc="Share of the change."
    )
    rate_1d: float = hyper(default=1.0, domain=POSITIVE, doc="Factor of the rate where no matrix is.")
    weight_decay_1d: float = hyper(default=0.1, domain=NON_NEGATIVE, doc="Weight decay where no matrix is.")
    beta_1_1d: float = hyper(default=0.9, domain=UNIT, doc="Decay of the mean where no matrix is.")
    beta_2_1d: float = hyper(default=0.95, domain=UNIT, doc="Decay of the mean square where no matrix is.")

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity", "gradient")}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if len(param.shape) == 2 else ("gradient",)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, lr = exact(step, param.dtype), exact(self.learning_rate, param.dtype)
        if len(param.shape) == 2:
            beta_1, beta_2, decay = self.beta_1, self.beta_2, self.weight_decay
            c = grad + (grad - state["gradient"]) * (self.gamma * self.beta_1 / (1 - self.beta_1))
            c = c / ops.maximum(ops.sqrt(ops.sum(ops.square(c))), 1)
        else:
            beta_1, beta_2, decay = self.beta_1_1d, self.beta_2_1d, self.weight_decay_1d
            c, lr = grad, lr * self.rate_1d
        m = state["momentum"] + (c - state["momentum"]) * (1 - beta_1)
        v = state["velocity"] + (ops.square(c) - state["velocity"]) * (1 - beta_2)
        root = ops.sqrt(v / (1 - exact(beta_2, param.dtype) ** t)) + self.epsilon
        param = param - lr * (m / (1 - exact(beta_1, param.dtype) ** t) / root + param * decay)
        return param, {"momentum": m, "velocity": v, "gradient": grad}
