"""The file of a study's record: one checksummed, chained JSON line an entry, added at the end, one fsync each.

NaN and the infinities are written as Python's json writes them, so every float comes back as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optselect.errors import InvalidValue, OptselectError, StudyConflict, UnknownName
from optselect.record.lines import RESERVED, make, scan
from optselect.record.stamp import Stamp
from optselect.util.whole_files import reason, refusals, sync_folder

__all__ = ["Ledger", "read", "read_bytes", "reserved"]

_RECORDED = "the study cannot be recorded"


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
            self.entries, self._end, self._last, self.torn, self._sum = self._recover()
        except BaseException:
            os.close(self._file)
            raise
        self._count = len(self.entries)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the ledger at `path` for writing, made if it is not there.

        Raises `StudyConflict` if another process writes to it, `DamagedRecord` if its lines are damaged, missing,
        doubled or out of order, `CannotWrite` if the disk refuses.
        """
        path = Path(path)
        with refusals(path, "Nothing was lost.", _RECORDED):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
            try:
                return cls(path, lock)
            except BaseException:
                os.close(lock)
                raise

    def append(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Add an entry; when this returns it is on the disk. `payload`: JSON types, without the ledger's own keys.

        Raises `CannotWrite` if the disk refuses; the file then ends with the entry before.
        """
        taken = RESERVED & payload.keys()
        if taken:
            raise InvalidValue(f"Ledger: `payload` must not have {min(taken)!r}, which the ledger writes itself.")
        with self._mutex:
            line = make(kind, payload, number=self._count + 1, after=self._last)
            safe = f"The {self._count} entries before are safe: mend that and run the same command again."
            with refusals(self.path, safe, _RECORDED):
                try:
                    _write(self._file, line, self._end)
                    os.fsync(self._file)
                except BaseException:  # also Ctrl-C: half a line must not stay under the next one
                    with contextlib.suppress(OSError):  # if this fails too, the next open does it
                        os.ftruncate(self._file, self._end)
                    raise
            self._end += len(line)
            self._count += 1
            self._last = line[9:17].decode("ascii")
            self._sum.update(line)

    def stamp(self) -> Stamp:
        """What an answer that is made from the entries so far carries, to be known as theirs."""
        with self._mutex:
            return Stamp(lines=self._count, sha256=self._sum.copy().hexdigest())

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

    def _recover(self) -> tuple[list[dict[str, Any]], int, str, int, Any]:
        """The entries, the offset where the next line goes and the checksum before it, torn bytes, the sum of all."""
        data = self.path.read_bytes()
        entries, end, last = scan(data, self.path)
        torn = data[end:]
        if torn:
            aside = self.path.with_name(self.path.name + ".torn")
            with aside.open("ab") as file:
                file.write(torn.rstrip(b"\n") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.ftruncate(self._file, end)
        whole = data[:end]
        if end and not whole.endswith(b"\n"):  # whole but for its last byte
            _write(self._file, b"\n", end)
            whole += b"\n"
        os.fsync(self._file)
        for folder in (self.path.parent, self.path.parent.parent):
            sync_folder(folder)
        return entries, len(whole), last, len(torn), hashlib.sha256(whole)


def read(path: Path | str) -> list[dict[str, Any]]:
    """The entries of a ledger that another process may be writing to; an unfinished last line is left out.

    Raises `UnknownName` if there is no such file, `DamagedRecord` if a line is damaged or not in its place.
    """
    path = Path(path)
    return scan(read_bytes(path), path).entries


def read_bytes(path: Path) -> bytes:
    """The file as it is. Raises `UnknownName` if it is not there, `OptselectError` if it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UnknownName(f"{path}: no study is recorded here.") from None
    except OSError as error:
        raise OptselectError(f"{path}: the record of the study cannot be read, {reason(error)}.") from error


@contextlib.contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Hold a ledger so that no process writes to it meanwhile. Raises `StudyConflict` if one does."""
    read_bytes(path)
    with refusals(path, "Nothing was changed.", "cannot be locked"):
        lock = _lock(path)
    try:
        yield
    finally:
        os.close(lock)


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
    with contextlib.suppress(OSError):  # a full disk: who holds the lock is then not said
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
