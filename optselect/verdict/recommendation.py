"""What `recommendation.json` holds: the verdict with what a user takes away from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from optselect.optim.configuration import Configuration
from optselect.util.json_types import Misread, fields_from
from optselect.verdict.ranking import Verdict

__all__ = ["Recommendation"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The answer of a study, `study`.

    text: the verdict for people as it was written, perhaps by an earlier version. total_steps: of one training with
    the configuration. snippet: code to paste. dashboard, registered: where MLflow has it, "" without it. data: the
    description of the task. search: `Findings.to_dict`.
    """

    study: str
    verdict: Verdict
    text: str
    total_steps: int
    snippet: str
    directory: str
    dashboard: str = ""
    registered: str = ""
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    search: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def configuration(self) -> Configuration:
        """What to take."""
        return self.verdict.recommended.configuration

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "study": self.study,
            "verdict": {**self.verdict.to_dict(), "text": self.text},
            "configuration": self.configuration.to_dict(),
            "total_steps": self.total_steps,
            "snippet": self.snippet,
            "directory": self.directory,
            "dashboard": self.dashboard,
            "registered": self.registered,
            "data": dict(self.data),
            "search": dict(self.search),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises `InvalidValue`, with the place."""
        verdict = data.get("verdict") if isinstance(data, Mapping) else None
        if not isinstance(verdict, Mapping):
            raise Misread("", "has no `verdict`")
        return cls(**fields_from(cls, {**data, "text": verdict.get("text")}))
