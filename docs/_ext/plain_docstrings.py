"""Docstrings here are plain prose: `name: what it is. other: what that is.` This makes lists of them for the site."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["parameters", "setup", "structured"]

_CODE = re.compile(r"(``.*?``|`[^`]*`)", re.DOTALL)


def structured(lines: Sequence[str], names: Sequence[str]) -> list[str]:
    """reStructuredText of a docstring: paragraphs that describe `names` become lists of fields.

    >>> structured(["a, b: both. c: the last. Raises `ValueError`."], ["a", "b", "c"])
    [':param a, b: both.', ':param c: the last.', '', 'Raises `ValueError`.', '']
    """
    made: list[str] = []
    for paragraph in _paragraphs(lines):
        text = "\n".join(paragraph)
        if paragraph[0].startswith((" ", ">>>", "..")):
            made += [*paragraph, ""]
        else:
            made += [*_fields(_escaped(text), names), ""]
    return made


def parameters(thing: Any) -> list[str]:
    """The names that a docstring may describe: a function's parameters, a dataclass's fields, a class's attributes."""
    names: list[str] = []
    if dataclasses.is_dataclass(thing):
        names += [field.name for field in dataclasses.fields(thing)]
    if callable(thing):
        try:
            names += inspect.signature(thing).parameters
        except (TypeError, ValueError):
            pass
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
    starts = list(re.finditer(rf"(?:^|(?<=[.;]\s))((?:{known})(?:, (?:{known}))*): ", text)) if known else []
    if not starts:
        return text.split("\n")
    made = text[: starts[0].start()].split("\n") if starts[0].start() else []
    made += [""] if made else []
    ends = [start.start() for start in starts[1:]] + [len(text)]
    rest = ""
    for start, end in zip(starts, ends, strict=True):
        said, _, raised = " ".join(text[start.end() : end].split()).partition(" Raises ")
        made.append(f":param {start[1]}: {said}")
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


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
