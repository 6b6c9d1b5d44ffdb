"""Signs that rows which are split at random belong together: dates, ids that repeat, neighbours that are alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.dataset import Data
from optselect.data.schema import Schema
from optselect.data.target import Target

__all__ = ["split_doubts"]

_NAMES_OF_GROUPS = re.compile(
    r"(.*[^a-z])?ids?|(subject|patient|customer|user|person|participant|client|household|family|respondent|student|pupil|"
    r"individual|animal|mouse|rat|donor|firm|company|employee|driver|player|device|machine|sensor|series|session|group|"
    r"cluster|speaker|author|kunde|nutzer|proband)s?([^a-z]*(id|ids|no|nr|num|number|code|name|key)?)"
)
_FEWEST_GROUPS, _FEWEST_GROUPS_BY_NAME = 10, 6
_ALIKE = 0.7  # of the variance of the median column lies between groups; up to 0.5 in tables of single cases
_MANY_ROWS = 4000  # that are compared with each other
_SAMPLE, _SEED = 200, 0
_NEAR = 20  # neighbours lie within a twentieth of the rows on either side
_OFTEN = 0.6  # of the rows have such a neighbour for their nearest; by chance a tenth
_FEWEST_ROWS = 100


def split_doubts(data: Data, schema: Schema | None, target: Target) -> list[str]:
    """What to say of rows that are split at random, a line per sign.

    >>> from optselect.data.target import encode_target
    >>> walk = np.cumsum(np.random.default_rng(0).normal(size=320))
    >>> windows = np.stack([walk[i : i + 20] for i in range(300)])
    >>> data = Data(name="walk", x=windows, y=pd.Series(walk[20:]), target="y")
    >>> split_doubts(data, None, encode_target(data.y, "y", "walk"))[0][:70]
    'rows are split at random, but each row is the one before, shifted by 1'
    """
    if isinstance(data.x, pd.DataFrame):
        return [f"rows are split at random, but {line}" for line in _of_table(data, schema, target)]
    arrays = list(data.x.values()) if isinstance(data.x, dict) else [data.x]
    found = (next(_of_array(array, target), "") for array in arrays)
    line = next(filter(None, found), "")
    return [f"rows are split at random, but {line}"] if line else []


# Tables


def _of_table(data: Data, schema: Schema | None, target: Target) -> Iterator[str]:
    assert isinstance(data.x, pd.DataFrame)
    used = {c.name: c for c in schema.columns} if schema is not None else {}
    dates = [n for n, c in used.items() if c.kind == "date" and not c.date_format.startswith("time ")]
    times = [*dates, *(n for n in (schema.counts_time if schema is not None else ()) if n not in dates)]
    years = [n for n in used if n.lower() in ("year", "jahr", "annee", "année") and _is_sorted_year(data.x[n])]
    if name := next(iter([*times, *years]), ""):
        yield f'`{name}` looks like time: `SplitOptions(split="time:{name}")`'
    for name, column in used.items():
        if column.kind in ("number", "category") and (why := _why_groups(data.x, name, target)):
            yield f'{why}: `SplitOptions(split="group:{name}")`'
            return


def _is_sorted_year(values: pd.Series) -> bool:
    if not pd.api.types.is_integer_dtype(values) or values.nunique() < _FEWEST_GROUPS_BY_NAME:
        return False
    return bool(values.between(1500, 2200).all() and values.is_monotonic_increasing)


def _why_groups(x: pd.DataFrame, name: str, target: Target) -> str:
    """Why a column names groups of rows; "" if it looks like an ordinary feature."""
    values = x[name]
    is_number = pd.api.types.is_numeric_dtype(values)
    if (is_number and not pd.api.types.is_integer_dtype(values)) or values.isna().any():
        return ""
    codes, distinct = pd.factorize(values)
    if not _FEWEST_GROUPS_BY_NAME <= len(distinct) <= len(values) / 2:
        return ""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if _NAMES_OF_GROUPS.fullmatch(words):
        return f"`{name}` repeats and looks like an id: {len(distinct):,} groups of rows"
    if len(distinct) < _FEWEST_GROUPS or len(distinct) > len(values) / 3 or (is_number and _is_run(distinct)):
        return ""
    shares = (_between(codes, x[n]) for n in x.columns if n != name)
    others = [share for share in shares if share is not None]
    if len(others) >= 2 and np.median(others) > _ALIKE:
        return f"rows with the same `{name}` are nearly alike in the other columns"
    if not is_number and not target.shape and _between(codes, pd.Series(target.values)) == 1.0:
        return f"all rows with the same `{name}` have the same target"
    return ""


def _is_run(distinct: Any) -> bool:
    """Whether numbers are counts or grades, not ids: small, and almost every one between the ends is there."""
    low, high = int(min(distinct)), int(max(distinct))
    return low >= 0 and high <= 120 and len(distinct) > 0.8 * (high - low + 1)


def _between(codes: np.ndarray, values: pd.Series) -> float | None:
    """How much of the variance of values lies between groups, corrected for their number; None if there is none."""
    if not pd.api.types.is_numeric_dtype(values):
        values = pd.Series(pd.factorize(values)[0])
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    present = np.isfinite(numbers)
    if present.sum() < _FEWEST_ROWS / 2 or np.ptp(numbers[present]) == 0:
        return None
    numbers, codes = numbers[present], codes[present]
    counts = np.bincount(codes)
    means = np.bincount(codes, numbers) / np.maximum(counts, 1)
    within = float(np.square(numbers - means[codes]).sum())
    free = len(numbers) - int((counts > 0).sum())
    if free < 1:
        return None
    return 1.0 - within / free / float(numbers.var(ddof=1))


# Arrays


def _of_array(x: Any, target: Target) -> Iterator[str]:
    rows = len(x)
    if rows < _FEWEST_ROWS or x.dtype.kind not in "iuf":
        return
    begin = max(0, rows - _MANY_ROWS) // 2
    block = np.asarray(x[begin : begin + _MANY_ROWS], dtype="float32")
    if step := _shift(block):
        yield (
            f"each row is the one before, shifted by {step}: windows over a series, which overlap. "
            '`SplitOptions(split="time")` parts the rows in their order'
        )
        return
    share = _neighbours(block.reshape(len(block), -1), target.values[begin : begin + _MANY_ROWS], target)
    if share > _OFTEN:
        yield (
            f"rows that follow each other are alike: for {100 * share:.0f} % the most similar row is a neighbour, by "
            f'chance {200 / _NEAR:.0f} %. If they belong to one series, `SplitOptions(split="time")` parts them in '
            "their order; if to subjects, pass `SplitOptions(groups=...)` or a column of them"
        )


def _shift(block: np.ndarray) -> int:
    """By how many places each row is the one before moved along the first axis of a row; 0 if it is not."""
    if block.ndim < 2:
        return 0
    for step in range(1, min(10, block.shape[1] // 2) + 1):
        same = (block[1:, :-step] == block[:-1, step:]).reshape(len(block) - 1, -1).all(axis=1)
        moved = (block[1:] != block[:-1]).reshape(len(block) - 1, -1).any(axis=1)
        if (same & moved).mean() > 0.5:
            return step
    return 0


def _neighbours(block: np.ndarray, y: np.ndarray, target: Target) -> float:
    """For which share of rows the most similar other row, of the same class, is near in the order of such rows."""
    ordered = (np.diff(block, axis=0) >= 0).all(axis=0) | (np.diff(block, axis=0) <= 0).all(axis=0)
    moving = np.ptp(block, axis=0) > 0
    if block.shape[1] < 2 or not np.isfinite(block).all() or (ordered & moving).any() or moving.sum() < 2:
        return 0.0  # rows that somebody has sorted
    if target.kind == "regression" and y.ndim == 1 and ((np.diff(y) >= 0).all() or (np.diff(y) <= 0).all()):
        return 0.0
    scaled = block[:, moving] - block[:, moving].mean(axis=0)
    scaled /= scaled.std(axis=0)
    strata = y if target.kind == "classification" and y.ndim == 1 else np.zeros(len(block), "int64")
    squares = np.square(scaled).sum(axis=1)
    found = []
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        if len(own) < 3 * _NEAR:
            continue
        picked = np.random.default_rng(_SEED).permutation(len(own))[:_SAMPLE]
        apart = squares[own][None, :] - 2 * scaled[own[picked]] @ scaled[own].T
        apart[np.arange(len(picked)), picked] = np.inf
        apart[np.isclose(apart + squares[own[picked]][:, None], 0, atol=1e-4)] = np.inf  # repeated rows are told apart
        near = np.abs(apart.argmin(axis=1) - picked) <= len(own) // _NEAR
        found.append((len(own), float(near.mean())))
    total = sum(count for count, _ in found)
    return sum(count * share for count, share in found) / total if total else 0.0
