"""All that `tune` was asked, checked: what a study records of it, and the task that it makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

from optselect.data import DataOptions, SplitOptions, read
from optselect.errors import InvalidValue
from optselect.model.own_metric import ObjectiveLike
from optselect.options.recording import recorded, restored
from optselect.options.tune_options import Evaluation, RunOptions, Tracking
from optselect.study.search_options import SearchOptions
from optselect.task import EarlyStopping, TaskSpec, make_spec
from optselect.util.option_fields import Option, option, options

__all__ = ["GROUPS", "Settings", "every_option"]

GROUPS: Mapping[str, type] = {
    "splits": SplitOptions,
    "data_options": DataOptions,
    "search": SearchOptions,
    "evaluation": Evaluation,
    "run": RunOptions,
    "tracking": Tracking,
}
"""The classes of options that `tune` takes besides its own, by the name of the argument."""

EPOCHS = 20
MOST_EPOCHS = 100
"""Epochs of a training that nothing is said of, and the most of one that stops early."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of `tune`, which are described where they are declared.

    >>> Settings().trials, Settings(time_limit=60).trials
    (60, None)
    """

    model: Any = option(
        None,
        "A function that builds a `keras.Model`, FILE.py:FUNCTION, a .keras file, or a `keras.Model`.",
        type="callable, str, Path or keras.Model",
        absent="a model that suits the data",
        terminal="Function that returns a keras.Model, or a .keras file.",
        metavar="FILE.py:FUNCTION",
    )
    data: Any = dataclasses.field(
        default=None,
        metadata={
            "positional": Option(
                doc="A file, sklearn:NAME, FILE.py:FUNCTION, a data frame with the column `target`, or `(x, y)` or "
                "`(x, y, sample_weight)`. Several targets are a dict by the names of the model's outputs, or several "
                "columns.",
                type="str, Path, DataFrame, tuple or tf.data.Dataset",
            )
        },
    )
    target: str | Sequence[str] | None = option(
        None,
        "Column to predict; several for a model with one output per target, separated by commas or as a list.",
        type="str or list of str",
        absent="a column named like one",
        terminal="Column to predict; several, for a model with one output per target, with commas",
        metavar="COLUMN",
        form="repeated",
    )
    kind: str | Mapping[str, str] | None = option(
        None,
        'Kind of task, "classification" or "regression", or one by the name of each target.',
        type="str or dict",
        absent="inferred from the target",
        terminal="Kind of task: classification or regression, or TARGET=KIND,... for several targets.",
        choices=("classification", "regression"),
        metavar="KIND",
        form="by name",
    )
    objective: ObjectiveLike = option(
        "val_loss",
        'What to optimize: "val_loss", "val_NAME" with the name of a metric, or a function (y_true, y_pred) -> number, '
        'also as FILE.py:FUNCTION. "max:" or "min:" in front, or ("max", function), tells which way is better.',
        type="str, Path, callable or tuple",
        terminal="What to optimize: val_loss, val_NAME with the name of a metric (val_auc, val_f1, val_r2, ...), or a "
        "function (y_true, y_pred) -> number; max: or min: in front tells which way is better.",
        metavar="NAME|FILE.py:FUNCTION",
    )
    trials: int | None = option(
        None,
        "Trials in total, over all optimizers.",
        type="int",
        absent="60, or as many as the time limit allows",
        form="whole",
    )
    time_limit: float | None = option(
        None,
        "Seconds for the whole study, from the call to its end; the stages after the search shrink if need be.",
        type="float",
        absent="no limit",
        terminal="Time for the whole study, to its end: 90s, 10m, 1.5h.",
        flag="--time",
        form="seconds",
    )
    epochs: int | None = option(
        None,
        "Epochs per training; with early stopping at most.",
        type="int",
        absent=f"{EPOCHS}, with early stopping {MOST_EPOCHS}",
        form="whole",
    )
    patience: int | None = option(
        None,
        "Stop a training when `val_loss` has not improved for so many epochs, and keep its best weights.",
        type="int",
        absent="no early stopping",
        form="whole",
    )
    early_stopping: EarlyStopping | Mapping[str, Any] | None = option(
        None,
        "All arguments of Keras's `EarlyStopping`, in place of `patience`.",
        type="EarlyStopping or dict",
        absent="no early stopping",
        terminal="Arguments of Keras's EarlyStopping, in place of --patience: patience=5,min_delta=0.01.",
        metavar="NAME=VALUE,...",
        form="arguments",
    )
    optimizers: Sequence[str] | None = option(
        None,
        'Optimizers to compare, e.g. ["adam", "sgd"] or "adam,sgd".',
        type="list of str or str",
        absent="all in the search space",
        terminal="Optimizers to compare, with commas: adam,sgd.",
        metavar="NAME,NAME",
        form="listed",
    )
    space: str | Path | None = option(
        None,
        "Search space: a name that `optselect spaces` lists, or a YAML file.",
        type="str or Path",
        absent="the default space",
        terminal="Search space: a name that 'optselect spaces' lists, or a YAML file.",
        metavar="NAME|FILE",
    )
    callbacks: Any = option(
        None,
        "Callbacks of `model.fit`, made anew for each training: FILE.py:FUNCTION or a function that returns a list of "
        "`keras.callbacks.Callback`, or such a list. Trainings then use `model.fit`, which is slower.",
        type="str, callable or list",
        absent="none",
        terminal="Function that returns a list of Keras callbacks; trainings then use model.fit, which is slower.",
        metavar="FILE.py:FUNCTION",
    )
    seed: int = option(0, "Random seed for splits, initialization and sampling.", type="int", form="whole")
    splits: SplitOptions = dataclasses.field(default_factory=SplitOptions)
    data_options: DataOptions = dataclasses.field(default_factory=DataOptions)
    search: SearchOptions = dataclasses.field(default_factory=SearchOptions)
    evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
    run: RunOptions = dataclasses.field(default_factory=RunOptions)
    tracking: Tracking = dataclasses.field(default_factory=Tracking)

    def __post_init__(self) -> None:
        for name in ("trials", "time_limit", "epochs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidValue(f"tune: `{name}` must be at least 1, got {value}.")
        if self.trials is None and self.time_limit is None:
            object.__setattr__(self, "trials", 60)
        self._check_stopping()
        names = self.optimizers.split(",") if isinstance(self.optimizers, str) else self.optimizers or ()
        object.__setattr__(self, "optimizers", tuple(name.strip() for name in names if name.strip()) or None)
        if isinstance(self.target, list | tuple):
            target = tuple(map(str, self.target))
            object.__setattr__(self, "target", target[0] if len(target) == 1 else target or None)

    def _check_stopping(self) -> None:
        if self.early_stopping is not None and self.patience is not None:
            raise InvalidValue(
                "tune: `patience` and `early_stopping` are two ways to ask for early stopping; give one of them."
            )
        if isinstance(self.early_stopping, Mapping):
            object.__setattr__(self, "early_stopping", EarlyStopping.from_dict(self.early_stopping))
        elif not isinstance(self.early_stopping, EarlyStopping | None):
            raise InvalidValue(f"tune: `early_stopping` must be an EarlyStopping, got {self.early_stopping!r}.")
        if self.epochs is None:
            object.__setattr__(self, "epochs", EPOCHS if self.stopping is None else MOST_EPOCHS)

    @property
    def stopping(self) -> EarlyStopping | None:
        """When a training stops before its last epoch; None if it does not."""
        if self.patience is not None:
            return EarlyStopping(patience=self.patience)
        return cast(EarlyStopping | None, self.early_stopping)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """From the values of options by name, without their groups."""
        groups = {
            group: kind(**{f.name: values.pop(f.name) for f, _ in options(kind) if f.name in values})
            for group, kind in GROUPS.items()
        }
        return cls(**values, **groups)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_record`. What could not be recorded is at its default, as is what was not yet there."""
        names = {"data", *(name for _, name, _ in every_option())}
        return cls.of(**{name: restored(name, value) for name, value in record.items() if name in names})

    def to_record(self) -> dict[str, Any]:
        """JSON types only, without passwords; `objects` names what no file can hold.

        >>> import numpy as np
        >>> Settings(data="a.csv", model=print).to_record()["objects"], Settings(data="a.csv").to_record()["trials"]
        (['model'], 60)
        """
        return recorded({"data": self.data, **self.values()})

    def values(self) -> dict[str, Any]:
        """The values of all options by name, without their groups."""
        return {name: getattr(getattr(self, group) if group else self, name) for group, name, _ in every_option()}

    def arguments(self) -> dict[str, Any]:
        """The arguments of `tune`."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def spec(self, tell: Callable[[str], None] = lambda line: None) -> TaskSpec:
        """The task, read anew from where the data are. tell: gets a line now and then if reading takes long."""
        return make_spec(
            read(self.data, target=self.target, splits=self.splits, tell=tell, **self.data_options.reading()),
            model=self.model,
            epochs=cast(int, self.epochs),
            stopping=self.stopping,
            objective=self.objective,
            seed=self.seed,
            kind=self.kind,
            class_weight=self.data_options.class_weight,
            precision=self.run.precision,
            splits=self.splits,
            callbacks=self.callbacks,
        )


def every_option() -> Iterator[tuple[str, str, Option]]:
    """Each option: the argument of `tune` that holds it ("" for its own), its name, and what is known of it."""
    for field, about in options(Settings):
        yield "", field.name, about
    for group, kind in GROUPS.items():
        for field, about in options(kind):
            yield group, field.name, about
