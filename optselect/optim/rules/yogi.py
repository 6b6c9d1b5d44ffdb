"""Yogi: Adam whose mean square moves by a controlled amount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, choice, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor
from optselect.util.lazy import ops


class Yogi(Rule):
    r"""Step as Adam, with a mean square that forgets slowly when gradients become small.

    With t the step and g the gradient; m and v begin at the initial accumulator value::

        m ← β₁ m + (1 - β₁) g
        v ← v - (1 - β₂) sign(v - g²) g²
        w ← w - η m̂ / (√v̂ + ε)            m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)

    >>> import keras
    >>> rule = Yogi(learning_rate=0.1, initial_accumulator_value=0.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # v = 0.001 · 16, v̂ = 16: the first step is η against the sign
    0.9
    """

    name = "yogi"
    common = False
    paper = "Zaheer et al. 2018, NeurIPS"
    references = "optax, pytorch_optimizer, torch_optimizer"
    exempt: ClassVar[Mapping[str, str]] = {
        "mirrors_mirrored_gradients": "its mean begins above zero, as the paper's appendix has it",
        "stays_without_gradient_and_decay": "its mean begins above zero, as the paper's appendix has it",
    }
    good_for = "Sparse or bursty gradients, where Adam's mean square forgets too fast and its step jumps."
    weakness = "Its large ε turns it into momentum where gradients are small; little recent evidence in its favour."

    learning_rate: float = hyper(default=1e-2, domain=POSITIVE, search=log(1e-4, 1.0), doc="Step size.")
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999,
        domain=UNIT,
        search=log1m(1e-4, 0.1, from_trials=50),
        doc="One minus it is the mean square's pace.",
    )
    epsilon: float = hyper(
        default=1e-3, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )
    initial_accumulator_value: float = hyper(
        default=1e-6,
        domain=NON_NEGATIVE,
        search=choice(0.0, 1e-6, 1e-3, from_trials=50),
        doc="The mean and the mean square at the start.",
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.ones_like(param) * self.initial_accumulator_value for name in ("momentum", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, square = ops.cast(step, "float64"), ops.square(grad)
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        v = state["velocity"] - (1 - self.beta_2) * ops.sign(state["velocity"] - square) * square
        m_hat = m / ops.cast(1 - self.beta_1**t, param.dtype)
        v_hat = v / ops.cast(1 - self.beta_2**t, param.dtype)
        param = param - self.learning_rate * m_hat / (ops.sqrt(v_hat) + self.epsilon)
        return param, {"momentum": m, "velocity": v}
