"""What a data set was understood to be, without training anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optselect.data import DataOptions, SplitOptions
from optselect.options import Settings
from optselect.task import TaskSpec
from optselect.util.option_fields import fill

__all__ = ["ColumnReport", "DataReport", "describe_data"]

_WIDEST = 46  # characters of a cell of the table
_MOST_COLUMNS = 60  # of the table; what is JSON has them all
_MOST_EXAMPLES = 3
_DONE = {
    "number": "standardised",
    "boolean": "0 or 1, standardised",
    "category": "one-hot",
    "date": "days; month and weekday on a circle",
    "text": "which frequent words occur",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnReport:
    """One column, or one array, of a data set.

    Parameters
    ----------
    name : str
        Name of the column.
    role : {"feature", "target", "not used"}
        What it is for.
    read_as : str
        Kind and notation, for example "number, decimal comma" or "date, %d.%m.%Y".
    examples : tuple of str
        Up to three values as they were written.
    missing : int
        Rows without a value.
    done : str
        What becomes of it, or why it is not used.
    """

    name: str
    role: str
    read_as: str
    examples: tuple[str, ...]
    missing: int
    done: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataReport:
    """What was understood of a data set.

    Parameters
    ----------
    name : str
        The data set, as it was named.
    rows : int
        Rows that are left after those without a target and the like.
    columns : tuple of ColumnReport
        Every column, in the order features, targets.
    classes : mapping of str to mapping of str to int
        Rows of each label, for each target that has classes.
    lines : tuple of str
        Sizes and everything that was inferred, as `tune` says it.
    """

    name: str
    rows: int
    columns: tuple[ColumnReport, ...]
    classes: Mapping[str, Mapping[str, int]]
    lines: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Describe the report with JSON types.

        Returns
        -------
        dict
            Fields by name.
        """
        return dataclasses.asdict(self)

    def text(self) -> str:
        """Format the report as a table with notes.

        Returns
        -------
        str
            Several lines.
        """
        head = ("column", "read as", "examples", "missing", "what is done")
        rows = [
            (
                f"{c.name}{' (target)' * (c.role == 'target')}",
                c.read_as,
                " | ".join(c.examples),
                f"{c.missing:,}",
                c.done,
            )
            for c in self.columns[:_MOST_COLUMNS]
        ]
        cut = [tuple(_cut(cell) for cell in row) for row in (head, *rows)]
        widths = [max(len(row[i]) for row in cut) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cut]
        if len(self.columns) > _MOST_COLUMNS:
            lines.append(f"... and {len(self.columns) - _MOST_COLUMNS:,} more columns (--json lists them all)")
        return "\n".join([f"{self.name}", "", *lines, "", *self.lines])


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


@fill(Settings)
def describe_data(
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    kind: str | Mapping[str, str] | None = None,
    seed: int = 0,
    splits: SplitOptions | None = None,
    data_options: DataOptions | None = None,
) -> DataReport:
    """Read a data set as `tune` would, and say what was understood.

    Nothing is trained, and TensorFlow is not loaded.

    Parameters
    ----------
    {data}
    {target}
    {kind}
    {seed}
    splits : SplitOptions, optional
        Which rows train, validate and test.
    data_options : DataOptions, optional
        How the data set is written, which columns are used, and what its
        rows and classes count.

    Returns
    -------
    DataReport
        The columns, the classes and every note.

    Raises
    ------
    OptselectError
        One of its subclasses for whatever `tune` would refuse.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "width": ["1,5", "2,25"] * 10, "species": ["a", "b"] * 10
    ... })
    >>> found = describe_data(frame, target="species")
    >>> found.columns[0].read_as, found.classes["species"]
    ('number, decimal comma', {'a': 10, 'b': 10})
    """
    settings = Settings(
        data=data,
        target=target,
        kind=kind,
        epochs=1,
        seed=seed,
        splits=splits or SplitOptions(),
        data_options=data_options or DataOptions(),
    )
    spec = settings.spec()
    found = _features(spec) + [_target(spec, target) for target in spec.targets]
    classes = {
        t.name: {
            str(label): int(n)
            for label, n in zip(t.classes, np.bincount(t.values.ravel(), minlength=len(t.classes)), strict=True)
        }
        for t in spec.targets
        if t.kind == "classification"
    }
    return DataReport(
        name=spec.data.name, rows=spec.data.rows, columns=tuple(found), classes=classes, lines=tuple(spec.describe())
    )


def _features(spec: TaskSpec) -> list[ColumnReport]:
    x = spec.data.x
    if spec.schema is None or not isinstance(x, pd.DataFrame):
        parts = x if isinstance(x, dict) else {"x": x}
        return [_array(str(name), part) for name, part in parts.items()]
    used = {c.name: c for c in spec.schema.columns}
    reasons = {d.name: d.reason for d in spec.schema.dropped}
    reports = []
    for name in map(str, x.columns):
        column = used.get(name)
        kind = column.kind if column is not None else ""
        tags = _tags(spec.data.readings.get(name))
        read_as = ", ".join((kind or str(x[name].dtype), *([_written(column)] if kind == "date" else tags)))
        done = _DONE[kind] if column is not None else f"not used: {reasons.get(name, '')}"
        reports.append(
            ColumnReport(
                name=name,
                role="feature" if column is not None else "not used",
                read_as=read_as,
                examples=_examples(spec, name, x[name]),
                missing=int(x[name].isna().sum()),
                done=done,
            )
        )
    return reports


def _written(column: Any) -> str:
    """How a date is written."""
    form: str = column.date_format
    return {"": "as a date", "ISO8601": "ISO 8601"}.get(form, form)


def _tags(reading: Any) -> list[str]:
    """What was done to a column, in short; the lines say it whole."""
    return [] if reading is None else [remark.split(":")[0] for remark in reading.remarks if remark.strip()]


def _examples(spec: TaskSpec, name: str, values: pd.Series) -> tuple[str, ...]:
    reading = spec.data.readings.get(name)
    if reading is not None and reading.examples:
        return reading.examples
    return tuple(map(str, values.dropna().drop_duplicates().head(_MOST_EXAMPLES)))


def _array(name: str, part: Any) -> ColumnReport:
    shape = " x ".join(map(str, part.shape[1:]))
    return ColumnReport(
        name=name,
        role="feature",
        read_as=f"array of {shape} {part.dtype} a row",
        examples=(),
        missing=0,
        done="standardised",
    )


def _target(spec: TaskSpec, target: Any) -> ColumnReport:
    reading = spec.data.readings.get(target.name)
    what = f"{len(target.classes):,} classes" if target.kind == "classification" else "number"
    values = spec.data.targets[target.name]
    examples = (
        reading.examples if reading is not None else tuple(map(str, pd.unique(np.asarray(values).ravel()[:100])[:3]))
    )
    return ColumnReport(
        name=target.name,
        role="target",
        read_as=", ".join((what, *_tags(reading))),
        examples=examples,
        missing=0,
        done="classification" if target.kind == "classification" else "regression, standardised",
    )
