"""Constant: one learning rate for the whole training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.schedule import Schedule, Tensor
from optselect.util.lazy import ops


class Constant(Schedule):
    """The same rate at every step.

    >>> [float(r) for r in Constant().rates(0.5, 3)]
    [0.5, 0.5, 0.5]
    """

    name = "constant"
    common = True
    plain = True

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return {"learning_rate": learning_rate}

    @staticmethod
    def rate(step: Tensor, *, learning_rate: float) -> Tensor:  # type: ignore[override]
        return ops.full(ops.shape(step), learning_rate, dtype="float32")

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return arguments["learning_rate"], cls()
