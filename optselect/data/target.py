"""Targets: which columns they are, whether they can be learnt, what kind of question each asks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from optselect.data.dataset import Values
from optselect.errors import InvalidData, InvalidValue, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["FEWEST_ROWS_A_CLASS", "Kind", "Target", "choose_targets", "encode_target", "infer_kind", "is_missing"]

Kind = Literal["classification", "regression"]

_USUAL_NAMES = ("target", "label", "class", "y")
_MOST_INTEGER_CLASSES = 20
_MISSING_WORDS = ("NA", "?", "")  # a feature may say so; but nobody predicts that a value is unknown
_FEWEST_ROWS = 10
FEWEST_ROWS_A_CLASS = 3  # one for each of train, validation and test


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """An encoded target.

    values: int64 class numbers (classification) or float32 (regression), shape (rows,), or (rows, ...) where a row
    has several. classes: sorted labels, the place of a label is its number; empty in regression. notes: what was
    inferred.
    """

    name: str
    kind: Kind
    values: np.ndarray
    classes: tuple[Any, ...]
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row: () for one value."""
        return self.values.shape[1:]

    def decoded(self, answers: np.ndarray) -> dict[str, np.ndarray]:
        """What a model's answers say: "prediction", and in classification its "probability".

        answers: probabilities, (rows, ..., classes) or a single one, of the second of two classes; or numbers.
        Arrays of shape (rows, ...) as `values`; predictions are labels in classification.

        >>> target = encode_target(pd.Series(list("ab") * 5), "y", "letters")
        >>> target.decoded(np.array([[0.75, 0.25], [0.25, 0.75]]))
        {'prediction': array(['a', 'b'], dtype=object), 'probability': array([0.75, 0.75])}
        """
        shape = (len(answers), *self.shape)
        if self.kind == "regression":
            return {"prediction": answers.reshape(shape)}
        if answers.size == np.prod(shape):
            second = answers.reshape(shape)
            answers = np.stack([1 - second, second], axis=-1)
        labels = np.asarray(self.classes, dtype=object)[answers.argmax(axis=-1)]
        return {"prediction": labels, "probability": answers.max(axis=-1)}


def choose_targets(columns: Sequence[str], asked: Any, source: str) -> tuple[list[str], tuple[str, ...]]:
    """The targets' columns, and a note if none was asked for.

    asked: a column, several with commas, or a sequence of them; a name that is no text counts as its text. Raises
    UnknownName if an asked column is not there, InvalidData if none was asked and none suggests itself.

    >>> choose_targets(["label", "width"], None, "leaves.csv")
    (['label'], ('target: `label`, the column named like one; another: `target=\"NAME\"`',))
    >>> choose_targets(["label", "width", "height"], "width,label", "leaves.csv")
    (['width', 'label'], ())
    """
    if asked is not None:
        if not isinstance(asked, list | tuple | set | frozenset) or str(asked) in columns:
            asked = [str(asked)] if str(asked) in columns else str(asked).split(",")
        asked = [str(name) for name in asked]
        return list(dict.fromkeys(_known(name, columns, source) for name in asked)), ()
    named = [c for c in columns if c.strip().lower() in _USUAL_NAMES]
    if columns and columns[-1] in named:
        return [columns[-1]], (f'target: `{columns[-1]}`, the last column; another: `target="NAME"`',)
    if len(named) == 1:
        return named, (f'target: `{named[0]}`, the column named like one; another: `target="NAME"`',)
    shown = [*columns[:40], "..."] if len(columns) > 40 else list(columns)
    raise InvalidData(
        f'{source}: which column is the target? Say it with `target="NAME"`. Columns: {", ".join(map(str, shown))}.'
    )


def _known(asked: str, columns: Sequence[str], source: str) -> str:
    for name in (asked, asked.strip()):
        if name in columns:
            return name
    near = [c for c in columns if c.strip() == asked.strip()]
    if near:
        raise UnknownName(
            f"{source}: no column `{asked}`. Did you mean {near[0]!r}? Mind the spaces. "
            f"Columns: {', '.join(map(repr, columns[:40]))}."
        )
    raise UnknownName(f"{source}: no column `{asked}` to be the target. {suggestion(asked, columns)}")


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
    return "regression", f'`{name}` has {distinct:,} distinct numbers: regression; otherwise `kind="classification"`'


