"""How a file writes numbers: the evidence of each column, and one convention for all of them."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from optselect.data.raw_rows import value, written

__all__ = ["SHARE", "Cells", "Decimal", "Numbers", "convention", "decimal_of", "numbers", "survey"]

Decimal = Literal["point", "comma"]
"""The decimal mark of a file."""

SHARE = 0.95  # of the cells of a column that must be numbers for it to be one of numbers
MARKS: dict[str, str] = {"point": ".", "comma": ","}
_ONLY_MARKS = re.compile(r"(?:[+-]?[\d.,]+(?:[eE][+-]?\d+)?(?:\n|$))*")
_SIGNED = re.compile(r"([+-]?)(.*)", re.DOTALL)
_FEW = 3  # values on which a pattern can rest


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The distinct cells of a column and what they would be under either decimal mark.

    values: stripped text. rows: how often each occurs. readings: by decimal mark, the number of each value, NaN for
    none. units: of each value, "" for none. bounds: of each value.
    """

    values: list[str]
    rows: np.ndarray
    readings: dict[str, np.ndarray]
    units: list[str] | None = None
    bounds: list[str] | None = None

    def with_numbers(self, known: np.ndarray) -> Cells:
        """With values that were numbers already where `known` is no NaN: they are these, and prove nothing."""
        readings = {mark: np.where(np.isnan(known), reading, known) for mark, reading in self.readings.items()}
        return dataclasses.replace(self, readings=readings)

    def share(self, mark: str) -> float:
        """The part of the rows that are numbers under a decimal mark."""
        return float(self.rows[~np.isnan(self.readings[mark])].sum() / max(self.rows.sum(), 1))

    def decided(self) -> str:
        """The decimal mark that the column's own cells prove, "" if they do not."""
        point, comma = (~np.isnan(self.readings[mark]) for mark in (".", ","))
        proofs = {".": self.rows[point & ~comma].sum(), ",": self.rows[comma & ~point].sum()}
        best = max(proofs, key=lambda mark: (proofs[mark], mark == "."))
        return best if proofs[best] and self.share(best) >= SHARE else ""

    def ambiguous(self) -> np.ndarray:
        """Places of the values that either mark makes another number of."""
        point, comma = self.readings["."], self.readings[","]
        return np.flatnonzero(~np.isnan(point) & ~np.isnan(comma) & (point != comma))

    def grouped(self) -> bool:
        """Whether thousands seem to be marked wherever there are some: 717 beside 1.461, and never 1461 or 1.5."""
        doubtful = set(self.ambiguous().tolist())
        plain = [n for i, n in enumerate(self.readings["."]) if i not in doubtful and not np.isnan(n)]
        return len(doubtful) >= _FEW and len(plain) >= _FEW and all(abs(n) < 1000 and n == round(n) for n in plain)


def survey(values: Sequence[str], rows: np.ndarray) -> Cells:
    """What cells would be as numbers.

    values: distinct, stripped, none of them a marker of a missing value. rows: how often each occurs.

    >>> cells = survey(["717", "1.461"], np.array([1, 1]))
    >>> cells.readings["."].tolist(), cells.readings[","].tolist(), cells.decided()
    ([717.0, 1.461], [717.0, 1461.0], '')
    """
    values = list(values)
    plain = to_numeric(values)
    if not np.isnan(plain).any():
        if "." not in "\n".join(values):
            return Cells(values=values, rows=rows, readings={".": plain, ",": plain})
        if _shows_point(values):  # far the most frequent case, and nothing else need be worked out
            return Cells(values=values, rows=rows, readings={".": plain, ",": np.full(len(values), np.nan)})
        return Cells(values=values, rows=rows, readings={".": plain, ",": _by(",", values, plain)})
    if _ONLY_MARKS.fullmatch("\n".join(values)):
        return Cells(values=values, rows=rows, readings={mark: _by(mark, values, None) for mark in (".", ",")})
    return _formatted(values, rows, plain)


