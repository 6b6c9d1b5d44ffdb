"""The guide to adding an optimizer, executed: its files as they stand there, its commands as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.helpers.guide import FILES, commands

NEEDED = ("optselect", "search_spaces", "tests", "scripts", "docs", "benchmarks", "pyproject.toml", "justfile")
OTHERS = shutil.ignore_patterns("__pycache__", "_build", "images", ".*_cache")
RULE = "optselect/optim/rules/qhadam.py"
REFERENCE = "tests/helpers/references.py"
# `uv run COMMAND` in an environment that is there already, as in the one that these tests run in.
UV = '#!/bin/sh\nshift\nwhile [ "$1" = --extra ]; do shift 2; done\nexec "$@"\n'


def _shell(command: str, folder: Path, programs: Path) -> str:
    """What a command of the guide prints; fails if the command does."""
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {name: value for name, value in environment.items() if not name.startswith(("PYTEST_", "COV_"))}
    run = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert run.returncode == 0, f"{command}\n{run.stdout[-5000:]}\n{run.stderr[-3000:]}"
    return run.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `uv` that installs nothing."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "uv").write_text(UV)
    (folder / "uv").chmod(0o755)
    return folder


def _copy(folder: Path) -> Path:
    """The project with the rule and the reference of the guide in it."""
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=OTHERS)
        else:
            shutil.copy(ROOT / name, folder / name)
    assert not (folder / RULE).exists()
    (folder / RULE).write_text(FILES[RULE], encoding="utf-8")
    with (folder / REFERENCE).open("a", encoding="utf-8") as references:
        references.write("\n\n" + FILES[REFERENCE])
    return folder


def test_rule_is_added_to_the_project(tmp_path: Path, programs: Path) -> None:
    """Two files and one command: then every test that walks the rules has the new one, and it passes."""
    folder = _copy(tmp_path / "project")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    printed = {command: _shell(command, folder, programs) for command in commands("3")}
    [tests] = [text for command, text in printed.items() if "pytest" in command]
    assert int(re.search(r"(\d+) passed", tests)[1]) > 40  # type: ignore[index]
    assert "failed" not in tests
    [described] = [text for command, text in printed.items() if "optselect optimizers" in command]
    assert "arXiv:1810.06801" in described
    changed = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    changed -= {str(path.relative_to(folder)) for path, content in before.items() if path.read_bytes() == content}
    changed = {path for path in changed if not path.startswith(".")}  # caches
    assert changed == {
        "docs/optimizers/README.md",
        "docs/optimizers/qhadam.md",
        "optselect/optimizers/__init__.pyi",
    }


@pytest.mark.slow
def test_all_tests_that_walk_the_rules_pass_with_the_new_one(tmp_path: Path, programs: Path) -> None:
    """In the project with the rule of the guide, every file of tests that walks the rules passes as a whole."""
    folder = _copy(tmp_path / "project")
    _shell(commands("3")[0], folder, programs)
    files = [path for path in (folder / "tests").rglob("test_*.py") if "RULES" in path.read_text(encoding="utf-8")]
    names = " ".join(str(path.relative_to(folder)) for path in sorted(files) if path.name != Path(__file__).name)
    _shell(f"pytest -q -p no:cacheprovider {names}", folder, programs)


def test_rule_is_brought_by_another_package(tmp_path: Path, programs: Path) -> None:
    """The same rule in a package of its own is found under its name, and its test file passes."""
    package = tmp_path / "my_package"
    (tmp_path / "tests").mkdir()
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "qhadam.py").write_text(FILES[RULE], encoding="utf-8")
    (tmp_path / "tests" / "test_qhadam.py").write_text(FILES["tests/test_qhadam.py"], encoding="utf-8")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    info = tmp_path / "my_package-1.0.dist-info"  # as an installer leaves it
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    [(group, entries)] = project["entry-points"].items()
    (info / "entry_points.txt").write_text(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()))
    install, described, tests = commands("4")
    assert install.startswith("pip install")
    assert "arXiv:1810.06801" in _shell(described, tmp_path, programs)
    assert re.search(r"\d+ passed, \d+ skipped", _shell(tests, tmp_path, programs))