def encode_target(
    y: Values, name: str, source: str, kind: str | None = None, *, fewest: int = FEWEST_ROWS_A_CLASS
) -> Target:
    """The target as numbers.

    y: shape (rows,), or (rows, ...) with several values a row, which share their kind and their classes. fewest:
    the rows that each class must have where a row has one value.

    Raises InvalidData if it has missing or infinite values, one class, a class with fewer rows, or one value only
    in regression.

    >>> encode_target(pd.Series(list("abcabcabc")), "y", "letters").values.tolist()
    [0, 1, 2, 0, 1, 2, 0, 1, 2]
    """
    flat = y if isinstance(y, pd.Series) else pd.Series(y.ravel())
    _refuse_missing(flat, len(flat) // len(y), name, source)
    found, note = infer_kind(flat, name, kind)
    if found == "regression":
        _refuse_few(len(y), source)
        values = _numbers(flat, name, source).reshape(y.shape)
        return Target(name=name, kind=found, values=values, classes=(), notes=(note,))
    labels = flat.astype(object)
    try:
        classes = tuple(sorted(labels.unique()))
    except TypeError:  # labels of several types have no order of their own
        labels = labels.map(str)
        classes = tuple(sorted(labels.unique()))
    codes = pd.Categorical(labels, categories=pd.Index(list(classes), dtype=object)).codes.astype("int64")
    _refuse_one_class(classes, name, source)
    if y.ndim == 1:
        _refuse_rare_classes(classes, np.bincount(codes, minlength=len(classes)), fewest, name, source)
    else:
        _refuse_few(len(y), source)
    return Target(name=name, kind=found, values=codes.reshape(y.shape), classes=classes, notes=(note,))


def is_missing(flat: pd.Series) -> np.ndarray:
    """Which values say that nothing is known: bool, shape (rows,).

    >>> is_missing(pd.Series(["yes", "NA", None])).tolist()
    [False, True, True]
    """
    bad = flat.isna().to_numpy(dtype=bool)
    return bad if pd.api.types.is_numeric_dtype(flat) else bad | flat.isin(_MISSING_WORDS).to_numpy(dtype=bool)


def _refuse_missing(flat: pd.Series, each: int, name: str, source: str) -> None:
    """flat: `each` values a row."""
    bad = is_missing(flat)
    way = " Remove these rows or fill them in."
    if pd.api.types.is_float_dtype(flat):
        bad = bad | ~np.isfinite(flat.to_numpy(dtype="float64", na_value=np.nan))
    if bad.any():
        rows = np.unique(np.flatnonzero(bad) // each) + 1
        more = ", ..." if len(rows) > 5 else ""
        if each == 1 and (bad == is_missing(flat)).all():
            way = ' Fill them in, or leave these rows out with `DataOptions(missing_target="drop")`.'
        raise InvalidData(
            f"{source}: target `{name}` has {int(bad.sum()):,} missing or infinite of {len(flat):,} values "
            f"(rows {', '.join(map(str, rows[:5]))}{more}).{way}"
        )


def _refuse_few(rows: int, source: str) -> None:
    if rows < _FEWEST_ROWS:
        raise InvalidData(
            f"{source}: {rows} rows are too few to train, validate and test; {_FEWEST_ROWS} are the least."
        )


def _numbers(flat: pd.Series, name: str, source: str) -> np.ndarray:
    try:
        values = flat.to_numpy(dtype="float64")
    except (TypeError, ValueError):
        example = next(v for v in flat if not isinstance(v, int | float))
        raise InvalidData(
            f'{source}: regression needs numbers in target `{name}`, got {example!r}; or pass `kind="classification"`.'
        ) from None
    if len(np.unique(values)) < 2:
        raise InvalidData(f"{source}: target `{name}` is {values[0]:g} in every row: nothing to learn.")
    with np.errstate(over="ignore"):
        single = values.astype("float32")
    if not np.isfinite(single).all():
        raise InvalidData(
            f"{source}: target `{name}` reaches {np.abs(values).max():.3g}, more than 32-bit floats hold. "
            "Train on its logarithm or in larger units."
        )
    return single


def _refuse_one_class(classes: tuple[Any, ...], name: str, source: str) -> None:
    if len(classes) < 2:
        raise InvalidData(
            f"{source}: target `{name}` is {str(classes[0])!r} in every row: one class, nothing to learn."
        )


def _refuse_rare_classes(classes: tuple[Any, ...], counts: np.ndarray, fewest: int, name: str, source: str) -> None:
    few = [(label, int(n)) for label, n in zip(classes, counts, strict=True) if n < fewest]
    if few:
        shown = ", ".join(f"{str(label)!r} has {n}" for label, n in few[:5])
        more = f" and {len(few) - 5:,} more classes" if len(few) > 5 else ""
        raise InvalidData(
            f"{source}: of target `{name}`, class {shown}{more} of {int(counts.sum()):,} rows; train, validation and "
            f"test need one each, {fewest} together. Merge or remove rare classes"
            + (', or pass `kind="regression"`.' if isinstance(few[0][0], int | float | np.number) else ".")
        )
