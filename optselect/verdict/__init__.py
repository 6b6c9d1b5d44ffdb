"""Which optimizer is best, and how sure we are: from numbers over seeds to a ranking and its words.

The way of a verdict: `screening` (whom to re-run), `race` (under which seeds), `statistics` (what the seeds say),
`choosing` (what to recommend), `basin` (how forgiving it is), `ranking` (the verdict itself and its paragraph).
Beside it: `across` (many data sets) and `scaling` (another batch size).
"""

from optselect.verdict.ranking import Standing, Verdict, judge, seeds_around
from optselect.verdict.statistics import Estimate, estimate

__all__ = ["Estimate", "Standing", "Verdict", "estimate", "judge", "seeds_around"]
