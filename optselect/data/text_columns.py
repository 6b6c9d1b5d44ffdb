"""What the text of a table means: numbers, dates, booleans and gaps, decided over all columns and told."""

from __future__ import annotations

import dataclasses
import datetime
import decimal as decimals
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from optselect.data import dates as dating
from optselect.data import numerals
from optselect.data.dates import Dates, Order
from optselect.data.numerals import Cells, Convention, Decimal, Numbers
from optselect.errors import InvalidData, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["Labels", "MissingTarget", "ReadOptions", "Reading", "Understood", "as_names", "kept_rows", "understand"]

MissingTarget = Literal["drop", "refuse"]
"""What happens to rows without a target."""

Labels = Literal["merge", "distinct"]
"""Whether labels that differ only in case or spaces are one class or several."""

_MISSING = frozenset({"", "nan", "null", "n/a", "#n/a", "<na>", "#na", "nat", "#div/0!", "#value!", "#ref!", "#name?",
                     "#num!", "#null!", "#n/v", "#error!", "#calc!", "#spill!"})  # fmt: skip
_MISSING_AMONG_NUMBERS = _MISSING | {"na", "none", "nil", "-", "--", "–", "—", "?", ".", "..", "...", "n.a.", "n.d.",
                                    "k.a.", "n/d", "missing", "unknown"}  # fmt: skip
_TRUE_OR_FALSE = {"true": True, "false": False}
_LEADING_ZERO = re.compile(r"^[+-]?0\d+$", re.MULTILINE)
_LONG_INTEGER = re.compile(r"^[+-]?\d{16,}$", re.MULTILINE)
_CODE = re.compile(r"\d+")
_MOST_EXAMPLES = 3
_MOST_BOOLEANS = 64  # ways to write "true" and "false" in upper and lower case
_FEWEST_ROWS = 3  # of a table in which a row of units or a total can be told


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What a person says of how the data are written and which of them count.

    Parameters
    ----------
    decimal : {"point", "comma"} or None
        The decimal mark of the file, where its values leave it open.
    dates : {"day-first", "month-first", "year-first"} or None
        The order of the fields of dates, where the values leave it open.
    keep, drop : tuple of str
        Columns that are features whatever they look like, and columns that are none.
    missing_target : {"drop", "refuse"} or None
        What happens to rows without a target; None drops them where they are fewer than 5 %.
    labels : {"merge", "distinct"} or None
        Whether labels that differ only in case or spaces are one class or several; None raises where there are some.
    group, time, given : str or None
        Columns by which the rows are parted; those of groups and of given parts are no features.
    groups : array-like or None
        Group of each row.
    counted, ordered : bool
        Whether rows are named by their places, so that these must be known when rows are left out; whether they are in
        the order of time.
    """

    decimal: Decimal | None = None
    dates: Order | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing_target: MissingTarget | None = None
    labels: Labels | None = None
    group: str | None = None
    time: str | None = None
    given: str | None = None
    groups: Any = dataclasses.field(default=None, compare=False)
    counted: bool = False
    ordered: bool = False

    def __post_init__(self) -> None:
        for name, known in (("decimal", Decimal), ("dates", Order), ("missing_target", MissingTarget),
                            ("labels", Labels)):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value not in get_args(known):
                raise UnknownName(f"no `{name}` {value!r}. {suggestion(str(value), get_args(known))}")
        both = sorted(set(self.keep) & set(self.drop))
        if both:
            raise InvalidData(f"`keep` and `drop` both name {', '.join(map(repr, both))}: choose one.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How a column was read.

    form: how its text becomes numbers or dates, as `raw_rows.raw_columns` takes it, "" for what was none of these.
    is_date: whether it holds dates. examples: values as they were written. remarks: what was done, for people.
    """

    form: str = ""
    is_date: bool = False
    examples: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Understood:
    """A table whose columns have the types that their text says. rows: the kept ones, by their places before."""

    frame: pd.DataFrame
    readings: dict[str, Reading]
    notes: tuple[str, ...]
    rows: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """A column of text before anything is decided.

    codes: of every row, the place of its value. values: distinct, stripped. is_present: whether a value is one.
    cells: those present, as numbers. dates: what they are as dates. is_file: whether everything in the table was text.
    """

    raw: pd.Series
    codes: np.ndarray
    values: list[str]
    is_present: np.ndarray
    cells: Cells
    dates: Dates
    is_file: bool

    @property
    def places(self) -> np.ndarray:
        """Of the cells that are present, in `values`."""
        return np.flatnonzero(self.is_present)

    @property
    def is_number(self) -> bool:
        """Whether so many cells are numbers under one decimal mark that the column is one of numbers."""
        return not self.dates.form and max(self.cells.share("."), self.cells.share(",")) >= numerals.SHARE

    def odd_rows(self, odd: np.ndarray) -> np.ndarray:
        """Rows whose value is at one of these places of `cells`."""
        return np.flatnonzero(np.isin(self.codes, self.places[odd]))


