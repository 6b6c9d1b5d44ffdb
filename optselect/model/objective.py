"""The figure that a study improves, and which way is better."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Literal

from optselect.errors import InvalidValue

__all__ = ["Direction", "Objective", "larger_by_name"]

Direction = Literal["minimize", "maximize"]

_SMALLER = ("loss", "error", "rmse", "mae", "mse", "mape", "entropy", "diverg", "deviance")
_LARGER = ("acc", "auc", "precision", "recall", "f1", "score", "r2", "iou", "dice", "kappa")


def larger_by_name(name: str) -> bool | None:
    """Whether a metric is better when larger, by the words in its name; None if they do not tell.

    >>> larger_by_name("accuracy"), larger_by_name("rmse"), larger_by_name("mystery")
    (True, False, None)
    """
    plain = name.lower()
    if any(word in plain for word in _SMALLER):
        return False
    return True if any(word in plain for word in _LARGER) else None


@dataclasses.dataclass(frozen=True)
class Objective:
    """A figure to improve: its name, "val_loss" say, and whether larger values of it are better.

    >>> score = Objective("val_score", maximize=True)
    >>> score.better(0.9, 0.8), score.sign, score.metric, str(score)
    (True, -1.0, 'score', 'val_score')
    """

    name: str
    maximize: bool = False

    @classmethod
    def parse(cls, text: str, larger: Callable[[str], bool | None] = larger_by_name) -> Objective:
        """The objective that a user named: "val_loss"; "max:val_score" or "min:val_score" where the name does not tell.

        larger: asked for the direction of a metric, by its name without "val_". Raises `InvalidValue` where neither
        the text nor `larger` tells.

        >>> Objective.parse("max:val_mystery")
        Objective(name='val_mystery', maximize=True)
        """
        way, _, name = text.rpartition(":")
        if way in ("max", "min"):
            return cls(name, maximize=way == "max")
        metric = name.removeprefix("val_")
        maximize = False if metric == "loss" else larger(metric)
        if maximize is None:
            raise InvalidValue(f"Is a larger `{metric}` better? Say `max:{name}` or `min:{name}`.")
        return cls(name, maximize=maximize)

    @property
    def metric(self) -> str:
        """The name without "val_"."""
        return self.name.removeprefix("val_")

    @property
    def sign(self) -> float:
        """What a value is multiplied by to make smaller values better."""
        return -1.0 if self.maximize else 1.0

    @property
    def direction(self) -> Direction:
        """The direction in Optuna's words."""
        return "maximize" if self.maximize else "minimize"

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is better than `b`; NaN is never better."""
        return a > b if self.maximize else a < b

    def best(self, values: Iterable[float]) -> float:
        """The best of some values; NaN if none is a number.

        >>> Objective("val_loss").best([0.3, 0.2, float("nan")])
        0.2
        """
        found = [value for value in values if not math.isnan(value)]
        return (max if self.maximize else min)(found, default=math.nan)

    def __str__(self) -> str:
        return self.name
