"""Everything that the command line does, as one call each."""

from optselect.api.compare import Across, compare
from optselect.api.lr_range import RangeTest, Sweep, lr_range
from optselect.api.replay import Replay, replay
from optselect.api.result import Result
from optselect.api.scaling import Scaled, scale
from optselect.api.studies import STUDIES, studies
from optselect.api.tune import tune

__all__ = [
    "STUDIES",
    "Across",
    "RangeTest",
    "Replay",
    "Result",
    "Scaled",
    "Sweep",
    "compare",
    "lr_range",
    "replay",
    "scale",
    "studies",
    "tune",
]
