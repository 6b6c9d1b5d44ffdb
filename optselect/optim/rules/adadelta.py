"""Adadelta: steps in the unit of the weights, from the mean squares of gradients and of earlier steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast
from optselect.util.lazy import ops


class Adadelta(Rule):
    r"""Step by the gradient times the root of the mean square step over that of the mean square gradient.

    With g the gradient::

        E ← ρ E + (1 - ρ) g²
        Δ ← - g √(D + ε) / √(E + ε)
        D ← ρ D + (1 - ρ) Δ²
        w ← w + η Δ

    The paper has η = 1. Keras's default of 0.001 is a thousand times less, and the search looks around 1.

    >>> import keras
    >>> rule = Adadelta(learning_rate=1.0, rho=0.5, epsilon=1.0)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # E = 8, so 1 - 4 · √1 / √9
    -0.33333
    """

    name = "adadelta"
    paper = "Zeiler 2012, arXiv:1212.5701"
    twin = "keras.optimizers.Adadelta"
    published: ClassVar[Mapping[str, Any]] = {"learning_rate": 1.0, "epsilon": 1e-6}
    scaling = Scaling(powers={"learning_rate": 0.5}, means=())
    good_for = "Gradients of unknown scale: its steps have the unit of the weights, and a rate of 1 is a fair start."
    weakness = "Keras's default rate of 0.001 makes it a thousand times slower than the paper's rate of 1."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(0.05, 5.0), doc="Step size.")
    rho: float = hyper(
        default=0.95, domain=UNIT, search=log1m(1e-3, 0.3, from_trials=10), doc="Decay of both mean squares."
    )
    epsilon: float = hyper(
        default=1e-7,
        domain=NON_NEGATIVE,
        search=log(1e-8, 1e-4, from_trials=25),
        doc="Added under both roots: sets the size of the first steps.",
    )

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("accumulated_grad", "accumulated_delta_var")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        e, d = state["accumulated_grad"], state["accumulated_delta_var"]
        e = self.rho * e + (1 - self.rho) * ops.square(grad)
        delta = -(ops.sqrt(d + self.epsilon) * grad / ops.sqrt(e + self.epsilon))
        d = self.rho * d + (1 - self.rho) * ops.square(delta)
        return param + lr * delta, {"accumulated_grad": e, "accumulated_delta_var": d}
