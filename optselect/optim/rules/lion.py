"""Lion: steps of one size, along the sign of a momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, Domain, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast
from optselect.util.lazy import ops

_DECAY = Domain(low=0.0, high=1.0)


class Lion(Rule):
    r"""Step by the sign of gradient and momentum together, then let the momentum follow slowly.

    With g the gradient and λ the weight decay::

        w ← w - w λ η
        w ← w - η sign(β₁ m + (1 - β₁) g)
        m ← β₂ m + (1 - β₂) g

    Every entry moves by η, so η should be 3 to 10 times smaller than Adam's and λ as many times larger (paper,
    section 5). The default η is Keras's.

    >>> import keras
    >>> rule = Lion(learning_rate=0.25, beta_1=0.9, beta_2=0.5)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> param, state = rule.update(keras.ops.convert_to_tensor([-8.0]), param, state, 2)
    >>> round(float(param[0]), 5)       # twice down: m = 2 outweighs the new gradient, 0.9 · 2 > 0.1 · 8
    0.5
    """

    name = "lion"
    common = False
    paper = "Chen et al. 2023, arXiv:2302.06675"
    twin = "keras.optimizers.Lion"
    published: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-4}
    scaling = Scaling(powers={"learning_rate": 1.0})
    good_for = "Large batches and large models, with half of Adam's memory."
    weakness = "Small batches make its signs noise: behind AdamW on 7 of 17 tabular data sets, ahead on one."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-2), doc="Step size of every entry.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-2, 10.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.9, domain=_DECAY, search=log1m(1e-2, 0.5, from_trials=25), doc="Share of the momentum in the step."
    )
    beta_2: float = hyper(
        default=0.99, domain=_DECAY, search=log1m(1e-3, 0.1, from_trials=25), doc="Decay of the momentum."
    )

    def init(self, param: Tensor) -> State:
        return {"momentum": ops.zeros_like(param)}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr, m = cast(self.learning_rate, param.dtype), state["momentum"]
        b1, b2 = cast(self.beta_1, param.dtype), cast(self.beta_2, param.dtype)
        param = param - param * cast(self.weight_decay, param.dtype) * lr
        param = param - lr * ops.sign(m * b1 + grad * (1.0 - b1))
        return param, {"momentum": m * b2 + grad * (1.0 - b2)}
