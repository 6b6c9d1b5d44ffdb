"""Adagrad: a rate for every weight that falls with the squares of its gradients."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, choice, hyper, log
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast
from optselect.util.lazy import ops


class Adagrad(Rule):
    r"""Step by the gradient over the root of the sum of all its squares.

    With g the gradient and A the accumulator, A₀ = `initial_accumulator_value`::

        A ← A + g²
        w ← w - η g / √(A + ε)

    ε stands inside the root, as Keras has it.

    >>> import keras
    >>> rule = Adagrad(learning_rate=0.5, initial_accumulator_value=7.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([3.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # 1 - 0.5 · 3 / √(7 + 9)
    0.625
    """

    name = "adagrad"
    paper = "Duchi et al. 2011, JMLR 12"
    twin = "keras.optimizers.Adagrad"
    scaling = Scaling(powers={"initial_accumulator_value": -2.0, "epsilon": -2.0})  # of a sum of squares
    good_for = "Sparse features of unequal frequency: a rare one keeps a large rate until it has been seen."
    weakness = "Its rates only ever fall, so a long training of a deep network comes to a halt too early."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-3, 1.0), doc="Step size.")
    initial_accumulator_value: float = hyper(
        default=0.1,
        domain=NON_NEGATIVE,
        search=choice(0.0, 0.01, 0.1, 1.0, from_trials=10),
        doc="The sum of squares at the start: damps the first steps.",
    )
    epsilon: float = hyper(
        default=1e-7, domain=NON_NEGATIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added under the root."
    )

    def init(self, param: Tensor) -> State:
        return {"accumulator": ops.ones_like(param) * cast(self.initial_accumulator_value, param.dtype)}

    def rests(self) -> bool:
        return True

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        a = state["accumulator"] + ops.square(grad)
        param = param - lr * grad / ops.sqrt(a + self.epsilon)
        return param, {"accumulator": a}
