"""NovoGrad: momentum on gradients that are normalised variable by variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor
from optselect.util.lazy import ops


class NovoGrad(Rule):
    r"""Step by a sum of gradients, each over the root of the mean square of its variable's gradient norm.

    With g the gradient of a variable and λ the weight decay; v is one number a variable, ‖g‖² at the first step::

        v ← β₂ v + (1 - β₂) ‖g‖²
        m ← β₁ m + g / (√v + ε) + λ w
        w ← w - η m

    The decay goes into the momentum, as the paper has it.

    >>> import keras
    >>> rule = NovoGrad(learning_rate=0.5)
    >>> param = keras.ops.convert_to_tensor([1.0, 1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([3.0, 4.0]), param, rule.init(param), 1)
    >>> [round(float(p), 5) for p in param]         # ‖g‖ = 5: 1 - 0.5 · 3 / 5, 1 - 0.5 · 4 / 5
    [0.7, 0.6]
    """

    name = "novograd"
    common = False
    scope = "variable"
    paper = "Ginsburg et al. 2019, arXiv:1905.11286"
    references = "optax, pytorch_optimizer, torch_optimizer"
    published: ClassVar[Mapping[str, Any]] = {"beta_1": 0.95, "beta_2": 0.98, "epsilon": 1e-8}  # here: optax's
    scaling = Scaling(means=("beta_2",))
    good_for = "Speech and image models with large batches, at the memory of momentum."
    weakness = "All weights of a variable share one scale, so rare features move as slowly as under SGD."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-4, 1.0), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-5, 1e-1, from_trials=10),
        doc="Share of a weight that is added to the normalised gradient.",
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Share of the momentum that stays."
    )
    beta_2: float = hyper(
        default=0.25, domain=UNIT, search=log1m(1e-2, 1.0, from_trials=50), doc="Decay of the mean squared norm."
    )
    epsilon: float = hyper(
        default=1e-6, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )

    def init(self, param: Tensor) -> State:
        return {"momentum": ops.zeros_like(param), "velocity": ops.zeros((), dtype=param.dtype)}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        v, square = state["velocity"], ops.sum(ops.square(grad))
        v = ops.where(ops.cast(step, "int64") > 1, v + (square - v) * (1 - self.beta_2), square)
        m = state["momentum"] * self.beta_1 + grad / (ops.sqrt(v) + self.epsilon) + self.weight_decay * param
        return param - self.learning_rate * m, {"momentum": m, "velocity": v}
