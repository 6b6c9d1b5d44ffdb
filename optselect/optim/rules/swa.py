"""SWA: judges a model at the mean of the weights that a rule went through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, Domain, choice, hyper, wrapped
from optselect.optim.rule import Rule, Scaling, State, Tensor, Variable, exact
from optselect.optim.rules.sgd import SGD
from optselect.optim.wrapping import beside, due, fitted, inner
from optselect.util.lazy import ops


class SWA(Rule):
    r"""Step as the rule; judge at the mean of the weights at `start` and every `period` steps from there.

    With t the step (the weights before the first step are no sample) and n the samples so far::

        w ← the rule's step
        a ← a + (w - a) / n                t = start, start + period, ...

    Until the first sample a is w. Where the rule itself is judged elsewhere than at w, a is the mean of that.

    >>> import keras
    >>> rule = SWA(rule=SGD(learning_rate=0.1), start=1, period=1)
    >>> grad, param = keras.ops.convert_to_tensor([2.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(param[0]), 5), round(float(rule.evaluated(param, state)[0]), 5)     # 0.8 and 0.6, their mean
    (0.6, 0.7)
    """

    name = "swa"
    paper = "Izmailov et al. 2018, arXiv:1803.05407"
    references = "torch"
    common = False
    neutral: ClassVar[Mapping[str, Any]] = {"start": 1000}
    scaling = Scaling(steps=("start", "period"))
    good_for = "The last part of a training with a constant or cyclic rate: the mean lies flatter than any sample."
    weakness = "Started too early the mean holds bad weights for good; batch norm's statistics are not the mean's."

    rule: Rule = wrapped(lambda: SGD(momentum=0.9))
    start: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Step of the first sample.")
    period: float = hyper(
        default=10.0,
        domain=Domain(low=1.0, low_open=False),
        search=choice(1.0, 10.0, 100.0, from_trials=25),
        doc="Steps from one sample to the next.",
    )

    def init(self, param: Tensor) -> State:
        return beside({"average": ops.copy(param)}, self.rule.init(param))

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        param, rest = self.rule.update(grad, param, inner(state), step)
        start, period = exact(self.start, "float64"), exact(self.period, "float64")
        since = ops.cast(step, "float64") - ops.where(start < 1, period, start)
        n = ops.cast(ops.floor(ops.maximum(since, 0) / period) + 1, param.dtype)
        point, average = self.rule.evaluated(param, rest), state["average"]
        sampled = ops.where(due(since, period), average + (point - average) / n, average)
        return param, beside({"average": ops.where(since <= 0, point, sampled)}, rest)

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return state["average"]

    def for_variable(self, variable: Variable) -> Rule:
        return fitted(self, variable)
