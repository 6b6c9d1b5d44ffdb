"""What a study remembers of itself: plain data that goes to the ledger, to MLflow and to the verdict.

Each class is a kind of entry of the ledger: `kind` is its name there, `to_dict` what is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol

from optselect.optim.configuration import Configuration
from optselect.task import TaskDescription

__all__ = [
    "Entry",
    "Outcome",
    "SettingsRecord",
    "StageName",
    "StorageRecord",
    "StudyRecord",
    "TaskRecord",
    "TrialRecord",
    "without_stopping",
]

Outcome = Literal["complete", "pruned", "diverged", "failed"]
StageName = Literal["search", "race", "confirm", "basin"]


class Entry(Protocol):
    """What can be written to a ledger."""

    @property
    def kind(self) -> str:
        """Its name in the ledger."""

    def to_dict(self) -> dict[str, Any]:
        """What is written, JSON types only."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """What a study asks, fixed when it starts.

    fingerprint: what must not change between two runs of one study, by name (data, target, model, space,
    epochs, seed, objective ...); each value is a short string. description: for people (names of data and space)
    and to ask again. settings: all that was asked for, None in studies of earlier versions. task: what a worker said of
    the task, which is an entry of its own.
    """

    kind: ClassVar = "study"

    name: str
    fingerprint: Mapping[str, str]
    description: Mapping[str, Any]
    settings: Mapping[str, Any] | None = None
    task: TaskDescription | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, without the task, which is recorded when a worker has set it up."""
        return {
            "name": self.name,
            "fingerprint": dict(self.fingerprint),
            "description": dict(self.description),
            "settings": None if self.settings is None else dict(self.settings),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyRecord:
        """The inverse of `to_dict`."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SettingsRecord:
    """What was asked for when a study was resumed with other settings."""

    kind: ClassVar = "settings"

    settings: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"settings": dict(self.settings)}  # one of them is `kind`, a word that the ledger has for itself

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SettingsRecord:
        """The inverse of `to_dict`."""
        return cls(settings=data["settings"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """What the workers say of the task."""

    kind: ClassVar = "task"

    description: TaskDescription

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"description": self.description.to_dict(), "architecture": self.description.architecture}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskRecord:
        """The inverse of `to_dict`."""
        return cls(description=TaskDescription.from_dict(data["description"], data.get("architecture")))


@dataclasses.dataclass(frozen=True, kw_only=True)
class StorageRecord:
    """The key under which a database has the study's copy."""

    kind: ClassVar = "storage"

    key: str

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"key": self.key}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StorageRecord:
        """The inverse of `to_dict`."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One configuration trained with one seed.

    number: its place in the study, from 0, unique over all stages. stage: "search", "race" (fresh seeds for the
    most promising), "confirm" (fresher ones for the finalists), "basin" (other learning rates of the recommended).
    outcome: "pruned" where training ended early because others did better. curves: a list a name, one entry an
    epoch: loss, val_loss, val_<metric>, learning_rate. value: the objective of the weights at the end, None unless
    complete. metrics: final values by name (val_loss, val_accuracy ...; test_* only in the confirm stage).
    epochs: trained. started: seconds since 1970, UTC. seconds: of training and evaluation. step_seconds: of one
    training step. memory: bytes of the parameters and the rule's slots. attributes: what the stage must know to go on
    (its Optuna parameters, say). best_epoch: the epoch, from 1, whose weights early stopping kept, 0 without it.
    stopped: whether early stopping ended the training before its last epoch.
    """

    kind: ClassVar = "trial"

    number: int
    stage: StageName
    arm: str
    configuration: Configuration
    seed: int
    outcome: Outcome
    value: float | None
    metrics: Mapping[str, float]
    curves: Mapping[str, list[float]]
    epochs: int
    started: float
    seconds: float
    message: str = ""
    step_seconds: float = 0.0
    memory: int = 0
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    best_epoch: int = 0
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        shallow = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**without_stopping(shallow), "configuration": self.configuration.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrialRecord:
        """The inverse of `to_dict`."""
        return cls(**{**data, "configuration": Configuration.from_dict(data["configuration"])})


def without_stopping(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a training, without what early stopping says of it where there was none.

    >>> without_stopping({"epochs": 3, "best_epoch": 0, "stopped": False})
    {'epochs': 3}
    """
    stopping = ("best_epoch", "stopped")
    return {name: value for name, value in fields.items() if name not in stopping or fields.get("best_epoch")}