def to_numeric(values: Sequence[str]) -> np.ndarray:
    """Numbers as Python writes them, NaN for what is none."""
    return np.asarray(pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce"), dtype="float64")


def _shows_point(values: Sequence[str]) -> bool:
    """Whether a value proves a decimal point, all being numbers already: the first such value ends the search."""
    return any("." in v and np.isnan(_signed(v, ",")) for v in values)


def _signed(text: str, mark: str) -> float:
    sign, core = _SIGNED.fullmatch(text).groups()  # type: ignore[union-attr]
    return -value(core, mark) if sign == "-" else value(core, mark)


def _by(mark: str, values: Sequence[str], plain: np.ndarray | None) -> np.ndarray:
    """Under a decimal mark; plain: the numbers of those values that hold no mark at all."""
    if plain is None:
        return np.array([_signed(v, mark) if v else np.nan for v in values])
    return np.array([_signed(v, mark) if "." in v else n for v, n in zip(values, plain, strict=True)])


def _formatted(values: list[str], rows: np.ndarray, plain: np.ndarray) -> Cells:
    """Of values with units, currencies, brackets, signs behind and the like."""
    parts = [written(v) for v in values]
    readings = {}
    for mark in (".", ","):
        found = [np.nan if p is None else -value(p.core, mark) if p.negative else value(p.core, mark) for p in parts]
        readings[mark] = np.array(found)
    infinite = np.isinf(plain)
    for reading in readings.values():
        reading[infinite] = plain[infinite]
    units = ["" if p is None else p.unit for p in parts]
    return Cells(
        values=values,
        rows=rows,
        readings=readings,
        units=units if any(units) else None,
        bounds=["" if p is None else p.bound for p in parts] if any(p and p.bound for p in parts) else None,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convention:
    """The decimal mark of a file, "" where nothing tells. mixed: whether columns prove different ones."""

    mark: str
    asked: bool = False
    mixed: bool = False
    separator: str = ""


def convention(columns: Sequence[Cells], asked: Decimal | None, separator: str) -> Convention:
    """What the columns prove together, or what was asked for. separator: of the fields of a text file, else ""."""
    if asked is not None:
        assert asked in get_args(Decimal)
        return Convention(mark=MARKS[asked], asked=True, separator=separator)
    found = {cells.decided() for cells in columns} - {""}
    return Convention(mark=found.pop() if len(found) == 1 else "", mixed=len(found) > 1, separator=separator)


def decimal_of(cells: Cells, file: Convention) -> tuple[str, str]:
    """The decimal mark of a column, and why, for people; "" and both readings where it must be asked.

    In this order: what was asked for, the column's own cells, the file's other columns, how the fields are separated
    together with how the column groups its digits.
    """
    if file.asked and cells.share(file.mark) >= SHARE:
        return file.mark, ""
    own = cells.decided()
    if own:
        return own, "its values allow no other mark" if file.asked and own != file.mark else ""
    doubtful = cells.ambiguous()
    if not len(doubtful):
        return file.mark or ".", ""
    place = int(doubtful[0])
    example, has_point, grouped = cells.values[place], "." in cells.values[place], cells.grouped()
    point, comma = (f"{cells.readings[mark][place]:.12g}" for mark in (".", ","))
    if file.mark == "," and file.separator == "," and has_point and not grouped:
        return (
            ".",
            f'commas separate the fields, so {example!r} is {point}; `DataOptions(decimal="comma")` makes it {comma}',
        )
    if file.mark and not (file.mark == "." and has_point and grouped):  # then the other columns and its own contradict
        return file.mark, ""
    if not file.mark and file.separator == ";" and has_point and grouped:
        return ",", f'points mark the thousands in {example!r}; `DataOptions(decimal="point")` makes it {point}'
    if not file.mark and file.separator == "," and not has_point:
        return ".", f'commas mark the thousands in {example!r}; `DataOptions(decimal="comma")` makes it {comma}'
    return "", f"{example!r} is {point} with a decimal point and {comma} with a decimal comma"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """A column as numbers, or why it is none.

    found: the number of each distinct value, None if the column is none. form: as `raw_rows.number` takes it.
    odd: places of the values that are none. remarks: for people.
    """

    found: np.ndarray | None
    form: str = ""
    odd: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    remarks: tuple[str, ...] = ()


def numbers(cells: Cells, mark: str) -> Numbers:
    """The column under a decimal mark."""
    found = cells.readings[mark].copy()
    unit, remarks, refused = _unit(cells, found)
    if refused:
        return Numbers(found=None, remarks=(refused,))
    odd = np.flatnonzero(np.isnan(found))
    total, bad = int(cells.rows.sum()), int(cells.rows[odd].sum())
    if bad > (1 - SHARE) * total + 1e-9:
        said = (f"numbers but for {bad:,} of {total:,} rows, such as {cells.values[int(odd[0])]!r}: read as text",)
        return Numbers(found=None, odd=odd, remarks=said if bad <= 0.5 * total else ())
    return Numbers(found=found, form=mark + unit, odd=odd, remarks=(*_marks(cells, mark), *remarks))


def _unit(cells: Cells, found: np.ndarray) -> tuple[str, list[str], str]:
    """The unit of the column; what to say of it; or why several units make it no column of numbers.

    Cells of a rare other unit become NaN in `found`, so that they count as no numbers.
    """
    if cells.units is None:
        return "", _bounds(cells), ""
    there = ~np.isnan(found)
    counts: Counter[str] = Counter()
    for unit, rows, number in zip(cells.units, cells.rows, there, strict=True):
        counts[unit] += int(rows) * bool(number)
    bare = counts.pop("", 0)
    total = bare + counts.total()
    if not counts:
        return "", _bounds(cells), ""
    unit, most = counts.most_common(1)[0]
    if counts.total() - most > (1 - SHARE) * total and total >= SHARE * cells.rows.sum():
        shown = ", ".join(f"{u} ({n:,} rows)" for u, n in counts.most_common(4))
        few = len(counts) <= _MOST_UNITS
        return "", [], f"numbers under several units, {shown}: read as text; write them in one unit" if few else " "
    if most < bare and not _is_money(unit):  # a unit here and there: these cells are the odd ones
        unit, bare = "", 0
    for place, other in enumerate(cells.units):
        if other not in (unit, "") or (unit == "%" and not other and found[place] != 0):
            found[place] = np.nan
    done = "durations, in seconds" if unit == "h:m:s" else f"`{unit}` is left out"
    remarks = [f"{done}: {_example(cells, found, unit)}"] if unit else []
    if bare and unit and unit != "%":
        remarks.append(f"{bare:,} of {total:,} values have no unit: taken for {unit}")
    return unit, remarks + _bounds(cells), ""


_MOST_UNITS = 8


def _is_money(unit: str) -> bool:
    return written(f"{unit}1") is not None  # only a currency may stand before its number


def _example(cells: Cells, found: np.ndarray, unit: str) -> str:
    assert cells.units is not None
    place = next((i for i, u in enumerate(cells.units) if u == unit and not np.isnan(found[i])), 0)
    return f"{cells.values[place]!r} is {found[place]:.12g}"


def _bounds(cells: Cells) -> list[str]:
    if cells.bounds is None:
        return []
    places = [i for i, bound in enumerate(cells.bounds) if bound]
    rows = int(cells.rows[places].sum())
    return [f"{rows:,} values are limits or estimates such as {cells.values[places[0]]!r}: their number is taken"]


def _marks(cells: Cells, mark: str) -> list[str]:
    """What the marks mean, where it is not what Python writes."""
    together = "\n".join(cells.values)  # one search instead of one a value
    said = ["decimal comma"] if mark == "," and "," in together else []
    for pattern, what in (
        (r",", "commas taken for thousands"),
        (r"\.", "points taken for thousands"),
        (r"['’ʼ‘`´]", "apostrophes taken for thousands"),
        (r"\d[^\S\n]\d", "spaces taken for thousands"),
        (r"^\(|[-−–]$", "negative numbers written otherwise"),
    ):
        if pattern.removeprefix("\\") == mark or not re.search(pattern, together, re.MULTILINE):
            continue
        readings = cells.readings[mark]
        shown = (i for i, v in enumerate(cells.values) if re.search(pattern, v) and not np.isnan(readings[i]))
        place = next(shown, None)
        if place is not None:
            said.append(f"{what}: {cells.values[place]!r} is {readings[place]:.12g}")
    return said
