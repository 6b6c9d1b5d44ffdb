"""A user's Python file: finding a function in it, running it, and telling where it failed."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from optselect.errors import OptselectError
from optselect.util.suggestion import suggestion

__all__ = [
    "SAID",
    "check_function",
    "is_reference",
    "load_function",
    "load_object",
    "split_reference",
    "where_it_failed",
]

SAID = "optselect: "
"""How a line begins that a data function's process wants to have said."""

_REFERENCE = re.compile(r"(?P<path>.+\.py)(?::(?P<function>.*))?", re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Keras writes messages for a terminal, and lists its arguments after them


def is_reference(text: str) -> bool:
    """Whether the text means a Python file, with or without a function.

    >>> is_reference("my_model.py:build"), is_reference("table.csv")
    (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def split_reference(text: str) -> tuple[Path, str]:
    """Path and function of FILE.py:FUNCTION; the function is "" if it was left out.

    >>> split_reference("models/net.py:build")[1]
    'build'
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Path(match["path"]), match["function"] or ""


def check_function(path: Path, function: str, error: type[OptselectError]) -> None:
    """Raise `error` unless the file can be read and parsed and defines the function; runs nothing."""
    if not path.is_file():
        raise error(f"{path}: no such file.")
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as problem:
        raise error(f"{path}:{problem.lineno}: not valid Python: {problem.msg}.") from None
    except ValueError as problem:
        raise error(f"{path}: not valid Python: {problem}.") from None
    defined = _names(tree)
    if not function:
        functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
        choice = f" Functions in it: {', '.join(functions)}." if functions else ""
        raise error(f"{path}: name a function too, as in {path.name}:{functions[0] if functions else 'load'}.{choice}")
    if function not in defined:
        raise error(f"{path}: no function `{function}`. {suggestion(function, defined)}")


def _names(tree: ast.Module) -> list[str]:
    """Everything a module defines at its top level that could be called."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node in tree.body:
            names.append(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names += [(alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def load_function(path: Path, function: str, error: type[OptselectError]) -> Callable[..., Any]:
    """The function, after running the file as a module; its folder can be imported from, as `python FILE` has it.

    Raises `error` with the user's file and line if the file fails.
    """
    found = load_object(path, function, error)
    if not callable(found):
        raise error(f"{path.resolve()}: `{function}` is not a function, got {type(found).__name__}.")
    return found  # type: ignore[no-any-return]


def load_object(path: Path, name: str, error: type[OptselectError]) -> Any:
    """Whatever the file calls so at its top level; otherwise as `load_function`."""
    check_function(path, name, error)
    path = path.resolve()
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise error(f"{path}: cannot be loaded as a Python module.")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
        return getattr(module, name)
    except Exception as problem:
        raise error(where_it_failed(path, problem)) from problem


def where_it_failed(path: Path, problem: BaseException) -> str:
    """One line: the user's file, the last line of it that ran, the function and the exception.

    >>> try:
    ...     1 / 0
    ... except ZeroDivisionError as problem:
    ...     where_it_failed(Path("nowhere.py"), problem)
    'nowhere.py: ZeroDivisionError: division by zero'
    """
    said = " ".join(_COLOUR.sub("", str(problem)).partition("Arguments received by")[0].split()) or "no message"
    if len(said) > 500:
        said = said[:500] + " ..."
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if Path(f.filename) == path]
    at = f"{path}:{frames[-1].lineno} in {frames[-1].name}" if frames else str(path)
    return f"{at}: {type(problem).__name__}: {said}"
