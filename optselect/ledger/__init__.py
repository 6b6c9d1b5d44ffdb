"""The durable record of a study, `ledger.jsonl`, how it is read, checked and repaired, and the answer made from it."""

from optselect.ledger.answer import Answer, Stamp, sealed
from optselect.ledger.lines import by_kind, content
from optselect.ledger.log import StudyLog
from optselect.ledger.repair import Repaired, repair
from optselect.ledger.writer import Ledger, read

__all__ = ["Answer", "Ledger", "Repaired", "Stamp", "StudyLog", "by_kind", "content", "read", "repair", "sealed"]
