"""The target: which column it is, whether it can be learnt, what kind of question it asks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from optselect.errors import InvalidData, InvalidValue, UnknownName, suggestion

__all__ = ["Kind", "Target", "choose_target", "encode_target", "infer_kind"]

Kind = Literal["classification", "regression"]

_USUAL_NAMES = ("target", "label", "class", "y")
_MOST_INTEGER_CLASSES = 20
_MISSING_WORDS = ("NA", "?", "")  # a feature may say so; but nobody predicts that a value is unknown
_FEWEST_ROWS_A_CLASS = 3  # one for each of train, validation and test


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """An encoded target.

    values: int64 class numbers (classification) or float32 (regression), shape (rows,). classes: sorted labels,
    the place of a label is its number; empty in regression. notes: what was inferred.
    """

    kind: Kind
    values: np.ndarray
    classes: tuple[Any, ...]
    notes: tuple[str, ...]


def choose_target(columns: Sequence[str], asked: str | None, source: str) -> tuple[str, tuple[str, ...]]:
    """The target's column, and a note if it was not asked for.

    Raises UnknownName if the asked column is not there, InvalidData if none was asked and none suggests itself.

    >>> choose_target(["label", "width"], None, "leaves.csv")
    ('label', ('target: `label`, the column named like one; another: `--target NAME`',))
    """
    if asked is not None:
        if asked in columns:
            return asked, ()
        near = [c for c in columns if c.strip() == asked.strip()]
        if near:
            raise UnknownName(
                f"{source}: no column `{asked}`. Did you mean {near[0]!r}? Mind the spaces. "
                f"Columns: {', '.join(map(repr, columns[:40]))}."
            )
        raise UnknownName(f"{source}: no column `{asked}` to be the target. {suggestion(asked, columns)}")
    named = [c for c in columns if c.strip().lower() in _USUAL_NAMES]
    if columns and columns[-1] in named:
        return columns[-1], (f"target: `{columns[-1]}`, the last column; another: `--target NAME`",)
    if len(named) == 1:
        return named[0], (f"target: `{named[0]}`, the column named like one; another: `--target NAME`",)
    shown = [*columns[:40], "..."] if len(columns) > 40 else list(columns)
    raise InvalidData(
        f"{source}: which column is the target? Say it with `--target NAME`. Columns: {', '.join(map(str, shown))}."
    )


def infer_kind(y: pd.Series, name: str, asked: str | None = None) -> tuple[Kind, str]:
    """Classification or regression, and the reason.

    Text, booleans and at most 20 distinct whole numbers, each five times on average, are classes.

    >>> infer_kind(pd.Series(["a", "b", "a"]), "species")
    ('classification', '`species` has 2 distinct values: classification')
    >>> infer_kind(pd.Series([0.5, 1.25, 3.0]), "price")
    ('regression', '`price` holds numbers with fractions: regression')
    """
    if asked is not None:
        for kind in get_args(Kind):
            if asked == kind:
                return kind, f"`{name}`: {kind}, as asked"
        raise InvalidValue(f"Task: `kind` must be 'classification' or 'regression', got {asked!r}.")
    distinct = y.nunique()
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return "classification", f"`{name}` has {distinct:,} distinct values: classification"
    numbers = y.dropna().to_numpy(dtype="float64")
    if not np.all(numbers == np.round(numbers)):
        return "regression", f"`{name}` holds numbers with fractions: regression"
    if distinct <= _MOST_INTEGER_CLASSES and distinct * 5 <= len(y):
        return "classification", f"`{name}` has {distinct:,} distinct whole numbers: classification"
    return "regression", f"`{name}` has {distinct:,} distinct numbers: regression; otherwise `--kind classification`"


def encode_target(y: pd.Series, name: str, source: str, kind: str | None = None) -> Target:
    """The target as numbers.

    Raises InvalidData if it has missing or infinite values, one class, a class with fewer than three rows, or one
    value only in regression.

    >>> encode_target(pd.Series(list("abcabcabc")), "y", "letters").values.tolist()
    [0, 1, 2, 0, 1, 2, 0, 1, 2]
    """
    _refuse_missing(y, name, source)
    found, note = infer_kind(y, name, kind)
    if found == "regression":
        return Target(kind=found, values=_numbers(y, name, source), classes=(), notes=(note,))
    labels = y.astype(object)
    try:
        classes = tuple(sorted(labels.unique()))
    except TypeError:  # labels of several types have no order of their own
        labels = labels.map(str)
        classes = tuple(sorted(labels.unique()))
    codes = pd.Categorical(labels, categories=pd.Index(list(classes), dtype=object)).codes.astype("int64")
    _refuse_few_rows(classes, np.bincount(codes, minlength=len(classes)), name, source)
    return Target(kind=found, values=codes, classes=classes, notes=(note,))


def _refuse_missing(y: pd.Series, name: str, source: str) -> None:
    bad = y.isna().to_numpy(dtype=bool)
    if not pd.api.types.is_numeric_dtype(y):
        bad = bad | y.isin(_MISSING_WORDS).to_numpy(dtype=bool)
    elif pd.api.types.is_float_dtype(y):
        bad = bad | ~np.isfinite(y.to_numpy(dtype="float64", na_value=np.nan))
    if bad.any():
        rows = [str(row + 1) for row in np.flatnonzero(bad)[:5]]
        more = ", ..." if bad.sum() > 5 else ""
        raise InvalidData(
            f"{source}: target `{name}` has {int(bad.sum()):,} missing or infinite of {len(y):,} values "
            f"(rows {', '.join(rows)}{more}). Remove these rows or fill them in."
        )


def _numbers(y: pd.Series, name: str, source: str) -> np.ndarray:
    try:
        values = y.to_numpy(dtype="float64")
    except (TypeError, ValueError):
        example = next(v for v in y if not isinstance(v, int | float))
        raise InvalidData(
            f"{source}: regression needs numbers in target `{name}`, got {example!r}; or pass `--kind classification`."
        ) from None
    if len(np.unique(values)) < 2:
        raise InvalidData(f"{source}: target `{name}` is {values[0]:g} in every row: nothing to learn.")
    if len(values) < 10:
        raise InvalidData(f"{source}: {len(values)} rows are too few to train, validate and test; 10 are the least.")
    with np.errstate(over="ignore"):
        single = values.astype("float32")
    if not np.isfinite(single).all():
        raise InvalidData(
            f"{source}: target `{name}` reaches {np.abs(values).max():.3g}, more than 32-bit floats hold. "
            "Train on its logarithm or in larger units."
        )
    return single


def _refuse_few_rows(classes: tuple[Any, ...], counts: np.ndarray, name: str, source: str) -> None:
    if len(classes) < 2:
        raise InvalidData(
            f"{source}: target `{name}` is {str(classes[0])!r} in every row: one class, nothing to learn."
        )
    few = [(label, int(n)) for label, n in zip(classes, counts, strict=True) if n < _FEWEST_ROWS_A_CLASS]
    if few:
        shown = ", ".join(f"{str(label)!r} has {n}" for label, n in few[:5])
        more = f" and {len(few) - 5:,} more classes" if len(few) > 5 else ""
        raise InvalidData(
            f"{source}: of target `{name}`, class {shown}{more} of {int(counts.sum()):,} rows; train, validation and "
            f"test need one each, {_FEWEST_ROWS_A_CLASS} together. Merge or remove rare classes"
            + (", or pass `--kind regression`." if isinstance(few[0][0], int | float | np.number) else ".")
        )
