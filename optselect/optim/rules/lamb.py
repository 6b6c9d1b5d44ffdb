"""LAMB: Adam whose step is as long as its variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, Variable, cast, choose
from optselect.util.lazy import ops


class Lamb(Rule):
    r"""Take Adam's step, decay included, and give it η times the length of the variable.

    With t the step, g the gradient of a variable and λ the weight decay::

        m ← m + (g - m)(1 - β₁)
        v ← v + (g² - v)(1 - β₂)
        r = m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε) + λ w
        w ← w - η r ‖w‖ / ‖r‖               η r where either norm is zero

    With `exclude_1d` a bias, a norm's scale or any other vector takes w ← w - η m̂ / (√v̂ + ε), without decay or ratio,
    as is usual for transformers. Keras's class equals it at λ = 0; its own `weight_decay` acts outside the ratio,
    unlike in the paper.

    >>> import keras
    >>> rule = Lamb(learning_rate=0.5, weight_decay=1.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([3.0, -4.0])
    >>> grad = keras.ops.convert_to_tensor([2.0, 0.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> [round(float(p), 5) for p in param]         # r = (1 + 3, 0 - 4), ‖r‖ = 4 √2: 3 - ½ 5 / √2
    [1.23223, -2.23223]
    """

    name = "lamb"
    common = False
    scope = "variable"
    paper = "You et al. 2020, arXiv:1904.00962"
    twin = "keras.optimizers.Lamb"
    twin_at: ClassVar[Mapping[str, Any]] = {"weight_decay": 0.0, "exclude_1d": False}
    scaling = Scaling(powers={"learning_rate": 1.0, "weight_decay": 0.5, "epsilon": -0.5})
    good_for = "Very large batches, where one rate for all layers lets some diverge."
    weakness = "At common batch sizes it gains nothing over AdamW, and variables near zero hardly move."

    learning_rate: float = hyper(
        default=1e-3, domain=POSITIVE, search=log(1e-4, 1e-1), doc="Step size as a share of the variable's norm."
    )
    weight_decay: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-3, 1.0, from_trials=10), doc="Weights added to Adam's step."
    )
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

    exclude_1d: bool = hyper(
        default=False, domain=BOOLEAN, late=True, doc="Step vectors, as biases, without decay and trust ratio."
    )
    _plain: ClassVar[Any] = False  # `for_variable` decides: a bool, or a `Scalar` where flags are tensors

    def for_variable(self, variable: Variable) -> Rule:
        if len(variable.shape) > 1:
            return self
        return type(self).unchecked(**self.values(), _plain=self.exclude_1d)

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, lr = ops.cast(step, param.dtype), cast(self.learning_rate, param.dtype)
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        m_hat = m / (1.0 - cast(self.beta_1, param.dtype) ** t)
        root = ops.sqrt(v / (1.0 - cast(self.beta_2, param.dtype) ** t)) + self.epsilon
        r = m_hat / root + choose(self._plain, ops.zeros_like(param), self.weight_decay * param)
        size, length = (ops.sqrt(ops.sum(ops.power(x, 2))) for x in (param, r))
        ratio = ops.where((size > 0) & (length > 0), size / length, ops.ones_like(size))
        ratio = choose(self._plain, ops.ones_like(ratio), ratio)
        return param - ratio * lr * r, {"momentum": m, "velocity": v}
