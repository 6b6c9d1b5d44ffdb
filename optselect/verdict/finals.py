"""The stage after the search: the best configuration of every arm under fresh seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from optselect.configuration import Configuration
from optselect.records import StageName, TrialRecord
from optselect.seeds import derive
from optselect.study.arm import Direction
from optselect.study.stage import Planned
from optselect.trainer.jobs import Run

__all__ = ["Confirm", "confirmation_seeds", "finalists"]


class Confirm:
    """Re-runs every finalist on the same fresh seeds, used nowhere before.

    finalists: arm and configuration. records: the trials of the study that are there.
    """

    name: StageName = "confirm"

    def __init__(
        self,
        finalists: Sequence[tuple[str, Configuration]],
        records: Iterable[TrialRecord],
        *,
        seed: int,
        seeds: int,
        epochs: int,
    ) -> None:
        done = {(r.configuration, r.seed) for r in records if r.stage == self.name}
        self._total = len(finalists) * seeds
        self._waiting = [
            Planned(stage=self.name, arm=arm, configuration=configuration, seed=fresh, epochs=epochs, test=True)
            for fresh in confirmation_seeds(seed, seeds)
            for arm, configuration in finalists
            if (configuration, fresh) not in done
        ]
        self._done = self._total - len(self._waiting)

    def total(self) -> int | None:
        return self._total

    def done(self) -> int:
        return self._done

    def finished(self) -> bool:
        """Whether every finalist has all its confirmations."""
        return self._done == self._total

    def next(self, idle: int, running: Collection[Planned]) -> Planned | None:
        return self._waiting.pop(0) if self._waiting else None

    def goes_on(self, planned: Planned, runs: Sequence[Run]) -> Planned | None:
        return None

    def learn(self, record: TrialRecord) -> None:
        self._done += 1


def finalists(
    records: Iterable[TrialRecord], *, baseline: Configuration, direction: Direction
) -> list[tuple[str, Configuration]]:
    """The best configuration of each arm, best arm first, then the baseline if it is none of them.

    records: of the search, by number. Empty if no trial gave a value.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    best: dict[str, TrialRecord] = {}
    for record in records:
        if record.value is not None and (
            record.arm not in best or sign * record.value < sign * (best[record.arm].value or 0.0)
        ):
            best[record.arm] = record
    if not best:
        return []
    ranked = sorted(best.values(), key=lambda r: (sign * (r.value or 0.0), r.arm))
    found = [(r.arm, r.configuration) for r in ranked]
    return found if any(c == baseline for _, c in found) else [*found, (baseline.rule.key, baseline)]


def confirmation_seeds(seed: int, count: int) -> list[int]:
    """The fresh seeds of a study's finalists, the same for all of them."""
    return [derive(seed, "confirm", k) for k in range(count)]
