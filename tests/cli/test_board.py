"""The board on a real terminal, in a pipe, and when it is stopped."""

from __future__ import annotations

import fcntl
import io
import math
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from optselect.cli.bands import WIDTH, Band, BandScale
from optselect.cli.board import Board
from optselect.cli.commands.cmd_tune import _typed
from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE
from optselect.record.entries import TrialRecord
from optselect.study.listener import Outlook
from optselect.task import TaskDescription

STUDY = ("tune", "sklearn:iris", "--epochs", "3", "--optimizers", "adam,sgd", "--care", "quick", "--mlflow", "none")
_MOVES = re.compile(r"\x1b\[[0-9]*[AK]")  # up a line, erase it: what follows stands on a line of its own
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The command line on a pseudo-terminal of 80 columns and 24 lines."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._file, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "LINES")} | {
            "TERM": "xterm-256color"
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "optselect", *arguments],
            cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        )  # fmt: skip
        os.close(inner)
        self.text = ""

    def read(self, *, until: Callable[[str], object] = lambda text: False) -> int | None:
        """Read on until the text, without escape sequences, is as wanted (None) or the program ends (its exit code)."""
        end, raw = time.monotonic() + 240, b""
        while time.monotonic() < end:
            ready, _, _ = select.select([self._file], [], [], 0.5)
            try:
                data = os.read(self._file, 65536) if ready else None
            except OSError:  # the other side is closed
                return self._process.wait(60)
            raw += data or b""
            self.text = _ESCAPES.sub("", _MOVES.sub("\r", raw.decode(errors="replace")))
            if data and until(self.text):
                return None
        raise AssertionError(f"nothing came of it: {self.text[-2000:]}")

    def interrupt(self) -> None:
        """Ctrl-C: all that runs in the terminal hears of it."""
        os.killpg(self._process.pid, signal.SIGINT)

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._file)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(tmp_path, *arguments))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_on_a_terminal(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """Arms, finalists, pace and time left are on the screen, in 80 columns; Ctrl-C leaves a study that goes on."""
    running = terminal(*STUDY, "--trials", "5000")
    assert running.read(until=lambda text: re.search(r"\d/5000 .*trials/s, ≤ \d+ (s|min) left", text)) is None
    running.interrupt()
    assert running.read() == 130
    shown = running.text
    assert re.search(r"optimizer +trials +diverged +val_loss +accuracy +best ● to median", shown)
    assert re.search(r"best so far: \w+ \(learning_rate", shown)
    shown, last = shown.split("Interrupted.")
    assert max(map(len, re.split(r"[\r\n]", shown))) <= 80
    done = int(re.search(r"(\d+) finished trials? of the study are safe", last)[1])  # type: ignore[index]
    assert f"optselect {shlex.join((*STUDY, '--trials', '5000'))}" in " ".join(last.split())
    assert "Traceback" not in shown
    ledger = (tmp_path / "optselect-studies" / "iris" / "ledger.jsonl").read_text()
    assert ledger.count('"kind": "trial"') >= done > 0


def test_finalists(terminal: Callable[..., Terminal]) -> None:
    """After the search the configurations that are run again are shown with what their seeds gave."""
    running = terminal(*STUDY, "--trials", "4")
    assert running.read() == 0
    shown = running.text
    assert re.search(r"configuration +seeds +val_loss +difference by seed", shown)
    assert re.search(r"\(learning_rate .*\d +[+-]\d+\.\d+ .*[├●┤]", shown)
    assert "Verdict" in shown


def test_in_a_pipe(optselect: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Neither a frame nor an escape sequence; progress goes to standard error, the answer to standard output."""
    done = optselect(*STUDY, "--trials", "4")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "●" not in done.stderr
    assert len(done.stderr.splitlines()) < 20
    assert "Searching: 0 of 4 ..." in done.stderr
    assert "Searching" not in done.stdout
    assert "Verdict" in done.stdout


def test_a_stop_names_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command to go on with is printed without the passwords in it."""
    monkeypatch.setattr(sys, "argv", ["optselect", "tune", "a b.csv", "--mlflow", "https://ada:pa55word@host/x"])
    assert _typed() == "optselect tune 'a b.csv' --mlflow https://ada:***@host/x"


def _record(number: int, arm: str, value: float | None) -> TrialRecord:
    return TrialRecord(
        number=number,
        stage="search",
        arm=arm,
        configuration=BASELINE,
        seed=number,
        outcome="complete" if value else "diverged",
        value=value,
        metrics={"val_accuracy": 0.5},
        curves={},
        epochs=3,
        started=0.0,
        seconds=0.1,
        message="",
    )


def test_many_arms_fit() -> None:
    """The board of forty arms is no higher than a terminal of 24 lines, and says how many it leaves out."""
    board = _board(maximize=False)
    for number in range(40):
        board.trial(_record(number, f"rule{number}", 1.0 + number))
    lines = _lines(board)
    assert len(lines) <= 22
    assert any("and 26 more" in line for line in lines)


@pytest.mark.parametrize("maximize", [False, True])
def test_the_best_comes_first(maximize: bool) -> None:
    """The best arm is the first row and the left end of the scale, whichever way the objective goes."""
    board = _board(maximize=maximize)
    for number, value in enumerate([0.2, 0.8, 0.5]):
        board.trial(_record(number, f"arm{number}", value))
    rows = [line for line in _lines(board) if line.startswith("arm")]
    assert rows[0].startswith("arm1" if maximize else "arm0")
    places = [row.index("●") for row in rows]
    assert places == sorted(places)


def test_nothing_but_divergence() -> None:
    """An arm without a value has a row without a band."""
    board = _board(maximize=False)
    board.trial(_record(0, "sgd", None))
    row = next(line for line in _lines(board) if line.startswith("sgd"))
    assert row.split() == ["sgd", "1", "1"]


def test_scale_of_equal_values() -> None:
    """One value only: a scale of width zero draws it, and so do negative ones and falling scales."""
    for values in ([1.0], [-2.0, 5.0], [0.0, 100.0], [1e-9, 1e9]):
        for falling in (False, True):
            bands = [band for band in (Band.of([v]) for v in values) if band]
            for band in bands:
                assert len(BandScale.of(bands, falling=falling).drawn(band)) == WIDTH


def _board(*, maximize: bool) -> Board:
    board = Board(Console(file=io.StringIO(), force_terminal=True, width=80))
    about = TaskDescription(objective=Objective("val_x", maximize=maximize), headline=Objective("accuracy"))
    board.ready(about, Outlook(after=10, left=lambda: math.inf))
    board.stage("search", 0, 50)
    return board


def _lines(board: Board) -> list[str]:
    board.close()
    paper = Console(file=io.StringIO(), width=80)
    paper.print(board.drawn())
    return paper.file.getvalue().splitlines()  # type: ignore[attr-defined]
