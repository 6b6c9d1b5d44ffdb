"""What a search writes to the ledger beside trials: range tests, rungs, its share, who was eliminated, care."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from optselect.record import Ledger, content

__all__ = ["Kind", "Notes"]

Kind = Literal["probe", "share", "rung", "eliminated", "care"]


class Notes:
    """The entries of some kinds, those of earlier processes first. What is written is among `Ledger.entries` too.

    >>> import tempfile
    >>> with Ledger.open(tempfile.mkdtemp() + "/ledger.jsonl") as ledger:
    ...     notes = Notes(ledger)
    ...     notes.write("share", {"trials": 60})
    ...     notes.of("share"), notes.of("probe")
    ([{'trials': 60}], [])
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, kind: Kind) -> list[dict[str, Any]]:
        """All entries of a kind, in order."""
        return [content(entry) for entry in self._ledger.entries if entry["kind"] == kind]

    def write(self, kind: Kind, entry: Mapping[str, Any]) -> None:
        """Add an entry; when this returns it is on the disk. entry: JSON types."""
        self._ledger.append(kind, entry)
        self._ledger.entries.append({"kind": kind, **entry})
