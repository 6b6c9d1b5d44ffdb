"""Delimited text files: what is wrong with them, said once and clearly, and the text of their fields."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from optselect.errors import InvalidData

__all__ = ["Delimited", "read_delimited"]

_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space"}
_EXCELS = re.compile("sep=(.)\\r?\\n", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Delimited:
    """The fields of a file as text. notes: what was inferred, for people."""

    frame: pd.DataFrame
    separator: str
    notes: tuple[str, ...]


def read_delimited(
    path: Path, encoding: str | None = None, separator: str | None = None, contents: bytes | None = None
) -> Delimited:
    """The text of every field.

    encoding: a Python codec's name, UTF-8 if None. separator: one character, sniffed if None. contents: of the file,
    where they are not what lies there, as in a compressed one.

    Raises InvalidData with file and line if the file is not a table.
    """
    text = _decode(path, path.read_bytes() if contents is None else contents, encoding)
    notes: list[str] = []
    if (told := _EXCELS.match(text)) is not None:  # Excel's own way to say how the fields are separated
        separator = separator or told[1]
        text = "\n" + text[told.end() :]  # so that lines keep their numbers
    if separator is None:
        endings = [ending.lower() for ending in path.suffixes[-2:]]
        usual = "\t" if {".tsv", ".tab"} & set(endings) else ""
        separator = usual or _sniff(text)
        if separator != (usual or ","):
            notes.append(f"fields are separated by a {_NAMES[separator]}; otherwise `DataOptions(separator=)`")
    elif len(separator) != 1 or separator in '"\r\n':
        raise InvalidData(f"{path}: `separator` must be one character, got {separator!r}.")
    if separator == " ":
        text = "\n".join(line.strip() for line in text.splitlines())
    header, rows, empty = _rectangle(path, text, separator)
    names, said = _names(path, header)
    if empty:
        notes.append(f"{empty:,} rows are empty in every column: left out")
    del text
    frame = pd.DataFrame({name: pd.Series(rows[place], dtype="str") for place, name in enumerate(names)})
    return Delimited(frame=frame, separator=separator, notes=(*notes, *said))


def _decode(path: Path, raw: bytes, encoding: str | None) -> str:
    if not raw.strip(b" \t\r\n\xef\xbb\xbf"):
        raise InvalidData(f"{path}: the file is empty.")
    if encoding is None and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidData(f'{path}: the file is UTF-16, not UTF-8; pass `DataOptions(encoding="utf-16")`.')
    try:
        text = raw.decode(encoding or "utf-8-sig")
    except LookupError:
        raise InvalidData(f"{path}: no encoding is called {encoding!r}; try utf-8, latin-1 or utf-16.") from None
    except UnicodeDecodeError as problem:
        before = raw[: problem.start]
        line, column = before.count(b"\n") + 1, problem.start - (before.rfind(b"\n") + 1) + 1
        advice = (
            'it decodes as latin-1: pass `DataOptions(encoding="latin-1")`'
            if encoding is None
            else "pass another `DataOptions(encoding=)`"
        )
        raise InvalidData(
            f"{path}: not {encoding or 'UTF-8'}: byte 0x{raw[problem.start]:02X} at line {line}, column {column}; "
            f"{advice}."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidData(
            f"{path}: line {line} holds a NUL byte: a binary file, a damaged one, or another `DataOptions(encoding=)`."
        )
    return text


def _sniff(text: str) -> str:
    """The separator that cuts most of the first lines into as many fields as the header, the more fields the better.

    >>> _sniff("a;b\\n1,5;2\\n3;4,5\\n")
    ';'
    """
    lines = [line + "\n" for line in text[:200_000].split("\n") if line.strip()][:50]
    best, best_score = ",", (0.0, 0)
    for separator in _SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        except csv.Error:
            continue
        score = (widths.count(widths[0]) / len(lines), widths[0])
        if widths[0] > 1 and score > best_score:
            best, best_score = separator, score
    if not best_score[1]:  # columns that spaces align
        counts = {len(line.split()) for line in lines}
        best = " " if len(counts) == 1 and counts.pop() > 1 else best
    return best


def _rectangle(path: Path, text: str, separator: str) -> tuple[list[str], list[tuple[str, ...]], int]:
    """The header, the fields of every column, and how many rows of separators alone were left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True,
                        skipinitialspace=separator == " ")  # fmt: skip
    header: list[str] = []
    rows: list[list[str]] = []
    began, empty = 1, 0
    try:
        for row in reader:
            if not row or (len(header) > 1 and row == [row[0]] and not row[0].strip()):
                pass  # a blank line
            elif not header:
                header = row
            elif len(row) != len(header):
                raise InvalidData(
                    f"{path}: line {began} has {len(row)} fields, the header has {len(header)} "
                    f"(separator: {_NAMES.get(separator, separator)})."
                )
            elif row[0] or "".join(row).strip():
                rows.append(row)
            else:
                empty += 1
            began = reader.line_num + 1
    except csv.Error as problem:
        raise InvalidData(f"{path}: line {began}: a quoted field is not closed or not alone: {problem}.") from None
    if not rows:
        raise InvalidData(f"{path}: a header of {len(header)} columns and no rows.")
    return header, list(zip(*rows, strict=True)), empty


def _names(path: Path, header: list[str]) -> tuple[list[str], list[str]]:
    """Column names, and notes about odd ones."""
    if len(header) == 1:
        raise InvalidData(
            f"{path}: one column only, {header[0]!r}: a table needs a target and a feature. "
            "If another character separates the fields, pass `DataOptions(separator=)`."
        )
    names = [name if name.strip() else f"column {place + 1}" for place, name in enumerate(header)]
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        places = {name: [str(i + 1) for i, other in enumerate(names) if other == name] for name in repeated}
        shown = "; ".join(f"{name!r} in columns {', '.join(where)}" for name, where in list(places.items())[:5])
        raise InvalidData(f"{path}: column names must differ, got {shown}.")
    notes = []
    if all(_is_number(name) for name in header):
        notes.append("the first line holds numbers only and was taken for column names: is the header missing?")
    nameless = [new for new, old in zip(names, header, strict=True) if new != old]
    if nameless:
        notes.append(f"columns without a name: called {', '.join(repr(n) for n in nameless[:5])}")
    return names, notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
