"""Which optimizer is best, and how sure we are: from numbers over seeds to a ranking and its words.

In the order of use: `screening` (which candidates to train again), `race` (under which seeds), `finals` (the stages
that do it), `statistics` (what the seeds say), `choosing` (what to recommend), `lr_sensitivity`, `diagnosis` and
`costs` (why not the others), `from_records` (all of it together), `standing` and `ranking` (the verdict), `wording`
(its paragraph), `recommendation` and `answer` (what is saved of it, and whether a file is whole). Besides: `across`
(several data sets) and `scaled` (another batch size).
"""

from optselect.util.intervals import Estimate, estimate
from optselect.verdict.from_records import judge, seeds_around
from optselect.verdict.ranking import Verdict
from optselect.verdict.standing import Standing

__all__ = ["Estimate", "Standing", "Verdict", "estimate", "judge", "seeds_around"]
