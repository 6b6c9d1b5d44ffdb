"""LazyAdam: Adam that leaves alone the rows of an embedding which a batch does not use."""

from __future__ import annotations

from optselect.optim.hyperparameters import POSITIVE, UNIT, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, Variable
from optselect.optim.rules.adam import Adam
from optselect.util.lazy import ops


class LazyAdam(Rule):
    r"""Step as Adam the rows whose gradient is not zero; of the others keep the weights and both moments.

    A row runs along the last axis: in an embedding's table it is one token's vector. With g the gradient::

        row touched: any of its entries has g ≠ 0
        m, v, w ← Adam's step              rows touched
        m, v, w ← m, v, w                  the others

    The gradient is the sum over all uses of a token in the batch. Adam itself goes on moving a row by its old
    momentum after its last use. The bias correction counts all steps, not those of the row. A variable that is
    no embedding is stepped by Adam.

    >>> import keras
    >>> rule = LazyAdam(learning_rate=0.5, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([[1.0], [1.0]])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([[4.0], [4.0]]), param, rule.init(param), 1)
    >>> param, state = rule.update(keras.ops.convert_to_tensor([[4.0], [0.0]]), param, state, 2)
    >>> [round(float(x), 4) for x in param[:, 0]]       # a constant gradient moves by η; the other row rests
    [0.0, 0.5]
    """

    name = "lazy_adam"
    paper = "Abadi et al. 2016 (TensorFlow's LazyAdam); Adam: Kingma & Ba 2015, arXiv:1412.6980"
    references = "torch"
    scope = "variable"
    common = False
    good_for = "Embeddings of many categories or words, most of which a batch does not contain."
    weakness = "Rare rows keep a stale momentum that acts at their next use; without embeddings it is Adam."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-7, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=25), doc="Added to the root: damps the step."
    )

    def _adam(self) -> Adam:
        return Adam.unchecked(**self.values())

    def init(self, param: Tensor) -> State:
        return self._adam().init(param)

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return self._adam().unused(param)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        touched = grad != 0
        if len(param.shape) > 1:
            touched = ops.any(touched, axis=-1, keepdims=True)
        moved, after = self._adam().update(grad, param, state, step)
        return ops.where(touched, moved, param), {n: ops.where(touched, s, state[n]) for n, s in after.items()}

    def rests(self) -> bool:
        return True

    def for_variable(self, variable: Variable) -> Rule:
        return self if variable.embedding else self._adam()
