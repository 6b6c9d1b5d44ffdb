"""Gradient clipping as pure functions on the list of all gradients, as Keras clips before the update."""

from __future__ import annotations

from typing import Any, ClassVar

from optselect.optim.hyperparameters import POSITIVE, Declared, hyper, log
from optselect.optim.rule import Scope, exact
from optselect.util.lazy import ops

__all__ = ["CLIPPINGS", "ClipNorm", "ClipValue", "Clipping", "GlobalClipNorm", "NoClipping"]

Tensor = Any


class Clipping(Declared):
    """What happens to the gradients before the rule uses them. Fields are named as Keras's arguments.

    The class attribute `scope` says what decides how an entry is clipped, as for rules: with "variable" the variables
    must be given separately; otherwise they may be joined in one vector.
    """

    common: ClassVar[bool] = False
    scope: ClassVar[Scope] = "variable"

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        """Clip gradients.

        Parameters
        ----------
        grads : list of tensor
            One tensor per variable, any shapes.

        Returns
        -------
        list of tensor
            The clipped gradients, of the same shapes.
        """
        raise NotImplementedError


class NoClipping(Clipping):
    """Gradients as they are.

    >>> NoClipping().apply([3.0])
    [3.0]
    """

    name = "none"
    common = True
    scope = "entry"

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        return grads


class ClipValue(Clipping):
    """Every entry cut to ± `clipvalue`.

    >>> import keras
    >>> [clipped] = ClipValue(clipvalue=1.0).apply([keras.ops.convert_to_tensor([3.0, -0.5])])
    >>> clipped.numpy().tolist()
    [1.0, -0.5]
    """

    name = "clipvalue"
    scope = "entry"

    clipvalue: float = hyper(
        default=1.0, domain=POSITIVE, search=log(1e-2, 1.0, from_trials=10), doc="Largest absolute entry."
    )

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        return [ops.clip(g, exact(-self.clipvalue, g.dtype), exact(self.clipvalue, g.dtype)) for g in grads]


class ClipNorm(Clipping):
    """The gradient of each variable scaled down to the norm `clipnorm`, if it is longer.

    >>> import keras
    >>> [clipped] = ClipNorm(clipnorm=1.0).apply([keras.ops.convert_to_tensor([3.0, 4.0])])
    >>> [round(float(g), 6) for g in clipped]
    [0.6, 0.8]
    """

    name = "clipnorm"

    clipnorm: float = hyper(
        default=1.0,
        domain=POSITIVE,
        search=log(0.1, 10.0, from_trials=10),
        doc="Largest norm of each gradient.",
    )

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        return [g * self.clipnorm / ops.maximum(_norm([g]), exact(self.clipnorm, g.dtype)) for g in grads]


class GlobalClipNorm(Clipping):
    """All gradients scaled down together, if the norm of all together exceeds `global_clipnorm`.

    A norm that is not finite makes every gradient NaN, as in Keras.

    >>> import keras
    >>> grads = [keras.ops.convert_to_tensor([3.0]), keras.ops.convert_to_tensor([4.0])]
    >>> [round(float(g[0]), 6) for g in GlobalClipNorm(global_clipnorm=1.0).apply(grads)]
    [0.6, 0.8]
    """

    name = "global_clipnorm"
    common = True
    scope = "model"
    from_trials = 10

    global_clipnorm: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.1, 10.0, from_trials=10), doc="Largest norm of the whole gradient."
    )

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        norm = _norm(grads)
        scale = self.global_clipnorm * ops.minimum(1.0 / norm, exact(1.0 / self.global_clipnorm, norm.dtype))
        scale = scale + (norm - norm)
        return [g * scale for g in grads]


def _norm(grads: list[Tensor]) -> Tensor:
    return ops.sqrt(ops.sum(ops.stack([ops.sum(ops.square(g)) for g in grads])))


CLIPPINGS: dict[str, type[Clipping]] = Clipping.members()
