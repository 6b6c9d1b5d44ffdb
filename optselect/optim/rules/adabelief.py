"""AdaBelief: Adam that trusts a gradient the more, the nearer it is to what was expected."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor
from optselect.util.lazy import ops


class AdaBelief(Rule):
    r"""Step by the mean of the gradient over the root of its mean squared distance from that mean.

    With t the step, g the gradient and λ the weight decay::

        m ← β₁ m + (1 - β₁) g
        s ← β₂ s + (1 - β₂)(g - m)² + ε
        w ← w - η (m̂ / (√ŝ + ε) + λ w)    m̂ = m / (1 - β₁ᵗ), ŝ = s / (1 - β₂ᵗ)

    ε enters twice, and in s it adds up over the steps, as in the authors' code. No rectification.

    >>> import keras
    >>> rule = AdaBelief(learning_rate=0.25, beta_1=0.5, beta_2=0.75)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # m = 2, s = 0.25 (4 - 2)² = 1: 1 - 0.25 · (2 / 0.5) / √(1 / 0.25)
    0.5
    """

    name = "adabelief"
    common = False
    paper = "Zhuang et al. 2020, arXiv:2010.07468"
    references = "adabelief-pytorch, optax, pytorch_optimizer"
    scaling = Scaling(powers={"learning_rate": 0.5})  # epsilon adds up in the mean square
    good_for = "Tabular networks and small image models: on 17 tabular data sets it ranked before AdamW."
    weakness = "Where gradients hardly vary, only ε bounds the step, so a large learning rate can blow up late."

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
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean square distance."
    )
    epsilon: float = hyper(
        default=1e-16,
        domain=POSITIVE,
        search=log(1e-16, 1e-4, from_trials=25),
        doc="Added to the mean square at every step and to its root: damps the step.",
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "variance")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, "float64")
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        s = state["variance"] + (ops.square(grad - m) - state["variance"]) * (1 - self.beta_2) + self.epsilon
        m_hat = m / ops.cast(1 - self.beta_1**t, param.dtype)
        s_hat = s / ops.cast(1 - self.beta_2**t, param.dtype)
        u = m_hat / (ops.sqrt(s_hat) + self.epsilon) + self.weight_decay * param
        return param - self.learning_rate * u, {"momentum": m, "variance": s}
