"""Everything that the command line does, as one call each."""

from optselect.api.compare import Across, compare
from optselect.api.describe import ColumnReport, DataReport, describe_data
from optselect.api.lr_range import RangeTest, Sweep, lr_range
from optselect.api.repair import Repaired, repair
from optselect.api.replay import Replay, replay
from optselect.api.report import Report, report
from optselect.api.result import Result
from optselect.api.scale import Scaled, scale
from optselect.api.studies import STUDIES, studies
from optselect.api.sync import Synced, sync
from optselect.api.tune import tune

__all__ = [
    "STUDIES",
    "Across",
    "ColumnReport",
    "DataReport",
    "RangeTest",
    "Repaired",
    "Replay",
    "Report",
    "Result",
    "Scaled",
    "Sweep",
    "Synced",
    "compare",
    "describe_data",
    "lr_range",
    "repair",
    "replay",
    "report",
    "scale",
    "studies",
    "sync",
    "tune",
]
