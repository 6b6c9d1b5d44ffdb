"""The user's own modules: which they are, and what a function in them depends on, read from the source alone."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["SourceParts", "find_module", "is_users"]

_SHOWN = 80  # characters of a value in a message


def is_users(file: str | Path | None) -> bool:
    """Whether a file is the user's own: neither of Python, nor installed, nor ours."""
    if not file:
        return False
    path = Path(file)
    if {"site-packages", "dist-packages"} & set(path.parts) or not path.is_file():
        return False
    return not any(path.resolve().is_relative_to(folder) for folder in _installed())


@functools.cache
def _installed() -> tuple[Path, ...]:
    named = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    ours = Path(__file__).parents[1]
    return tuple({Path(p).resolve() for p in (*named, *site.getsitepackages(), str(ours)) if p})


def find_module(name: str, folders: Iterable[str | Path] = ()) -> Path | None:
    """The file of a user's module by its full name, without importing anything; None for all others."""
    top, *rest = name.split(".")
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded:
        return Path(loaded) if is_users(loaded) else None
    spec = importlib.machinery.PathFinder.find_spec(top, [*map(str, folders), *sys.path])
    if spec is None or not spec.origin or not is_users(spec.origin):
        return None
    path = Path(spec.origin)
    return _within(path.parent, rest) if rest else path


def _within(folder: Path, names: list[str]) -> Path | None:
    inner = folder.joinpath(*names)
    return next((path for path in (inner.with_suffix(".py"), inner / "__init__.py") if path.is_file()), None)


class SourceParts:
    """Collects what names of a user's modules depend on: a digest and a short form for each definition.

    parts: by a label for people, "`UNITS` in nets.py". Comments, docstrings and positions do not count, nor does what
    nothing leads to. Where a module is imported as a whole, all of it counts.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "nets.py"
    >>> _ = path.write_text("UNITS = 8\\nOTHER = 1\\ndef build():\\n    return UNITS\\n")
    >>> found = SourceParts()
    >>> found.add(path, ["build"])
    >>> found.parts["`UNITS` in nets.py"][1], "`OTHER` in nets.py" in found.parts
    ('8', False)
    """

    def __init__(self) -> None:
        self.parts: dict[str, tuple[str, str]] = {}
        self.texts: list[tuple[Path, str]] = []  # constants that may name files
        self.names: set[str] = set()  # everything that is called or read
        self._seen: set[tuple[Path, str | None]] = set()

    def add(self, path: Path, names: Iterable[str] | None = None) -> None:
        """What these names depend on; None for the whole module."""
        wanted = [None] if names is None else list(names)
        for name in wanted:
            if (path, name) in self._seen:
                continue
            self._seen.add((path, name))
            for label, statement in _reached(_module(path), name):
                self._put(f"`{label}` in {path.name}", statement)
                self._follow(path, statement)

    def _put(self, label: str, statement: ast.stmt) -> None:
        digest = hashlib.sha256(ast.dump(statement).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        value = getattr(statement, "value", None) if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        shown = ast.unparse(value) if value is not None else ""
        while label in self.parts and self.parts[label][0] != digest:
            label += " (again)"
        self.parts[label] = (digest, shown[:_SHOWN])

    def _follow(self, path: Path, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._imported(path, alias.name, None, 0)
            elif isinstance(node, ast.ImportFrom):
                self._imported(path, node.module or "", [alias.name for alias in node.names], node.level)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.append((path, node.value))
            elif isinstance(node, ast.Name | ast.Attribute):
                self.names.add(node.id if isinstance(node, ast.Name) else node.attr)

    def _imported(self, importer: Path, name: str, names: list[str] | None, level: int) -> None:
        if level:
            base = importer.parents[level - 1]
            found = _within(base, name.split(".")) if name else base / "__init__.py"
        else:
            found = find_module(name, [importer.parent])
        if found is None:
            return
        if names is None or "*" in names:
            self.add(found)
            return
        for taken in names:
            submodule = _within(found.parent, [taken]) if found.name == "__init__.py" else None
            if submodule is not None:
                self.add(submodule)
            elif found.is_file():
                self.add(found, [taken])


def _module(path: Path) -> ast.Module:
    try:
        return _parsed(str(path), path.stat().st_mtime_ns)
    except (OSError, SyntaxError, ValueError):  # said where the file is run
        return ast.Module(body=[], type_ignores=[])


@functools.lru_cache(maxsize=256)
def _parsed(path: str, _when: int) -> ast.Module:
    tree = ast.parse(Path(path).read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if first is not None and _is_text(first):
                node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]  # a docstring
    return tree


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _reached(tree: ast.Module, name: str | None) -> Iterator[tuple[str, ast.stmt]]:
    """The statements at the top level that a name depends on, each with what it defines.

    Statements that define nothing by themselves always count, since they may change anything; what runs only as a
    script never does.
    """
    bound = {i: _binds(statement) for i, statement in enumerate(tree.body)}
    always = {i for i, names in bound.items() if not names and not _is_main(tree.body[i])}
    if name is None:
        found = {i for i in bound if not _is_main(tree.body[i])}
    else:
        found, wanted = set(always), [name, *(n for i in always for n in _reads(tree.body[i]))]
        seen: set[str] = set()
        while wanted:
            current = wanted.pop()
            if current in seen:
                continue
            seen.add(current)
            for i, names in bound.items():
                if current in names and i not in found:
                    found.add(i)
                    wanted += _reads(tree.body[i])
    for i in sorted(found):
        statement = tree.body[i]
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield ast.unparse(statement), statement
        else:
            yield ", ".join(bound[i]) or ast.unparse(statement).splitlines()[0][:_SHOWN], statement


def _binds(statement: ast.stmt) -> list[str]:
    """What a plain definition defines; none for anything else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        names = [alias.asname or alias.name.split(".")[0] for alias in statement.names]
        return [] if "*" in names else names
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return [n.id for target in targets if target is not None for n in ast.walk(target) if isinstance(n, ast.Name)]
    return []


def _reads(statement: ast.stmt) -> list[str]:
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]


def _is_main(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    return isinstance(statement, ast.If) and "__name__" in _reads(statement.test)  # type: ignore[arg-type]
