"""The lines of a ledger: how one is written, and what is wrong where they do not follow one another.

A line is ``{"crc": "1c291ca3", "kind": "trial", "line": 3, "follows": "9d24bb28", ...}``. `crc` is the CRC-32 of the
bytes after it, `line` the number of the line from 1, `follows` the `crc` of the line before. So a line that is changed,
missing, doubled or moved is noticed. Lines of earlier versions carry no place; the chain begins at the first new line.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optselect.errors import DamagedRecord, StudyConflict
from optselect.record.faults import fault

__all__ = [
    "FIRST",
    "RESERVED",
    "Line",
    "Scanned",
    "advice",
    "by_kind",
    "content",
    "make",
    "parsed",
    "scan",
    "split",
    "usable",
]

FIRST = "00000000"  # what the first line comes after
RESERVED = frozenset({"crc", "kind", "line", "follows", "format"})  # keys that a payload must not have
_FORMAT = 2  # of the file; the first line says it, so that a later one is not taken for damage
_HEAD = b'{"crc": "'
_BODY = len(_HEAD) + 8 + len(b'", ')


@dataclasses.dataclass(frozen=True)
class Line:
    """A line whose checksum is right. number, after: its place, None and "" where it carries none."""

    raw: bytes
    entry: dict[str, Any]
    number: int | None
    after: str
    format: int

    @property
    def crc(self) -> str:
        """Its own checksum."""
        return self.raw[len(_HEAD) : len(_HEAD) + 8].decode("ascii")


class Scanned(NamedTuple):
    """The whole lines of a file, the offset behind them, and the checksum that the next one comes after."""

    entries: list[dict[str, Any]]
    end: int
    last: str


def make(kind: str, payload: Mapping[str, Any], *, number: int, after: str) -> bytes:
    """A line with its end. payload: JSON types, without the keys in `RESERVED`."""
    place: dict[str, Any] = {"line": number, "follows": after}
    if number == 1:
        place["format"] = _FORMAT
    body = json.dumps({"kind": kind, **place, **payload}).encode("ascii")[1:]
    return _HEAD + f"{zlib.crc32(body):08x}".encode("ascii") + b'", ' + body + b"\n"


def parsed(raw: bytes) -> Line | None:
    """A line without its end, taken apart; None if its checksum is wrong."""
    body = raw[_BODY:]
    if raw[:_BODY] != _HEAD + f"{zlib.crc32(body):08x}".encode("ascii") + b'", ':
        return None
    entry: dict[str, Any] = json.loads(b"{" + body)
    number, after = entry.pop("line", None), entry.pop("follows", "")
    return Line(raw, entry, number, after, entry.pop("format", 1))


def split(data: bytes) -> list[tuple[bytes, int]]:
    """Every line without its end, and the offset behind it; the last one may lack its end."""
    found, start = [], 0
    while start < len(data):
        newline = data.find(b"\n", start)
        stop = newline if newline >= 0 else len(data)
        found.append((data[start:stop], min(stop + 1, len(data))))
        start = stop + 1
    return found


def scan(data: bytes, path: Path) -> Scanned:
    """All whole lines; what follows their end is an append that was cut short. Raises `DamagedRecord`."""
    lines: list[Line] = []
    raws, end = split(data), 0
    for raw, stop in raws:
        line = parsed(raw)
        if line is None:
            if len(lines) == len(raws) - 1 and _torn(raw, ended=data.endswith(b"\n")):
                break
            raise _damaged(path, data, len(lines) + 1, "the line is damaged (its checksum differs)")
        if line.format > _FORMAT:
            raise StudyConflict(
                f"{path}: written by a newer optselect (format {line.format} of the ledger; this version reads up to "
                f"{_FORMAT}). Update optselect."
            )
        wrong = _misplaced(lines, line, raws)
        if wrong:
            raise _damaged(path, data, len(lines) + 1, wrong)
        lines.append(line)
        end = stop
    return Scanned([line.entry for line in lines], end, lines[-1].crc if lines else FIRST)


def usable(data: bytes) -> list[Line]:
    """The longest whole record that the lines of a damaged file make up, from the first line on."""
    found = [parsed(raw) for raw, _ in split(data)]
    kept = _without_place(found)
    chain = {(line.number, line.after): line for line in found if line is not None and line.number is not None}
    while (following := chain.get((len(kept) + 1, kept[-1].crc if kept else FIRST))) is not None:
        kept.append(following)
    wrong = fault([line.entry for line in kept])
    return kept if wrong is None else kept[: wrong.index]


def _without_place(found: list[Line | None]) -> list[Line]:
    """The first lines of a ledger that an earlier version began, each trial once."""
    kept: list[Line] = []
    for line in found:
        if line is None or line.number is not None:
            break
        if line.entry.get("kind") != "trial" or all(line.raw != one.raw for one in kept):
            kept.append(line)
    return kept


def advice(folder: Path, kept: int, total: int) -> str:
    """How to go on from a damaged record, of which `kept` lines can be used."""
    where = folder.parent if folder.name == "ledger.jsonl" else folder
    return (
        f"Nothing was changed. Restore the file from a copy, or run `optselect repair {shlex.quote(str(where))}`: "
        f"it keeps {kept} of the {total} lines and the whole old file beside it, and the command that started the "
        "study trains again what is lost."
    )


def content(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What was appended: an entry without its kind.

    >>> content({"kind": "trial", "number": 0})
    {'number': 0}
    """
    return {name: value for name, value in entry.items() if name != "kind"}


def by_kind(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What was appended, by kind, each in its order.

    >>> by_kind([{"kind": "task", "rows": 9}, {"kind": "trial", "number": 0}, {"kind": "trial", "number": 1}])
    {'task': [{'rows': 9}], 'trial': [{'number': 0}, {'number': 1}]}
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        found.setdefault(entry["kind"], []).append(content(entry))
    return found


def _torn(raw: bytes, *, ended: bool) -> bool:
    """Whether a last line is an append that was cut short: without its end or, after a power cut, with zero bytes.

    It begins as every line does, as far as it goes: anything else was not written here.
    """
    begins = all(a in (0, b) for a, b in zip(raw, _HEAD, strict=False))
    return begins and (not ended or b"\0" in raw)


def _misplaced(before: Sequence[Line], line: Line, raws: Sequence[tuple[bytes, int]]) -> str:
    """What is wrong with a line's place, "" if nothing is."""
    place, after = len(before) + 1, before[-1].crc if before else FIRST
    if line.number == place and line.after == after:
        return ""
    if line.number is None:
        chained = any(one.number is not None for one in before)
        return "the line does not say where it belongs, as those before it do: it was put there" if chained else ""
    if line.number < place:
        twice = any(one.raw == line.raw for one in before)
        return f"line {line.number} is there twice" if twice else f"line {line.number} is there again, with other text"
    if line.number == place:
        return "the line does not follow the line before it: one of the two is of another record or was exchanged"
    later = {one.number for raw, _ in raws[place:] if (one := parsed(raw)) is not None}
    missing = [number for number in range(place, line.number) if number not in later]
    if not missing:
        return f"the lines are out of order: line {line.number} stands in the place of line {place}"
    several = f"lines {missing[0]} to {missing[-1]} are" if len(missing) > 1 else f"line {missing[0]} is"
    return f"{several} missing"


def _damaged(path: Path, data: bytes, number: int, what: str) -> DamagedRecord:
    kept = len(usable(data))
    before = f"The {number - 1} lines before it are whole. " if number > 1 else ""
    return DamagedRecord(f"{path}, line {number}: {what}. {before}{advice(path, kept, len(split(data)))}")
