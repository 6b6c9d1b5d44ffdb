"""Data that is in memory already: frames, arrays, pairs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.dataset import Data, Features, Values
from optselect.data.on_disk import Array, DiskArray
from optselect.data.row_roles import RowRoles, row_roles, time_values
from optselect.data.target import choose_targets
from optselect.data.text_columns import Reading, ReadOptions, Understood, understand
from optselect.errors import InvalidData, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["as_weights", "from_frame", "from_pair"]


def from_frame(
    frame: pd.DataFrame,
    target: Any,
    name: str,
    notes: Sequence[str] = (),
    sample_weight: Any = None,
    *,
    options: ReadOptions | None = None,
    separator: str | None = None,
    part: np.ndarray | None = None,
) -> Data:
    """A table that holds its targets, and its sample weights if these are the name of a column.

    options: how it is written, and which columns count. separator: of a text file, whose fields are all text. part:
    of each row by number, of rows that came from several tables; each of them is one then.
    """
    options = options or ReadOptions()
    frame = _named(frame, name)
    if not len(frame):
        raise InvalidData(f"{name}: no rows.")
    weight_columns = [sample_weight] if isinstance(sample_weight, str) else []
    for column in weight_columns:
        if column not in frame.columns:
            raise UnknownName(f"{name}: no column `{column}` of sample weights. {suggestion(column, frame.columns)}")
    parting = (*weight_columns, *((options.group, options.given) if target is None else ()))
    chosen, said = choose_targets([c for c in frame.columns if c not in parting], target, name)
    roles = row_roles(frame, options, (*chosen, *weight_columns), name)
    frame = _without(roles.frame, options, chosen, name)
    left = [c for c in frame.columns if c not in (*chosen, *weight_columns)]
    if not left:
        raise InvalidData(f"{name}: no column but {_listed([*chosen, *weight_columns])}: nothing to learn from.")
    lost = _index_note(frame)
    found = understand(
        frame.reset_index(drop=True), source=name, options=options, targets=chosen, separator=separator,
        trim=part is None,
    )  # fmt: skip
    if not len(found.frame):
        raise InvalidData(f"{name}: no rows: all are empty.")
    aside, left = _aside(roles, found, options, left, name)
    if part is not None:
        check_readings(frame, found, part, options, chosen, separator, name)
        aside["part"] = part
    weights = sample_weight if weight_columns else as_weights(sample_weight, name)
    return Data(
        name=name,
        x=found.frame[left],
        y=_one_or_several({column: _whole(found.frame[column]) for column in chosen}),
        target=", ".join(chosen),
        notes=(*notes, *said, *roles.notes, *lost, *found.notes),
        sample_weight=_whole(found.frame[sample_weight]) if weight_columns else _of_rows(weights, found, len(frame)),
        readings=found.readings,
        options=options,
        aside=aside,
    )


def _aside(
    roles: RowRoles, found: Understood, options: ReadOptions, left: list[str], name: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """What parts the rows that are left, and the columns that are features."""
    aside = {what: values[found.rows] for what, values in roles.aside.items()}
    if roles.time is not None:
        aside["time"] = time_values(found.frame[roles.time], found.readings.get(roles.time), roles.time, name)
        left = [c for c in left if c != roles.time or c not in options.drop]
    return aside, left


def _set_aside(
    x: Mapping[str, Any], beside: Mapping[str, np.ndarray], options: ReadOptions | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Named features without the arrays that part the rows, and those."""
    asked = (options.group, options.time, options.given) if options is not None else ()
    found = {name: np.asarray(x[name]) for name in asked if name is not None and name in x}
    kept = {name: part for name, part in x.items() if name not in found or name == (options and options.time)}
    return kept, {**beside, **found}


def _beside(beside: Mapping[str, np.ndarray], options: ReadOptions, rows: int, where: str) -> dict[str, np.ndarray]:
    """What parts the rows of arrays: other arrays, by name."""
    for name, values in beside.items():
        if values.shape not in ((rows,), (rows, 1)):
            raise InvalidData(
                f"{where}: `{name}` has the shape {values.shape}, and there are {rows:,} rows: one per row."
            )
    frame = pd.DataFrame({name: np.ravel(values) for name, values in beside.items()}, index=range(rows))
    roles = row_roles(frame, options, (), where)
    aside = dict(roles.aside)
    if roles.time is not None:
        found = understand(frame[[roles.time]], source=where, options=options, trim=False)
        aside["time"] = time_values(found.frame[roles.time], found.readings[roles.time], roles.time, where)
    return aside


def check_readings(
    frame: pd.DataFrame,
    found: Understood,
    part: np.ndarray,
    options: ReadOptions,
    targets: Sequence[str],
    separator: str | None,
    name: str,
) -> None:
    """Raise InvalidData for a column that the training rows alone would have made something else of."""
    own = frame.loc[part == 0].reset_index(drop=True)
    try:
        alone = understand(own, source=name, options=options, targets=targets, separator=separator, trim=False)
    except InvalidData:  # what training rows leave open the others may settle
        return
    for column in map(str, found.frame.columns):
        values = found.frame[column]
        before, now = _read_as(alone.frame[column], alone.readings[column]), _read_as(values, found.readings[column])
        if before != now and alone.frame[column].notna().any():
            odd = frame[column][part > 0].dropna().drop_duplicates().head(3)
            raise InvalidData(
                f"{name}: `{column}` holds {before} in the training rows, and with the validation and test rows it "
                f"would be {now}; they have values such as {', '.join(map(repr, odd))}."
            )


