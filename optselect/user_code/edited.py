"""Whether a user's module in memory is still what its file says: another process would import the file."""

from __future__ import annotations

import ast
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optselect.user_code.bytecode import code_digest

__all__ = ["differs_from_file"]


def differs_from_file(module: types.ModuleType) -> bool:
    """Whether a function, or a constant that is written out, is not the file's: the file was edited, or the module.

    What code of the module itself may change is not looked at.
    """
    try:
        source = Path(module.__file__ or "").read_bytes()
        tree, code = ast.parse(source), compile(source, module.__file__ or "", "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return True
    written = dict(_functions(code, ""))
    for name, function in _defined(vars(module), module.__name__):
        if name not in written or code_digest(function.__code__) != code_digest(written[name]):
            return True
    return any(repr(vars(module).get(name)) != repr(value) for name, value in _constants(tree))


def _functions(code: types.CodeType, within: str) -> Iterator[tuple[str, types.CodeType]]:
    """Functions and methods by their qualified names, as far as no function holds them."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            name = f"{within}{constant.co_name}"
            yield name, constant
            yield from _functions(constant, f"{name}.")


def _defined(names: dict[str, Any], module: str) -> Iterator[tuple[str, types.FunctionType]]:
    for value in list(names.values()):
        if isinstance(value, type) and value.__module__ == module and not hasattr(value, "__dataclass_fields__"):
            members = {k: getattr(v, "__func__", v) for k, v in vars(value).items()}
            yield from ((n, f) for n, f in _defined(members, module) if n.startswith(f"{value.__qualname__}."))
        is_plain = isinstance(value, types.FunctionType) and value.__module__ == module
        if is_plain and "<" not in value.__qualname__ and not hasattr(value, "__wrapped__"):
            yield value.__qualname__, value


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names that are bound once, to a value that is written out, and that no code of the module may change."""
    nodes = list(ast.walk(tree))
    bound = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    touched = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name):
            reads = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
            touched |= set() if reads else {node.value.id}
    for statement in tree.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if isinstance(target, ast.Name) and bound[target.id] == 1 and target.id not in touched:
            try:
                yield target.id, ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError):  # computed
                continue
