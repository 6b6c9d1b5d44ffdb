"""Text columns to typed columns, without damage: ids keep their zeros, codes like `NA` keep their meaning."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["typed_column"]

_MISSING = frozenset({"", "nan", "null", "n/a", "#n/a", "<na>", "#na", "nat"})
_MISSING_AMONG_NUMBERS = _MISSING | {"na", "none", "-", "?", "."}
_TRUE_OR_FALSE = {"true": True, "false": False}
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_LONG_INTEGER = re.compile(r"[+-]?\d{16,}")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+|[+-]?(\d{1,3}(\.\d{3})+|\d+)")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d+(\.\d+)?")


def typed_column(raw: pd.Series, name: str, separator: str = ",") -> tuple[pd.Series, list[str]]:
    """Numbers, booleans or text out of text, and notes of what was inferred.

    raw: strings. Usual markers of a missing value become missing; those that may be a word ("NA", "None") only
    where the rest of the column is numbers or booleans.

    >>> typed_column(pd.Series(["1", "NA", "2.5"]), "width")[0].tolist()
    [1.0, nan, 2.5]
    >>> typed_column(pd.Series(["NA", "DE", "FR"]), "country")[0].tolist()
    ['NA', 'DE', 'FR']
    >>> typed_column(pd.Series(["01234", "00501"]), "zip")
    (0    01234
    1    00501
    dtype: str, ['`zip`: leading zeros, read as text'])
    """
    codes, distinct = pd.factorize(raw)  # a column has fewer values than rows, so each is looked at once
    values = [str(v) for v in distinct]
    stripped = [v.strip() for v in values]
    lowered = [v.lower() for v in stripped]
    is_present = np.array([low not in _MISSING_AMONG_NUMBERS for low in lowered], dtype=bool)
    present = [v for v, there in zip(stripped, is_present, strict=True) if there]
    if present and {v.lower() for v in present} <= _TRUE_OR_FALSE.keys():
        return _booleans(codes, lowered), []
    rows = np.bincount(codes, minlength=len(values))[is_present]
    numbers, notes = _numbers(stripped, present, rows, name, separator)
    if numbers is not None:
        return _spread(codes, numbers), notes
    return _text(raw, values, lowered), notes


def _booleans(codes: np.ndarray, lowered: list[str]) -> pd.Series:
    found = np.array([_TRUE_OR_FALSE.get(low) for low in lowered], dtype=object)[codes]
    return pd.Series(found, dtype="boolean" if pd.isna(found).any() else "bool")


def _numbers(
    stripped: list[str], present: list[str], rows: np.ndarray, name: str, separator: str
) -> tuple[np.ndarray | None, list[str]]:
    """A number for each distinct value, or None if the column is text; rows: how often each present value occurs."""
    if not present:
        return np.full(len(stripped), np.nan), []
    odd = np.isnan(_parse(present))
    if not odd.any():
        if any(_LEADING_ZERO.fullmatch(v) for v in present):
            return None, [f"`{name}`: leading zeros, read as text"]
        if any(_LONG_INTEGER.fullmatch(v) for v in present):
            return None, [f"`{name}`: more digits than a number can hold exactly, read as text"]
        return _parse(stripped), []
    if any("," in v for v in present):
        if separator == "," and all(_THOUSANDS.fullmatch(v) for v in present):
            return _parse([v.replace(",", "") for v in stripped]), [f"`{name}`: commas taken for thousands"]
        if all(_DECIMAL_COMMA.fullmatch(v) for v in present):
            return _parse([v.replace(".", "").replace(",", ".") for v in stripped]), [f"`{name}`: decimal comma"]
    if rows[odd].sum() <= 0.1 * rows.sum():
        example = present[int(np.flatnonzero(odd)[0])]
        return None, [
            f"`{name}`: numbers but for {rows[odd].sum():,} of {rows.sum():,} rows, such as {example!r}: read as text"
        ]
    return None, []


def _parse(values: list[str]) -> np.ndarray:
    return np.asarray(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce"), dtype="float64")


def _spread(codes: np.ndarray, numbers: np.ndarray) -> pd.Series:
    """The numbers of the distinct values, row by row; int64 if all are whole."""
    spread = numbers[codes]
    whole = np.isfinite(spread).all() and (spread == np.round(spread)).all() and np.abs(spread).max() < 2**53
    return pd.Series(spread.astype("int64") if whole else spread)


def _text(raw: pd.Series, values: list[str], lowered: list[str]) -> pd.Series:
    gone = [v for v, low in zip(values, lowered, strict=True) if low in _MISSING]
    return raw.mask(raw.isin(gone)) if gone else raw