def _read_as(values: pd.Series, reading: Reading) -> str:
    if reading.is_date:
        return "dates"
    is_number = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
    return "numbers" if is_number else "text"


def _of_rows(weights: Values | None, found: Understood, rows: int) -> Values | None:
    """The weights of the rows that are left."""
    if weights is None or len(found.rows) == rows or len(weights) != rows:
        return weights
    return weights.iloc[found.rows].reset_index(drop=True) if isinstance(weights, pd.Series) else weights[found.rows]


def _without(frame: pd.DataFrame, options: ReadOptions, targets: Sequence[str], name: str) -> pd.DataFrame:
    """The frame without the columns to drop, but for one that orders the rows. Raises UnknownName, InvalidData."""
    for what, asked in (("keep", options.keep), ("drop", options.drop)):
        unknown = [c for c in asked if c not in frame.columns]
        if unknown:
            raise UnknownName(f"{name}: no column `{unknown[0]}` to {what}. {suggestion(unknown[0], frame.columns)}")
        if set(asked) & set(targets):
            raise InvalidData(f"{name}: `{what}` names the target `{(set(asked) & set(targets)).pop()}`.")
    return frame.drop(columns=[c for c in options.drop if c != options.time])


def _index_note(frame: pd.DataFrame) -> list[str]:
    """What to say of an index that tells something, and is no column."""
    if isinstance(frame.index, pd.RangeIndex) or (frame.index.name is None and not _is_time(frame.index)):
        return []
    called = f" `{frame.index.name}`" if frame.index.name is not None else " of dates" * _is_time(frame.index)
    return [f"the frame's index{called} is no column and is not used: `frame.reset_index()` makes it one"]


def _is_time(index: pd.Index) -> bool:
    return isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)


def _listed(names: Sequence[str]) -> str:
    return f"the target {', '.join(f'`{n}`' for n in names)}" if len(names) == 1 else ", ".join(f"`{n}`" for n in names)


def _one_or_several(targets: dict[str, Values]) -> Values | dict[str, Values]:
    return targets if len(targets) > 1 else next(iter(targets.values()))