def understand(
    frame: pd.DataFrame,
    *,
    source: str,
    options: ReadOptions,
    targets: Collection[str] = (),
    separator: str | None = None,
    trim: bool = True,
) -> Understood:
    """A table with numbers, dates and booleans where its text says so, and what was understood.

    separator: of the fields of a text file, in which everything was text; None for a table whose columns have types
    already: text in it that is digits alone stays text there, because somebody may have meant it. trim: whether rows
    that are no rows (empty ones, units under the header, a total) may be left out.

    Raises InvalidData for what could be read in two ways, with both, and for a target of numbers with other cells.
    """
    rows = np.arange(len(frame))
    notes: list[str] = []
    if trim:
        frame, rows, notes = _without_empty_rows(frame)
    is_file = separator is not None
    columns = {name: _column(frame[name], is_file) for name in frame.columns if _is_text(frame[name])}
    extra = (_units_row(columns, len(frame)) or _total_row(columns, len(frame))) if trim else None
    if extra is not None:
        place, why = extra
        kept = np.delete(np.arange(len(frame)), place)
        rest = understand(frame.iloc[kept].reset_index(drop=True), source=source, options=options, targets=targets,
                          separator=separator)  # fmt: skip
        said = (*notes, f"row {rows[place] + 1:,} {why}: left out", *rest.notes)
        return Understood(frame=rest.frame, readings=rest.readings, notes=said, rows=rows[kept][rest.rows])
    file = numerals.convention([c.cells for c in columns.values() if c.is_number], options.decimal, separator or "")
    orders = {c.dates.order for c in columns.values()} - {None}
    order = options.dates or (orders.pop() if len(orders) == 1 else None)
    columns = {name: _in_order(column, order) for name, column in columns.items()}
    marks, asked = _marks(columns, file)
    _ask(source, asked, {name: c.dates.asked for name, c in columns.items() if c.dates.asked and name not in targets})
    found: dict[str, pd.Series] = {}
    readings: dict[str, Reading] = {}
    for name in frame.columns:
        if name not in columns:
            found[name], readings[name] = _typed(frame[name], str(name), name in targets)
            continue
        column, (mark, why) = columns[name], marks.get(name, (".", ""))
        if name in targets:
            _check_target(column, mark, name, source, options)
        found[name], readings[name] = _read(column, name, mark, why, name in targets)
    if file.mixed:
        notes.append("some columns have a decimal point, others a decimal comma: each is read by its own")
    notes += _told(readings)
    return Understood(frame=pd.DataFrame(found, index=frame.index), readings=readings, notes=tuple(notes), rows=rows)


def kept_rows(frame: pd.DataFrame, separator: str | None) -> tuple[np.ndarray, list[str]]:
    """The rows of a table that are rows, by their places, and what to say of the others: empty ones, units, a total.

    separator: as in `understand`.

    >>> kept_rows(pd.DataFrame({"a": ["1", "2", "3", None]}), ",")[0]
    array([0, 1, 2])
    """
    frame, rows, notes = _without_empty_rows(frame)
    while True:
        columns = {name: _column(frame[name], separator is not None) for name in frame.columns if _is_text(frame[name])}
        extra = _units_row(columns, len(frame)) or _total_row(columns, len(frame))
        if extra is None:
            return rows, notes
        place, why = extra
        notes.append(f"row {rows[place] + 1:,} {why}: left out")
        kept = np.delete(np.arange(len(frame)), place)
        frame, rows = frame.iloc[kept].reset_index(drop=True), rows[kept]


