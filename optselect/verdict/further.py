"""The metrics beside the one that is reported first: of the recommended configuration and of Keras's default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from optselect.record.entries import TrialRecord
from optselect.util.intervals import Estimate, estimate, limits
from optselect.verdict.numbers import number
from optselect.verdict.ranking import Verdict

__all__ = ["FurtherMetric", "further_metrics", "scores_on_test"]

_TEST = "test_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FurtherMetric:
    """A metric on the test set. default: of Keras's default; None where that is recommended, or lacks it."""

    name: str
    recommended: Estimate
    default: Estimate | None

    @property
    def cells(self) -> tuple[str, ...]:
        """Mean and interval of both, as words."""
        return tuple(word for one in (self.recommended, self.default) for word in _words(one))


def further_metrics(verdict: Verdict) -> tuple[FurtherMetric, ...]:
    """Those of the confirmation; none where nothing was confirmed."""
    best, default = verdict.recommended, verdict.default
    theirs = {} if default is best or default.metrics is None else default.metrics
    return tuple(
        FurtherMetric(name=name, recommended=found, default=theirs.get(name))
        for name, found in (best.metrics or {}).items()
    )


def scores_on_test(runs: Sequence[TrialRecord], *, but: str) -> Mapping[str, Estimate] | None:
    """The metrics that all runs have on the test set, over the runs; None for none. but: left out."""
    names = [name.removeprefix(_TEST) for name in runs[0].metrics if name.startswith(_TEST)] if runs else []
    found = {
        name: estimate((run.metrics[_TEST + name] for run in runs), within=limits(name))
        for name in names
        if name != but and all(_TEST + name in run.metrics for run in runs)
    }
    return found or None


def _words(one: Estimate | None) -> tuple[str, str]:
    if one is None:
        return "", ""
    return number(one.mean), f"{number(one.low)} to {number(one.high)}"
