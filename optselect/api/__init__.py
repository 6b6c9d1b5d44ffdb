"""Everything that the command line does, as one call each."""

from optselect.api.lr_range import RangeTest, Sweep, lr_range
from optselect.api.result import Result
from optselect.api.studies import STUDIES, studies
from optselect.api.tune import tune

__all__ = ["STUDIES", "RangeTest", "Result", "Sweep", "lr_range", "studies", "tune"]