def as_weights(given: Any, where: str) -> Values | None:
    """Sample weights that are in memory. Raises InvalidData for a name, since no column is there to have it."""
    if isinstance(given, str):
        raise InvalidData(
            f"{where}: `sample_weight` is the name {given!r}, but the data is no table with such a column; give the "
            "weights themselves."
        )
    if isinstance(given, pd.Series):
        return _whole(given.reset_index(drop=True))
    return None if given is None else np.asarray(given)


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with text for column names, all different."""
    columns = [str(c) for c in frame.columns]
    repeated = sorted({c for c in columns if columns.count(c) > 1}) if len(set(columns)) < len(columns) else []
    if repeated:
        raise InvalidData(f"{name}: column names must differ, got several {', '.join(map(repr, repeated[:5]))}.")
    return frame.set_axis(columns, axis=1)


def _whole(y: pd.Series) -> pd.Series:
    """Nullable and categorical types to the plain ones, where nothing is lost."""
    if isinstance(y.dtype, pd.CategoricalDtype):
        return y.astype(object)
    if pd.api.types.is_extension_array_dtype(y) and pd.api.types.is_numeric_dtype(y) and not y.isna().any():
        return pd.Series(np.asarray(y.to_numpy()))
    return y


def from_pair(
    x: Any,
    y: Any,
    sample_weight: Any,
    name: str,
    where: str,
    target: str | Sequence[str] | None = None,
    options: ReadOptions | None = None,
    part: np.ndarray | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
) -> Data:
    """Features, target or targets by name, and sample weights or None, in memory.

    target: the name of a single target, or which of several are meant. part: of each row by number. beside:
    arrays by name that may part the rows.
    """
    targets, notes = _targets(y, where, target)
    features: Any = x
    readings: dict[str, Reading] = {}
    aside: dict[str, np.ndarray] = {}
    if isinstance(x, dict):
        x, beside = _set_aside(x, beside or {}, options)
        features = {key: _named_array(part, f"{where}: x[{key!r}]") for key, part in x.items()}
    if isinstance(x, pd.Series):
        features = x.to_frame()
    if not isinstance(features, pd.DataFrame | dict):
        features = _array(features, f"{where}: x")
    if isinstance(features, pd.DataFrame):
        asked = options or ReadOptions()
        roles = row_roles(_named(features, where), asked, (), where)
        named = _without(roles.frame, asked, (), where).reset_index(drop=True)
        found = understand(named, source=where, options=asked, trim=False)
        aside, left = _aside(roles, found, asked, [*found.frame.columns], where)
        features, readings, notes = found.frame[left], found.readings, (*notes, *roles.notes, *found.notes)
    elif options is not None and (options.keep or options.drop):
        raise InvalidData(f"{where}: `keep` and `drop` name columns, and the features are no table with columns.")
    rows = len(next(iter(targets.values())))
    if part is not None and isinstance(features, pd.DataFrame):
        check_readings(named, found, part, asked, (), None, where)
    if not isinstance(features, pd.DataFrame) and options is not None:
        by = options.group or options.time or options.given
        if by is not None and by not in (beside or {}):
            raise InvalidData(
                f"{where}: the rows are to be split by the column {by!r}, and the features are no table with columns; "
                "pass `SplitOptions(groups=)`, or rows in their order with `SplitOptions(cv=)`."
            )
        aside = _beside(beside or {}, options, rows, where)
    parts = features if isinstance(features, dict) else {"": features}
    for what, values in (*_labelled("x", parts), *_labelled("y", targets if len(targets) > 1 else {})):
        if len(values) != rows:
            first = f"y[{next(iter(targets))!r}]" if len(targets) > 1 else "y"
            raise InvalidData(f"{where}: {what} has {len(values):,} rows, {first} has {rows:,}.")
    if not rows:
        raise InvalidData(f"{where}: no rows.")
    if part is not None:
        aside["part"] = part
    return Data(
        name=name,
        x=features,
        y=_one_or_several(targets),
        target=", ".join(targets),
        notes=notes,
        sample_weight=as_weights(sample_weight, where),
        readings=readings,
        options=options or ReadOptions(),
        aside=aside,
    )


def _labelled(what: str, parts: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{what}[{name!r}]" if name else what, part) for name, part in parts.items()]


def _targets(y: Any, where: str, target: str | Sequence[str] | None) -> tuple[dict[str, Values], tuple[str, ...]]:
    if isinstance(y, pd.DataFrame):
        y = {str(column): y[column] for column in y.columns}
    if not isinstance(y, dict):
        y = {(target if isinstance(target, str) else None) or str(getattr(y, "name", None) or "y"): y}
    elif target is not None and len(y) > 1:
        y = {name: y[name] for name in choose_targets(list(y), target, where)[0]}
    if not y:
        raise InvalidData(f"{where}: y holds no target.")
    found, notes = {}, []
    for name, values in y.items():
        found[name], said = _target(values, f"{where}: y" if len(y) == 1 else f"{where}: y[{name!r}]")
        notes += [f"`{name}`: {line}" if len(y) > 1 else line for line in said]
    return found, tuple(notes)


def _target(y: Any, where: str) -> tuple[Values, tuple[str, ...]]:
    if isinstance(y, pd.Series):
        return _whole(y.reset_index(drop=True)), ()
    array = np.asarray(y)
    note: tuple[str, ...] = ()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and _is_one_hot(array):
        array, note = array.argmax(axis=1), ("y was one-hot: each row's class is the place of its 1",)
    if array.ndim == 0 or 0 in array.shape[1:]:
        raise InvalidData(f"{where} must hold a value for each row, got shape {array.shape}.")
    if array.dtype.kind == "S" or (array.dtype == object and all(isinstance(v, bytes) for v in array.flat)):
        array = np.char.decode(array.astype("S"), "utf-8")  # TensorFlow's strings, too
    if array.dtype.kind not in ("biufUO" if array.ndim == 1 else "biuf"):
        raise InvalidData(f"{where} must hold numbers{' or labels' * (array.ndim == 1)}, got type {array.dtype}.")
    return (pd.Series(array) if array.ndim == 1 else array), note


def _is_one_hot(y: np.ndarray) -> bool:
    return y.dtype.kind in "biuf" and bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _named_array(x: Any, where: str) -> Array:
    array = _array(x, where)
    if isinstance(array, pd.DataFrame | dict):
        raise InvalidData(f"{where}: must hold numbers, got text; a data frame may hold text.")
    return array


def _array(x: Any, where: str) -> Features:
    """An array of numbers as it is; an array of text or mixed values as a table."""
    array = x if isinstance(x, DiskArray) else np.asarray(x)
    if array.ndim == 0:
        raise InvalidData(f"{where}: must be an array whose first axis counts rows, got {type(x).__name__}.")
    if isinstance(array, np.ndarray) and array.dtype.kind in "UO":
        if array.ndim > 2:
            raise InvalidData(f"{where}: must hold numbers, got type {array.dtype} and shape {array.shape}.")
        columns = array.reshape(len(array), -1)
        names = ["x"] if columns.shape[1] == 1 else [f"x{i}" for i in range(columns.shape[1])]
        return pd.DataFrame(columns, columns=names).infer_objects()
    if array.dtype.kind not in "biuf":
        raise InvalidData(f"{where}: must hold numbers, got type {array.dtype}.")
    if array.ndim > 1 and 0 in array.shape[1:]:
        raise InvalidData(f"{where}: no features, shape {array.shape}.")
    if array.ndim > 1:
        return array
    return array.column() if isinstance(array, DiskArray) else array.reshape(-1, 1)
