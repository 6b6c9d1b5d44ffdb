"""RAdam: Adam whose first steps, taken on too few squares, are plain momentum."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor
from optselect.util.lazy import ops


class RAdam(Rule):
    r"""Step as Adam, by as much less as its mean square is uncertain.

    With t the step, g the gradient, λ the weight decay and m̂, v̂ the bias-corrected moments of Adam::

        ρ∞ = 2 / (1 - β₂) - 1
        ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        r = √((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ))
        u = r m̂ / (√v̂ + ε)                ρ ≥ 5; else u = m̂
        w ← w - η (u + λ w)

    The default β₂ gives ρ ≥ 5 from step 6 on.

    >>> import keras
    >>> rule = RAdam(learning_rate=0.1)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # ρ = 1, so the step is that of descent: 1 - 0.1 · 4
    0.6
    """

    name = "radam"
    common = False
    paper = "Liu et al. 2020, arXiv:1908.03265"
    references = "optax, pytorch_optimizer, torch"
    good_for = "Adam without a warm-up to be planned, where Adam's first steps spoil the training."
    weakness = "Its first five steps follow the bare gradient, whatever its size; on tabular data it only equals AdamW."

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
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-8, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, "float64")  # ρ is the difference of two large numbers
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        m_hat = m / ops.cast(1 - self.beta_1**t, param.dtype)
        v_hat = v / ops.cast(1 - self.beta_2**t, param.dtype)
        power = self.beta_2**t
        top = 2 / (1 - self.beta_2) - 1
        rho = top - 2 * t * power / (1 - power)
        r = ops.cast(ops.sqrt((rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho)), param.dtype)
        u = ops.where(rho >= 5, r * m_hat / (ops.sqrt(v_hat) + self.epsilon), m_hat)
        return param - self.learning_rate * (u + self.weight_decay * param), {"momentum": m, "velocity": v}
