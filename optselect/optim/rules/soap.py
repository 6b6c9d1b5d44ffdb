"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from optselect.optim.hyperparameters import NON_NEGATIVE, POSITIVE, UNIT, WHOLE, Domain, hyper, log, log1m, setting
from optselect.optim.rule import Rule, State, Tensor, Variable, exact
from optselect.optim.wrapping import due
from optselect.util.lazy import ops


class SOAP(Rule):
    r"""Step as Adam in a slowly turning basis in which the gradient's entries hang together least.

    With t the step less one, G the gradient as a matrix (a kernel's last axis against all others), P = L or R
    and Q its eigenvectors, those of the largest eigenvalues first::

        G' = Qₗᵀ G Qᵣ
        M ← β₁ M + (1 - β₁) G,  V ← β₂ V + (1 - β₂) G'²
        W ← W - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) Qₗ [Qₗᵀ M Qᵣ / (√V + ε)] Qᵣᵀ
        W ← W - η λ W
        L ← β₂ L + (1 - β₂) G Gᵀ,  R ← β₂ R + (1 - β₂) Gᵀ G
        Q ← QR(P Q)                        every `precondition_frequency` steps, V in the new order

    The first gradient only makes L, R and their Q. A side longer than `max_dim` keeps its own basis, and so do the
    rows of an embedding, of which a batch has only a few. A variable of one axis or none keeps both: there this is
    Adam, a step late. L, R and their bases take 2 (n² + m²) numbers for n rows and m columns, and finding a basis
    takes n³ + m³ operations: for a side of thousands lower `max_dim`.

    >>> import keras
    >>> rule = SOAP(learning_rate=0.5, weight_decay=0.0, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([[4.0]]), keras.ops.convert_to_tensor([[1.0]])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> param, state = rule.update(grad, param, state, 2)
    >>> round(float(param[0, 0]), 5)    # nothing in step 1, then η against the sign of the gradient
    0.5
    """

    name = "soap"
    paper = "Vyas et al. 2024, arXiv:2409.11321"
    references = "pytorch_optimizer"
    scope = "variable"
    common = False
    exempt: ClassVar[Mapping[str, str]] = {
        "keeps_bfloat16": "TensorFlow has no eigenvectors in bfloat16",
        "fits_under_xla": "where gradients do not span a side, the eigenvectors left over are XLA's choice",
    }
    good_for = "Matrices whose entries hang together: with Muon in front among rules for language models."
    weakness = "Costs matrix products and decompositions of each variable's sides; on tables as often worse as better."

    learning_rate: float = hyper(default=3e-3, domain=POSITIVE, search=log(1e-5, 1e-1), doc="Step size.")
    weight_decay: float = hyper(
        default=0.01,
        domain=NON_NEGATIVE,
        search=log(1e-3, 5.0, from_trials=10),
        doc="Share of a weight that a step takes away, times the learning rate.",
    )
    beta_1: float = hyper(default=0.95, domain=UNIT, search=log1m(1e-2, 0.5, from_trials=10), doc="Decay of the mean.")
    beta_2: float = hyper(
        default=0.95, domain=UNIT, search=log1m(1e-3, 0.1, from_trials=50), doc="Decay of the squares, L and R."
    )
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the root: damps the step.")
    precondition_frequency: float = hyper(
        default=10.0, domain=Domain(low=1.0, low_open=False), doc="Steps between two turns of the basis."
    )

    max_dim: int = setting(default=10_000, form=WHOLE, doc="A longer side of a matrix keeps its own basis.")
    _rows: ClassVar[bool] = True  # whether the rows have a basis; `for_variable` decides

    def for_variable(self, variable: Variable) -> Rule:
        return type(self).unchecked(**self.values(), **self.chosen(), _rows=not variable.embedding)

    def init(self, param: Tensor) -> State:
        sides = {side: ops.zeros((size, size), dtype=param.dtype) for side, size in self._sides(param).items()}
        bases = {f"{side}_basis": zeros for side, zeros in sides.items()}
        return {"momentum": ops.zeros_like(param), "velocity": ops.zeros_like(param), **sides, **bases}

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        first, t = ops.equal(step, 1), exact(ops.maximum(step - 1, 1), param.dtype)
        lr, b1, b2 = (exact(x, param.dtype) for x in (self.learning_rate, self.beta_1, self.beta_2))
        q = {side: state[f"{side}_basis"] for side in self._sides(param)}
        m = state["momentum"] + (grad - state["momentum"]) * (1 - self.beta_1)
        squares = ops.reshape(ops.square(_turn(_matrix(grad), q)), param.shape)
        v = state["velocity"] + (squares - state["velocity"]) * (1 - self.beta_2)
        move = _turn(_matrix(m), q) / (ops.sqrt(_matrix(v)) + self.epsilon)
        move = ops.reshape(_turn(move, {side: ops.transpose(basis) for side, basis in q.items()}), param.shape)
        moved = param - lr * ops.sqrt(1 - b2**t) / (1 - b1**t) * move
        moved = moved - moved * self.weight_decay * lr
        m, v = (ops.where(first, 0, new) for new in (m, v))
        p = {side: state[side] + (_product(_matrix(grad), side) - state[side]) * (1 - self.beta_2) for side in q}
        if q:
            again = due(step - 1, self.precondition_frequency)
            q, v = ops.cond(
                first, lambda: _eigen(p, v), lambda: ops.cond(again, lambda: _next(p, q, v), lambda: (q, v))
            )
        bases = {f"{side}_basis": basis for side, basis in q.items()}
        return ops.where(first, param, moved), {"momentum": m, "velocity": v, **p, **bases}

    def _sides(self, param: Tensor) -> dict[str, int]:
        """The sides of the variable that have a basis, and how long they are."""
        if len(param.shape) < 2:
            return {}
        sides: dict[str, int] = {"left": math.prod(param.shape[:-1]), "right": param.shape[-1]}
        return {side: n for side, n in sides.items() if n <= self.max_dim and (self._rows or side == "right")}


def _matrix(x: Tensor) -> Tensor:
    return ops.reshape(x, (-1, x.shape[-1] if len(x.shape) else 1))


def _product(g: Tensor, side: str) -> Tensor:
    return ops.matmul(g, ops.transpose(g)) if side == "left" else ops.matmul(ops.transpose(g), g)


def _turn(x: Tensor, q: State) -> Tensor:
    x = ops.matmul(ops.transpose(q["left"]), x) if "left" in q else x
    return ops.matmul(x, q["right"]) if "right" in q else x


def _eigen(p: State, v: Tensor) -> tuple[State, Tensor]:
    return {side: ops.flip(ops.linalg.eigh(matrix)[1], axis=1) for side, matrix in p.items()}, v


def _next(p: State, q: State, v: Tensor) -> tuple[State, Tensor]:
    """One step of the power method for each side, and V in the order of the new eigenvalues."""
    made, squares = {}, _matrix(v)
    for side in p:
        product = ops.matmul(p[side], q[side])
        order = ops.argsort(-ops.sum(q[side] * product, axis=0))
        made[side] = ops.linalg.qr(ops.take(product, order, axis=1))[0]
        squares = ops.take(squares, order, axis=0 if side == "left" else 1)
    return made, ops.reshape(squares, v.shape)
