"""What a user may choose, declared once: checked, recorded with the study, and written as a command line."""

from optselect.options.command_line import command_line
from optselect.options.recording import from_objects
from optselect.options.settings import GROUPS, Settings, every_option
from optselect.options.tune_options import Evaluation, RunOptions, Tracking

__all__ = ["GROUPS", "Evaluation", "RunOptions", "Settings", "Tracking", "command_line", "every_option", "from_objects"]
