"""EMA: judges a model at a moving mean of the weights that a rule went through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import UNIT, hyper, log1m, wrapped
from optselect.optim.rule import Rule, Scaling, State, Tensor, Variable, exact
from optselect.optim.rules.sgd import SGD
from optselect.optim.wrapping import beside, fitted, inner
from optselect.util.lazy import ops


class EMA(Rule):
    r"""Step as the rule; judge at the mean of all weights so far, each counting less the older it is.

    With t the step, and β the momentum::

        w ← the rule's step
        a ← a + (w - a) (1 - β) / (1 - βᵗ)

    This is the mean without the bias of its start: after t steps the weights of t' ≤ t count β^(t - t')
    against each other. Keras's `use_ema` begins at the first weights, which therefore count more, and counts a
    step of gradient accumulation as a step. Where the rule itself is judged elsewhere than at w, a is the mean
    of that.

    >>> import keras
    >>> rule = EMA(rule=SGD(learning_rate=0.1), momentum=0.5)
    >>> grad, param = keras.ops.convert_to_tensor([2.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(rule.evaluated(param, state)[0]), 5)    # (1 · 0.8 + 2 · 0.6) / 3
    0.66667
    """

    name = "ema"
    paper = "Polyak & Juditsky 1992; Morales-Brotons et al. 2024, arXiv:2411.18704"
    references = "optax"
    common = False
    neutral: ClassVar[Mapping[str, Any]] = {"momentum": 0.0}
    scaling = Scaling(means=("momentum",))
    good_for = "The cheapest gain there is with a constant rate: on tables AdamW won 12 times and lost once by it."
    weakness = "Little where the rate decays to zero; batch norm's statistics are those of w, not of the mean."

    rule: Rule = wrapped(lambda: SGD(momentum=0.9))
    momentum: float = hyper(
        default=0.99, domain=UNIT, search=log1m(1e-3, 0.1, from_trials=10), doc="Share of the mean that stays."
    )

    def init(self, param: Tensor) -> State:
        return beside({"average": ops.copy(param)}, self.rule.init(param))

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        param, rest = self.rule.update(grad, param, inner(state), step)
        # In float64: in float32 the two differences may not cancel, and the first weights would count too little.
        beta = exact(self.momentum, "float64")
        share = ops.cast((1 - beta) / (1 - beta ** ops.cast(step, "float64")), param.dtype)
        average = state["average"]
        return param, beside({"average": average + (self.rule.evaluated(param, rest) - average) * share}, rest)

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return state["average"]

    def for_variable(self, variable: Variable) -> Rule:
        return fitted(self, variable)