def _is_text(values: pd.Series) -> bool:
    """Whether a column holds text, or text among numbers."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return False
    if values.dtype != object:
        return pd.api.types.is_string_dtype(values)
    kinds = set(values.dropna().map(type))
    return str in kinds and all(issubclass(k, str | int | float | np.number) and k is not bool for k in kinds)


def _without_empty_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    empty = np.ones(len(frame), bool)
    for name in frame.columns:
        empty &= frame[name].isna().to_numpy(dtype=bool)
        if not empty.any():
            return frame, np.arange(len(frame)), []
    rows = np.flatnonzero(~empty)
    note = f"{int(empty.sum()):,} rows are empty in every column: left out"
    return frame.iloc[rows].reset_index(drop=True), rows, [note]


def _column(raw: pd.Series, is_file: bool) -> _Column:
    codes, distinct = pd.factorize(raw)  # a column has fewer values than rows, so each is looked at once
    given = distinct.tolist()  # far faster than walking through a pandas array
    values = [v.strip() if isinstance(v, str) else repr(float(v)) for v in given]
    is_present = np.array([v.lower() not in _MISSING_AMONG_NUMBERS for v in values], dtype=bool)
    rows = np.bincount(codes[codes >= 0], minlength=len(values))[is_present]
    present = [v for v, there in zip(values, is_present, strict=True) if there]
    cells = numerals.survey(present, rows)
    if raw.dtype == object:
        known = [np.nan if isinstance(v, str) else float(v) for v in given]
        cells = cells.with_numbers(np.array(known)[is_present])
    dates = Dates()
    if present and not (cells.units is None and cells.share(".") == 1):
        dates = dating.date_form(present, rows)
    return _Column(raw=raw, codes=codes, values=values, is_present=is_present, cells=cells, dates=dates,
                   is_file=is_file)  # fmt: skip


def _in_order(column: _Column, order: Order | None) -> _Column:
    if not column.dates.asked or order is None:
        return column
    dates = dating.date_form(column.cells.values, column.cells.rows, order)
    return dataclasses.replace(column, dates=dates)


def _marks(columns: Mapping[str, _Column], file: Convention) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The decimal mark of each column of numbers with what to say of it, and the columns that must be asked about."""
    marks, asked = {}, {}
    for name, column in columns.items():
        if column.is_number:
            mark, why = numerals.decimal_of(column.cells, file)
            if mark:
                marks[name] = (mark, why)
            else:
                asked[name] = why
    return marks, asked


def _ask(source: str, numbers: Mapping[str, str], dates: Mapping[str, str]) -> None:
    """Raise InvalidData for everything that can be read in two ways."""
    said = []
    for found, which in (
        (numbers, '`DataOptions(decimal="point")` or `DataOptions(decimal="comma")`'),
        (dates, '`DataOptions(dates="day-first")` or `DataOptions(dates="month-first")`'),
    ):
        if found:
            shown = "; ".join(f"`{name}`: {why}" for name, why in list(found.items())[:5])
            more = f"; and {len(found) - 5:,} more columns" if len(found) > 5 else ""
            said.append(f"{shown}{more}. Nothing else in the data tells which: pass {which}.")
    if said:
        raise InvalidData(f"{source}: {' '.join(said)}")


def _read(column: _Column, name: str, mark: str, why: str, is_target: bool) -> tuple[pd.Series, Reading]:
    examples = tuple(column.values[:_MOST_EXAMPLES])
    present = column.cells.values
    if column.is_file and 0 < len(present) <= _MOST_BOOLEANS and {v.lower() for v in present} <= _TRUE_OR_FALSE.keys():
        return _booleans(column), Reading(examples=examples)
    if column.dates.form:
        return _as_text(column), _date_reading(column.dates, examples)
    if not column.is_number and (present or not column.is_file):
        partly = numerals.numbers(column.cells, max((".", ","), key=column.cells.share))
        return _as_text(column), Reading(examples=examples, remarks=partly.remarks)
    codes = _kept_as_text(present, column.is_file)
    numbers = numerals.numbers(column.cells, mark)
    if codes is not None or numbers.found is None:
        return _as_text(column), Reading(examples=examples, remarks=numbers.remarks if codes is None else codes)
    series = _spread(column, numbers.found)
    form = dating.whole_number_dates(numbers.found, name) if column.cells.units is None and not is_target else ""
    if form:
        return series, _date_reading(Dates(form=form), examples)
    remarks = [*numbers.remarks, *([f"decimal {'point' if mark == '.' else 'comma'}: {why}"] if why else [])]
    if len(numbers.odd):
        remarks.append(_odd(column, numbers) + ": read as missing")
    return series, Reading(form=numbers.form, examples=examples, remarks=tuple(remarks))


