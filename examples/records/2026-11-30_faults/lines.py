"""What is noticed of a study's ledger when lines are lost, doubled, exchanged or cut off: `lines.py FOLDER`."""

from __future__ import annotations

import collections
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from optselect.errors import StudyConflict
from optselect.record import StudyLog
from optselect.verdict.answer import Answer


def damages(lines: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Every kind of damage with the file that it gives."""
    data = b"".join(lines)
    for i, line in enumerate(lines):
        yield "a line removed", b"".join(lines[:i] + lines[i + 1 :])
        yield "a line twice", b"".join([*lines[: i + 1], *lines[i:]])
        yield "a line 30 times more", b"".join([*lines[:i], *[line] * 30, *lines[i:]])
    for i, j in itertools.combinations(range(0, len(lines), 3), 2):
        swapped = list(lines)
        swapped[i], swapped[j] = lines[j], lines[i]
        yield "two lines exchanged", b"".join(swapped)
    for cut in range(0, len(data), 1009):
        yield "cut off anywhere", data[:cut]


def main(study: Path) -> None:
    """Count what is noticed of each kind of damage."""
    lines = (study / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        shutil.copy(study / "recommendation.json", folder)
        for what, data in damages(lines):
            path.write_bytes(data)
            try:
                state = Answer.read(StudyLog.read(path)).state
                found = "nothing noticed" if state == "whole" else f"the answer is known to be {state}"
            except StudyConflict:
                found = "refused by name"
            counts[what, found] += 1
    print(f"{len(lines)} lines")
    for (what, found), count in counts.items():
        print(f"{what:22} {count:4}  {found}")


main(Path(sys.argv[1]))
