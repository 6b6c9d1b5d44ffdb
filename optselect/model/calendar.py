"""Dates inside a Keras model: ISO 8601 text to digits to days, months, weekdays and hours, with stock layers only.

The day number follows Hinnant, "chrono-compatible low-level date algorithms" (days_from_civil).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["date_features"]

_LENGTH = len("2024-02-29T23:59:59")
_DIGIT_PLACES = np.array([0, 1, 2, 3, 5, 6, 8, 9])


def date_features(inputs: Sequence[Any], training: Sequence[np.ndarray]) -> list[Any]:
    """Features of date columns: standardised days; month, weekday and, if any, hour on a circle; missing if any.

    inputs: string tensors of shape (rows, 1), "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS", anything else is missing.
    training: the same columns of the training rows, arrays of str, shape (rows,).
    """
    reader = keras.layers.TextVectorization(
        split="character", standardize=None, vocabulary=list("0123456789"), output_sequence_length=_LENGTH
    )
    digits = ops.cast(ops.stack([reader(x) for x in inputs], axis=1), "float32") - 2.0  # 0 pads, 1 is no digit
    valid = ops.all(ops.take(digits, _DIGIT_PLACES, axis=2) >= 0, axis=2)
    year = _number(digits, 0, 4)
    month = ops.clip(_number(digits, 5, 7), 1, 12)
    day = ops.clip(_number(digits, 8, 10), 1, 31)
    hour = _number(digits, 11, 13) + _number(digits, 14, 16) / 60 + _number(digits, 17, 19) / 3600
    days = _days(year, month, day)
    present = ops.cast(valid, "float32")

    known = [_training_days(column) for column in training]
    mean = np.array([d[np.isfinite(d)].mean() if np.isfinite(d).any() else 0.0 for d in known])
    deviation = np.array([d[np.isfinite(d)].std() if np.isfinite(d).any() else 0.0 for d in known])
    inverse = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0).astype("float32")
    # Whole and fractional days apart: float32 counts days since 1970 exactly, but not their seconds.
    scores = ((days - np.floor(mean).astype("float32")) + (hour / 24 - (mean % 1).astype("float32"))) * inverse
    parts = [ops.clip(scores, -10.0, 10.0) * present]
    parts += _circle((month - 1) + (day - 1) / 31, 12, present)
    parts += _circle(ops.mod(days + 3, 7), 7, present)
    timed = np.flatnonzero([(d % 1 > 0).any() for d in known])
    if len(timed):
        parts += _circle(ops.take(hour, timed, axis=1), 24, ops.take(present, timed, axis=1))
    missing = np.flatnonzero([not np.isfinite(d).all() for d in known])
    if len(missing):
        parts.append(1.0 - ops.take(present, missing, axis=1))
    return parts


def _number(digits: Any, start: int, stop: int) -> Any:
    """The decimal number at these places; what is no digit counts as 0."""
    powers = 10.0 ** np.arange(stop - start)[::-1]
    return ops.sum(ops.relu(digits[:, :, start:stop]) * powers.astype("float32"), axis=2)


def _days(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970-01-01 in the Gregorian calendar, years 0 to 9999, exact in float32."""
    early = ops.cast(month <= 2, "float32")
    y = year - early
    era = ops.floor((y + 0.5) / 400)  # the half keeps rounding away from the whole numbers
    of_era = y - era * 400
    of_year = ops.floor((153 * (month + 12 * early - 3) + 2 + 0.5) / 5) + day - 1
    leap = ops.floor((of_era + 0.5) / 4) - ops.floor((of_era + 0.5) / 100)
    return era * 146097 + (of_era * 365 + leap + of_year) - 719468


def _circle(value: Any, period: float, present: Any) -> list[Any]:
    angle = value * (2 * math.pi / period)
    return [ops.sin(angle) * present, ops.cos(angle) * present]


def _training_days(column: np.ndarray) -> np.ndarray:
    """Days since 1970 with fractions, float64, NaN for missing."""
    dates = np.array([text or "NaT" for text in column], dtype="datetime64[s]")
    return np.where(np.isnat(dates), np.nan, dates.astype("int64") / 86400)
