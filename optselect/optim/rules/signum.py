"""Signum: the sign of the mean gradient."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor
from optselect.util.lazy import ops


class Signum(Rule):
    r"""Move every weight by the learning rate against the sign of its mean gradient.

    With g the gradient and λ the weight decay::

        m ← μ m + (1 - μ) g
        w ← w - η (sign m + λ w)

    With μ = 0 it is signSGD.

    >>> import keras
    >>> rule = Signum(learning_rate=0.1, weight_decay=1.0)
    >>> param = keras.ops.convert_to_tensor([1.0, 2.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0, -0.5]), param, rule.init(param), 1)
    >>> [round(float(p), 5) for p in param]         # 1 - 0.1 (1 + 1), 2 - 0.1 (-1 + 2)
    [0.8, 1.9]
    """

    name = "signum"
    common = False
    paper = "Bernstein et al. 2018, arXiv:1802.04434"
    references = "optax, pytorch_optimizer"
    scaling = Scaling(powers={"learning_rate": 1.0}, means=("momentum",))
    good_for = "One slot a weight and no scale to tune: about equal to AdamW on tabular data and language models."
    weakness = "Its step never shrinks by itself, so near the end it needs a schedule that decays to nothing."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-2), doc="Step size of each weight.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    momentum: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-3, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )

    def init(self, param: Tensor) -> State:
        return {"momentum": ops.zeros_like(param)}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.momentum)
        return param - self.learning_rate * (ops.sign(m) + self.weight_decay * param), {"momentum": m}
