"""Adan: Nesterov's momentum from the differences of successive gradients."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor
from optselect.util.lazy import ops


class Adan(Rule):
    r"""Step by the mean of the gradient and of its change, over the root of a mean square of both.

    With t the step, g the gradient, d its change since the last step (0 at the first), λ the weight decay;
    m̂, d̂ and n̂ are bias-corrected by their own β::

        m ← β₁ m + (1 - β₁) g
        D ← β₂ D + (1 - β₂) d
        n ← β₃ n + (1 - β₃)(g + β₂ d)²
        w ← (w - η (m̂ + β₂ D̂) / (√n̂ + ε)) / (1 + η λ)

    β here is the share that stays, as in the authors' code; in the paper's text it is one minus that, which
    optax 0.2.8 confuses.

    >>> import keras
    >>> rule = Adan(learning_rate=0.5, weight_decay=1.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # (1 - 0.5 · 4 / 4) / (1 + 0.5 · 1)
    0.33333
    """

    name = "adan"
    common = False
    paper = "Xie et al. 2022, arXiv:2208.06677"
    references = "pytorch_optimizer"
    good_for = "Large learning rates and large batches; on 17 tabular data sets it ranked before AdamW."
    weakness = "Four slots a weight, and the change of a noisy small-batch gradient is mostly noise."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-4, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="A step divides the weights by one plus this times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.98, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.92, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=50), doc="Decay of the mean of its change."
    )
    beta_3: float = hyper(
        default=0.99, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean square."
    )
    epsilon: float = hyper(
        default=1e-8, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "change", "velocity", "last")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, "float64")
        diff = ops.where(t > 1, grad - state["last"], ops.zeros_like(grad))
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        change = state["change"] + (diff - state["change"]) * (1 - self.beta_2)
        n = state["velocity"] + (ops.square(grad + self.beta_2 * diff) - state["velocity"]) * (1 - self.beta_3)
        m_hat, d_hat, n_hat = (
            slot / ops.cast(1 - beta**t, param.dtype)
            for slot, beta in ((m, self.beta_1), (change, self.beta_2), (n, self.beta_3))
        )
        u = (m_hat + self.beta_2 * d_hat) / (ops.sqrt(n_hat) + self.epsilon)
        param = (param - self.learning_rate * u) / (1 + self.learning_rate * self.weight_decay)
        return param, {"momentum": m, "change": change, "velocity": n, "last": grad}
