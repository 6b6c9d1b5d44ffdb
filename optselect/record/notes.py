"""What a study notes beside its trials: rungs, range tests, what the search decided, the trainings at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from optselect.optim.configuration import Configuration
from optselect.record.entries import StageName, without_stopping
from optselect.trainer.messages import ProbeRun, Run

__all__ = [
    "FINALS",
    "CareRecord",
    "Eliminated",
    "FinalKind",
    "FinalTraining",
    "Preset",
    "RangeTestRecord",
    "RungRecord",
    "ShareRecord",
]

FinalKind = Literal["check", "refit"]
FINALS: tuple[FinalKind, ...] = get_args(FinalKind)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RungRecord:
    """A trial that was paused: trained for `epochs`, `run` is what was found so far."""

    kind: ClassVar = "rung"

    number: int
    arm: str
    epochs: int
    configuration: Configuration
    run: Run

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        about = {"number": self.number, "arm": self.arm, "epochs": self.epochs}
        run = without_stopping(dataclasses.asdict(self.run))
        return {**about, "configuration": self.configuration.to_dict(), "run": run}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RungRecord:
        """The inverse of `to_dict`."""
        configuration, run = Configuration.from_dict(data["configuration"]), Run(**data["run"])
        return cls(**{**data, "configuration": configuration, "run": run})


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangeTestRecord:
    """The range test of an arm. steps: at each learning rate. whole: steps of a trial with the same batch size."""

    kind: ClassVar = "probe"

    arm: str
    steps: int
    whole: int
    run: ProbeRun

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RangeTestRecord:
        """The inverse of `to_dict`."""
        return cls(**{**data, "run": ProbeRun(**{**data["run"], "rates": tuple(data["run"]["rates"])})})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShareRecord:
    """How many trials the search expects in all, over all arms."""

    kind: ClassVar = "share"

    trials: int

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {"trials": self.trials}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ShareRecord:
        """The inverse of `to_dict`."""
        return cls(**data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eliminated:
    """Why an arm gets no more trials; in the objective's direction and units.

    checkpoint: trials that it and every other arm had. best: its best value. bound: what it could hope for, with all
    its chances. needed: the best value of the leader, which it would have had to reach. leader: the leader's name.
    """

    kind: ClassVar = "eliminated"

    arm: str
    checkpoint: int
    best: float
    bound: float
    needed: float
    leader: str

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Eliminated:
        """The inverse of `to_dict`."""
        return cls(**data)

    def __str__(self) -> str:
        return (
            f"{self.arm} gets no more trials after {self.checkpoint}: best {self.best:.4g}, could hope for "
            f"{self.bound:.4g}; {self.leader} has {self.needed:.4g}."
        )


@dataclasses.dataclass(frozen=True)
class Preset:
    """How much care: candidates that start, trainings that a round may cost, confirmations of a finalist, seeds at
    each other learning rate."""

    candidates: int
    round_cost: int
    confirmations: int
    around: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class CareRecord:
    """How much care there was time for, decided when a stage began."""

    kind: ClassVar = "care"

    stage: StageName
    care: Preset

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CareRecord:
        """The inverse of `to_dict`."""
        return cls(**{**data, "care": Preset(**data["care"])})


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinalTraining:
    """A training of the recommended configuration after the verdict.

    kind: "check" with plain `model.fit`, "refit" of the model to keep. error: "" where it went well. files: SHA-256 of
    the files that it saved, by name; {} where none was, None in studies of earlier versions. epochs: trained, where
    early stopping says how many; None without it.
    """

    kind: FinalKind
    configuration: Configuration
    metrics: Mapping[str, float]
    error: str
    files: Mapping[str, str] | None = None
    epochs: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        found = {"configuration": self.configuration.to_dict(), "metrics": dict(self.metrics), "error": self.error}
        late = {"files": None if self.files is None else dict(self.files), "epochs": self.epochs}
        return {**found, **{name: value for name, value in late.items() if value is not None}}

    @classmethod
    def from_dict(cls, kind: FinalKind, data: Mapping[str, Any]) -> FinalTraining:
        """The inverse of `to_dict`."""
        return cls(**{**data, "kind": kind, "configuration": Configuration.from_dict(data["configuration"])})
