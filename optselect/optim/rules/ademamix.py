"""AdEMAMix: Adam with a second, far slower mean of the gradient."""

from __future__ import annotations

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, hyper, linear, log, log1m
from optselect.optim.rule import Rule, Scaling, State, Tensor, exact
from optselect.util.lazy import ops


class AdEMAMix(Rule):
    r"""Step by a fast and a slow mean of the gradient over the root of its mean square.

    With t the step, g the gradient and λ the weight decay; m̂ and v̂ are bias-corrected, l is not::

        m ← β₁ m + (1 - β₁) g
        l ← β₃' l + (1 - β₃') g
        v ← β₂ v + (1 - β₂) g²
        w ← w - η ((m̂ + α' l) / (√v̂ + ε) + λ w)

    Over its warm-up α' grows evenly from 0 to α, and β₃' from β₁ to β₃ so that its half-life grows evenly:
    1 / ln β₃' = (1 - t/T) / ln β₁ + (t/T) / ln β₃. Without a warm-up they are α and β₃ from the start.

    >>> import keras
    >>> rule = AdEMAMix(learning_rate=0.5, beta_1=0.5, beta_3=0.75, alpha=2.0, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # m̂ = 4, l = 1: 1 - 0.5 (4 + 2 · 1) / 4
    0.25
    """

    name = "ademamix"
    common = False
    paper = "Pagliardini et al. 2025, arXiv:2409.03137"
    references = "optax, pytorch_optimizer"
    scaling = Scaling(steps=("alpha_warmup_steps", "beta_3_warmup_steps"))
    good_for = "Long training of language models, where it was among the best; a little before AdamW on tabular data."
    weakness = "The slow mean needs thousands of steps, three numbers more, and keeps pushing where it should stop."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.0, domain=NON_NEGATIVE, search=log(1e-3, 5.0, from_trials=10), doc="Share of a weight taken per rate."
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the fast mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    beta_3: float = hyper(
        default=0.9999, domain=UNIT, search=log1m(1e-4, 1e-2, from_trials=25), doc="Decay of the slow mean."
    )
    alpha: float = hyper(
        default=5.0, domain=NON_NEGATIVE, search=linear(1.0, 8.0, from_trials=25), doc="Weight of the slow mean."
    )
    epsilon: float = hyper(
        default=1e-8, domain=POSITIVE, search=log(1e-10, 1.0, from_trials=50), doc="Added to the root: damps the step."
    )
    alpha_warmup_steps: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Steps over which `alpha` grows from 0.")
    beta_3_warmup_steps: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="Steps in which `beta_3` leaves `beta_1`.")

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "slow", "velocity")}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t = ops.cast(step, "float64")
        alpha = ops.cast(self.alpha * _share(t, self.alpha_warmup_steps), param.dtype)
        part = _share(t, self.beta_3_warmup_steps)
        rates = [1 / ops.log(exact(beta, "float64")) for beta in (self.beta_1, self.beta_3)]
        new = ops.cast(-ops.expm1(1 / ((1 - part) * rates[0] + part * rates[1])), param.dtype)  # 1 - β₃'
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        slow = state["slow"] + (grad - state["slow"]) * new
        v = state["velocity"] + (ops.square(grad) - state["velocity"]) * (1 - self.beta_2)
        m_hat = m / ops.cast(1 - self.beta_1**t, param.dtype)
        v_hat = v / ops.cast(1 - self.beta_2**t, param.dtype)
        u = (m_hat + alpha * slow) / (ops.sqrt(v_hat) + self.epsilon) + self.weight_decay * param
        return param - self.learning_rate * u, {"momentum": m, "slow": slow, "velocity": v}


def _share(t: Tensor, steps: float) -> Tensor:
    """How much of a warm-up is over. `t`: float64."""
    return ops.minimum(t / ops.maximum(exact(steps, "float64"), 1.0), 1.0)