def _date_reading(dates: Dates, examples: tuple[str, ...]) -> Reading:
    remarks = [] if dates.form == "ISO8601" else [f"dates, {_shown_form(dates.form)}"]
    if dates.odd:
        remarks.append(f"dates but for {dates.odd:,} rows, such as {dates.example!r}: read as missing")
    return Reading(form=dates.form, is_date=True, examples=examples, remarks=tuple(remarks))


def _shown_form(form: str) -> str:
    if form.startswith("time "):
        return f"times of the day as {form.removeprefix('time ')}"
    names = {"quarter": "quarters of a year", "week": "weeks of a year", "epoch s": "seconds since 1970",
             "epoch ms": "milliseconds since 1970", "epoch us": "microseconds since 1970",
             "epoch ns": "nanoseconds since 1970"}  # fmt: skip
    return names.get(form, f"written as {form}")


def _kept_as_text(present: Sequence[str], text: bool) -> tuple[str, ...] | None:
    """Why digits stay text: they are codes; None if they are numbers."""
    if not text and present and all(_CODE.fullmatch(v) for v in present):
        return ()
    together = "\n".join(present)  # one search instead of one a value
    if _LEADING_ZERO.search(together):
        return ("leading zeros, read as text",)
    if _LONG_INTEGER.search(together):
        return ("more digits than a number can hold exactly, read as text",)
    return None


