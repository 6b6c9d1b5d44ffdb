"""Pictures of the terminal's board, taken while a real study runs: `python docs/board_picture.py`."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

import optselect
from optselect.cli.board import Board
from optselect.record.entries import TrialRecord

IMAGES = Path(__file__).parent / "images"
MOMENTS = {("search", 45): "board-search", ("race", 25): "board-finalists"}  # a stage and how many trials of it


class Photographed(Board):
    """A board that is photographed at some moments."""

    def trial(self, record: TrialRecord) -> None:
        super().trial(record)
        name = MOMENTS.get((record.stage, self._done))
        if name:
            _save(self, IMAGES / f"{name}.svg")


def _save(board: Board, path: Path) -> None:
    paper = Console(file=io.StringIO(), record=True, width=80, force_terminal=True)
    paper.print(board.drawn())
    drawn = paper.export_svg(title="optselect tune sklearn:digits", unique_id=path.stem)
    # Rich asks a server for a font: whoever looks at the picture need not.
    path.write_text(re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL) + "\n", encoding="utf-8")


if __name__ == "__main__":
    board = Photographed(Console(stderr=True))
    with tempfile.TemporaryDirectory() as folder:
        optselect.tune(
            None,
            "sklearn:digits",
            trials=60,
            epochs=20,
            run=optselect.RunOptions(out=folder),
            tracking=optselect.Tracking(mlflow=None),
            listener=board,
        )
    board.close()
