"""How a study is to be run: what `tune` was asked for, checked."""

from __future__ import annotations

import dataclasses
import math
from typing import get_args

from optselect.errors import InvalidValue, UnknownName
from optselect.sinks.mlflow import check_name, default_uri
from optselect.sinks.mlflow.uris import Store
from optselect.sinks.optuna_db import Database
from optselect.study.search_options import SearchOptions
from optselect.util.suggestion import suggestion
from optselect.verdict.race import PRESETS
from optselect.verdict.ranking import Preference
from optselect.workers.local import Device

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """trials, seconds: the budget, as in `Budget`; 60 trials if neither is given. care: how many are re-run how often,
    a preset of `race`. confirm: confirmations of a finalist, None for the preset's. rope: as `width` in `judge`.
    prefer: as there. seed: of the whole study. workers: training processes, None to be found.
    device: as in `LocalExecutor`. register, mlflow, check, whole, report: as in `tune`. storage: for a
    copy of the study that Optuna reads. search: how the search goes about it.

    >>> Settings(confirm=1)
    Traceback (most recent call last):
    optselect.errors.InvalidValue: tune: `confirm` must be 0 or at least 2 (one number has no interval), got 1.
    """

    trials: int | None = None
    seconds: float | None = None
    care: str = "standard"
    confirm: int | None = None
    rope: float | None = None
    prefer: Preference = "simplest"
    seed: int = 0
    workers: int | None = None
    device: Device = "auto"
    mlflow: str | None = "default"
    register: str | None = None
    storage: Database | None = None
    check: bool = True
    whole: bool = False
    report: bool = True
    search: SearchOptions = dataclasses.field(default_factory=SearchOptions)

    def __post_init__(self) -> None:
        for name, shown, least in (("trials", "trials", 1), ("seconds", "time", 1), ("workers", "workers", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidValue(f"tune: `{shown}` must be at least {least}, got {value}.")
        for name, known in (
            ("care", list(PRESETS)),
            ("device", list(get_args(Device))),
            ("prefer", list(get_args(Preference))),
        ):
            if getattr(self, name) not in known:
                raise UnknownName(
                    f"tune: no `{name}` {getattr(self, name)!r}. {suggestion(getattr(self, name), known)}"
                )
        if self.confirm is not None and (self.confirm < 0 or self.confirm == 1):
            raise InvalidValue(
                f"tune: `confirm` must be 0 or at least 2 (one number has no interval), got {self.confirm}."
            )
        if self.rope is not None and not 0 <= self.rope < math.inf:
            raise InvalidValue(f"tune: `rope` must be a number from 0, got {self.rope}.")
        if self.tracking_uri is not None:
            Store.parse(self.tracking_uri)  # refused before anything is started
        if self.register is not None:
            if self.mlflow is None:
                raise InvalidValue("tune: `register` needs MLflow, which `mlflow` turns off.")
            check_name(self.register)
        if self.trials is None and self.seconds is None:
            object.__setattr__(self, "trials", 60)

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow is; None for no tracking."""
        return default_uri() if self.mlflow == "default" else self.mlflow
