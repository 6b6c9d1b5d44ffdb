"""The durable record of a study, `ledger.jsonl`, how it is read, checked and repaired, and the answer made from it."""

from optselect.record.answer import Answer, Stamp, sealed
from optselect.record.ledger import Ledger, read
from optselect.record.lines import by_kind, content
from optselect.record.mending import Repaired, repair
from optselect.record.study_log import StudyLog

__all__ = ["Answer", "Ledger", "Repaired", "Stamp", "StudyLog", "by_kind", "content", "read", "repair", "sealed"]
