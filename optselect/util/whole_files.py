"""Writing a file so that it is whole or not there, and saying in one message why a disk refused.

A file is written under another name in the same folder, flushed to the disk, and renamed over the old one. A reader
sees the old file or the new one, a crash leaves one of the two, and a failed write leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from optselect.errors import CannotWrite

__all__ = ["draft", "reason", "refusal", "refusals", "sweep", "sync_folder", "write"]

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}  # the disk's own refusals, whoever wrote
_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
}
_DRAFT = ".draft-"
_EARLIER = ("report.html.part", ".study.db.tmp*", "mlflow.tmp")  # names that earlier versions gave to drafts
_LONGEST = 120  # characters of a name that a draft repeats; a file's name may have 255 bytes


def write(path: Path | str, content: str | bytes, *, safe: str = "") -> None:
    """Write a whole file, text in UTF-8. safe: the end of the message if that fails, what is safe and what to do.

    Raises `CannotWrite`; the file that was there before is then unchanged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> write(path, "42")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('42', 1)
    """
    with draft(path, safe=safe) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def draft(path: Path | str, *, safe: str = "") -> Iterator[Path]:
    """The path of a draft with the suffix of `path`; it takes the place of `path` when the block ends without error.

    A link is followed. A device or a pipe is written to directly: it must not be replaced. Raises `CannotWrite`.
    """
    path = Path(path)
    with refusals(path, safe):
        if _special(path):
            yield path
            return
        target = path.resolve() if path.is_symlink() else path
        aside = target.with_name(f"{_DRAFT}{os.getpid()}-{target.name[-_LONGEST:]}")
        try:
            yield aside
            _sync(aside)
            os.replace(aside, target)  # noqa: PTH105  a test replaces the functions of `os`
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)


@contextlib.contextmanager
def refusals(path: Path | str, safe: str, doing: str = "cannot be written") -> Iterator[None]:
    """Turn a refusal of the disk inside the block into a `CannotWrite` that names `path`."""
    try:
        yield
    except CannotWrite:
        raise
    except Exception as error:
        found = error if isinstance(error, OSError) else refusal(error)
        if found is None:
            raise
        raise CannotWrite(f"{path}: {doing}, {reason(found)}. {safe}".strip()) from error


def refusal(error: BaseException | None) -> OSError | None:
    """The disk's refusal behind an error: full, over quota, read-only, broken; None if there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and _number(error) in _DISK:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def reason(error: OSError) -> str:
    """Why the system refused, in a few words.

    >>> reason(OSError(errno.ENOSPC, "No space left on device")), reason(PermissionError(13, "Permission denied"))
    ('the disk is full', 'permission denied')
    """
    number = _number(error)
    known = _WORDS.get(number) if number is not None else None
    return known or (error.strerror or str(error) or type(error).__name__).lower()


def sync_folder(folder: Path) -> None:
    """Have a folder's list of files on the disk, where its file system can do that."""
    with contextlib.suppress(OSError):  # a folder that may not be read, or a file system without it
        _sync(folder)


def sweep(folder: Path) -> None:
    """Remove the drafts of processes that are gone. Only whoever holds the study's lock may call this."""
    old = [path for path in folder.glob(f"{_DRAFT}*") if not _lives(path.name)]
    for path in [*old, *(path for pattern in _EARLIER for path in folder.glob(pattern))]:
        with contextlib.suppress(OSError):
            path.unlink()


def _number(error: OSError) -> int | None:
    """The error number; HDF5 has it in its text alone."""
    if error.errno is not None:
        return error.errno
    told = re.search(r"errno = (\d+)", str(error))
    return int(told[1]) if told else None


def _special(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lives(name: str) -> bool:
    """Whether the process that a draft is of runs on this machine."""
    number = name.removeprefix(_DRAFT).partition("-")[0]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
