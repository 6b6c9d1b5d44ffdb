"""Schedule-free AdamW: an average of the iterates in place of a decaying learning rate."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, Domain, hyper, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, cast
from optselect.util.lazy import ops


class ScheduleFreeAdamW(Rule):
    r"""Take gradients at y, between the iterate z of RMSprop and the average x of all z.

    With t the step, g the gradient at y and λ the weight decay; x, y and z begin at the same point::

        γ = η min(1, t / warm-up)
        v ← v + (g² - v)(1 - β₂)
        d = g / (√(v / (1 - β₂ᵗ)) + ε) + λ y
        z ← z - γ d
        c = s / Σ s with s = tʳ (max γ so far)ᵖ
        x ← (1 - c) x + c z
        y ← (1 - β₁) z + β₁ x

    The variable is y; the model is judged and saved at x = (y - (1 - β₁) z) / β₁. Keras's class is another
    algorithm: it decays y alone, weighs all points alike and, on TensorFlow, takes the new z for the old.

    >>> import keras
    >>> rule = ScheduleFreeAdamW(learning_rate=1.0, beta_1=0.5, beta_2=0.5, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([4.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(param[0]), 5)       # z went from 1 to 0 to -1, x is their mean -½, y lies half way
    -0.75
    >>> round(float(rule.evaluated(param, state)[0]), 5)
    -0.5
    """

    name = "schedule_free_adamw"
    common = False
    paper = "Defazio et al. 2024, arXiv:2405.15682"
    scaling = Scaling(means=("beta_2",), steps=("warmup_steps",))
    good_for = "Training of unknown length: first of the self-tuning entries of AlgoPerf, ahead of AdamW on tables."
    weakness = "Evaluation and saving must happen at the average, and a decaying schedule on top gains nothing."

    learning_rate: float = hyper(default=2.5e-3, domain=POSITIVE, search=log(1e-4, 3e-2), doc="Step size of z.")
    weight_decay: float = hyper(
        default=0.0,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of y that a step of z takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.9,
        domain=Domain(low=0.0, high=1.0),
        search=log1m(1e-2, 0.5, from_trials=10),
        doc="Share of the average in the point where gradients are taken.",
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean square."
    )
    epsilon: float = hyper(
        default=1e-8, domain=POSITIVE, search=log(1e-10, 1e-2, from_trials=25), doc="Added to the root: damps the step."
    )
    warmup_steps: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Steps over which the rate grows from zero.")
    r: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Power of the step in a point's weight in the average.")
    weight_lr_power: float = hyper(
        default=2.0, domain=NON_NEGATIVE, doc="Power of the largest rate so far in a point's weight in the average."
    )

    def init(self, param: Tensor) -> State:
        zero = ops.zeros((), dtype=param.dtype)
        return {"z": ops.copy(param), "velocity": ops.zeros_like(param), "weight_sum": zero, "rate_max": zero}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, z = ops.cast(step, param.dtype), state["z"]
        warmup = ops.maximum(cast(self.warmup_steps, param.dtype), 1.0)
        rate = cast(self.learning_rate, param.dtype) * ops.minimum(t / warmup, 1.0)
        rate_max = ops.maximum(state["rate_max"], rate)
        weight = t**self.r * rate_max**self.weight_lr_power
        weight_sum = state["weight_sum"] + weight
        c = ops.divide_no_nan(weight, weight_sum)  # a schedule may begin with a rate of zero
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        root = ops.sqrt(v / (1 - cast(self.beta_2, param.dtype) ** t)) + self.epsilon
        d = grad / root + self.weight_decay * param
        param = param + c * (z - param) + rate * (self.beta_1 * (1 - c) - 1) * d
        return param, {"z": z - rate * d, "velocity": v, "weight_sum": weight_sum, "rate_max": rate_max}

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return param + (1 - 1 / self.beta_1) * (state["z"] - param)
