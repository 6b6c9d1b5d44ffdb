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
    values = np.asarray(pd.unique(raw), dtype=object)  # a column has fewer values than rows, so each is looked at once
    stripped = [str(v).strip() for v in values]
    lowered = [v.lower() for v in stripped]
    present = [v for v, low in zip(stripped, lowered, strict=True) if low not in _MISSING_AMONG_NUMBERS]
    if present and {v.lower() for v in present} <= _TRUE_OR_FALSE.keys():
        return _booleans(raw, values, lowered), []
    numbers, notes = _numbers(stripped, present, name, separator)
    if numbers is not None:
        return _spread(raw, values, numbers), notes
    return _text(raw, values, lowered, name), notes


def _booleans(raw: pd.Series, values: np.ndarray, lowered: list[str]) -> pd.Series:
    table = {v: _TRUE_OR_FALSE.get(low) for v, low in zip(values, lowered, strict=True)}
    mapped = [table[v] for v in raw]
    return pd.Series(mapped, dtype="bool" if None not in mapped else "boolean")


def _numbers(stripped: list[str], present: list[str], name: str, separator: str) -> tuple[np.ndarray | None, list[str]]:
    """A number for each distinct value, or None if the column is text."""
    if not present:
        return np.full(len(stripped), np.nan), []
    if any(_LEADING_ZERO.fullmatch(v) for v in present):
        return None, [f"`{name}`: leading zeros, read as text"] if _all_numbers(present) else []
    if any(_LONG_INTEGER.fullmatch(v) for v in present) and _all_numbers(present):
        return None, [f"`{name}`: more digits than a number can hold exactly, read as text"]
    if _all_numbers(present):
        return _parse(stripped), []
    if any("," in v for v in present):
        if separator == "," and all(_THOUSANDS.fullmatch(v) for v in present):
            return _parse([v.replace(",", "") for v in stripped]), [f"`{name}`: commas taken for thousands"]
        if all(_DECIMAL_COMMA.fullmatch(v) for v in present):
            return _parse([v.replace(".", "").replace(",", ".") for v in stripped]), [f"`{name}`: decimal comma"]
    odd = [v for v in present if not _all_numbers([v])]
    if len(odd) <= 0.1 * len(present):
        return None, [f"`{name}`: numbers but for {len(odd)} values such as {odd[0]!r}, read as text"]
    return None, []


def _all_numbers(values: list[str]) -> bool:
    return bool(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").notna().all())


def _parse(values: list[str]) -> np.ndarray:
    return pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(dtype="float64")


def _spread(raw: pd.Series, values: np.ndarray, numbers: np.ndarray) -> pd.Series:
    """The numbers of the distinct values, row by row; int64 if all are whole."""
    codes = pd.Index(values).get_indexer(pd.Index(raw))
    spread = numbers[codes]
    whole = np.isfinite(spread).all() and (spread == np.round(spread)).all() and np.abs(spread).max() < 2**53
    return pd.Series(spread.astype("int64") if whole else spread)


def _text(raw: pd.Series, values: np.ndarray, lowered: list[str], name: str) -> pd.Series:
    gone = [v for v, low in zip(values, lowered, strict=True) if low in _MISSING]
    return raw.mask(raw.isin(gone)) if gone else raw
