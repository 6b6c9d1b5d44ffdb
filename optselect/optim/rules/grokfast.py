"""GrokFast: a rule that sees the slow part of the gradient enlarged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, UNIT, hyper, log, log1m, wrapped
from optselect.optim.rule import Rule, Scaling, State, Tensor, Variable
from optselect.optim.rules.sgd import SGD
from optselect.optim.wrapping import beside, fitted, inner
from optselect.util.lazy import ops


class GrokFast(Rule):
    r"""Add a multiple of the gradient's moving mean to the gradient, then step as the rule.

    With g the gradient, λ the strength, and h at first the first gradient::

        h ← α h + (1 - α) g
        w ← the rule's step with g + λ h

    >>> import keras
    >>> rule = GrokFast(rule=SGD(learning_rate=0.1), alpha=0.5, strength=2.0)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([1.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # h = 1: 1 - 0.1 · (1 + 2)
    0.7
    >>> param, state = rule.update(keras.ops.convert_to_tensor([3.0]), param, state, 2)
    >>> round(float(param[0]), 5)       # h = 2: 0.7 - 0.1 · (3 + 4)
    0.0
    """

    name = "grokfast"
    paper = "Lee et al. 2024, arXiv:2405.20233"
    references = "pytorch_optimizer"
    common = False
    neutral: ClassVar[Mapping[str, Any]] = {"strength": 0.0}
    scaling = Scaling(means=("alpha",))
    good_for = "Small algorithmic data sets on which a model learns by heart long before it generalises."
    weakness = "Elsewhere it is more momentum under another name, and the rate has to be tuned anew with it."

    rule: Rule = wrapped(lambda: SGD(momentum=0.9))
    alpha: float = hyper(
        default=0.98,
        domain=UNIT,
        search=log1m(1e-2, 0.2, from_trials=25),
        doc="Decay of the mean of the gradient.",
    )
    strength: float = hyper(
        default=2.0,
        domain=NON_NEGATIVE,
        search=log(0.1, 5.0, from_trials=10),
        doc="How much of the mean is added: the paper's λ.",
    )

    def init(self, param: Tensor) -> State:
        return beside({"mean": ops.zeros_like(param)}, self.rule.init(param))

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        mean = ops.where(ops.equal(step, 1), grad, state["mean"])
        mean = mean + (grad - mean) * (1 - self.alpha)
        param, rest = self.rule.update(grad + mean * self.strength, param, inner(state), step)
        return param, beside({"mean": mean}, rest)

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return self.rule.evaluated(param, inner(state))

    def for_variable(self, variable: Variable) -> Rule:
        return fitted(self, variable)
