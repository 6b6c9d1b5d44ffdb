"""Docstrings and help are plain prose: `name: what it is. other: what that is.` On the site that becomes lists."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["helped", "parameters", "setup", "structured"]

_CODE = re.compile(r"(``.*?``|`[^`]*`)", re.DOTALL)


def structured(lines: Sequence[str], names: Sequence[str]) -> list[str]:
    """reStructuredText of a docstring: paragraphs that describe `names` become lists.

    >>> structured(["a, b: both. c: the last. Raises `ValueError`."], ["a", "b", "c"])
    ['* **a**, **b**: both.', '* **c**: the last.', '', 'Raises `ValueError`.', '']
    """
    made: list[str] = []
    for paragraph in _paragraphs(lines):
        text = "\n".join(paragraph)
        if paragraph[0].startswith((" ", ">>>", "..")):
            made += [*paragraph, ""]
        else:
            made += [*_fields(_escaped(text), names), ""]
    return made


def helped(lines: Sequence[str]) -> list[str]:
    """reStructuredText of a command's help: lines of commands become a block of code.

    >>> helped(["Words of val_.", "| Example:", "|   optselect studies"])
    ['Words of val\\\\_.', 'Example:', '', '.. code-block:: text', '', '   optselect studies', '']
    """
    made: list[str] = []
    code = False
    for line in lines:
        before, code = code, line.startswith("|  ")
        if code != before:
            made += ["", ".. code-block:: text", ""] if code else [""]
        if code:
            made.append(f"   {line.removeprefix('|').strip()}")
        else:
            made.append(line if line.startswith("..") else _escaped(line.removeprefix("| ")))
    return [*made, ""]


def parameters(thing: Any) -> list[str]:
    """The names that a docstring may describe: a function's parameters, a dataclass's fields, a class's attributes."""
    names: list[str] = []
    if dataclasses.is_dataclass(thing):
        names += [field.name for field in dataclasses.fields(thing)]
    if callable(thing):
        with contextlib.suppress(TypeError, ValueError):
            names += inspect.signature(thing).parameters
    return list(dict.fromkeys(names))


def _paragraphs(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines between empty ones."""
    held: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            held.append(line)
        elif held:
            yield held
            held = []


def _fields(text: str, names: Sequence[str]) -> list[str]:
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    starts = list(re.finditer(rf"(?:^|(?<=[.;]\s))((?:{known})(?:, (?:{known}))*):\s", text)) if known else []
    if not starts:
        return text.split("\n")
    made = text[: starts[0].start()].split("\n") if starts[0].start() else []
    made += [""] if made else []
    ends = [start.start() for start in starts[1:]] + [len(text)]
    rest = ""
    for start, end in zip(starts, ends, strict=True):
        said, _, raised = " ".join(text[start.end() : end].split()).partition(" Raises ")
        made.append(f"* {', '.join(f'**{name}**' for name in start[1].split(', '))}: {said}")
        rest = f"Raises {raised}" if raised else rest
    return [*made, "", rest] if rest else made


def _escaped(text: str) -> str:
    """The text with what reStructuredText would take for markup outside backticks."""
    parts = _CODE.split(text)
    return "".join(
        part if i % 2 else re.sub(r"([*|])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for i, part in enumerate(parts)
    )


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = structured(lines, parameters(thing))


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what another package has put into a class of ours, such as scikit-learn's `set_fit_request`."""
    return True if not (getattr(thing, "__module__", None) or "optselect").startswith("optselect") else None


def _help(app: Any, context: Any, lines: list[str]) -> None:
    lines[:] = helped(lines)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    from optselect.util.lazy import LazyModule

    LazyModule.__sphinx_mock__ = None  # autodoc asks every name of a module for this, and would load TensorFlow
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    app.connect("sphinx-click-process-description", _help)
    app.connect("sphinx-click-process-options", _help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
