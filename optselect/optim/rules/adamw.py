"""AdamW: Adam with weight decay kept out of the moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, UNIT, choice, hyper, log, log1m
from optselect.optim.rule import Rule, State, Tensor, cast
from optselect.optim.rules.adam import Adam


class AdamW(Rule):
    r"""Shrink the weights, then step as Adam.

    With λ the weight decay::

        w ← w - w λ η
        w ← Adam's step from there

    The decay is multiplied by the learning rate, and so by its schedule, as in Keras and PyTorch; the paper
    multiplies it by the schedule alone.

    >>> import keras
    >>> rule = AdamW(learning_rate=0.5, weight_decay=0.1, epsilon=1e-30)
    >>> param = keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(keras.ops.convert_to_tensor([4.0]), param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # 1 - 1 · 0.1 · 0.5, then 0.5 against the sign of the gradient
    0.45
    """

    name = "adamw"
    paper = "Loshchilov & Hutter 2019, arXiv:1711.05101"
    twin = "keras.optimizers.AdamW"
    twin_slots = (("momentum", "velocity"), ("velocity_hat",))
    good_for = "The standard for transformers and for networks on tables, where a strong decay pays."
    weakness = "The default decay of 0.004 lies below what tuning finds on tables, and there averaging or Muon beat it."

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.004,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(
        default=0.9, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean of the gradient."
    )
    beta_2: float = hyper(
        default=0.999, domain=UNIT, search=log1m(1e-4, 0.1, from_trials=50), doc="Decay of the mean of its square."
    )
    epsilon: float = hyper(
        default=1e-7,
        domain=NON_NEGATIVE,
        search=log(1e-10, 1.0, from_trials=25),
        doc="Added to the root: damps the step.",
    )
    amsgrad: bool = hyper(
        default=False, domain=BOOLEAN, search=choice(False, True, from_trials=50), doc="Keep the largest mean square."
    )

    @classmethod
    def of_twin(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:  # here Keras refuses None for the decay
        return {name: value for name, value in arguments.items() if name in cls.known()}

    def _adam(self) -> Adam:
        return Adam.unchecked(**{declared.name: getattr(self, declared.name) for declared in Adam.hypers()})

    def init(self, param: Tensor) -> State:
        return self._adam().init(param)

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if self.amsgrad else ("velocity_hat",)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        lr = cast(self.learning_rate, param.dtype)
        param = param - param * cast(self.weight_decay, param.dtype) * lr
        return self._adam().update(grad, param, state, step)
