"""The shape of the package: rooms, floors, imports between them, circles, and what is longest.

A room is a package or module directly in `optselect`. A room stands one floor above the highest room that it imports;
rooms that import each other in a circle share a floor. An arrow is a pair of rooms of which one imports the other.
Imports inside functions count, imports for type checkers alone do not.

uv run python -m benchmarks.import_graph [--at REVISION]
"""

from __future__ import annotations

import argparse
import ast
import collections
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import grimp

__all__ = ["circles", "floors", "module_imports", "room_imports", "sources"]

PACKAGE = "optselect"
ROOT = Path(__file__).parents[1]

Imports = Mapping[str, Set[str]]


class Source(NamedTuple):
    """A file of the package and what Python makes of it."""

    path: Path
    lines: int
    tree: ast.Module


def module_imports() -> Imports:
    """Which modules of the package each module imports."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)}


def room_imports(modules: Imports) -> Imports:
    """Which rooms each room imports; the package's own `__init__` is none."""
    rooms: dict[str, set[str]] = {room: set() for module in modules if (room := _room(module))}
    for module, imported in modules.items():
        for one, other in ((_room(module), _room(name)) for name in imported):
            if one and other and one != other:
                rooms[one].add(other)
    return rooms


def circles(imports: Imports) -> list[list[str]]:
    """Groups of names in which each can be reached from each other, sorted.

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    [['b', 'c']]
    """
    reached = {name: _reached(imports, name) for name in imports}
    groups = {frozenset(o for o in reached[name] if name in reached[o]) for name in imports if name in reached[name]}
    return sorted(sorted(group) for group in groups)


def floors(imports: Imports) -> list[list[str]]:
    """The names by floor, the lowest first.

    >>> floors({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    [['c'], ['b'], ['a']]
    """
    alike = {name: set(group) for group in circles(imports) for name in group}
    heights: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in heights:
            group = alike.get(name, {name})
            below = set[str]().union(*(imports[one] for one in group)) - group
            heights.update(dict.fromkeys(group, 1 + max(map(height, sorted(below)), default=-1)))
        return heights[name]

    found: dict[int, list[str]] = collections.defaultdict(list)
    for name in sorted(imports):
        found[height(name)].append(name)
    return [found[floor] for floor in sorted(found)]


def sources(root: Path) -> list[Source]:
    """Every Python file of the package under `root`."""
    found = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path.relative_to(root), text.count("\n"), ast.parse(text)))
    return found


def _room(module: str) -> str:
    return ".".join(module.split(".")[1:2])


def _reached(imports: Imports, name: str) -> set[str]:
    """What is imported by a name, and by what it imports, and so on; the name itself only through a circle."""
    found: set[str] = set()
    open_ends = list(imports[name])
    while open_ends:
        one = open_ends.pop()
        if one not in found:
            found.add(one)
            open_ends += imports.get(one, ())
    return found


def _functions(found: Iterable[Source]) -> Iterator[tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for source in found:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield source, node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters it has, `self` left out."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its lines, its docstring left out."""
    told = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    docstring = (told.end_lineno or 0) - told.lineno + 1 if told is not None else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def _report(root: Path) -> Iterator[str]:
    modules = module_imports()
    rooms = room_imports(modules)
    stacked = floors(rooms)
    yield f"{len(rooms)} rooms on {len(stacked)} floors, {sum(map(len, rooms.values()))} arrows between them"
    for number, floor in reversed(list(enumerate(stacked, 1))):
        yield f"  {number:2}  {', '.join(floor)}"
    for what, imports in (("rooms", rooms), ("modules", modules)):
        found = circles(imports)
        yield f"circles of {what}: {len(found) or 'none'}"
        yield from (f"  {', '.join(group)}" for group in found)
    yield from _longest(sources(root))


def _longest(found: list[Source]) -> Iterator[str]:
    yield f"{len(found)} files, {sum(source.lines for source in found):,} lines"
    longest = max(found, key=lambda source: source.lines)
    yield f"longest file: {longest.path}, {longest.lines} lines"
    for what, measure in (("function without its docstring", _length), ("parameter list", _parameters)):
        source, function = max(_functions(found), key=lambda pair: measure(pair[1]))
        yield f"longest {what}: {function.name} in {source.path}, {measure(function)}"


def _checked_out(revision: str, folder: str) -> Path:
    """The package as it was at a revision of the repository."""
    command = ["git", "archive", "--format=tar", revision, PACKAGE]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", metavar="REVISION", help="of the repository; the working tree if left out")
    revision = parser.parse_args().at
    with tempfile.TemporaryDirectory() as folder:
        root = ROOT if revision is None else _checked_out(revision, folder)
        sys.path.insert(0, str(root))  # where the graph is built from
        print("\n".join(_report(root)))


if __name__ == "__main__":
    main()
