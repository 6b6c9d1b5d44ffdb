"""The durable record of a study: one file of checksummed JSON lines, written at the end, one fsync a line.

A line is ``{"crc": "1c291ca3", "kind": "trial", ...}``; `crc` is the CRC-32 of the bytes after it. NaN and
the infinities are written as Python's json writes them, so every float comes back as it was.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shlex
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optselect.errors import InvalidValue, OptselectError, StudyConflict, UnknownName

__all__ = ["Ledger", "by_kind", "content", "read"]

_HEAD = b'{"crc": "'
_BODY = len(_HEAD) + 8 + len(b'", ')


class Ledger:
    """A ledger open for writing; one process at a time has it.

    entries: what stood in the file when it was opened, in order, each a dict with its `kind`.
    torn: bytes of an unfinished last line that were moved to `<name>.torn`, 0 after a clean end.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with Ledger.open(folder / "ledger.jsonl") as ledger:
    ...     ledger.append("trial", {"number": 0, "value": float("inf")})
    >>> read(folder / "ledger.jsonl")
    [{'kind': 'trial', 'number': 0, 'value': inf}]
    """

    def __init__(self, path: Path, lock: int) -> None:
        """Use `Ledger.open`. `lock`: the descriptor that holds the lock."""
        self.path = path
        self._lock = lock
        self._mutex = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self.entries, self._end, self.torn = self._recover()
        except BaseException:
            os.close(self._file)
            raise
        self._count = len(self.entries)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the ledger at `path` for writing, made if it is not there.

        Raises `StudyConflict` if another process writes to it or a line in it is damaged, `OptselectError` if the
        disk refuses.
        """
        path = Path(path)
        with _disk(path, "Nothing was lost."):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
            try:
                return cls(path, lock)
            except BaseException:
                os.close(lock)
                raise

    def append(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Add an entry; when this returns it is on the disk. `payload`: JSON types, without `crc` and `kind`.

        Raises `OptselectError` if the disk refuses; the file then ends with the entry before.
        """
        taken = {"crc", "kind"} & payload.keys()
        if taken:
            raise InvalidValue(f"Ledger: `payload` must not have {sorted(taken)[0]!r}, which the ledger writes itself.")
        line = _line({"kind": kind, **payload})
        with self._mutex:
            safe = f"The {self._count} entries before are safe: mend that and run the same command again."
            with _disk(self.path, safe):
                try:
                    _write(self._file, line, self._end)
                    os.fsync(self._file)
                    self._end += len(line)
                except BaseException:  # also Ctrl-C: half a line must not stay under the next one
                    with contextlib.suppress(OSError):  # if this fails too, the next open does it
                        os.ftruncate(self._file, self._end)
                    raise
            self._count += 1

    def close(self) -> None:
        """Let another process write. A second call does nothing."""
        with self._mutex:
            for descriptor in (self._file, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._file = self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _recover(self) -> tuple[list[dict[str, Any]], int, int]:
        """The entries, the offset where the next line goes, and how many torn bytes were set aside."""
        data = self.path.read_bytes()
        entries, end = _scan(data, self.path)
        torn = data[end:]
        if torn:
            aside = self.path.with_name(self.path.name + ".torn")
            with aside.open("ab") as file:
                file.write(torn.rstrip(b"\n") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.ftruncate(self._file, end)
        if end and data[end - 1 : end] != b"\n":  # whole but for its last byte
            _write(self._file, b"\n", end)
            end += 1
        os.fsync(self._file)
        for folder in (self.path.parent, self.path.parent.parent):
            _sync_folder(folder)
        return entries, end, len(torn)


def read(path: Path | str) -> list[dict[str, Any]]:
    """The entries of a ledger that another process may be writing to; an unfinished last line is left out.

    Raises `UnknownName` if there is no such file, `StudyConflict` if a line is damaged.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnknownName(f"{path}: no study is recorded here.") from None
    return _scan(data, path)[0]


def content(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What was appended: an entry without its kind.

    >>> content({"kind": "trial", "number": 0})
    {'number': 0}
    """
    return {name: value for name, value in entry.items() if name != "kind"}


def by_kind(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What was appended, by kind, each in its order.

    >>> by_kind([{"kind": "task", "rows": 9}, {"kind": "trial", "number": 0}, {"kind": "trial", "number": 1}])
    {'task': [{'rows': 9}], 'trial': [{'number': 0}, {'number': 1}]}
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        found.setdefault(entry["kind"], []).append(content(entry))
    return found


def _line(entry: Mapping[str, Any]) -> bytes:
    body = json.dumps(entry).encode("ascii")[1:]
    return _HEAD + f"{zlib.crc32(body):08x}".encode("ascii") + b'", ' + body + b"\n"


def _entry(line: bytes) -> dict[str, Any] | None:
    """The entry of a line without its end, None if the checksum says no."""
    body = line[_BODY:]
    if line[:_BODY] != _HEAD + f"{zlib.crc32(body):08x}".encode("ascii") + b'", ':
        return None
    entry: dict[str, Any] = json.loads(b"{" + body)
    return entry


def _scan(data: bytes, path: Path) -> tuple[list[dict[str, Any]], int]:
    """All whole entries and the offset behind them; what follows it is torn."""
    entries: list[dict[str, Any]] = []
    start = 0
    while start < len(data):
        newline = data.find(b"\n", start)
        stop = newline if newline >= 0 else len(data)
        line = data[start:stop]
        entry = _entry(line)
        if entry is None:
            # An append that was cut short has no end of line or, after a power cut, holes of zero bytes.
            last = stop + 1 >= len(data)
            if last and (newline < 0 or b"\0" in line):
                return entries, start
            raise _damaged(path, len(entries) + 1)
        entries.append(entry)
        start = min(stop + 1, len(data))
    return entries, start


def _damaged(path: Path, number: int) -> StudyConflict:
    before, name = number - 1, shlex.quote(str(path))
    safe = (
        f"The {before} lines before it are whole: restore the file from a copy, or go on from those with "
        f"`head -n {before} {name} > whole && mv whole {name}`."
        if before
        else "No line before it is whole: restore the file from a copy, or move it away to begin anew."
    )
    return StudyConflict(
        f"{path}, line {number}: the line is damaged (its checksum differs). Nothing was changed. {safe}"
    )


def _lock(path: Path) -> int:
    """A descriptor that holds the lock beside `path`; the system lets go of it when the process ends."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 1000, 0).decode("utf-8", "replace").strip()
        os.close(descriptor)
        who = holder or "another process"
        raise StudyConflict(
            f"Study {_study(path)!r} is being run by {who}. Wait for it, or give this study another name or folder."
        ) from None
    text = f"process {os.getpid()} on host {socket.gethostname()}\n".encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)
    return descriptor


def _study(path: Path) -> str:
    """What the study calls itself, else the name of its folder."""
    with contextlib.suppress(OptselectError, OSError):
        for entry in read(path):
            if entry["kind"] == "study" and "name" in entry:
                return str(entry["name"])
    return path.absolute().parent.name


def _write(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that may not be read, a file system that cannot: not ours to mend
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _disk(path: Path, safe: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise OptselectError(f"{path}: the study cannot be recorded, {why}. {safe}") from error
