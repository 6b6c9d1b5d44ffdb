"""The arrays of an .npz file: what it holds without reading it, some of them whole, large ones on disk."""

from __future__ import annotations

import dataclasses
import struct
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from optselect.data.on_disk import Array, Growing, Room, placed
from optselect.errors import InvalidData

__all__ = ["ArrayMember", "load", "load_large", "members"]

_PIECE = 8_000_000  # bytes unpacked at once
_LOCAL_HEADER = 30  # bytes, before the name and the extra field of a member, as zip has it


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayMember:
    """What the header of an array says. begins: bytes of that header."""

    file: str
    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    begins: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array in memory."""
        return int(np.prod(self.shape, dtype="int64")) * self.dtype.itemsize


def members(path: Path) -> dict[str, ArrayMember]:
    """The arrays by name.

    Raises InvalidData if some hold Python objects; what zipfile and NumPy raise if the file is damaged.
    """
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as file:
                    found[info.filename.removesuffix(".npy")] = _member(file, info.filename)
    if any(member.dtype.hasobject for member in found.values()):
        raise InvalidData(f"{path}: holds Python objects, which could run code; save plain arrays.")
    return found


def _member(file: IO[bytes], name: str) -> ArrayMember:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return ArrayMember(file=name, dtype=dtype, shape=shape, fortran=fortran and len(shape) > 1, begins=file.tell())


def load(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Some of the arrays, whole."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in names}


def load_large(path: Path, member: ArrayMember, room: Room) -> Array:
    """An array that stays on disk: in the file itself where it lies there as it is, else unpacked."""
    stored = member.shape[::-1] if member.fortran else member.shape
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member.file)
        if info.compress_type == zipfile.ZIP_STORED:
            offset = _contents(path, info.header_offset) + member.begins
            mapped = np.memmap(path, member.dtype, "r", offset, stored)
        else:
            with archive.open(info) as file:
                unpacked = _unpacked(file, member, stored, room, str(path))
            mapped = np.memmap(unpacked, member.dtype, "r", 0, stored)
    none = dataclasses.replace(room, memory=0)
    found: Array = placed(mapped.T if member.fortran else mapped, none, str(path))
    return found


def _contents(path: Path, header: int) -> int:
    """Where the contents of a member begin, whose local header begins at `header`."""
    with path.open("rb") as file:
        file.seek(header)
        name, extra = struct.unpack("<26xHH", file.read(_LOCAL_HEADER))
    return header + _LOCAL_HEADER + int(name) + int(extra)


def _unpacked(file: IO[bytes], member: ArrayMember, shape: tuple[int, ...], room: Room, where: str) -> Path:
    """The values of a compressed member in a file of their own."""
    file.read(member.begins)
    growing = Growing(room, 0, where)
    each = int(np.prod(shape[1:], dtype="int64")) * member.dtype.itemsize
    left, step = shape[0], max(1, _PIECE // max(each, 1))
    while left:
        count = min(step, left)
        rows = np.frombuffer(file.read(count * each), member.dtype)
        growing.add(rows.reshape(count, *shape[1:]))
        left -= count
    return growing.whole().path  # type: ignore[union-attr]
