"""Inputs as people bring them, run as they are: how each command ends, in one table.

    python -m benchmarks.field_cases [NAME ...] [--seconds 240] [--out FOLDER]

`examples/field_cases` has a folder for each: data as spreadsheets, laboratories and scripts write them, and a
`command.sh`. A traceback or a hang is a failure of ours, whatever the input; then the exit code of this command is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = Path(__file__).parent.parent / "examples" / "field_cases"
_NOISE = re.compile(r"^\s*$|^(WARNING|[IWE]0000)|^\d{4}-\d\d-\d\d|^Starting the training process|^To enable")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of cases; all if none is given")
    parser.add_argument("--seconds", type=float, default=240, help="after which a command counts as hanging")
    parser.add_argument("--out", type=Path, help="folder for the whole output of every case")
    given = parser.parse_args()
    print("| case | ends with | seconds | says |\n|---|---|---|---|", flush=True)
    failed = [name for name in given.names or sorted(p.name for p in CASES.iterdir()) if not _run(name, given)]
    if failed:
        sys.exit(f"{len(failed)} of them end in a traceback or do not end: {', '.join(failed)}")


def _run(name: str, given: argparse.Namespace) -> bool:
    """Run a case in a copy of its folder and print its line; whether it ended, and without a traceback."""
    with tempfile.TemporaryDirectory(prefix="optselect-case-") as folder:
        copy = shutil.copytree(CASES / name, Path(folder) / name)
        beside = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "TF_CPP_MIN_LOG_LEVEL": "3"}
        began = time.monotonic()
        try:
            done = subprocess.run(
                ["bash", "command.sh"],
                cwd=copy,
                env=os.environ | beside,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=given.seconds,
                check=False,
            )
            ended, text = f"exit {done.returncode}", done.stdout
        except subprocess.TimeoutExpired as late:
            ended, text = "does not end", (late.stdout or b"").decode(errors="replace")
        seconds = time.monotonic() - began
    traceback = "Traceback (most recent call last)" in text
    expected = "optselect.errors." in text  # a script of the user's that does not catch our error shows it so
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"{name}.txt").write_text(text.replace(str(copy.parent), ""), encoding="utf-8")
    ours = traceback and not expected
    print(f"| {name} | {'traceback' if ours else ended} | {seconds:.0f} | {_words(text)} |", flush=True)
    return not ours and ended != "does not end"


def _words(text: str) -> str:
    """The lines for people, one after the other, in so many characters."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.search(line) and not line.startswith("  File")]
    errors = [line for line in lines if line.startswith(("Error", "optselect.errors."))]
    shown = " / ".join(errors or lines)
    return (shown if len(shown) <= 300 else shown[:296] + " ...").replace("|", "\\|")


if __name__ == "__main__":
    main()
