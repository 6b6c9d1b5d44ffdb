"""The walls between rooms stand: forbidden imports that are planted in a copy break the contract that forbids them."""

from __future__ import annotations

import ast
import collections
import itertools
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.import_graph import circles, floors, module_imports, room_imports
from tests.helpers import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
INSIDE = "optselect.verdict.race"  # far from every door
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _of_type(kind: str) -> list[dict[str, Any]]:
    return [contract for contract in CONTRACTS if contract["type"] == kind]


def _planted() -> Iterator[tuple[str, str]]:
    """Imports that the contracts forbid, read from the contracts: by whom, of what."""
    for contract in _of_type("forbidden"):
        yield from ((INSIDE, module) for module in contract["forbidden_modules"])
    for contract in _of_type("independence"):
        one, *others = contract["modules"]
        yield from ((one, other) for other in others)
    for contract in _of_type("layers"):
        [container] = contract["containers"]
        layers = [[f"{container}.{name.strip()}" for name in layer.split("|")] for layer in contract["layers"]]
        for above, below in itertools.pairwise(layers):
            yield below[0], above[0]
        for layer in layers:
            yield from itertools.pairwise(layer)


PLANTED = ("optselect.study.arm", "mlflow"), *_planted()


def _file(folder: Path, module: str) -> Path:
    path = folder.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _copy(folder: Path) -> Path:
    """The package and its contracts, apart from the rest."""
    shutil.copytree(ROOT / "optselect", folder / "optselect", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _linted(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy with every planted import, and with a module that no layer lists."""
    folder = _copy(tmp_path_factory.mktemp("planted"))
    for importer, imported in PLANTED:
        with _file(folder, importer).open("a") as file:
            file.write(f"\nimport {imported}\n")
    for contract in _of_type("layers"):
        [container] = contract["containers"]
        (_file(folder, container).parent / "unlisted").mkdir()
        (_file(folder, container).parent / "unlisted" / "__init__.py").touch()
    done = _linted(folder)
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_an_untouched_copy_keeps_all_contracts(tmp_path: Path) -> None:
    """So what breaks below is broken by what is planted."""
    done = _linted(_copy(tmp_path))
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize("name", [contract["name"] for contract in CONTRACTS])
def test_every_contract_can_break(broken: str, name: str) -> None:
    """None of them checks nothing."""
    assert f"{name} BROKEN" in broken


@pytest.mark.parametrize(("importer", "imported"), PLANTED, ids=lambda name: name.removeprefix("optselect."))
def test_a_planted_import_is_found(broken: str, importer: str, imported: str) -> None:
    """By its line in the report."""
    assert f"{importer} -> {imported} (l." in broken


@pytest.mark.parametrize("container", [contract["containers"][0] for contract in _of_type("layers")])
def test_a_new_module_must_find_its_layer(broken: str, container: str) -> None:
    """A package that no layer lists breaks the contract."""
    assert f"{container}.unlisted" in broken


def test_no_imports_go_in_a_circle() -> None:
    """Neither between modules nor between rooms, and every room has a floor."""
    modules = module_imports()
    rooms = room_imports(modules)
    assert circles(modules) == []
    assert circles(rooms) == []
    assert sorted(itertools.chain.from_iterable(floors(rooms))) == sorted(rooms)
    assert circles({**rooms, "errors": {"cli"}})  # the search finds one where there is one


def _twice(found: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    places = collections.defaultdict(list)
    for name, path in found:
        places[name].append(str(path.relative_to(ROOT)))
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def test_a_name_stands_for_one_thing() -> None:
    """No two modules have the same name, and no two public classes."""
    paths = sorted((ROOT / "optselect").rglob("*.py"))
    assert _twice((path.stem, path) for path in paths if not path.stem.startswith("__")) == {}
    assert (
        _twice(
            (node.name, path)
            for path in paths
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )
        == {}
    )
