"""LARS: momentum whose step is a share of the variable's own size."""

from __future__ import annotations

from typing import Any, ClassVar

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, Variable, choose
from optselect.util.lazy import ops


class LARS(Rule):
    r"""Scale the gradient of each variable to the variable's norm, then step with momentum.

    With g the gradient of a variable, λ the weight decay and c the trust coefficient::

        q = c ‖w‖ / (‖g‖ + λ ‖w‖)          1 where either is zero
        v ← μ v + η q (g + λ w)
        w ← w - v

    With `exclude_1d` a bias, a norm's scale or any other vector has q = 1 and λ = 0.
    optax has ‖g + λ w‖ below; without decay that is the same.

    >>> import keras
    >>> rule = LARS(learning_rate=1.0, trust_coefficient=0.1)
    >>> param = keras.ops.convert_to_tensor([3.0, 4.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([0.0, 2.0]), param, rule.init(param), 1)
    >>> [round(float(p), 5) for p in param]         # q = 0.1 · 5 / 2: 4 - 0.25 · 2
    [3.0, 3.5]
    """

    name = "lars"
    common = False
    scope = "variable"
    paper = "You et al. 2017, arXiv:1708.03888"
    references = "optax, pytorch_optimizer, torch_optimizer"
    scaling = Scaling(powers={"learning_rate": 0.5, "weight_decay": 0.0})
    good_for = "Convolutional networks with batches of thousands, where one rate does not fit all layers."
    weakness = (
        "At small batches it gains nothing, and a bias that starts at zero takes its first step at the bare rate."
    )

    learning_rate: float = hyper(default=1.0, domain=POSITIVE, search=log(1e-2, 1e2), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-5, 1e-1, from_trials=10),
        doc="Share of a weight that is added to its gradient.",
    )
    momentum: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Share of the velocity that stays."
    )
    trust_coefficient: float = hyper(default=1e-3, domain=POSITIVE, doc="Share of a variable's norm that a step is.")

    exclude_1d: bool = hyper(
        default=False, domain=BOOLEAN, late=True, doc="Step vectors, as biases, without decay and trust ratio."
    )
    _plain: ClassVar[Any] = False  # `for_variable` decides: a bool, or a `Scalar` where flags are tensors

    def for_variable(self, variable: Variable) -> Rule:
        if len(variable.shape) > 1:
            return self
        return type(self).unchecked(**self.values(), _plain=self.exclude_1d)

    def init(self, param: Tensor) -> State:
        return {"velocity": ops.zeros_like(param)}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if self.momentum else ("velocity",)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        size, slope = (ops.sqrt(ops.sum(ops.square(x))) for x in (param, grad))
        below = slope + self.weight_decay * size
        trusted = (size > 0) & (below > 0)
        ratio = ops.where(trusted, self.trust_coefficient * size / below, ops.ones_like(size))
        decayed = grad + self.weight_decay * param
        ratio, slope = choose(self._plain, ops.ones_like(ratio), ratio), choose(self._plain, grad, decayed)
        v = state["velocity"] * self.momentum + self.learning_rate * ratio * slope
        return param - v, {"velocity": v}
