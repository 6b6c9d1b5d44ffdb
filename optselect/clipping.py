"""Gradient clipping as pure functions on the list of all gradients, as Keras clips before the update."""

from __future__ import annotations

from typing import Any

from optselect.hyper import Declared

__all__ = ["CLIPPINGS", "Clipping", "NoClipping"]

Tensor = Any


class Clipping(Declared):
    """What happens to the gradients before the rule sees them. A field has the name of Keras's argument."""

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        """The clipped gradients. `grads`: one tensor a variable, any shapes."""
        raise NotImplementedError


class NoClipping(Clipping):
    """Gradients as they are.

    >>> NoClipping().apply([3.0])
    [3.0]
    """

    name = "none"

    def apply(self, grads: list[Tensor]) -> list[Tensor]:
        return grads


CLIPPINGS: dict[str, type[Clipping]] = Clipping.members()
