"""A study as its ledger has it: what it asks, its task, its trials; whether that makes sense as a whole."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from optselect.errors import DamagedRecord, OptselectError, StudyConflict
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.record.faults import fault
from optselect.record.ledger import read_bytes
from optselect.record.lines import advice, by_kind, scan

__all__ = ["StudyLog"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyLog:
    """The entries of a ledger, checked.

    data: the bytes of its whole lines. kinds: what was appended, by kind. started, task: what the study asks and the
    description of its task, {} where that is not there yet.

    >>> StudyLog.of([], Path("ledger.jsonl")).trials
    []
    """

    path: Path
    data: bytes
    kinds: Mapping[str, list[dict[str, Any]]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a ledger that another process may be writing to.

        Raises `UnknownName` if there is no such file, `DamagedRecord` if it is damaged.
        """
        data = read_bytes(path)
        scanned = scan(data, path)
        return cls.of(scanned.entries, path, data[: scanned.end])

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]], path: Path, data: bytes = b"") -> Self:
        """Check entries that were read. Raises `DamagedRecord`."""
        wrong = fault(entries)
        if wrong is not None:
            kept = f"{path}, line {wrong.index + 1}: {wrong.what}. "
            raise DamagedRecord(kept + advice(path, wrong.index, len(entries)))
        return cls(path=path, data=data, kinds=by_kind(entries))

    @property
    def started(self) -> Mapping[str, Any]:
        """What was written when the study began, as `StudyRecord.to_dict` gives it."""
        return next(iter(self.kinds.get("study", [])), {})

    @property
    def task(self) -> Mapping[str, Any]:
        """The description of the task."""
        found: Mapping[str, Any] = next(iter(self.kinds.get("task", [])), {}).get("description", {})
        return found

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was asked for when the study was started or resumed the last time, {} where nobody recorded it.

        Studies of earlier versions recorded what makes the task, and some of the rest in the fingerprint.
        """
        if "settings" in self.kinds:
            return self.kinds["settings"][-1]
        found = self.started.get("settings")
        return found if found is not None else _earlier_settings(self.started)

    @property
    def record(self) -> StudyRecord:
        """What the study asks. Raises `StudyConflict` if nothing is recorded yet."""
        if not self.started:
            raise StudyConflict(f"{self.path}: the study has not begun: nothing is recorded yet.")
        with _legible(self.path):
            return StudyRecord.from_dict(self.started)

    @functools.cached_property
    def trials(self) -> list[TrialRecord]:
        """Every trial, in the order in which they ended."""
        with _legible(self.path):
            return [TrialRecord.from_dict(entry) for entry in self.kinds.get("trial", [])]

    @property
    def ended(self) -> bool:
        """Whether the model to keep was trained, which comes last."""
        return "refit" in self.kinds


def _earlier_settings(started: Mapping[str, Any]) -> Mapping[str, Any]:
    question, asked = started.get("description", {}).get("question"), started.get("fingerprint", {})
    if not question:
        return {"objects": ["data"]} if started else {}
    words = {name: asked[name] for name in ("care", "strategy", "sampler", "pruner") if name in asked}
    flags = {name: asked.get(name.replace("_", " ")) != "no" for name in ("range_test", "elimination")}
    return {**question, **words, **flags, "study": started.get("name")}


@contextlib.contextmanager
def _legible(path: Path) -> Iterator[None]:
    """Entries whose checksum is right but that this version cannot read were written by another one."""
    try:
        yield
    except (TypeError, KeyError, AttributeError, OptselectError) as error:
        raise StudyConflict(
            f"{path}: an entry cannot be read by this version of optselect ({error}); another one wrote it. Use that "
            "version, or give the study another name to begin anew."
        ) from error
