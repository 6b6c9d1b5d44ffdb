"""Files are whole or not there, whatever the disk refuses and whenever the process is killed."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optselect.errors import CannotWrite, OptselectError
from optselect.util import whole_files

FAULTS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES]


@pytest.fixture
def short() -> Iterator[None]:
    """A process that may not write files of more than 100 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("number", FAULTS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_the_nth_call_fails_for_every_n(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, before: str | None
) -> None:
    """Whichever call the system refuses, the file is the old or the new one, no draft stays, and one error says it."""
    path, true = tmp_path / "answer.json", getattr(os, call)
    for nth in range(1, 9):
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(before)
        count = 0

        def failing(*arguments: Any, nth: int = nth, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                raise OSError(number, os.strerror(number))
            return true(*arguments, **options)

        monkeypatch.setattr(os, call, failing)
        said = ""
        try:
            whole_files.write(path, "new", safe="The rest is safe.")
        except CannotWrite as error:
            said = str(error)
        monkeypatch.setattr(os, call, true)
        reason = whole_files.reason(OSError(number, os.strerror(number)))
        assert said in ("", f"{path}: cannot be written, {reason}. The rest is safe.")
        assert (path.read_text() if path.exists() else None) == (before if said else "new")
        assert [one.name for one in tmp_path.iterdir()] in ([], ["answer.json"])
        if count < nth:
            break
    else:
        pytest.fail("it calls this more often than thought")


@pytest.mark.usefixtures("short")
def test_half_a_file_is_none(tmp_path: Path) -> None:
    """Where the system takes a part of the bytes only, nothing of them stays."""
    whole_files.write(tmp_path / "page.html", "short")
    with pytest.raises(CannotWrite, match="file too large"):
        whole_files.write(tmp_path / "page.html", "x" * 5000)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "short")]


def test_a_full_disk(tmp_path: Path) -> None:
    """On a disk that is really full the old file stays, and there is one error."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path]).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        whole_files.write(tmp_path / "answer.json", "old")
        with pytest.raises(CannotWrite, match=r"answer\.json: cannot be written, the disk is full"):
            whole_files.write(tmp_path / "answer.json", "x" * 100_000)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("answer.json", "old")]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_an_interrupt_leaves_the_old_file(tmp_path: Path) -> None:
    """Ctrl-C while a draft is filled leaves what was there."""
    (tmp_path / "best.keras").write_text("old")

    def interrupted() -> None:
        with whole_files.draft(tmp_path / "best.keras") as aside:
            assert aside.suffix == ".keras"
            aside.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_killed_process_leaves_the_old_file_and_its_draft_goes(tmp_path: Path) -> None:
    """SIGKILL with a draft half written: the old file stands, and the next start removes the draft, no other's."""
    (tmp_path / "answer.json").write_text("old")
    code = (
        "import os, sys, pathlib\nfrom optselect.util import whole_files\n"
        "with whole_files.draft(pathlib.Path(sys.argv[1]) / 'answer.json') as aside:\n"
        "    aside.write_text('ne')\n    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    assert (tmp_path / "answer.json").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "report.html.part").write_text("of an earlier version")
    with whole_files.draft(tmp_path / "other.json") as ours:
        ours.write_text("of a process that lives")
        whole_files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "other.json"]


def test_a_link_is_followed_and_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    """A link stays a link; a pipe stays one and gets what is written, as a device would."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere" / "page.html")
    whole_files.write(tmp_path / "link.html", "page")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "elsewhere" / "page.html").read_text() == "page"
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    whole_files.write(pipe, "through")
    reader.join(timeout=10)
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.parent.joinpath("file").write_text(""), "not a directory"),
        (lambda path: None, "no such file"),
    ],
)
def test_where_nothing_can_be_written(tmp_path: Path, make: Callable[[Path], Any], said: str) -> None:
    """A folder in its place, a file in the place of its folder, no folder at all: one error each."""
    path = tmp_path / "answer.json"
    make(path)
    where = {"is a directory": path, "not a directory": tmp_path / "file" / "a", "no such file": tmp_path / "no" / "a"}
    with pytest.raises(CannotWrite, match=said):
        whole_files.write(where[said], "new")


def test_a_long_name(tmp_path: Path) -> None:
    """A name as long as a file system takes has room for its draft."""
    path = tmp_path / ("a" * 250 + ".html")
    whole_files.write(path, "page")
    assert path.read_text() == "page"


def test_a_refusal_behind_other_errors_is_found() -> None:
    """Libraries wrap what the disk says; a file that is missing is no refusal of the disk."""
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = ValueError("Can't close the archive")
    wrapped.__context__ = full
    assert whole_files.refusal(wrapped) is full
    told = OSError("[Errno 28] Can't write (file write failed: errno = 28, error message = 'No space left on device')")
    assert whole_files.refusal(told) is told
    assert whole_files.reason(told) == "the disk is full"
    assert whole_files.refusal(FileNotFoundError(errno.ENOENT, "gone")) is None
    assert whole_files.refusal(ValueError("no")) is None


def test_the_error_crosses_processes() -> None:
    """It comes from a worker as it is, and is one of ours and the system's."""
    back = pickle.loads(pickle.dumps(CannotWrite("a: cannot be written, the disk is full.")))
    assert isinstance(back, OptselectError)
    assert isinstance(back, OSError)
    assert str(back) == "a: cannot be written, the disk is full."
