"""Cautious: a rule that does not move against the gradient at hand."""

from __future__ import annotations

from optselect.optim.hyperparameters import BOOLEAN, choice, hyper, wrapped
from optselect.optim.rule import Rule, State, Tensor, Variable, choose
from optselect.optim.rules.sgd import SGD
from optselect.optim.wrapping import beside, fitted, inner
from optselect.util.lazy import ops


class Cautious(Rule):
    r"""Take the entries of a rule's step that the gradient agrees with, and enlarge them for those left out.

    With u the rule's step, g the gradient, and n the entries of the variable::

        k = 1 where u g < 0, else 0
        w ← w + u k / max(Σk / n, 0.001)        counted: w ← w + u k n / (Σk + 1)

    The authors have both forms: the first in their AdamW, the second in their Lion. u is all that the rule
    moves, so a decay inside it is masked with the rest; the authors decay every entry.

    >>> import keras
    >>> rule = Cautious(rule=SGD(learning_rate=0.1, momentum=0.9))
    >>> param = keras.ops.convert_to_tensor([1.0, 1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([2.0, 2.0]), param, rule.init(param), 1)
    >>> param, state = rule.update(keras.ops.convert_to_tensor([2.0, -1.0]), param, state, 2)
    >>> [round(float(x), 5) for x in param]      # (0.8 - 2 · (0.9 · 0.2 + 0.2), 0.8): half of the entries agree
    [0.04, 0.8]
    """

    name = "cautious"
    paper = "Liang et al. 2024, arXiv:2411.16085"
    references = "pytorch_optimizer"
    scope = "variable"
    common = False
    good_for = "A rule with momentum: it stops where the gradient has turned; AdamW gains a little on tables."
    weakness = "Under 1.2 times faster than a tuned AdamW on language models, and little where gradients are noise."

    rule: Rule = wrapped(lambda: SGD(momentum=0.9))
    counted: bool = hyper(
        default=False,
        domain=BOOLEAN,
        search=choice(False, True, from_trials=50),
        doc="Enlarge by the count of what is left plus one, not by its share.",
    )

    def init(self, param: Tensor) -> State:
        return beside({}, self.rule.init(param))

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        moved, rest = self.rule.update(grad, param, inner(state), step)
        move = moved - param
        k = ops.cast(move * grad < 0, param.dtype)
        n = ops.sum(ops.ones_like(param))
        factor = choose(self.counted, n / (ops.sum(k) + 1), 1 / ops.maximum(ops.sum(k) / n, 1e-3))
        return param + move * k * factor, beside({}, rest)

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return self.rule.evaluated(param, inner(state))

    def for_variable(self, variable: Variable) -> Rule:
        return fitted(self, variable)
