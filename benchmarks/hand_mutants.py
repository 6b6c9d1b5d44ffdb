"""How strong the tests of the parts around the rules are: mistakes written by hand, and whether the tests notice.

    uv run python -m benchmarks.hand_mutants [TEXT ...] --out examples/records/DATE_mutants

`benchmarks/hand_mutants.toml` lists the mutants: a file, a piece of its text that occurs once, what takes its place,
and the group of tests that should notice. Each is applied in a copy of the working tree and the tests of its group run
until one fails; a mutant that passes them all has survived. `benchmarks.mutation` breaks the rules by itself; here are
mistakes that people make in the trainer, the optimizer classes, the clippings, the schedules and the parity walk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).with_suffix(".toml")
_SECONDS = 900  # a mutant may make a loop endless
_OPTIONS = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider"]


def read() -> tuple[dict[str, list[str]], list[dict[str, str]]]:
    """The groups of tests as arguments of pytest, and the mutants; each says why it is a mistake."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return data["tests"], [{"file": file, **mutant} for file, some in data["mutants"].items() for mutant in some]


def copied(folder: Path) -> Path:
    """The files of the working tree that Git knows or would add, in a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/images", "examples/records")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def passes(folder: Path, arguments: Sequence[str]) -> bool:
    """Whether pytest is content, in a child of this process, which has TensorFlow loaded already."""
    child = os.fork()
    if child == 0:
        _test(folder, arguments)
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def _test(folder: Path, arguments: Sequence[str]) -> None:
    """Run the tests and end this process with pytest's exit code."""
    code = 99
    try:
        import pytest

        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.dont_write_bytecode = True
        sys.path[:] = [str(folder), *(p for p in sys.path if p and Path(p).resolve() != ROOT)]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = int(pytest.main([*_OPTIONS, *arguments]))
    finally:
        os._exit(code)


def outcomes(folder: Path, groups: dict[str, list[str]], mutants: Sequence[dict[str, str]]) -> Iterator[str]:
    """Of each mutant "killed", "survived", or "stale" where the text is not there once."""
    for mutant in mutants:
        path = folder / mutant["file"]
        whole = path.read_text(encoding="utf-8")
        if whole.count(mutant["old"]) != 1:
            yield "stale"
            continue
        try:
            path.write_text(whole.replace(mutant["old"], mutant["new"]), encoding="utf-8")
            yield "survived" if passes(folder, groups[mutant["tests"]]) else "killed"
        finally:
            path.write_text(whole, encoding="utf-8")


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for log.txt and mutants.json.")
@click.option("--quick", is_flag=True, help="Run the first file of each group of tests only.")
@click.option("--list", "only_list", is_flag=True, help="Count the mutants of each file, and name the stale ones.")
def main(texts: tuple[str, ...], out: Path | None, quick: bool, only_list: bool) -> None:
    """Apply the mutants (all, or those whose file or reason contains one of TEXTS) and count what the tests notice."""
    groups, mutants = read()
    groups = {name: arguments[:1] for name, arguments in groups.items()} if quick else groups
    if texts:
        mutants = [m for m in mutants if any(text in m["file"] or text in m["why"] for text in texts)]
    if only_list:
        for file, count in Counter(m["file"] for m in mutants).items():
            click.echo(f"{count:>4} {file}")
        for m in mutants:
            if (ROOT / m["file"]).read_text(encoding="utf-8").count(m["old"]) != 1:
                click.echo(f"stale: {m['file']}: {m['why']}: {m['old']!r}")
        return
    import keras  # noqa: F401  the children have it from here
    import pytest  # noqa: F401

    lines, rows = [], []

    def say(line: str) -> None:
        click.echo(line)
        lines.append(line)

    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        for group in dict.fromkeys(m["tests"] for m in mutants):
            if not passes(folder, groups[group]):
                raise click.ClickException(f"The tests of {group!r} fail without any mutant: {groups[group]}.")
        for mutant, found in zip(mutants, outcomes(folder, groups, mutants), strict=True):
            say(f"{found:<8} {mutant['file']}: {mutant['why']}")
            rows.append({**mutant, "outcome": found})
    count = Counter(row["outcome"] for row in rows)
    tried = count["killed"] + count["survived"]
    say(f"{count['killed']} of {tried} killed ({count['killed'] / max(tried, 1):.1%}), {count['stale']} stale.")
    if out:
        _write(out, rows, lines)


def _write(out: Path, rows: list[dict[str, Any]], lines: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "mutants.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
