"""Muon: momentum made orthogonal for matrices, AdamW for everything else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from optselect.optim.hyperparameters import (
    BOOLEAN,
    FLAG,
    NON_NEGATIVE,
    NUMBER,
    PATTERNS,
    POSITIVE,
    UNIT,
    WHOLE,
    choice,
    hyper,
    log,
    log1m,
    setting,
)
from optselect.optim.rule import Rule, Scalar, Scaling, State, Tensor, Variable, cast, choose
from optselect.optim.rules.adam import Adam
from optselect.util.lazy import ops


class Muon(Rule):
    r"""Step by the nearest orthogonal matrix to the momentum; vectors, head and embeddings step as AdamW.

    With g the gradient of a matrix of n rows and m columns, λ the weight decay and κ the field rms_rate::

        w ← w - w λ η
        b ← μ b + g
        X = g + μ b if nesterov else b;  X ← X / ‖X‖
        X ← a X + (b' A + c A²) X with A = X Xᵀ, `ns_steps` times
        w ← w - η κ √max(n, m) X

    A convolution's kernel is the matrix of its h·w·i rows and o columns, or AdamW's if conv is false; a kernel of
    three axes is AdamW's, for the shape does not tell convolution from attention, and so is a variable whose path
    matches one of `exclude_layers`. Keras's class equals it with conv false and head true.

    >>> import keras
    >>> rule = Muon(learning_rate=1.0, weight_decay=0.0, rms_rate=1.0)
    >>> param, grad = keras.ops.zeros((1, 1)), keras.ops.convert_to_tensor([[5.0]])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> abs(float(param[0, 0]) + 1.0) < 0.35       # five iterations bring a singular value near 1, not onto it
    True
    """

    name = "muon"
    common = False
    scope = "variable"
    paper = "Jordan et al. 2024, kellerjordan.github.io/posts/muon; rms_rate: Liu et al. 2025, arXiv:2502.16982"
    twin = "keras.optimizers.Muon"
    twin_at: ClassVar[Mapping[str, Any]] = {"conv": False, "head": True}
    sees_head = True
    twin_dtypes = ("float32",)  # in float64 Keras multiplies a float64 tensor by a float32 one, and stops
    scaling = Scaling(
        powers={"learning_rate": 1.0, "adam_lr_ratio": -0.5, "epsilon": -0.5},
        means=("momentum", "adam_beta_1", "adam_beta_2"),
        decays=("weight_decay", "adam_weight_decay"),
    )
    good_for = "Hidden matrices of any network: ahead of AdamW on 12 of 17 tabular data sets, behind on none."
    weakness = "A step costs several matrix products, and what is no matrix needs AdamW's numbers as well."
    _adamw: ClassVar[Any] = False  # `for_variable` decides: a bool, or a `Scalar` where flags are tensors

    learning_rate: float = hyper(default=1e-3, domain=POSITIVE, search=log(1e-4, 3e-2), doc="Step size.")
    weight_decay: float = hyper(
        default=0.004, domain=NON_NEGATIVE, search=log(1e-3, 5.0, from_trials=10), doc="Decay of matrices."
    )
    momentum: float = hyper(
        default=0.95, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=25), doc="Share of the momentum that stays."
    )
    nesterov: bool = hyper(
        default=True, domain=BOOLEAN, search=choice(True, False, from_trials=50), doc="Look one step ahead."
    )
    rms_rate: float = hyper(default=0.2, domain=POSITIVE, doc="Size of a matrix's step: 0.2 is the size of Adam's.")
    conv: bool = hyper(default=True, domain=BOOLEAN, doc="Take the kernels of convolutions for matrices.")
    head: bool = hyper(default=False, domain=BOOLEAN, doc="Take the last layer's matrix for one.")
    exclude_embeddings: bool = hyper(default=True, domain=BOOLEAN, doc="Leave embeddings to AdamW.")
    adam_lr_ratio: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.03, 3.0, from_trials=25), doc="AdamW's rate over the rate."
    )
    adam_weight_decay: float = hyper(default=0.004, domain=NON_NEGATIVE, doc="AdamW's decay, times the rate.")
    adam_beta_1: float = hyper(default=0.9, domain=UNIT, doc="AdamW's decay of the mean of the gradient.")
    adam_beta_2: float = hyper(default=0.999, domain=UNIT, doc="AdamW's decay of the mean of its square.")
    epsilon: float = hyper(default=1e-7, domain=NON_NEGATIVE, doc="Added to AdamW's root: damps the step.")

    exclude_layers: tuple[str, ...] = setting(
        default=(), form=PATTERNS, doc="Regular expressions: variables whose path has a match are left to AdamW."
    )
    muon_a: float = setting(default=3.4445, form=NUMBER, doc="Coefficient a of the iteration.")
    muon_b: float = setting(default=-4.775, form=NUMBER, doc="Coefficient b' of the iteration.")
    muon_c: float = setting(default=2.0315, form=NUMBER, doc="Coefficient c of the iteration.")
    ns_steps: int = setting(default=5, form=WHOLE, doc="Iterations that make a matrix orthogonal.")
    adjusted: bool = setting(
        default=True,
        form=FLAG,
        doc="Scale a matrix's step by √max(n, m) and `rms_rate`; off is Keras's `rms_rate=None`.",
    )

    @classmethod
    def of_twin(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        given = super().of_twin(arguments)
        if given.get("rms_rate", 0.2) is None:
            return {**given, "rms_rate": 0.2, "adjusted": False}
        return given

    def twin_arguments(self) -> dict[str, Any] | None:
        given = super().twin_arguments()
        if given is not None and not given.pop("adjusted"):
            given["rms_rate"] = None
        return given

    def for_variable(self, variable: Variable) -> Rule:
        depth = len(variable.shape)
        if depth in (0, 1, 3) or any(re.search(pattern, variable.path) for pattern in self.exclude_layers):
            return self._with(True)
        adamw: Any = choose(self.exclude_embeddings, True, False) if variable.embedding else False
        if variable.head:
            adamw = choose(self.head, adamw, True)
        if depth > 3:
            adamw = choose(self.conv, adamw, True) if variable.shape[-1] > 1 else True
        return self._with(adamw if isinstance(adamw, bool) else Scalar(adamw))

    def _with(self, adamw: Any) -> Rule:
        return type(self).unchecked(**self.values(), **self.chosen(), _adamw=adamw)

    def init(self, param: Tensor) -> State:
        return {name: ops.zeros_like(param) for name in ("momentum", "velocity")}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return ("velocity",) if len(param.shape) > 1 and self._adamw is False else ()

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        adamw = True if len(param.shape) < 2 else self._adamw
        steps = [adamw] if isinstance(adamw, bool) else [True, False]
        made = [(self._vector if s else self._matrix)(grad, param, state, step) for s in steps]
        if len(made) == 1:
            return made[0]
        (a, a_state), (b, b_state) = made
        return choose(adamw, a, b), {name: choose(adamw, a_state[name], b_state[name]) for name in state}

    def _vector(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        param = self._decayed(param, self.adam_weight_decay)
        # Keras takes the product in float32; the decay before has the rate without the ratio.
        rate = cast(self.learning_rate, "float32") * self.adam_lr_ratio
        adam = Adam.unchecked(
            learning_rate=rate, beta_1=self.adam_beta_1, beta_2=self.adam_beta_2, epsilon=self.epsilon
        )
        param, moved = adam.update(grad, param, {**state, "velocity_hat": state["velocity"]}, step)
        return param, {name: moved[name] for name in state}

    def _matrix(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        param = self._decayed(param, self.weight_decay)
        b = state["momentum"] + (grad + state["momentum"] * (self.momentum - 1))
        x = choose(self.nesterov, grad + self.momentum * b, b)
        x = self._orthogonal(ops.reshape(x, (-1, x.shape[-1])))
        length = math.sqrt(max(x.shape))
        x = cast(self.learning_rate, param.dtype) * x
        x = x * length * self.rms_rate if self.adjusted else x
        return param - ops.reshape(x, param.shape), {**state, "momentum": b}

    def _decayed(self, param: Tensor, decay: Any) -> Tensor:
        return param - param * cast(decay, param.dtype) * cast(self.learning_rate, param.dtype)

    def _orthogonal(self, x: Tensor) -> Tensor:
        """Near the orthogonal factor of the polar decomposition: singular values near 1. `x`: (rows, columns)."""
        tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if tall else x
        x = x / (ops.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
        for _ in range(self.ns_steps):
            a = x @ ops.transpose(x)
            x = self.muon_a * x + (self.muon_b * a + self.muon_c * a @ a) @ x
        return ops.transpose(x) if tall else x
