"""Whether the entries of a ledger make sense as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Fault", "fault"]

_HEADS = ("study", "storage", "task")  # what may come before the task is known


@dataclasses.dataclass(frozen=True)
class Fault:
    """The first entry that cannot be where it is, from 0, and why."""

    index: int
    what: str


def fault(entries: Sequence[Mapping[str, Any]]) -> Fault | None:
    """The first entry that no study writes there: without what must come before, or of a trial that was there."""
    known: set[str] = set()
    numbers: set[Any] = set()
    reruns: set[tuple[Any, ...]] = set()
    for index, entry in enumerate(entries):
        kind = entry.get("kind")
        if not known and kind != "study":
            return Fault(index, "the line before it, which says what the study asks (kind `study`), is missing")
        if "task" not in known and kind not in _HEADS:
            return Fault(index, "the line before it, which describes the task (kind `task`), is missing")
        known.add(str(kind))
        if kind != "trial":
            continue
        number, stage = entry.get("number"), entry.get("stage")
        if number in numbers:
            return Fault(index, f"trial {number} is recorded twice")
        numbers.add(number)
        if stage != "search":
            training = (stage, repr(entry.get("configuration")), entry.get("seed"))
            if training in reruns:
                return Fault(index, f"a training of the stage `{stage}` is recorded twice, under two numbers")
            reruns.add(training)
    return None
