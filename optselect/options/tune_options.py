"""Options of a study besides its data and its search: how its answer is tested, where it runs, who gets copies."""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from optselect.errors import InvalidValue
from optselect.sinks.mlflow import check_name, default_uri
from optselect.sinks.mlflow.uris import Store
from optselect.task import Precision
from optselect.util.option_fields import check_choices, documented, option
from optselect.verdict.race import PRESETS
from optselect.verdict.ranking import Preference
from optselect.workers.local import Device

if TYPE_CHECKING:
    from optselect.sinks.optuna_db import Database

__all__ = ["Evaluation", "RunOptions", "Tracking"]


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How the best candidates are compared and confirmed on fresh seeds.

    Raises
    ------
    InvalidValue, UnknownName
        If a value is none of those described.

    Examples
    --------
    >>> Evaluation(confirm=1)
    Traceback (most recent call last):
    optselect.errors.InvalidValue: tune: `confirm` must be 0 or at least 2 (one number has no interval), got 1.
    """

    care: str = option(
        "standard",
        "How many candidates are rerun on how many fresh seeds: 4, 8 or 16 candidates to begin with.",
        choices=tuple(PRESETS),
    )
    confirm: int | None = option(
        None,
        "Confirmation runs per finalist on the test set; 0 for none.",
        type="int",
        absent="5, 10 or 30, by care level",
        form="whole",
    )
    rope: float | None = option(
        None,
        "Equivalence margin: the difference in the reported metric that does not matter, e.g. 0.005.",
        type="float",
        absent="the larger of one standard error and half a point of a share or 1 % of any other metric",
        form="real",
    )
    prefer: Preference = option(
        "simplest",
        'What to recommend among candidates that the race cannot tell apart; "cheapest" is about memory.',
        choices=get_args(Preference),
    )
    check: bool = option(
        True, "Train the recommended configuration once with `model.fit`, and keep that model.", type="bool"
    )
    whole: bool = option(False, "Train the model that is kept on the test set too.", type="bool")

    def __post_init__(self) -> None:
        check_choices(self, "tune")
        if self.confirm is not None and (self.confirm < 0 or self.confirm == 1):
            raise InvalidValue(
                f"tune: `confirm` must be 0 or at least 2 (one number has no interval), got {self.confirm}."
            )
        if self.rope is not None and not 0 <= self.rope < math.inf:
            raise InvalidValue(f"tune: `rope` must be a number from 0, got {self.rope}.")


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where and how trainings run, and where the study is kept.

    Raises
    ------
    InvalidValue, UnknownName
        If a value is none of those described.

    Examples
    --------
    >>> RunOptions(workers=2, out="studies").out
    'studies'
    """

    workers: int | None = option(
        None, "Training processes.", type="int", absent="what cores and memory allow", form="whole"
    )
    device: Device = option(
        "auto", 'Where to train; "auto": one process per GPU if there are GPUs.', choices=get_args(Device)
    )
    precision: Precision | None = option(
        None, "Data type in which the layers compute.", choices=get_args(Precision), absent="that of the model"
    )
    study: str | None = option(None, "Name of the study.", type="str", absent="from the data", metavar="NAME")
    out: str | Path | None = option(
        None, "Folder of the studies.", type="str or Path", absent="optselect-studies", metavar="FOLDER"
    )
    report: bool = option(True, "Write `report.html` and the Optuna study at the end.", type="bool")

    def __post_init__(self) -> None:
        check_choices(self, "tune")
        if self.out is not None:
            object.__setattr__(self, "out", str(self.out))
        if self.workers is not None and self.workers < 1:
            raise InvalidValue(f"tune: `workers` must be at least 1, got {self.workers}.")


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class Tracking:
    """Copies of the study for MLflow and Optuna.

    Raises
    ------
    InvalidValue
        If an address or a name cannot be used.

    Examples
    --------
    >>> Tracking(mlflow="none").tracking_uri is None
    True
    """

    mlflow: str | None = option(
        "default",
        'MLflow tracking URI; "default": MLFLOW_TRACKING_URI, else ./mlflow.db; "none" or None: no tracking.',
        type="str or None",
        terminal="Tracking URI, or none; default: MLFLOW_TRACKING_URI, else ./mlflow.db.",
        metavar="URI",
    )
    register: str | None = option(
        None,
        'Name under which the trained model is registered in MLflow, with the alias "candidate".',
        type="str",
        metavar="NAME",
    )
    storage: str | None = option(
        "default",
        'Database for a copy of the study in Optuna\'s format, e.g. postgresql://...; "default": OPTSELECT_STORAGE; '
        '"none" or None: no copy.',
        type="str or None",
        terminal="Database for a copy that Optuna reads, or none: postgresql://...; default: OPTSELECT_STORAGE.",
        metavar="URL",
    )

    def __post_init__(self) -> None:
        for name in ("mlflow", "storage"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if not value or value.lower() == "none" else value)
        if self.tracking_uri is not None:
            Store.parse(self.tracking_uri)  # refused before anything is started
        if self.register is not None:
            if self.mlflow is None:
                raise InvalidValue("tune: `register` needs MLflow, which `mlflow` turns off.")
            check_name(self.register)

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow is; None for no tracking."""
        return default_uri() if self.mlflow == "default" else self.mlflow

    @functools.cached_property
    def database(self) -> Database | None:
        """The database of `storage`, which is asked whether it can be used. Raises `InvalidValue`."""
        from optselect.sinks.optuna_db import Database  # it loads SQLAlchemy, which a help can do without

        return Database.find(self.storage)
