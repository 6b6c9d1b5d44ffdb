"""Schedule-free SGD: an average of the iterates in place of a decaying learning rate."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, Domain, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, exact
from optselect.util.lazy import ops


class ScheduleFreeSGD(Rule):
    r"""Take gradients at y, between the iterate z of plain descent and the average x of all z.

    With t the step, g the gradient at y and λ the weight decay; all three begin at the same point::

        γ = η min(1, t / warm-up)
        c = s / Σ s with s = tʳ (max γ so far)ᵖ
        z ← z - γ (g + λ y)
        x ← (1 - c) x + c z
        y ← (1 - β) z + β x

    The variable is y; the model is judged and saved at x = (y - (1 - β) z) / β. The warm-up starts at 1 / warm-up
    as in the authors' code, where optax starts it at zero.

    >>> import keras
    >>> rule = ScheduleFreeSGD(learning_rate=0.5, momentum=0.5)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> param, state = rule.update(keras.ops.convert_to_tensor([2.0]), param, state, 2)
    >>> round(float(param[0]), 5)       # z went from 1 to -1 to -2, x is their mean -1.5, y lies half way
    -1.75
    >>> round(float(rule.evaluated(param, state)[0]), 5)
    -1.5
    """

    name = "schedule_free_sgd"
    common = False
    paper = "Defazio et al. 2024, arXiv:2405.15682"
    references = "optax, schedulefree"
    scaling = Scaling(powers={"learning_rate": 1.0}, steps=("warmup_steps",))
    good_for = "Training of unknown length: the average is good at every step, with no decay to be planned."
    weakness = "Its learning rate needs the care of plain SGD's; the adaptive form is the one that wins benchmarks."

    learning_rate: float = hyper(default=1.0, domain=POSITIVE, search=log(1e-2, 10.0), doc="Step size of z.")
    momentum: float = hyper(
        default=0.9,
        domain=Domain(low=0.0, high=1.0),
        search=log1m(1e-2, 0.5, from_trials=10),
        doc="Share of the average in the point where gradients are taken.",
    )
    weight_decay: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-5, 1e-1, from_trials=10), doc="Added to the gradient, times y."
    )
    warmup_steps: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Steps over which the rate grows from zero.")
    r: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Power of the step in a point's weight in the average.")
    weight_lr_power: float = hyper(
        default=2.0, domain=NON_NEGATIVE, doc="Power of the largest rate so far in a point's weight in the average."
    )

    def init(self, param: Tensor) -> State:
        zero = ops.zeros((), dtype=param.dtype)
        return {"z": ops.copy(param), "weight_sum": zero, "rate_max": zero}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, warmup = ops.cast(step, param.dtype), exact(self.warmup_steps, param.dtype)
        rate = self.learning_rate * ops.minimum(t / ops.maximum(warmup, 1.0), 1.0)
        rate_max = ops.maximum(state["rate_max"], rate)
        weight = t**self.r * rate_max**self.weight_lr_power
        weight_sum = state["weight_sum"] + weight
        c = ops.divide_no_nan(weight, weight_sum)  # a schedule may begin with a rate of zero
        g = grad + self.weight_decay * param
        param = param + c * (state["z"] - param) + rate * (self.momentum * (1 - c) - 1) * g
        return param, {"z": state["z"] - rate * g, "weight_sum": weight_sum, "rate_max": rate_max}

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return param + (1 - 1 / self.momentum) * (state["z"] - param)
