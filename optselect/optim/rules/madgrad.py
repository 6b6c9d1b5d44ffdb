"""MADGRAD: dual averaging with momentum, over a cube root."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor
from optselect.util.lazy import ops


class MADGRAD(Rule):
    r"""Go towards the point that all gradients so far, weighed by √t, lead to from the start.

    With t the step, w₀ the start, λ the weight decay and g the gradient plus λ w::

        γ = (η + ε) √t
        s ← s + γ g
        v ← v + γ g²
        w ← μ w + (1 - μ)(w₀ - s / (∛v + ε))

    ε joins the rate, and the decay the gradient, as in the authors' code.

    >>> import keras
    >>> rule = MADGRAD(learning_rate=1.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([8.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # s = 8, v = 64: 0.9 · 1 + 0.1 (1 - 8 / 4)
    0.8
    """

    name = "madgrad"
    common = False
    paper = "Defazio & Jelassi 2021, arXiv:2101.11075"
    references = "madgrad, pytorch_optimizer, torch_optimizer"
    scaling = Scaling(powers={"learning_rate": 1.0}, means=("momentum",))
    good_for = "Image models that SGD with momentum trains best, with the adaptivity of Adagrad."
    weakness = "It remembers every gradient since the start, so early ones hold it back in a changing landscape."

    learning_rate: float = hyper(default=1e-2, domain=POSITIVE, search=log(1e-4, 1.0), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-6, 1e-2, from_trials=10),
        doc="Share of a weight that is added to its gradient.",
    )
    momentum: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Share of a weight that stays in a step."
    )
    epsilon: float = hyper(
        default=1e-6,
        domain=POSITIVE,
        search=log(1e-10, 1e-2, from_trials=25),
        doc="Added to the cube root and the rate.",
    )

    def init(self, param: Tensor) -> State:
        return {"start": ops.copy(param), "sum": ops.zeros_like(param), "squares": ops.zeros_like(param)}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        g = grad + self.weight_decay * param
        weight = (self.learning_rate + self.epsilon) * ops.sqrt(ops.cast(step, param.dtype))
        s = state["sum"] + weight * g
        v = state["squares"] + weight * ops.square(g)
        z = state["start"] - s / (ops.cbrt(v) + self.epsilon)
        return param + (z - param) * (1 - self.momentum), {"start": state["start"], "sum": s, "squares": v}
