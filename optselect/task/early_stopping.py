"""When a training stops before its last epoch, and which weights it keeps: Keras's `EarlyStopping` as plain data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from optselect.errors import InvalidValue, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["EarlyStopping", "Mode"]

Mode = Literal["auto", "min", "max"]
"""Which way the monitored figure is better; "auto": by its name, as Keras has it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Stop a training when a figure has not improved for some epochs; names and meaning as in Keras.

    monitor: "val_loss", "val_" and the name of a metric, or "loss". min_delta: less is no improvement. patience:
    epochs without improvement after which training stops. baseline: until the figure is better than that, an
    improvement does not start the count anew. restore_best_weights: whether the weights of the best epoch are kept
    rather than those of the last one. start_from_epoch: epochs before which nothing is watched.

    >>> EarlyStopping(patience=3, min_delta=0.01).arguments()
    {'monitor': 'val_loss', 'min_delta': 0.01, 'patience': 3, 'restore_best_weights': True}
    """

    monitor: str = "val_loss"
    min_delta: float = 0.0
    patience: int
    mode: Mode = "auto"
    baseline: float | None = None
    restore_best_weights: bool = True
    start_from_epoch: int = 0

    def __post_init__(self) -> None:
        for name in ("patience", "start_from_epoch"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidValue(f"EarlyStopping: `{name}` must be a whole number, 0 or more, got {value!r}.")
        for name in ("min_delta", "baseline"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not _is_finite(value)):
                raise InvalidValue(f"EarlyStopping: `{name}` must be a number, got {value!r}.")
        if self.mode not in get_args(Mode):
            raise UnknownName(f"EarlyStopping: no `mode` {self.mode!r}. {suggestion(str(self.mode), get_args(Mode))}")

    @property
    def earliest(self) -> int:
        """The number of epochs after which it can stop at the earliest.

        >>> EarlyStopping(patience=3).earliest
        4
        """
        return self.start_from_epoch + max(1, self.patience) + 1

    def arguments(self) -> dict[str, Any]:
        """The arguments of the Keras class, those at Keras's defaults left out but for the monitored figure."""
        plain = {"min_delta": 0.0, "mode": "auto", "baseline": None, "restore_best_weights": False}
        plain["start_from_epoch"] = 0
        return {name: value for name, value in self.to_dict().items() if name not in plain or value != plain[name]}

    def callback(self) -> Any:
        """A fresh `keras.callbacks.EarlyStopping`."""
        import keras

        return keras.callbacks.EarlyStopping(**self.arguments())

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EarlyStopping:
        """The inverse of `to_dict`; what is missing is at its default.

        >>> EarlyStopping.from_dict(EarlyStopping(patience=3).to_dict()) == EarlyStopping(patience=3)
        True
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise UnknownName(f"EarlyStopping: no `{name}`. {suggestion(name, known)}")
        return cls(**cast(dict[str, Any], dict(data)))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
