"""NadamW: Adam with Nesterov's momentum and decoupled weight decay."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor
from optselect.util.lazy import ops


class NadamW(Rule):
    r"""Step by a mean of the gradient that looks one step ahead, over the root of its mean square.

    With t the step, g the gradient and λ the weight decay::

        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        m̂ = β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ)
        w ← w - η (m̂ / (√(v / (1 - β₂ᵗ)) + ε) + λ w)

    β₁ is constant, as in optax and the AlgoPerf baseline; Keras's Nadam warms it up.

    >>> import keras
    >>> rule = NadamW(learning_rate=0.5, beta_1=0.5, weight_decay=0.1, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # m̂ = 0.5 · 2 / 0.75 + 0.5 · 4 / 0.5 = 16 / 3: 1 - 0.5 (4 / 3 + 0.1)
    0.28333
    """

    name = "nadamw"
    common = False
    paper = "Dozat 2016, ICLR workshop; the decay: Loshchilov & Hutter 2019, arXiv:1711.05101"
    references = "optax, torch"
    good_for = "A strong default where AdamW is one: the tuned baseline of the AlgoPerf benchmark."
    weakness = "On tabular data it ranked just behind AdamW, so the look ahead alone is rarely worth an arm."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.004,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-8, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, "float64")
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        ahead, now = (ops.cast(1 - self.beta_1**k, param.dtype) for k in (t + 1, t))
        m_hat = self.beta_1 * m / ahead + (1 - self.beta_1) * grad / now
        v_hat = v / ops.cast(1 - self.beta_2**t, param.dtype)
        u = m_hat / (ops.sqrt(v_hat) + self.epsilon) + self.weight_decay * param
        return param - self.learning_rate * u, {"momentum": m, "velocity": v}
