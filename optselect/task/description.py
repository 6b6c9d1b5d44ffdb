"""What is known of a task once a worker has set it up: for the study, for people and for the record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from optselect.model.objective import Objective
from optselect.task.agreement import Agreement
from optselect.util.json_types import fields_from, plain

__all__ = ["ColumnFacts", "SimpleAnswer", "TargetFacts", "TaskDescription"]

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
class SimpleAnswer:
    """What needs no network: its answer in words, and its scores by name, `val_loss` or `test_accuracy`."""

    answer: str = ""
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskDescription:
    """A task as the first worker found it, and how the study trains it.

    data, target: their names. kind: of the target that rows are split by. features, prepared_features: shapes without
    rows, before and after preparation. model: as messages name it. parameters: trainable weights. loss: its name.
    metrics: their names. objective: what the study improves; asked: that as the user named it. headline: the metric
    to report. compile_code: the arguments of `model.compile`. weighted: whether rows have weights. precision: as in
    `TaskSpec`. notes: what was found in the data.

    way: how the steps run, "graph" or "xla"; "" where trials use `model.fit`. lines: to be shown when the study
    starts. workers, threads: training processes, and threads of each. comparison: of the program with `model.fit`.
    baselines: simple answers by name. suspects: likely causes of a training that learns nothing. source: path of the
    file. columns: of a table. environment: versions and the machine. architecture: of a user's model, recorded beside
    the description. more: what another version recorded.

    Ledgers of earlier versions lack some of it, which is then at its default.
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
    workers: int | None = dataclasses.field(default=None, metadata=_LATE)
    threads: int | None = dataclasses.field(default=None, metadata=_LATE)
    source: str | None = dataclasses.field(default=None, metadata=_LATE)
    columns: tuple[ColumnFacts, ...] | None = dataclasses.field(default=None, metadata=_LATE)
    environment: Mapping[str, str] | None = dataclasses.field(default=None, metadata=_LATE)
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
        """JSON types only, without the architecture, under the keys that ledgers have."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            late = field.metadata and value is None and not (field.name == "comparison" and self.compared)
            if field.name not in ("architecture", "more") and not late:
                found |= self._recorded(field.name, plain(value))
        return found | dict(self.more)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], architecture: Mapping[str, Any] | None = None) -> Self:
        """The inverse of `to_dict`. Raises `InvalidValue`, with the place."""
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
