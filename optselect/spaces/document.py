"""A YAML file as a tree whose every node knows its line and column; what is no plain data is refused.

Accepted is YAML 1.2 with mappings, lists, texts, numbers, flags and null: no aliases (a few lines of them can grow to
gigabytes), no tags (they name Python objects), one document, at most 1 MB, 20,000 values
and 20 levels.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optselect.util.suggestion import suggestion

__all__ = ["Mistake", "Mistakes", "Node", "nearest", "read", "spelt"]

_LARGEST = 2**20  # bytes
_DEEPEST = 20
_MOST = 20_000  # values: read in a second or two
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {"": None, "~": None, "true": True, "false": False, ".inf": float("inf"), "-.inf": -float("inf")}
_CONSTANTS |= {"null": None, "+.inf": float("inf"), ".nan": float("nan")}


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A mistake in a search-space file.

    Parameters
    ----------
    line : int
        Line, from 1; 0 for the file as a whole.
    column : int
        Column, from 1; 0 for the file as a whole.
    text : str
        What is wrong, and what is accepted.
    source : str, default ""
        Text of that line.
    """

    line: int
    column: int
    text: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Node:
    """A value with its place. One of three: a mapping (`entries`), a list (`elements`) or a single `value`."""

    line: int
    column: int
    value: Any = None
    entries: tuple[tuple[Node, Node], ...] | None = None
    elements: tuple[Node, ...] | None = None

    @property
    def single(self) -> bool:
        """Whether it is neither a mapping nor a list."""
        return self.entries is None and self.elements is None

    def named(self) -> dict[str, Node]:
        """The values of a mapping by name."""
        return {key.value: value for key, value in self.entries or ()}

    def __str__(self) -> str:
        """The value as a person wrote it, more or less."""
        if self.entries is not None:
            return f"{{{', '.join(f'{key}: {value}' for key, value in self.entries)}}}"
        if self.elements is not None:
            return f"[{', '.join(map(str, self.elements))}]"
        return spelt(self.value)


def spelt(value: Any) -> str:
    """A value as YAML writes it.

    >>> spelt(True), spelt(None), spelt(1e-3), spelt("no")
    ('true', 'null', '0.001', "'no'")
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (str, int)):
        return repr(value)
    return f"{value:.12g}" if math.isfinite(value) else f"{value}".replace("nan", ".nan").replace("inf", ".inf")


def nearest(name: Any, known: Any) -> str:
    """The nearest names, or all of them if none is near.

    >>> nearest("adamn", ["adam", "sgd"]), nearest("x", ["adam", "sgd"])
    ("Did you mean 'adam'?", 'Known: adam, sgd.')
    """
    return suggestion(str(name), known).split(" Known: ")[0]


class Mistakes:
    """Gathers what is wrong with a file."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self._lines = lines or []
        self._found: dict[Mistake, None] = {}  # an ordered set

    def add(self, place: Node | tuple[int, int], text: str) -> None:
        """Note a mistake. place: a node, or line and column."""
        line, column = (place.line, place.column) if isinstance(place, Node) else place
        source = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        self._found[Mistake(line, column, text, source)] = None

    def __iter__(self) -> Iterator[Mistake]:
        return iter(sorted(self._found, key=lambda m: (m.line, m.column)))

    def __len__(self) -> int:
        return len(self._found)


def read(path: Path) -> tuple[Node | None, Mistakes]:
    """The tree of a file, and what is wrong with it as YAML. Without a tree there is at least one mistake."""
    try:
        if path.stat().st_size > _LARGEST:
            return None, _only((0, 0), f"larger than {_LARGEST // 2**20} MB: this is no search space.")
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return None, _only(place, f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8.")
    except OSError as error:
        return None, _only((0, 0), f"cannot be read: {error.strerror}.")
    mistakes = Mistakes(re.split(r"\r\n|\r|\n", text))
    return _parsed(text, mistakes), mistakes


def _only(place: tuple[int, int], text: str) -> Mistakes:
    mistakes = Mistakes()
    mistakes.add(place, text)
    return mistakes


def _parsed(text: str, mistakes: Mistakes) -> Node | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = _Composer(mistakes)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if not composer.take(event):
                return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = (error.problem or error.context or "cannot be read").replace("\t", "\\t")
        hint = " Indent with spaces, not with tabs." if "\\t" in problem else ""
        mistakes.add(place, f"not YAML: {problem}.{hint}")
        return None
    except YAMLError as error:  # a character that YAML forbids
        before = text[: getattr(error, "position", 0)]
        place = before.count("\n") + 1, len(before) - before.rfind("\n")
        mistakes.add(place, f"not YAML: {str(error).splitlines()[0]}.")
        return None
    if composer.root is None:
        mistakes.add((1, 1), "empty: a space is a mapping with `optimizers`, or with `base` and what changes.")
    return composer.root


class _Composer:
    """Makes the tree out of the events of a YAML parser."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._open: list[tuple[Any, list[Node]]] = []
        self._documents = self._values = 0
        self.root: Node | None = None

    def take(self, event: Any) -> bool:
        """Take the next event; False if there is no going on."""
        kind, mark = type(event).__name__, event.start_mark
        place = (mark.line + 1, mark.column + 1)
        if getattr(event, "tag", None) is not None:
            self._mistakes.add(place, f"the tag {_short(event.tag)}: a space has plain values only, remove it.")
        if kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                self._mistakes.add(place, "a second document: a file holds one space.")
                return False
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._open.append((event, []))
            if len(self._open) > _DEEPEST:
                self._mistakes.add(place, f"nested deeper than {_DEEPEST} levels.")
                return False
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            start, nodes = self._open.pop()
            place = (start.start_mark.line + 1, start.start_mark.column + 1)
            self._add(self._mapping(place, nodes) if kind == "MappingEndEvent" else Node(*place, elements=tuple(nodes)))
        elif kind == "AliasEvent":
            self._mistakes.add(place, f"the alias *{event.anchor}: aliases are not followed, write the value out.")
            self._add(Node(*place))
        elif kind == "ScalarEvent":
            self._add(Node(*place, value=_resolved(event.value) if event.implicit[0] else event.value))
        self._values += 1
        if self._values > _MOST:
            self._mistakes.add(place, f"more than {_MOST:,} values: this is no search space.")
        return self._values <= _MOST

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node

    def _mapping(self, place: tuple[int, int], nodes: list[Node]) -> Node:
        seen: dict[str, Node] = {}
        entries = []
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not key.single or not isinstance(key.value, str):
                quoted = f" Quote it if it is one: {str(key)!r}." if key.single else ""
                self._mistakes.add(key, f"a name is expected here, got {key}.{quoted}")
            elif key.value in seen:
                before = seen[key.value].line
                self._mistakes.add(key, f"duplicate key {key.value!r}: it is there in line {before} already.")
            else:
                seen[key.value] = key
                entries.append((key, value))
        return Node(*place, entries=tuple(entries))


def _resolved(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema: 1e-3 is a number; no, off, yes and on are texts."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.lower() in (".inf", "+.inf", "-.inf", ".nan", "true", "false", "null"):
        return _CONSTANTS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _short(tag: str) -> str:
    return repr(tag.replace("tag:yaml.org,2002:", "!!"))
