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

    Parameters
    ----------
    monitor : str, default "val_loss"
        `val_loss`, `val_` followed by the name of a metric, or `loss`.
    min_delta : float, default 0.0
        A smaller difference is no improvement.
    patience : int
        Epochs without improvement after which training stops.
    mode : {"auto", "min", "max"}, default "auto"
        Which way the figure is better; "auto" goes by its name.
    baseline : float, optional
        Until the figure is better than that, an improvement does not start
        the count anew.
    restore_best_weights : bool, default True
        Keep the weights of the best epoch rather than those of the last.
    start_from_epoch : int, default 0
        Epochs before which nothing is watched.

    Raises
    ------
    InvalidValue, UnknownName
        If a value is none of those described.

    Examples
    --------
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

        Examples
        --------
        >>> EarlyStopping(patience=3).earliest
        4
        """
        return self.start_from_epoch + max(1, self.patience) + 1

    def check(self, epochs: int) -> None:
        """Refuse a training that ends before it can stop.

        Parameters
        ----------
        epochs : int
            The most epochs of a training.

        Raises
        ------
        InvalidValue
            If they are too few.
        """
        if self.earliest > epochs:
            late = f" from `start_from_epoch` {self.start_from_epoch} on" if self.start_from_epoch else ""
            raise InvalidValue(
                f"EarlyStopping: `patience` {self.patience}{late} stops no training before epoch {self.earliest}, and "
                f"`epochs` is {epochs}: take fewer, or more epochs."
            )

    def check_monitor(self, known: Sequence[str]) -> None:
        """Refuse a figure that nothing reports.

        Parameters
        ----------
        known : sequence of str
            The figures that there are.

        Raises
        ------
        UnknownName
            If the monitored one is none of them.
        """
        if self.monitor not in known:
            hint = suggestion(self.monitor, known)
            raise UnknownName(f"EarlyStopping: no figure `{self.monitor}` to monitor. {hint}")

    def resolved(
        self,
        known: Sequence[str],
        larger: Callable[[str], bool | None],
        scales: Mapping[str, float] | None = None,
    ) -> EarlyStopping:
        """Give it a mode that is known, and the units in which a model is trained.

        Parameters
        ----------
        known : sequence of str
            The figures that there are.
        larger : callable
            Whether a metric is better when larger, by its name; None where nobody knows.
        scales : mapping of str to float, optional
            What turns a metric into the units of its target.

        Returns
        -------
        EarlyStopping
            The same otherwise.

        Raises
        ------
        UnknownName
            If there is no such figure.
        InvalidValue
            If its direction is not known.

        Examples
        --------
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
        """Give the arguments of the Keras class, without those at Keras's defaults except for the monitored figure.

        With a mode where the name of a metric tells: Keras asks the metric, and many do not answer.

        Returns
        -------
        dict
            Values by name.
        """
        plain = {"min_delta": 0.0, "mode": "auto", "baseline": None, "restore_best_weights": False}
        plain["start_from_epoch"] = 0
        given, metric = self.to_dict(), self.monitor.removeprefix("val_")
        if self.mode == "auto" and metric != "loss" and (larger := larger_by_name(metric)) is not None:
            given["mode"] = "max" if larger else "min"
        return {name: value for name, value in given.items() if name not in plain or value != plain[name]}

    def callback(self) -> Any:
        """Make the Keras callback.

        Returns
        -------
        keras.callbacks.EarlyStopping
            A fresh one.
        """
        import keras

        return keras.callbacks.EarlyStopping(**self.arguments())

    def to_dict(self) -> dict[str, Any]:
        """Describe it with JSON types.

        Returns
        -------
        dict
            All fields by name.
        """
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EarlyStopping:
        """Make it from what `to_dict` returned.

        Parameters
        ----------
        data : mapping
            Fields by name; `patience` must be there, others have their defaults.

        Returns
        -------
        EarlyStopping
            Equal to the one that was described.

        Raises
        ------
        InvalidValue, UnknownName
            If a field is missing, unknown or wrong.

        Examples
        --------
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
