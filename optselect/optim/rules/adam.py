"""Adam: bias-corrected moments of the gradient."""

from __future__ import annotations

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, UNIT, choice, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, cast, choose
from optselect.util.lazy import ops


class Adam(Rule):
    r"""Step by the mean of the gradient over the root of its mean square.

    With t the step and g the gradient::

        α = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)
        m ← m + (g - m)(1 - β₁)
        v ← v + (g² - v)(1 - β₂)
        v̂ ← max(v̂, v)                      amsgrad only; else v̂ = v
        w ← w - m α / (√v̂ + ε)

    ε stands beside the *uncorrected* √v ("epsilon hat" of the paper's section 2), as Keras has it: the
    paper's ε at step t is ε / √(1 - β₂ᵗ).

    >>> import keras
    >>> rule = Adam(learning_rate=0.5, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # the first step is η against the sign of the gradient
    0.5
    """

    name = "adam"
    paper = "Kingma & Ba 2015, arXiv:1412.6980; amsgrad: Reddi et al. 2018, arXiv:1904.09237"
    twin = "keras.optimizers.Adam"
    twin_slots = (("momentum", "velocity"), ("velocity_hat",))
    good_for = "A first choice: with the rate alone tuned, the most reliable in a study of budgets up to 100 trials."
    weakness = (
        "It has no decay of the weights, and unless ε is searched over many decades it looks worse than SGD on ResNets."
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
    amsgrad: bool = hyper(
        default=False, domain=BOOLEAN, search=choice(False, True, from_trials=50), doc="Keep the largest mean square."
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity", "velocity_hat")}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if self.amsgrad else ("velocity_hat",)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, param.dtype)
        lr = cast(self.learning_rate, param.dtype)
        alpha = lr * ops.sqrt(1 - cast(self.beta_2, param.dtype) ** t) / (1 - cast(self.beta_1, param.dtype) ** t)
        m, v, v_hat = state["momentum"], state["velocity"], state["velocity_hat"]
        m = m + (grad - m) * (1 - self.beta_1)
        v = v + (ops.square(grad) - v) * (1 - self.beta_2)
        v_hat = choose(self.amsgrad, ops.maximum(v_hat, v), v)
        param = param - m * alpha / (ops.sqrt(v_hat) + self.epsilon)
        return param, {"momentum": m, "velocity": v, "velocity_hat": v_hat}
