"""The durable record of a study, `ledger.jsonl`, how it is read, checked and repaired."""

from optselect.record.ledger import Ledger, read
from optselect.record.lines import content
from optselect.record.mending import Repaired, repair
from optselect.record.stamp import Stamp
from optselect.record.study_log import StudyLog

__all__ = ["Ledger", "Repaired", "Stamp", "StudyLog", "content", "read", "repair"]
