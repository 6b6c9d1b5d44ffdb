"""What a study came to: the verdict with all that belongs to it, as its files and copies are made from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.study.findings import Findings
from optselect.task import TaskDescription, TaskSpec
from optselect.verdict import Verdict
from optselect.verdict.recommendation import Recommendation

__all__ = ["Outcome"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a study came to; `Result` has its fields, and what a caller does with them."""

    name: str
    verdict: Verdict
    total_steps: int
    snippet: str
    directory: Path
    description: TaskDescription
    records: Sequence[TrialRecord]
    search: Findings
    spec: TaskSpec = dataclasses.field(repr=False)
    dashboard: str = ""
    registered: str = ""
    resumed: int = 0

    @property
    def best(self) -> Configuration:
        """The recommended configuration."""
        return self.verdict.recommended.configuration

    def recommendation(self) -> Recommendation:
        """The content of `recommendation.json`.

        Returns
        -------
        Recommendation
            The content.
        """
        return Recommendation(
            study=self.name,
            verdict=self.verdict,
            text=self.verdict.text(),
            total_steps=self.total_steps,
            snippet=self.snippet,
            directory=str(self.directory),
            dashboard=self.dashboard,
            registered=self.registered,
            data=self.description.to_dict(),
            search=self.search.to_dict(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Describe the result with JSON types.

        Returns
        -------
        dict
            What `recommendation.json` contains.
        """
        return self.recommendation().to_dict()
