"""SGD: gradient descent, with momentum or Nesterov's momentum if wanted."""

from __future__ import annotations

from optselect.optim.hyperparameters import BOOLEAN, POSITIVE, UNIT, choice, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast, choose
from optselect.util.lazy import ops


class SGD(Rule):
    r"""Step against the gradient, with a velocity that remembers earlier steps.

    With g the gradient::

        v ← μ v - η g
        w ← w + v                          nesterov: w ← w + μ v - η g

    η stands inside the velocity: under a schedule a step keeps the rate at which it was taken, which is not
    what PyTorch and optax do. With μ = 0 this is w ← w - η g.

    >>> import keras
    >>> rule = SGD(learning_rate=0.1, momentum=0.5)
    >>> grad, param = keras.ops.convert_to_tensor([2.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # 1 - 0.1 · 2
    0.8
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(param[0]), 5)       # v = 0.5 · (-0.2) - 0.1 · 2
    0.5
    """

    name = "sgd"
    paper = "Robbins & Monro 1951; momentum: Polyak 1964; nesterov: Sutskever et al. 2013"
    twin = "keras.optimizers.SGD"
    scaling = Scaling(powers={"learning_rate": 1.0})
    good_for = "Large image sets, with momentum, a schedule and a rate tuned for the model; the least memory of all."
    weakness = (
        "The rate must be found anew for every model; on 17 tabular data sets it won twice against "
        "AdamW and lost 12 times."
    )

    learning_rate: float = hyper(default=1e-2, domain=POSITIVE, search=log(1e-3, 1.0), doc="Step size.")
    momentum: float = hyper(default=0.0, domain=UNIT, search=log1m(1e-3, 1.0), doc="Share of the velocity that stays.")
    nesterov: bool = hyper(
        default=False, domain=BOOLEAN, search=choice(False, True, from_trials=25), doc="Look one step ahead."
    )

    def init(self, param: Tensor) -> State:
        return {"momentum": ops.zeros_like(param)}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if self.momentum else ("momentum",)

    def rests(self) -> bool:
        return not self.momentum

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        mu = cast(self.momentum, param.dtype)
        v = state["momentum"] * mu - grad * lr
        param = param + choose(self.nesterov, v * mu - grad * lr, v)
        return param, {"momentum": v}
