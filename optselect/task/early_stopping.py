"""When a training stops before its last epoch, and which weights it keeps: Keras's `EarlyStopping` as plain data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast, get_args

from optselect.errors import InvalidValue, UnknownName
from optselect.model.objective import larger_by_name
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

    def check(self, epochs: int) -> None:
        """Raise InvalidValue if a training of so many epochs ends before it can stop."""
        if self.earliest > epochs:
            late = f" from `start_from_epoch` {self.start_from_epoch} on" if self.start_from_epoch else ""
            raise InvalidValue(
                f"EarlyStopping: `patience` {self.patience}{late} stops no training before epoch {self.earliest}, and "
                f"`epochs` is {epochs}: take fewer, or more epochs."
            )

    def check_monitor(self, known: Sequence[str]) -> None:
        """Raise UnknownName unless it monitors one of these figures."""
        if self.monitor not in known:
            hint = suggestion(self.monitor, known)
            raise UnknownName(f"EarlyStopping: no figure `{self.monitor}` to monitor. {hint}")

    def resolved(
        self,
        known: Sequence[str],
        larger: Callable[[str], bool | None],
        scales: Mapping[str, float] | None = None,
    ) -> EarlyStopping:
        """The same with a mode that is known, in the units in which a model is trained.

        known: the figures that there are. larger: whether a metric is better when larger, by its name; None where
        nobody knows. scales: what turns a metric into the units of its target. Raises UnknownName where there is no
        such figure, InvalidValue where its direction is not known.

        >>> EarlyStopping(monitor="val_accuracy", patience=3).resolved(["val_accuracy"], lambda _: True).mode
        'max'
        """
        self.check_monitor(known)
        metric, mode = self.monitor.removeprefix("val_"), self.mode
        if mode == "auto":
            best = False if metric == "loss" else larger(metric)
            if best is None:
                raise InvalidValue(
                    f"EarlyStopping: is a larger `{self.monitor}` better? Say it by `mode`: 'max' or 'min'."
                )
            mode = "max" if best else "min"
        scale = (scales or {}).get(metric, 1.0)
        baseline = None if self.baseline is None else self.baseline / scale
        return dataclasses.replace(self, mode=mode, min_delta=self.min_delta / scale, baseline=baseline)

    def arguments(self) -> dict[str, Any]:
        """The arguments of the Keras class, those at Keras's defaults left out but for the monitored figure.

        With a mode where the name of a metric tells: Keras asks the metric, and many do not answer.
        """
        plain = {"min_delta": 0.0, "mode": "auto", "baseline": None, "restore_best_weights": False}
        plain["start_from_epoch"] = 0
        given, metric = self.to_dict(), self.monitor.removeprefix("val_")
        if self.mode == "auto" and metric != "loss" and (larger := larger_by_name(metric)) is not None:
            given["mode"] = "max" if larger else "min"
        return {name: value for name, value in given.items() if name not in plain or value != plain[name]}

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
        if "patience" not in data:
            raise InvalidValue("EarlyStopping: `patience` is missing: after how many epochs without improvement?")
        return cls(**cast(dict[str, Any], dict(data)))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
