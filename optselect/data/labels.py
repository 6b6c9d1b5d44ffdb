"""Labels that differ only in case or spaces: they are asked about, since they may be one class or several."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pandas as pd

from optselect.data.dataset import Data, Values
from optselect.data.text_columns import Labels
from optselect.errors import InvalidData

__all__ = ["with_settled_labels"]

_MOST_LABELS = 1000  # of a target; more are no classes


def with_settled_labels(data: Data, asked: Labels | None = None) -> Data:
    """The data with labels that are one class written alike.

    asked: "merge" makes one class of labels that differ only in case or spaces, in the most frequent spelling;
    "distinct" leaves them apart; None raises InvalidData where there are some.

    >>> data = Data(name="t", x=pd.DataFrame({"a": [1, 2, 3]}), y=pd.Series(["Yes", "yes ", "Yes"]), target="y")
    >>> with_settled_labels(data, "merge").y.tolist()
    ['Yes', 'Yes', 'Yes']
    """
    if asked == "distinct":
        return data
    merged: dict[str, Values] = dict(data.targets)
    notes = []
    for name, values in data.targets.items():
        alike = _alike(values)
        if not alike or not isinstance(values, pd.Series):
            continue
        shown = "; ".join(", ".join(f"{label!r} ({n:,} rows)" for label, n in group) for group in alike[:3])
        if asked is None:
            raise InvalidData(
                f"{data.name}: of target `{name}`, labels differ only in case or spaces: {shown}. Make one class of "
                'them with `DataOptions(labels="merge")`, or keep them apart with `DataOptions(labels="distinct")`.'
            )
        spelling = {label: group[0][0].strip() for group in alike for label, _ in group}
        merged[name] = values.map(lambda v, spelling=spelling: spelling.get(v, v))
        notes.append(f"`{name}`: labels that differ only in case or spaces are one class: {shown}")
    if not notes:
        return data
    y = merged if isinstance(data.y, dict) else next(iter(merged.values()))
    return dataclasses.replace(data, y=y, notes=(*data.notes, *notes))


def _alike(values: Values) -> list[list[tuple[str, int]]]:
    """Groups of labels that look alike, with their numbers of rows, the most frequent spelling first.

    Single letters are left alone: "a" and "A" are classes of a data set of letters.
    """
    if not isinstance(values, pd.Series) or pd.api.types.is_numeric_dtype(values):
        return []
    counts = Counter(v for v in values if isinstance(v, str))
    if len(counts) > _MOST_LABELS or all(len(label) <= 1 for label in counts):
        return []
    groups: dict[str, list[tuple[str, int]]] = {}
    for label, n in counts.most_common():
        groups.setdefault(" ".join(label.split()).casefold(), []).append((label, n))
    return [group for group in groups.values() if len(group) > 1]
