"""What a file is by its first bytes, and what is in a compressed one: no more than memory has room for."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from optselect.errors import InvalidData
from optselect.util.machine import gigabytes

__all__ = ["COMPRESSED", "contents_kind", "unpacked", "zip_size"]

_PIECE = 1 << 20  # bytes unpacked at once
_EXCEL, _OLD_EXCEL = "an Excel workbook", "an old Excel workbook (.xls)"

# What begins so, and what to do about it where it has another ending.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"\x1f\x8b", "compressed with gzip", "name it .csv.gz, or unpack it first"),
    (b"BZh", "compressed with bzip2", "name it .csv.bz2, or unpack it first"),
    (b"\xfd7zXZ", "compressed with xz", "name it .csv.xz, or unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "name it .csv.zst, or unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a rar archive", "unpack it first"),
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"ARROW1", "an Arrow file", "name it .arrow"),
    (b"FEA1", "a Feather file", "name it .feather"),
    (b"\x93NUMPY", "a NumPy array", "save it as .npz with `x` and `y`"),
    (b"\x89HDF", "an HDF5 file", "save its arrays as .npz with `x` and `y`"),
    (b"\xd0\xcf\x11\xe0", _OLD_EXCEL, "save it as .xlsx or CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"\x80\x04", "a Python pickle", "save it as CSV, Parquet or .npz"),
    (b"\x80\x05", "a Python pickle", "save it as CSV, Parquet or .npz"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "run `git lfs pull`"),
)
_PAGES = (b"<!doctype html", b"<html")


def contents_kind(path: Path) -> tuple[str, str] | None:
    """What the first bytes say that a file is, and the advice; None for what may be text.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "t.csv"
    >>> path.write_bytes(b"PAR1....")
    8
    >>> contents_kind(path)
    ('a Parquet file', 'name it .parquet')
    """
    with path.open("rb") as file:
        head = file.read(512)
    if head.lstrip().lower().startswith(_PAGES):
        return "a web page (HTML)", "what was downloaded is the page around the file: download the file itself"
    for magic, what, advice in _MAGIC:
        if head.startswith(magic):
            return _of_zip(path) if what == "a zip archive" else (what, advice)
    return None


def _of_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "a zip archive (an Excel sheet? Save it as CSV), and a damaged one", "copy it again"
    if any(name.startswith("xl/") for name in names):
        return _EXCEL + " (a zip archive)", "name it .xlsx, or save it as CSV"
    if any(name.startswith("content.xml") for name in names):
        return "an OpenDocument sheet", "save it as .xlsx or CSV"
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy arrays", "name it .npz"
    return "a zip archive", "unpack it first, or name it .csv.zip if one table is in it"


def zip_size(path: Path) -> int:
    """Bytes that the members of a zip archive have unpacked, as it says."""
    with zipfile.ZipFile(path) as archive:
        return sum(info.file_size for info in archive.infolist())


def _zstandard(path: Path) -> Any:
    try:
        import zstandard
    except ImportError:
        raise InvalidData(
            f"{path}: Zstandard needs a package: pip install 'optselect[zstd]', or unpack the file first."
        ) from None
    return zstandard.open(path, "rb")


def _only_member(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [info.filename for info in archive.infolist() if not info.is_dir() and not _is_rubbish(info.filename)]
    if len(names) != 1:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InvalidData(f"{path}: holds {len(names)} files ({shown or 'none'}), not one table: unpack it first.")
    return archive.open(names[0])


def _is_rubbish(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.endswith(".DS_Store")


COMPRESSED: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _zstandard,
    ".zip": _only_member,
}
"""By ending, what opens a compressed file."""


def unpacked(path: Path, room: int) -> bytes:
    """The contents of a compressed file.

    room: bytes that they may have; reading stops there, however large a file claims to be or turns out.

    Raises InvalidData if they are larger, or damaged.
    """
    pieces, size = [], 0
    try:
        with COMPRESSED[path.suffix.lower()](path) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > room:
                    raise InvalidData(
                        f"{path}: unpacks to more than {gigabytes(room)}, {gigabytes(path.stat().st_size)} as it is; "
                        "more than memory has room for. Take fewer rows or columns."
                    )
                pieces.append(piece)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError) as problem:
        if isinstance(problem, InvalidData):
            raise
        if isinstance(problem, PermissionError):
            raise
        said = str(problem).strip().splitlines()
        raise InvalidData(
            f"{path}: not a readable {path.suffix.lower()} file: {said[0][:200] if said else type(problem).__name__}"
        ) from None
    return b"".join(pieces)
