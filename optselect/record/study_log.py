"""A study as its ledger has it: what it asks, its task, its trials and notes; whether that makes sense as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from optselect.errors import DamagedRecord, OptselectError, StudyConflict
from optselect.record.entries import Entry, SettingsRecord, StorageRecord, StudyRecord, TaskRecord, TrialRecord
from optselect.record.faults import fault
from optselect.record.ledger import Ledger, read_bytes
from optselect.record.lines import advice, by_kind, scan
from optselect.record.notes import (
    CareRecord,
    Eliminated,
    FinalKind,
    FinalTraining,
    RangeTestRecord,
    RungRecord,
    ShareRecord,
)
from optselect.record.stamp import Stamp
from optselect.task import TaskDescription

__all__ = ["StudyLog"]

E = TypeVar("E")


class StudyLog:
    """The entries of a ledger by what they are; `append` adds one to the file and to what is here.

    Every list is in the order of the file and grows with `append`. An entry that this version cannot read raises
    `StudyConflict` when it is asked for.

    >>> import tempfile
    >>> with StudyLog.open(Path(tempfile.mkdtemp()) / "ledger.jsonl") as log:
    ...     log.append(StudyRecord(name="digits", fingerprint={}, description={}))
    ...     log.append(ShareRecord(trials=60))
    ...     log.study.name, log.share, log.trials
    ('digits', 60, [])
    """

    def __init__(self, path: Path, entries: Sequence[Mapping[str, Any]], data: bytes, ledger: Ledger | None) -> None:
        """Use `read`, `open` or `over`."""
        self.path = path
        self._ledger, self._data = ledger, data
        self._kinds = [str(entry["kind"]) for entry in entries]
        self._written = by_kind(entries)
        self._read: dict[str, list[Any]] = {}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a ledger that another process may be writing to.

        Raises `UnknownName` if there is no such file, `DamagedRecord` if it is damaged.
        """
        data = read_bytes(path)
        scanned = scan(data, path)
        _check(scanned.entries, path)
        return cls(path, scanned.entries, data[: scanned.end], None)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ledger to add to it; one process at a time can. Raises what `Ledger.open` does."""
        ledger = Ledger.open(path)
        try:
            _check(ledger.entries, path)
        except BaseException:
            ledger.close()
            raise
        return cls.over(ledger)

    @classmethod
    def over(cls, ledger: Ledger) -> Self:
        """Over a ledger that is open, whatever is in it."""
        return cls(ledger.path, ledger.entries, b"", ledger)

    def append(self, entry: Entry) -> None:
        """Add an entry; when this returns it is on the disk. Raises `CannotWrite` if the disk refuses."""
        if self._ledger is None:
            raise TypeError(f"{self.path} was opened for reading.")
        known = self._read.get(entry.kind)
        self._ledger.append(entry.kind, entry.to_dict())
        self._kinds.append(entry.kind)
        if known is not None:
            known.append(entry)
        else:
            self._written.setdefault(entry.kind, []).append(entry.to_dict())

    # -- what is there --------------------------------------------------------------------------------------------

    @property
    def study(self) -> StudyRecord | None:
        """What the study asks; None if it has not begun."""
        return next(iter(self._all("study", StudyRecord.from_dict)), None)

    @property
    def begun(self) -> StudyRecord:
        """What the study asks. Raises `StudyConflict` if it has not begun."""
        if self.study is None:
            raise StudyConflict(f"{self.path}: the study has not begun: nothing is recorded yet.")
        return self.study

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was asked for when the study was started or resumed the last time, {} where nobody recorded it.

        Studies of earlier versions recorded what makes the task, and some of the rest in the fingerprint.
        """
        resumed, study = self._all("settings", SettingsRecord.from_dict), self.study
        if resumed:
            return resumed[-1].settings
        if study is None:
            return {}
        return _earlier_settings(study) if study.settings is None else study.settings

    @property
    def task(self) -> TaskDescription | None:
        """What the workers said of the task; None if it is not known yet."""
        return next((record.description for record in self._all("task", TaskRecord.from_dict)), None)

    @property
    def trials(self) -> list[TrialRecord]:
        """Every trial, in the order in which they ended."""
        return self._all("trial", TrialRecord.from_dict)

    @property
    def rungs(self) -> list[RungRecord]:
        """Every pause of a trial."""
        return self._all("rung", RungRecord.from_dict)

    @property
    def range_tests(self) -> list[RangeTestRecord]:
        """The range test of every arm that had one."""
        return self._all("probe", RangeTestRecord.from_dict)

    @property
    def eliminated(self) -> list[Eliminated]:
        """The arms that were given up."""
        return self._all("eliminated", Eliminated.from_dict)

    @property
    def share(self) -> int | None:
        """How many trials the search expects in all; None if that is not decided yet."""
        return next((record.trials for record in self._all("share", ShareRecord.from_dict)), None)

    @property
    def care(self) -> list[CareRecord]:
        """How much care there was time for, stage by stage."""
        return self._all("care", CareRecord.from_dict)

    @property
    def storage(self) -> str | None:
        """The key under which a database has the study's copy."""
        return next((record.key for record in self._all("storage", StorageRecord.from_dict)), None)

    def final(self, kind: FinalKind) -> FinalTraining | None:
        """The last training with the recommended configuration of a kind, None if there was none."""
        found = self._all(kind, lambda data: FinalTraining.from_dict(kind, data))
        return found[-1] if found else None

    @property
    def ended(self) -> bool:
        """Whether the model to keep was trained, which comes last."""
        return self.final("refit") is not None

    # -- the file -------------------------------------------------------------------------------------------------

    @property
    def data(self) -> bytes:
        """Its whole lines, as bytes."""
        return self._data if self._ledger is None else self.path.read_bytes()

    def kinds_after(self, line: int) -> list[str]:
        """The kinds of the entries behind so many lines."""
        return self._kinds[line:]

    @property
    def torn(self) -> int:
        """Bytes of a line that was cut short, which were put aside when the ledger was opened."""
        return 0 if self._ledger is None else self._ledger.torn

    def stamp(self) -> Stamp:
        """By which an answer that is made from the entries so far is known to be theirs."""
        return Stamp.of(self._data) if self._ledger is None else self._ledger.stamp()

    def close(self) -> None:
        """Let another process write. A second call does nothing."""
        if self._ledger is not None:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all(self, kind: str, from_dict: Callable[[Mapping[str, Any]], E]) -> list[E]:
        """The entries of a kind, read once."""
        if kind not in self._read:
            with _legible(self.path):
                self._read[kind] = [from_dict(data) for data in self._written.get(kind, ())]
            self._written.pop(kind, None)
        return cast("list[E]", self._read[kind])


def _earlier_settings(study: StudyRecord) -> Mapping[str, Any]:
    question, asked = study.description.get("question"), study.fingerprint
    if not question:
        return {"objects": ["data"]}
    words = {name: asked[name] for name in ("care", "strategy", "sampler", "pruner") if name in asked}
    objects = [name for name, word in words.items() if word[:1].isupper()]  # the class of a sampler of one's own
    words = {name: word for name, word in words.items() if name not in objects}
    flags = {name: asked.get(name.replace("_", " ")) != "no" for name in ("range_test", "elimination")}
    return {**question, **words, **flags, "study": study.name, "objects": objects}


def _check(entries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raise `DamagedRecord` where entries cannot be those of a study."""
    wrong = fault(entries)
    if wrong is not None:
        kept = f"{path}, line {wrong.index + 1}: {wrong.what}. "
        raise DamagedRecord(kept + advice(path, wrong.index, len(entries)))


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
