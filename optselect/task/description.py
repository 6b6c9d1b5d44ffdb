"""What is known of a task once a worker has set it up: for the study, for people and for the record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from optselect.model.objective import Objective
from optselect.task.agreement import Agreement
from optselect.util.json_types import fields_from, plain

__all__ = ["ColumnFacts", "PartFacts", "SimpleAnswer", "TargetFacts", "TaskDescription"]

_LOSS, _HEADLINE = Objective("val_loss"), Objective("loss")
_LATE = {"late": True}  # metadata of fields that are recorded only where there is something to record


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetFacts:
    """A target. kind: "classification" or "regression". classes: its labels as text, empty in regression."""

    name: str
    kind: str
    classes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """A column of a table that is used. type: as it was read, a dtype of pandas."""

    name: str
    kind: str
    date_format: str = ""
    number_format: str = ""
    type: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartFacts:
    """A part of the rows: "train", "validation" or "test". groups: how many it has, None where rows have none.

    first, last: the moments between which its rows lie, "" where they have none.
    """

    name: str
    rows: int
    groups: int | None = None
    first: str = ""
    last: str = ""

    def text(self) -> str:
        """The part in words."""
        groups = "" if self.groups is None else f" of {self.groups:,} group{'s' * (self.groups != 1)}"
        return f"{self.rows:,} {self.name} rows{groups}" + (f", {self.first} to {self.last}" if self.first else "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimpleAnswer:
    """What needs no network: its answer in words, and its scores by name, `val_loss` or `test_accuracy`."""

    answer: str = ""
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskDescription:
    """A task as the first worker found it, and how the study trains it.

    Ledgers of earlier versions lack some of it, which is then at its default.

    Parameters
    ----------
    data : str, default ""
        Name of the data set.
    target : str, default ""
        Name of the target, or names separated by commas.
    kind : str, default ""
        Kind of the target by which the rows are split: "classification" or "regression".
    rows : int, default 0
        Number of rows.
    train_rows : int, default 0
        Rows of the training set.
    validation_rows : int, default 0
        Rows of the validation set.
    test_rows : int, default 0
        Rows of the test set.
    classes : tuple of str, default ()
        Labels of that target as text; empty in regression.
    targets : tuple of TargetFacts, default ()
        All targets.
    features : tuple of tuple of int, default ()
        Shapes of the features without the axis of the rows, before preparation.
    prepared_features : tuple of tuple of int, default ()
        The same after preparation.
    model : str, default ""
        The model, as messages name it.
    parameters : int, default 0
        Number of trainable weights.
    loss : str, default ""
        Name of the loss.
    metrics : tuple of str, default ()
        Names of the metrics.
    asked : str, default "val_loss"
        The objective as the user named it.
    objective : Objective, default _LOSS
        The metric that the study optimizes.
    headline : Objective, default _HEADLINE
        The metric to report.
    compile_code : str, default ""
        Arguments of `model.compile`, as code.
    weighted : bool, default False
        Whether rows have weights.
    precision : str, optional
        Dtype policy of the layers. None: the model's own.
    notes : tuple of str, default ()
        What was found in the data.
    way : str, default ""
        How the steps run: "graph" or "xla"; "" if trials use `model.fit`.
    lines : tuple of str, default ()
        What is shown when the study starts.
    comparison : Agreement or None, optional
        The comparison of the compiled program with `model.fit`.
    baselines : dict of str to SimpleAnswer or None, optional
        Answers that need no network, by name.
    suspects : tuple of str or None, optional
        Likely causes of a training that learns nothing.
    optimizers : tuple of str or None, optional
        Attributes of a model with its own `compile()` that each hold the optimizer of a trial.
    callbacks : str or None, optional
        The user's callbacks, as messages name them.
    workers : int or None, optional
        Number of training processes.
    threads : int or None, optional
        Threads per process.
    source : str or None, optional
        Path of the data file.
    columns : tuple of ColumnFacts or None, optional
        Columns of a table.
    environment : dict of str to str or None, optional
        Versions and the machine.
    parts : tuple of PartFacts or None, optional
        The parts of the rows, where a split was asked for.
    partition : str or None, optional
        How those rows were parted.
    covers : str or None, optional
        What an interval over fresh seeds covers, where a split was asked for.
    architecture : dict, optional
        Architecture of a user's model, recorded beside the description.
    more : dict, optional
        What another version recorded.
    """

    data: str = ""
    target: str = ""
    kind: str = ""
    rows: int = 0
    train_rows: int = 0
    validation_rows: int = 0
    test_rows: int = 0
    classes: tuple[str, ...] = ()
    targets: tuple[TargetFacts, ...] = ()
    features: tuple[tuple[int | None, ...], ...] = ()
    prepared_features: tuple[tuple[int | None, ...], ...] = ()
    model: str = ""
    parameters: int = 0
    loss: str = ""
    metrics: tuple[str, ...] = ()
    asked: str = "val_loss"
    objective: Objective = _LOSS
    headline: Objective = _HEADLINE
    compile_code: str = ""
    weighted: bool = False
    precision: str | None = None
    notes: tuple[str, ...] = ()
    way: str = ""
    lines: tuple[str, ...] = ()
    comparison: Agreement | None = dataclasses.field(default=None, metadata=_LATE)
    baselines: Mapping[str, SimpleAnswer] | None = dataclasses.field(default=None, metadata=_LATE)
    suspects: tuple[str, ...] | None = dataclasses.field(default=None, metadata=_LATE)
    optimizers: tuple[str, ...] | None = dataclasses.field(default=None, metadata=_LATE)
    callbacks: str | None = dataclasses.field(default=None, metadata=_LATE)
    workers: int | None = dataclasses.field(default=None, metadata=_LATE)
    threads: int | None = dataclasses.field(default=None, metadata=_LATE)
    source: str | None = dataclasses.field(default=None, metadata=_LATE)
    columns: tuple[ColumnFacts, ...] | None = dataclasses.field(default=None, metadata=_LATE)
    environment: Mapping[str, str] | None = dataclasses.field(default=None, metadata=_LATE)
    parts: tuple[PartFacts, ...] | None = dataclasses.field(default=None, metadata=_LATE)
    partition: str | None = dataclasses.field(default=None, metadata=_LATE)
    covers: str | None = dataclasses.field(default=None, metadata=_LATE)
    architecture: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def pausable(self) -> bool:
        """Whether a trial can be paused and gone on with: `model.fit` builds its model anew."""
        return bool(self.way)

    @property
    def compared(self) -> bool:
        """Whether a worker looked at the task before its first trial."""
        return any(one is not None for one in (self.comparison, self.baselines, self.suspects))

    def to_dict(self) -> dict[str, Any]:
        """Describe the task with JSON types, without the architecture, under the keys that ledgers have.

        Returns
        -------
        dict
            Facts by name.
        """
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            late = field.metadata and value is None and not (field.name == "comparison" and self.compared)
            if field.name not in ("architecture", "more") and not late:
                found |= self._recorded(field.name, plain(value))
        return found | dict(self.more)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], architecture: Mapping[str, Any] | None = None) -> Self:
        """Make a description from what `to_dict` returned.

        Parameters
        ----------
        data : dict
            Facts by name.
        architecture : dict, optional
            Architecture of a user's model.

        Returns
        -------
        TaskDescription
            The description.

        Raises
        ------
        InvalidValue
            If a fact has a wrong type; the message names its place.
        """
        given = dict(data)
        asked = given.pop("objective", "val_loss")
        name, larger = asked.rpartition(":")[2], bool(given.pop("objective_maximize", False))
        headline = Objective(given.pop("headline", "loss"), maximize=bool(given.pop("headline_maximize", False)))
        names = {field.name for field in dataclasses.fields(cls)} - {"asked", "architecture", "more"}
        return cls(
            **fields_from(cls, {key: value for key, value in given.items() if key in names}),
            asked=asked,
            objective=Objective(name, maximize=larger),
            headline=headline,
            architecture=architecture,
            more={key: value for key, value in given.items() if key not in names},
        )

    def _recorded(self, name: str, value: Any) -> dict[str, Any]:
        """A field under the keys of the record."""
        if name == "asked":
            return {"objective": value, "objective_maximize": self.objective.maximize}
        if name == "headline":
            return {"headline": self.headline.name, "headline_maximize": self.headline.maximize}
        return {} if name == "objective" else {name: value}
