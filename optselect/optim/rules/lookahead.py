"""Lookahead: slow weights that follow a rule's weights from afar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import FRACTION, Domain, choice, hyper, linear, wrapped
from optselect.optim.rule import Rule, State, Tensor, Variable
from optselect.optim.rules.sgd import SGD
from optselect.optim.wrapping import beside, due, fitted, inner
from optselect.util.lazy import ops


class Lookahead(Rule):
    r"""Let a rule run ahead for k steps, then go a share of the way and let it run from there.

    With s the slow weights, at first the weights at the start::

        w ← the rule's step
        s ← s + α (w - s),  w ← s          every k steps

    The model is judged at s, which algorithm 1 of the paper returns. With α = 1 the weights are the rule's own.

    >>> import keras
    >>> rule = Lookahead(rule=SGD(learning_rate=0.1), k=2, alpha=0.5)
    >>> grad, param = keras.ops.convert_to_tensor([2.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # 1 - 0.1 · 2
    0.8
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(param[0]), 5)       # 1 + 0.5 · (0.6 - 1)
    0.8
    """

    name = "lookahead"
    paper = "Zhang et al. 2019, arXiv:1907.08610"
    references = "pytorch_optimizer"
    common = False
    neutral: ClassVar[Mapping[str, Any]] = {"k": 1, "alpha": 1.0}
    good_for = "A rule with a large rate or much noise: the slow weights damp what the fast ones do."
    weakness = "A rate that decays to zero does the same; two more numbers to choose."

    rule: Rule = wrapped(lambda: SGD(momentum=0.9))
    k: float = hyper(
        default=5.0,
        domain=Domain(low=1.0, low_open=False),
        search=choice(5.0, 10.0, 20.0, from_trials=25),
        doc="Steps of the rule between two steps of the slow weights.",
    )
    alpha: float = hyper(
        default=0.5,
        domain=FRACTION,
        search=linear(0.2, 0.8, from_trials=25),
        doc="Share of the way that the slow weights go.",
    )

    def init(self, param: Tensor) -> State:
        return beside({"slow": ops.copy(param)}, self.rule.init(param))

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        fast, rest = self.rule.update(grad, param, inner(state), step)
        slow, now = state["slow"], due(step, self.k)
        slow = ops.where(now, slow + (fast - slow) * self.alpha, slow)
        return ops.where(now, slow, fast), beside({"slow": slow}, rest)

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return self.rule.evaluated(state["slow"], inner(state))

    def for_variable(self, variable: Variable) -> Rule:
        return fitted(self, variable)
