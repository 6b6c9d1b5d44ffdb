"""Features that stay on disk: what of them is where, read piece by piece, and the folder for those that had no file."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import itertools
import math
import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from optselect.errors import InvalidData
from optselect.util.machine import available_memory, gigabytes

__all__ = ["Array", "DiskArray", "Growing", "Room", "Spool", "concatenate", "piece_rows", "pieces", "placed", "take"]

_PIECE = 8_000_000  # bytes in memory at once, of which what is computed takes several times as much
_GAP, _AT_ONCE = 4096, 1024  # bytes between two rows, and rows, that are read in one go
_SHARE = 8  # of memory: the data read, sent, and up to four copies while a process prepares them
_NUMBERS = "biuf"
_PREFIX, _LOCK = "optselect-spool-", "lock"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DiskArray:
    """An array of numbers in a file, of which only what is asked for comes into memory.

    `array[start:stop]` and `array[row numbers]` read and give ordinary arrays; `take` and `astype` give another view.
    It is pickled as what it says here, never with its contents. It is read, not mapped: of a mapped file the system
    brings in, and counts as memory of the process, many times the rows that were asked for.

    path, offset: where the values lie, row after row. stored: their type there. stored_shape: first axis rows. rows:
    numbers of the rows that belong to it, int64, None for all. dtype: of what is read. prepare: what is done to the
    rows that were read; it keeps their shape.

    >>> _ = (path := Path(tempfile.mkdtemp()) / "x.bin").write_bytes(np.arange(6.0).tobytes())
    >>> array = DiskArray(path=path, stored=np.dtype("float64"), stored_shape=(3, 2), dtype=np.dtype("float32"))
    >>> array.shape, array[1:].tolist(), array.take(np.array([2, 0]))[:1].tolist()
    ((3, 2), [[2.0, 3.0], [4.0, 5.0]], [[4.0, 5.0]])
    """

    path: Path
    offset: int = 0
    stored: np.dtype[Any]
    stored_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: np.ndarray | None = None
    prepare: Callable[[np.ndarray], np.ndarray] | None = None

    def __len__(self) -> int:
        return self.stored_shape[0] if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, then the shape of one."""
        return len(self), *self.stored_shape[1:]

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.stored_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all that could be read."""
        return int(np.prod(self.shape, dtype="int64")) * self.dtype.itemsize

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if self.rows is not None:
            numbers = self.rows[rows]
        else:
            numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        step = piece_rows(self)
        for start in range(0, len(numbers), step):  # what is read and computed at a time is small beside the answer
            found[start : start + step] = self._read(numbers[start : start + step])
        return found

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """Rows in one piece, prepared: those that lie close together are read at once."""
        order = np.argsort(numbers, kind="stable")
        ordered, shape = numbers[order], self.stored_shape[1:]
        each = math.prod(shape) * self.stored.itemsize
        taken = np.empty((len(numbers), *shape), self.stored.newbyteorder("="))
        far = np.flatnonzero(np.diff(ordered) * each > each + _GAP) + 1
        cuts = np.union1d(far, np.arange(0, len(numbers), _AT_ONCE))
        with self.path.open("rb") as file:
            for begin, end in itertools.pairwise([*cuts.tolist(), len(numbers)]):
                first, last = int(ordered[begin]), int(ordered[end - 1])
                file.seek(self.offset + first * each)
                raw = np.frombuffer(file.read((last + 1 - first) * each), self.stored)
                if len(raw) < (last + 1 - first) * math.prod(shape):
                    raise InvalidData(f"{self.path}: has become shorter since it was looked at.")
                taken[order[begin:end]] = raw.reshape(-1, *shape)[ordered[begin:end] - first]
        return taken if self.prepare is None else self.prepare(taken)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(f"{gigabytes(self.nbytes)} of {self.path} stay on disk: read them in pieces.")

    def take(self, rows: np.ndarray) -> DiskArray:
        """A view of some rows, in that order."""
        return dataclasses.replace(self, rows=rows if self.rows is None else self.rows[rows])

    def astype(self, dtype: Any, *, copy: bool = False) -> DiskArray:
        """A view that reads values as another type. copy: as NumPy has it; nothing is copied."""
        return dataclasses.replace(self, dtype=np.dtype(dtype))

    def column(self) -> DiskArray:
        """A view of shape (rows, 1) of one of shape (rows,)."""
        return dataclasses.replace(self, stored_shape=(*self.stored_shape, 1))

    def prepared(self, prepare: Callable[[np.ndarray], np.ndarray]) -> DiskArray:
        """A view whose rows are put through a function that keeps their shape and gives float32."""
        return dataclasses.replace(self, prepare=prepare, dtype=np.dtype("float32"))


Array = np.ndarray | DiskArray
"""Numbers whose first axis counts rows, in memory or on disk."""


def pieces(array: Array) -> Iterator[np.ndarray]:
    """All rows in their order, some 8 MB at a time.

    >>> [piece.tolist() for piece in pieces(np.arange(3))]
    [[0, 1, 2]]
    """
    step = piece_rows(array)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def piece_rows(array: Array) -> int:
    """How many rows make some 8 MB."""
    return max(1, _PIECE * len(array) // max(array.nbytes, 1))


def take(array: Array, rows: np.ndarray) -> Array:
    """The given rows, in the given order; of an array on disk a view."""
    return array.take(rows) if isinstance(array, DiskArray) else array[rows]


def concatenate(first: Array, second: Array) -> Array:
    """The rows of both; on disk they must be views of one array."""
    if isinstance(first, DiskArray) and isinstance(second, DiskArray):
        return dataclasses.replace(first, rows=np.concatenate([_numbers(first), _numbers(second)]))
    return np.concatenate([first, second])


def _numbers(array: DiskArray) -> np.ndarray:
    return np.arange(len(array)) if array.rows is None else array.rows


class Spool:
    """A folder for arrays that have no file of their own: made when it is asked for, removed with this object.

    A process that is killed leaves its folder behind; the next one that needs such a folder removes it. Whoever
    lives holds a lock. It lies in $TMPDIR, else in /var/tmp, because /tmp is memory on many systems.
    """

    @cached_property
    def path(self) -> Path:
        """The folder."""
        lasting = "/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()  # noqa: S108
        home = Path(os.environ.get("TMPDIR") or lasting)
        _sweep(home)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        lock = os.open(path / "new", os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (path / "new").rename(path / _LOCK)
        weakref.finalize(self, _remove, path, lock)
        return path

    @property
    def files(self) -> list[Path]:
        """What was written."""
        return sorted(self.path.glob("*.bin")) if "path" in vars(self) else []

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a process that reads the files does not own them


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _sweep(home: Path) -> None:
    """Remove folders of ours whose owners were killed."""
    for lock in home.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), lock.open("rb") as file:
            if lock.parent.stat().st_uid == os.getuid():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Room:
    """How much of the data may lie in memory, and where the rest goes.

    memory: bytes that training may count on. folder: gives the folder, when it is needed.
    """

    memory: int
    folder: Callable[[], Path]

    @classmethod
    def of(cls, memory: int | None, spool: Spool) -> Room:
        """With so many bytes, or with what is free."""
        return cls(memory=available_memory() if memory is None else memory, folder=lambda: spool.path)

    @property
    def features(self) -> int:
        """Bytes of features that stay in memory; larger ones stay on disk."""
        return self.memory // _SHARE

    def check_targets(self, size: int, where: str) -> None:
        """Raise InvalidData if targets of so many bytes, which are always in memory, are too large for it."""
        if size > self.memory // 4:
            raise InvalidData(
                f"{where}: the targets take {gigabytes(size)}, {gigabytes(self.memory)} of memory are free. Features "
                "may be larger than memory, targets are held in it: store them in a smaller type, or take fewer rows."
            )


class Growing:
    """An array that comes some rows at a time: in memory up to `most` bytes, then in a file of `room`.

    most: None for any number. nbytes: of all rows so far.
    """

    def __init__(self, room: Room, most: int | None, where: str) -> None:
        self._room, self._most, self._where = room, most, where
        self._parts: list[np.ndarray] = []
        self._rows, self.nbytes = 0, 0
        self._first: np.ndarray | None = None
        self._path: Path | None = None

    def add(self, rows: np.ndarray) -> None:
        """Some more rows. Raises InvalidData if they differ from those before in shape, or the disk is full."""
        first = self._first = rows[:0] if self._first is None else self._first
        if rows.shape[1:] != first.shape[1:]:
            raise InvalidData(
                f"{self._where}: rows of shape {rows.shape[1:]} after rows of {first.shape[1:]}. Bring all rows to one "
                "shape; of sequences, pad them to one length: `padded_batch(..., padded_shapes=...)`."
            )
        if not np.can_cast(rows.dtype, first.dtype, "same_kind"):
            raise InvalidData(f"{self._where}: values of type {rows.dtype} after values of type {first.dtype}.")
        self._rows, self.nbytes = self._rows + len(rows), self.nbytes + rows.nbytes
        self._parts.append(rows)
        full = self._most is not None and self.nbytes > self._most and first.dtype.kind in _NUMBERS
        if self._path is not None or full:
            self._write()

    def whole(self) -> Array:
        """All rows."""
        assert self._first is not None
        if self._path is None:
            return np.concatenate(self._parts)
        dtype = self._first.dtype
        return DiskArray(path=self._path, stored=dtype, stored_shape=(self._rows, *self._first.shape[1:]), dtype=dtype)

    def _write(self) -> None:
        assert self._first is not None
        folder = self._room.folder()
        if self._path is None:
            self._path = folder / f"{len(list(folder.glob('*.bin')))}.bin"
        try:
            with self._path.open("ab") as file:
                for part in self._parts:
                    file.write(np.ascontiguousarray(part, self._first.dtype).data.cast("B") if part.size else b"")
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InvalidData(
                f"{self._where}: {folder} has no room for the features, {gigabytes(self.nbytes)} so far. Name a larger "
                "disk in the variable TMPDIR, or save the data as uncompressed .npz, which is read where it lies."
            ) from None
        self._parts.clear()


def placed(x: Any, room: Room, where: str) -> Any:
    """Features, an array or a dict of them; those arrays of numbers that are too large for memory on disk.

    Whatever lies in a file as it is stays there, everything else is written to one. Of several arrays each may have
    an equal share of the room.
    """
    if not isinstance(x, dict):
        return _placed(x, room, room.features, where)
    most = room.features // max(1, len(x))
    return {name: _placed(part, room, most, f"{where}: x[{name!r}]") for name, part in x.items()}


def _placed(x: Any, room: Room, most: int, where: str) -> Any:
    if not isinstance(x, np.ndarray) or x.nbytes <= most or x.ndim == 0 or x.dtype.kind not in _NUMBERS:
        return x
    if (found := _in_its_file(x)) is not None:
        return found
    growing = Growing(room, 0, where)
    for piece in pieces(x):
        growing.add(piece)
    return growing.whole()


def _in_its_file(x: np.ndarray) -> DiskArray | None:
    """The array where it lies in a file, if it lies there row after row."""
    if not isinstance(x, np.memmap) or x.mode == "c" or not x.flags.c_contiguous or not x.filename:
        return None
    path, mapped = Path(x.filename), getattr(x, "_mmap", None)
    if mapped is None or not path.exists():
        return None
    begins = x.offset - x.offset % mmap.ALLOCATIONGRANULARITY  # of the mapping in the file; a slice keeps `offset`
    offset = begins + _address(x) - _address(np.frombuffer(mapped, "uint8"))
    return DiskArray(path=path, offset=offset, stored=x.dtype, stored_shape=x.shape, dtype=x.dtype)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])
