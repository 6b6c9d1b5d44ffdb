"""Everything that the command line does, as one call each."""

from optselect.api.compare import Across, compare
from optselect.api.describe import ColumnReport, DataReport, describe_data
from optselect.api.lr_range import RangeTest, Sweep, lr_range
from optselect.api.race import RACES, Race, check_film, race
from optselect.api.repair import Repaired, repair
from optselect.api.replay import Replay, replay
from optselect.api.report import Report, report
from optselect.api.result import Result
from optselect.api.scaling import Scaled, scale
from optselect.api.studies import STUDIES, studies
from optselect.api.sync import Synced, sync
from optselect.api.tune import tune

__all__ = [
    "RACES",
    "STUDIES",
    "Across",
    "ColumnReport",
    "DataReport",
    "Race",
    "RangeTest",
    "Repaired",
    "Replay",
    "Report",
    "Result",
    "Scaled",
    "Sweep",
    "Synced",
    "check_film",
    "compare",
    "describe_data",
    "lr_range",
    "race",
    "repair",
    "replay",
    "report",
    "scale",
    "studies",
    "sync",
    "tune",
]
