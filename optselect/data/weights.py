"""What a row counts in the loss: sample weights from the data, class weights from the user."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from optselect.data.dataset import Values
from optselect.data.target import Target
from optselect.errors import InvalidData, InvalidValue, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["ClassWeight", "class_weights", "label_text", "sample_weights"]

ClassWeight = Literal["balanced"] | Mapping[Any, float] | Sequence[float]
"""A weight by label, or one per class in their order where the classes are 0, 1, ...; or "balanced": rows / (classes x
rows of the class), counted in the training part."""


def sample_weights(given: Values, rows: int, source: str) -> np.ndarray:
    """What each row counts: float32, shape (rows,), as given.

    Raises InvalidData if they are no numbers, too few or too many, missing, infinite, negative, or all zero.

    >>> sample_weights(np.array([1, 2, 0.5]), 3, "data").tolist()
    [1.0, 2.0, 0.5]
    """
    if given.size != rows:
        raise InvalidData(f"{source}: sample weights have the shape {given.shape}, the data {rows:,} rows: one a row.")
    try:
        weights = pd.Series(np.ravel(given)).to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError):
        example = next(w for w in np.ravel(given) if not isinstance(w, int | float))
        raise InvalidData(f"{source}: sample weights must be numbers, got {str(example)!r}.") from None
    for what, bad in (("missing or infinite", ~np.isfinite(weights)), ("negative", weights < 0)):
        if bad.any():
            places = np.flatnonzero(bad)
            shown = ", ".join(str(row + 1) for row in places[:5]) + (", ..." if len(places) > 5 else "")
            raise InvalidData(
                f"{source}: {len(places):,} of {rows:,} sample weights are {what} (rows {shown}). "
                "They must be numbers from 0; 0 leaves a row out."
            )
    if not weights.any():
        raise InvalidData(f"{source}: all sample weights are 0: no row is left to learn from.")
    return weights.astype("float32")


def class_weights(asked: ClassWeight, target: Target, training: np.ndarray) -> tuple[float, ...]:
    """A weight for each class of the target, in the order of its classes; 1.0 where none was given.

    training: the rows of the training part, which "balanced" counts. Labels match as they are, as numbers or as text.

    Raises InvalidValue if the target has no classes or a weight is no number from 0, UnknownName for a class that
    the target has not.

    >>> from optselect.data.target import encode_target
    >>> target = encode_target(pd.Series(list("aabaabaab")), "y", "letters")
    >>> class_weights("balanced", target, np.arange(9))
    (0.75, 1.5)
    >>> class_weights({"b": 3}, target, np.arange(9))
    (1.0, 3.0)
    """
    if target.kind != "classification" or target.shape:
        raise InvalidValue(f"Task: `class_weight` needs a target with one class a row; `{target.name}` is none.")
    if isinstance(asked, str):
        if asked != "balanced":
            raise InvalidValue(f"Task: `class_weight` must be 'balanced' or weights by class, got {asked!r}.")
        counts = np.bincount(target.values[training], minlength=len(target.classes))
        return tuple((len(training) / (len(counts) * np.maximum(counts, 1))).tolist())
    places = {label_text(label): place for place, label in enumerate(target.classes)}
    weights = [1.0] * len(places)
    named: set[str] = set()
    weight: Any
    for label, weight in _by_label(asked, target).items():
        if label_text(label) not in places:
            raise UnknownName(
                f"Task: `class_weight` names the class {label!r}, which `{target.name}` has not. "
                f"{suggestion(str(label), places)}"
            )
        if label_text(label) in named:
            raise InvalidValue(f"Task: `class_weight` names the class {label_text(label)} twice.")
        named.add(label_text(label))
        if isinstance(weight, bool) or not isinstance(weight, numbers.Real) or not 0 <= float(weight) < math.inf:
            raise InvalidValue(f"Task: `class_weight` of {label!r} must be a number from 0, got {weight!r}.")
        weights[places[label_text(label)]] = float(weight)
    return tuple(weights)


def _by_label(asked: Any, target: Target) -> Mapping[Any, Any]:
    """Weights by label; those in a list belong to the classes 0, 1, ... in their order."""
    if isinstance(asked, Mapping):
        return asked
    classes = target.classes
    if isinstance(asked, pd.Series) and not isinstance(asked.index, pd.RangeIndex):
        return dict(asked.items())
    if not isinstance(asked, Sequence | np.ndarray | pd.Series):
        raise InvalidValue(
            f"Task: `class_weight` must be 'balanced' or weights by class, such as {_example(classes)}, got {asked!r}."
        )
    values = np.asarray(asked, dtype=object).tolist()
    if [label_text(label) for label in classes] != [str(i) for i in range(len(classes))]:
        raise InvalidValue(
            f"Task: `class_weight` is a list, and the classes of `{target.name}` are not 0, 1, ...: name them, as in "
            f"{_example(classes)}."
        )
    if len(values) != len(classes):
        raise InvalidValue(
            f"Task: `class_weight` has {len(values)} weights, `{target.name}` has {len(classes)} classes."
        )
    return dict(zip(classes, values, strict=True))


def _example(classes: Sequence[Any]) -> str:
    """Weights by label as a person writes them."""
    labels = [label.item() if isinstance(label, np.generic) else label for label in classes[:3]]
    return f"{{{', '.join(f'{label!r}: 1.0' for label in labels)}{', ...' * (len(classes) > 3)}}}"


def label_text(label: Any) -> str:
    """A label as text, the same for 1, 1.0 and "1".

    >>> {label_text(1), label_text(1.0), label_text(np.int64(1)), label_text("1")}
    {'1'}
    """
    is_number = isinstance(label, numbers.Real) and not isinstance(label, bool | np.bool_)
    return str(int(label)) if is_number and float(label).is_integer() else str(label)