def _odd(column: _Column, numbers: Numbers) -> str:
    rows = column.odd_rows(numbers.odd)
    total = int(column.cells.rows.sum())
    shown = ", ".join(str(row + 1) for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    values = list(dict.fromkeys(column.values[column.codes[row]] for row in rows))[:3]
    such = " and ".join(map(repr, values))
    return f"numbers but for {len(rows):,} of {total:,} rows, such as {such} (row {shown})"


def _check_target(column: _Column, mark: str, name: str, source: str, options: ReadOptions) -> None:
    """Raise InvalidData for a target of numbers in which some cells are none, unless it may well be of classes."""
    present, rows = column.cells.values, column.cells.rows
    if not present or (rows.min() >= 3 and len(rows) <= 20):
        return
    if column.dates.form:
        raise InvalidData(f"{source}: target `{name}` holds dates such as {present[0]!r}; a model predicts numbers or "
                          "classes: name another column, or make numbers of them.")  # fmt: skip
    mark = mark if column.is_number else max((".", ","), key=column.cells.share)
    numbers = numerals.numbers(column.cells, mark)
    if numbers.found is None and numbers.remarks and numbers.remarks[0].strip():
        said = _odd(column, numbers) if len(numbers.odd) else numbers.remarks[0].removesuffix(": read as text")
        raise InvalidData(f"{source}: target `{name}`: {said}. Correct these cells or remove their rows.")
    if numbers.found is not None and len(numbers.odd) and options.missing_target != "drop":
        raise InvalidData(f"{source}: target `{name}`: {_odd(column, numbers)}. Correct these cells, remove their "
                          "rows, or leave them out with `DataOptions(missing_target=\"drop\")`.")  # fmt: skip


def _booleans(column: _Column) -> pd.Series:
    words = [*(_TRUE_OR_FALSE.get(v.lower()) for v in column.values), None]
    found = np.array(words, dtype=object)[column.codes]
    return pd.Series(found, dtype="boolean" if pd.isna(found).any() else "bool")


def _spread(column: _Column, numbers: np.ndarray) -> pd.Series:
    """The numbers of the distinct values, row by row; int64 if all are whole."""
    of_value = np.full(len(column.values) + 1, np.nan)
    of_value[column.places] = numbers
    spread = of_value[column.codes]
    whole = np.isfinite(spread).all() and (spread == np.round(spread)).all() and np.abs(spread).max() < 2**53
    return pd.Series(spread.astype("int64") if whole else spread)


def _as_text(column: _Column) -> pd.Series:
    """The column as it was; in a file, without what says that a value is missing."""
    if not column.is_file:
        return column.raw
    gone = [v for v in column.raw.unique() if isinstance(v, str) and v.strip().lower() in _MISSING]
    return column.raw.mask(column.raw.isin(gone)) if gone else column.raw


_TOTAL = re.compile(r"(grand|sub)?[- ]?(total|totals|sum|summe|gesamt|gesamtsumme|insgesamt|somme|totale|suma|average|"
                    r"mean|mittelwert|durchschnitt|moyenne|promedio|media)\W*")  # fmt: skip


def _units_row(columns: Mapping[str, _Column], rows: int) -> tuple[int, str] | None:
    """The first row if it holds words in every column of numbers: units under the header."""
    odd, fine = [], 0
    for column in columns.values():
        mark = max((".", ","), key=column.cells.share)
        is_odd = np.isnan(column.cells.readings[mark])
        if (
            column.dates.form
            or not len(is_odd)
            or column.cells.rows[is_odd].sum() > max(1, (1 - numerals.SHARE) * rows)
        ):
            continue
        if column.codes[0] in column.places[is_odd]:
            odd.append(column.values[column.codes[0]])
        else:
            fine += 1
    if len(odd) < 2 or fine or rows < _FEWEST_ROWS:
        return None
    return 0, f"({', '.join(odd[:4])}{', ...' * (len(odd) > 4)}) holds units or names, no values"


def _total_row(columns: Mapping[str, _Column], rows: int) -> tuple[int, str] | None:
    """The last row if it says that it is a total, and no column of words has it for one of its values."""
    last = rows - 1
    for name, column in columns.items():
        code = column.codes[last] if rows >= _FEWEST_ROWS else -1
        label = column.values[code] if code >= 0 else ""
        if (
            _TOTAL.fullmatch(label.lower())
            and (column.codes == code).sum() == 1
            and (column.is_number or column.dates.form or _adds_up(columns, last))
        ):
            return last, f"is a total (`{name}`: {label!r})"
    return None


def _adds_up(columns: Mapping[str, _Column], last: int) -> bool:
    """Whether the last number of a column is the sum or the mean of those above."""
    for column in columns.values():
        if column.is_number:
            mark = max((".", ","), key=column.cells.share)
            numbers = _spread(column, column.cells.readings[mark]).to_numpy(dtype="float64")
            above, total = numbers[:last][np.isfinite(numbers[:last])], numbers[last]
            if len(above) > 1 and above.std() > 0 and np.isclose([above.sum(), above.mean()], total, rtol=1e-3).any():
                return True
    return False


def _typed(values: pd.Series, name: str, is_target: bool) -> tuple[pd.Series, Reading]:
    """A column that has a type already, brought to one that a model takes."""
    examples = tuple(str(v) for v in values.dropna().drop_duplicates().head(_MOST_EXAMPLES))
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "decimal":
        return values.map(lambda v: float(v) if isinstance(v, decimals.Decimal) else np.nan), Reading(examples=examples)
    if is_target and pd.api.types.is_timedelta64_dtype(values):
        return values.dt.total_seconds(), Reading(examples=examples, remarks=("durations, in seconds",))
    if isinstance(values.dtype, pd.PeriodDtype) or _holds_times(values):
        return values, Reading(is_date=True, examples=examples)
    if not is_target and pd.api.types.is_integer_dtype(values):
        form = dating.whole_number_dates(values.dropna().unique().astype("float64"), name)
        if form:
            return values, _date_reading(Dates(form=form), examples)
    return values, Reading(examples=examples)


def _holds_times(values: pd.Series) -> bool:
    present = values.dropna() if values.dtype == object else values.iloc[:0]
    return bool(len(present)) and all(isinstance(v, datetime.time) for v in present)


def _told(readings: Mapping[str, Reading]) -> list[str]:
    """The remarks on columns, those that say the same in one line."""
    columns: dict[str, list[str]] = {}
    for name, reading in readings.items():
        for remark in reading.remarks:
            if remark.strip():
                columns.setdefault(remark, []).append(name)
    lines = []
    for remark, names in columns.items():
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        lines.append(f"{', '.join(f'`{n}`' for n in names[:5])}{more}: {remark}")
    return lines


def as_names(given: Any) -> tuple[str, ...]:
    """Names of columns out of one, several in a sequence, or none."""
    if given is None:
        return ()
    return tuple(str(n) for n in given) if isinstance(given, list | tuple | set | frozenset) else (str(given),)
