"""Which optimizer is best, and how sure we are: from numbers over seeds to a ranking and its words.

The way of a verdict: `screening` (whom to re-run), `race` (under which seeds), `finals` (the stages that do it),
`statistics` (what the seeds say), `choosing` (what to recommend), `basin` (how forgiving it is), `diagnosis` and
`costs` (why not the others), `judging` (all of it together), `ranking` (the verdict), `wording` (its paragraph).
Beside it: `across` (many data sets) and `scaling` (another batch size).
"""

from optselect.util.intervals import Estimate, estimate
from optselect.verdict.from_records import judge, seeds_around
from optselect.verdict.ranking import Standing, Verdict

__all__ = ["Estimate", "Standing", "Verdict", "estimate", "judge", "seeds_around"]
