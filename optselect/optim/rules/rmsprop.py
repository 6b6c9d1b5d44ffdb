"""RMSprop: steps scaled by a running mean of the squared gradient."""

from __future__ import annotations

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, UNIT, choice, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast, choose
from optselect.util.lazy import ops


class RMSprop(Rule):
    r"""Step by the gradient over the root of its mean square (centered: of its variance).

    With g the gradient::

        v ← ρ v + (1 - ρ) g²
        a ← ρ a + (1 - ρ) g
        d ← v - a² + ε                     centered only; else d = v + ε
        m ← μ m + η g / √d
        w ← w - m

    ε stands inside the root, as Keras has it; PyTorch puts it outside.

    >>> import keras
    >>> rule = RMSprop(learning_rate=0.1, rho=0.75, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # v = 0.25 · 16, so 1 - 0.1 · 4 / √4
    0.8
    """

    name = "rmsprop"
    paper = "Tieleman & Hinton 2012, Coursera lecture 6.5; centered: Graves 2013, arXiv:1308.0850"
    twin = "keras.optimizers.RMSprop"
    twin_slots = (("velocity",), ("momentum",), ("average_gradient",))
    scaling = Scaling(powers={"learning_rate": 0.5, "epsilon": -1.0})
    good_for = "Recurrent networks and losses that move while training, as in reinforcement learning."
    weakness = "No bias correction: its first steps are several times too long, so the rate must stay small or warm up."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-2), doc="Step size.")
    rho: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-3, 0.5, from_trials=10), doc="Decay of the mean square."
    )
    momentum: float = hyper(
        default=0.0, domain=UNIT, search=log1m(1e-3, 1.0, from_trials=25), doc="Share of the last step that stays."
    )
    epsilon: float = hyper(
        default=1e-7, domain=NON_NEGATIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added under the root."
    )
    centered: bool = hyper(
        default=False,
        domain=BOOLEAN,
        search=choice(False, True, from_trials=50),
        doc="Divide by the spread about the mean.",
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("velocity", "momentum", "average_gradient")}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        idle = {"momentum": not self.momentum, "average_gradient": not self.centered}
        return tuple(name for name, is_idle in idle.items() if is_idle)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        v = self.rho * state["velocity"] + (1 - self.rho) * ops.square(grad)
        a = self.rho * state["average_gradient"] + (1 - self.rho) * grad
        d = choose(self.centered, v - ops.square(a) + self.epsilon, v + self.epsilon)
        m = self.momentum * state["momentum"] + lr * grad / ops.sqrt(d)
        return param - m, {"velocity": v, "momentum": m, "average_gradient": a}
