"""What a reader gives before columns and targets mean anything; the rows of several sources as one data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.arrays import Taken
from optselect.data.on_disk import DiskArray, Growing, Room, pieces
from optselect.data.text_columns import ReadOptions, kept_rows
from optselect.errors import InvalidData

__all__ = ["RawArrays", "RawTable", "joined", "together"]

_SHOWN = 5
Part = tuple[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RawTable:
    """A table with its targets. separator: of a text file, whose fields are all text. part: of each row by number.

    weight: of each row, an array or the name of a column.
    """

    frame: pd.DataFrame
    name: str
    notes: tuple[str, ...] = ()
    separator: str | None = None
    weight: Any = None
    part: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RawArrays:
    """Features and targets apart. where: what messages call them. part: of each row by number.

    beside: arrays by name that part the rows, and are no features.
    """

    taken: Taken
    name: str
    where: str
    notes: tuple[str, ...] = ()
    part: np.ndarray | None = None
    beside: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def together(
    first: RawTable | RawArrays,
    others: Sequence[tuple[int, str, RawTable | RawArrays]],
    options: ReadOptions,
    target: Sequence[str],
    room: Room,
) -> tuple[RawTable | RawArrays, ReadOptions]:
    """All rows as one source, and the options with the groups of all rows.

    first: the training rows. others: number and name of a part, and its rows. target: columns. Raises InvalidData
    where the sources do not fit each other.
    """
    for _, part, other in others:
        if isinstance(first, RawTable) != isinstance(other, RawTable):
            kinds = ["a table" if isinstance(one, RawTable) else "arrays" for one in (first, other)]
            raise InvalidData(f"{other.name}: the {part} rows are {kinds[1]}, the training rows {kinds[0]}.")
    if isinstance(first, RawTable):
        return _tables(first, others, options, target)
    return _arrays(first, others, options, room)


def _tables(
    first: RawTable, others: Sequence[Any], options: ReadOptions, target: Sequence[str]
) -> tuple[RawTable, ReadOptions]:
    texts = {one.separator is None for one in (first, *(other for _, _, other in others))}
    if len(texts) > 1:
        raise InvalidData(
            f"{first.name}: training, validation and test rows must be files of one kind: text has to be understood, "
            "and the columns of the others have types."
        )
    columns = list(map(str, first.frame.columns))
    for one in (first, *(other for _, _, other in others)):
        repeated = one.frame.columns[one.frame.columns.astype(str).duplicated()]
        if len(repeated):
            raise InvalidData(f"{one.name}: column names must differ, got several {repeated[0]!r}.")
    needed = [c for c in columns if c not in options.drop]
    tables, notes, codes, places = [], [*first.notes], [], np.arange(0)
    for number, part, one in ((0, "train", first), *others):
        frame = one.frame.set_axis(list(map(str, one.frame.columns)), axis=1)
        if number:
            notes += _compared(first, one, part, frame, needed, target)
        frame = frame.reindex(columns=columns)
        rows, said = kept_rows(frame.reset_index(drop=True), one.separator)
        notes += [f"{one.name}: {line}" for line in said]
        if not len(rows):
            raise InvalidData(f"{one.name}: no {part} rows.")
        places = rows if not number else places
        tables.append(frame.iloc[rows])
        codes.append(np.full(len(rows), number, "int8"))
    part = np.concatenate(codes)
    more = len(part) - len(places)
    weight = first.weight
    if weight is not None and not isinstance(weight, str):
        weight = np.concatenate([np.asarray(weight)[places], np.ones(more)])
    groups = None if options.groups is None else np.asarray(options.groups)[places]
    whole = RawTable(frame=pd.concat(tables, ignore_index=True), name=first.name, notes=tuple(notes),
                     separator=first.separator, weight=weight, part=part)  # fmt: skip
    return whole, dataclasses.replace(options, groups=_padded(groups, part))


def _compared(
    first: RawTable, one: RawTable, part: str, frame: pd.DataFrame, needed: Sequence[str], target: Sequence[str]
) -> list[str]:
    """What to say of columns that only one of two tables has. Raises InvalidData for those that are needed."""
    lacking = [c for c in needed if c not in frame.columns]
    without = [c for c in target if c in lacking]
    if without:
        raise InvalidData(
            f"{one.name}: has no target column `{without[0]}`, so its rows cannot {part}: they need their answers."
        )
    if lacking:
        shown = ", ".join(f"`{c}`" for c in lacking[:_SHOWN]) + ", ..." * (len(lacking) > _SHOWN)
        raise InvalidData(
            f"{one.name}: lacks {len(lacking)} of the columns of {first.name}: {shown}. Add them, or leave them out "
            f'with `DataOptions(drop="{lacking[0]}")`.'
        )
    for c in needed:
        kinds = [_kind(table[c]) for table in (first.frame, frame)]
        if one.separator is None and None not in kinds and kinds[0] != kinds[1]:
            raise InvalidData(f"{one.name}: `{c}` holds {kinds[1]}, in {first.name} it holds {kinds[0]}.")
    extra = [c for c in frame.columns if c not in set(map(str, first.frame.columns))]
    shown = ", ".join(f"`{c}`" for c in extra[:_SHOWN]) + ", ..." * (len(extra) > _SHOWN)
    return [f"{one.name}: columns not used, since {first.name} lacks them: {shown}"] if extra else []


def _kind(values: pd.Series) -> str | None:
    """What a column with a type holds; None if nothing."""
    present = values.dropna()
    if not len(present):
        return None
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(values) or isinstance(values.dtype, pd.PeriodDtype):
        return "dates"
    return "numbers" if pd.api.types.infer_dtype(present) in ("integer", "floating", "decimal", "boolean") else "text"


def _arrays(first: RawArrays, others: Sequence[Any], options: ReadOptions, room: Room) -> tuple[RawArrays, ReadOptions]:
    whole = joined(
        [(0, "train", first.taken), *((n, part, other.taken) for n, part, other in others)], first.where, room
    )
    assert whole.part is not None
    notes = tuple(dict.fromkeys([*first.notes, *(note for _, _, other in others for note in other.notes)]))
    return dataclasses.replace(first, taken=whole, part=whole.part, notes=notes), dataclasses.replace(
        options, groups=_padded(options.groups, whole.part)
    )


def joined(parts: Sequence[tuple[int, str, Taken]], where: str, room: Room) -> Taken:
    """The rows of all parts, the training rows first, with the part of each.

    parts: number, name and rows of each. Raises InvalidData where they do not fit each other.
    """
    takens = [one for _, _, one in parts]
    sizes = [_rows(one.y) for one in takens]
    weight = None
    if any(one.weight is not None for one in takens):
        weight = np.concatenate([
            np.ones(size) if one.weight is None else np.asarray(one.weight)
            for one, size in zip(takens, sizes, strict=True)
        ])  # fmt: skip
    return dataclasses.replace(
        takens[0],
        x=_joined([(name, one.x) for _, name, one in parts], f"{where}: x", room),
        y=_joined([(name, one.y) for _, name, one in parts], f"{where}: y", room),
        weight=weight,
        notes=tuple(dict.fromkeys(note for one in takens for note in one.notes)),
        part=np.repeat(np.array([number for number, _, _ in parts], "int8"), sizes),
    )


def _padded(groups: Any, part: np.ndarray) -> Any:
    """The groups of training rows, and others for the rows that were given beside them."""
    if groups is None:
        return None
    own = np.asarray(groups, dtype=object).ravel()
    return np.concatenate([own, np.array([f"(part {number})" for number in part[part > 0]], dtype=object)])


def _joined(parts: Sequence[Part], where: str, room: Room) -> Any:
    """The rows of all parts: frames, series, arrays, or dicts of these."""
    first = parts[0][1]
    if isinstance(first, Mapping):
        for part, one in parts[1:]:
            if not isinstance(one, Mapping) or set(one) != set(first):
                has = ", ".join(map(repr, one)) if isinstance(one, Mapping) else "no names"
                raise InvalidData(f"{where}: training rows have {', '.join(map(repr, first))}, {part} rows {has}.")
        return {name: _joined([(p, one[name]) for p, one in parts], f"{where}[{name!r}]", room) for name in first}
    if isinstance(first, pd.DataFrame):
        return _frames(parts, where)
    shapes = [np.shape(one)[1:] for _, one in parts]
    for (part, one), shape in zip(parts[1:], shapes[1:], strict=True):
        if isinstance(one, Mapping | pd.DataFrame) or shape != shapes[0]:
            raise InvalidData(f"{where}: training rows have the shape {shapes[0]}, {part} rows {shape}.")
    if any(isinstance(one, DiskArray) for _, one in parts):
        growing = Growing(room, room.features, where)
        for _, one in parts:
            for piece in pieces(one):
                growing.add(piece)
        return growing.whole()
    if all(isinstance(one, pd.Series) for _, one in parts):
        return pd.concat([one for _, one in parts], ignore_index=True)
    arrays = [np.asarray(one) for _, one in parts]
    kinds = {"text" if a.dtype.kind in "UOS" else "numbers" for a in arrays}
    if len(kinds) > 1:
        raise InvalidData(f"{where}: some parts hold text, others numbers.")
    return np.concatenate(arrays)


def _frames(parts: Sequence[Part], where: str) -> pd.DataFrame:
    first = parts[0][1]
    for part, one in parts[1:]:
        lacking = [c for c in first.columns if not isinstance(one, pd.DataFrame) or c not in one.columns]
        if lacking:
            raise InvalidData(f"{where}: {part} rows lack the column {lacking[0]!r} of the training rows.")
        for c in first.columns:
            kinds = [_kind(table[c]) for table in (first, one)]
            if None not in kinds and kinds[0] != kinds[1]:
                raise InvalidData(f"{where}: `{c}` holds {kinds[0]} in training rows, {kinds[1]} in {part} rows.")
    found: pd.DataFrame = pd.concat([one[first.columns] for _, one in parts], ignore_index=True)
    return found


def _rows(y: Any) -> int:
    return len(next(iter(y.values()))) if isinstance(y, Mapping) else len(y)
