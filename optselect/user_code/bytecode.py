"""What a compiled function does. Line numbers, file names, comments and docstrings do not count."""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Iterator
from types import CodeType
from typing import Any

__all__ = ["Import", "code_digest", "constants", "global_reads", "imports"]

Import = tuple[str, tuple[str, ...], int]
"""The module's name, the names taken from it (none: the module itself), the number of leading dots."""

_SKIPPED = ("CACHE", "EXTENDED_ARG", "NOP", "RESUME")
_PLACE = ("__doc__", "__firstlineno__", "__qualname__")  # what a class body stores of where it stands
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")


def code_digest(code: CodeType) -> str:
    """SHA-256 of the instructions with their constants and names, nested functions included.

    >>> first, second = compile("x = 1", "a.py", "exec"), compile("# why", "b.py", "exec")
    >>> code_digest(first) == code_digest(compile("# a comment\\n\\nx  =  1", "b.py", "exec"))
    True
    >>> code_digest(first) == code_digest(second)
    False
    """
    return hashlib.sha256("\n".join(_lines(code)).encode("utf-8", "surrogatepass")).hexdigest()


def _lines(code: CodeType) -> Iterator[str]:
    yield f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags}"
    yield " ".join(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    steps = [step for step in dis.get_instructions(code) if step.opname not in _SKIPPED]
    offsets = [step.offset for step in steps]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if following is not None and following.opname == "STORE_NAME" and following.argval in _PLACE:
            continue
        if step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:  # to which instruction, not to which byte
            yield f"{step.opname} {sum(offset < step.argval for offset in offsets)}"
        else:
            yield f"{step.opname} {_constant(step.argval)} {step.argrepr if step.opcode in dis.hascompare else ''}"
    yield getattr(code, "co_exceptiontable", b"").hex()


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return f"code:{code_digest(value)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    return f"{type(value).__name__}:{value!r}"


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The function and those within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def constants(code: CodeType) -> list[str]:
    """All texts in it, of functions within it too."""
    return [value for part in _codes(code) for value in part.co_consts if isinstance(value, str)]


def global_reads(code: CodeType) -> list[tuple[str, ...]]:
    """The global names that are read, in their order, each with the attributes that are taken from it at once.

    >>> global_reads(compile("a.b.c(d)", "x.py", "eval"))
    [('a', 'b', 'c'), ('d',)]
    """
    found: dict[tuple[str, ...], None] = {}
    for part in _codes(code):
        chain: tuple[str, ...] = ()
        for step in dis.get_instructions(part):
            if step.opname in _SKIPPED:
                continue
            if chain and step.opname in _ATTRIBUTE:
                chain += (step.argval,)
                continue
            if chain:
                found[chain] = None
            chain = (step.argval,) if step.opname in _GLOBAL else ()
        if chain:
            found[chain] = None
    return list(found)


def imports(code: CodeType) -> list[Import]:
    """What functions import when they run.

    >>> imports(compile("from ..nets import make, WIDTH", "x.py", "exec"))
    [('nets', ('make', 'WIDTH'), 2)]
    """
    found: list[Import] = []
    for part in _codes(code):
        before: list[Any] = []
        for step in dis.get_instructions(part):
            if step.opname == "IMPORT_NAME":
                level, names = before[-2:]
                found.append((step.argval, tuple(names or ()), level))
            before.append(step.argval)
    return found
