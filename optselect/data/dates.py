"""Text that holds dates: one format for a whole column, with the order of day and month proved or asked for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from optselect.data.raw_rows import english_months, moments

__all__ = ["Dates", "Order", "date_form", "whole_number_dates"]

Order = Literal["day-first", "month-first", "year-first"]
"""What comes first in a date such as 03/04/2019 or 03-04-05."""

_SHARE = 0.95  # of the cells that must be dates, and one in twenty odd ones are too many
_SEPARATED = r"(?P<s>[-/. ])"
_MONTH = r"[A-Za-z]{3,9}\.?"
_TIME = re.compile(
    r"(?:(?P<t>T|[ ,_]\s*|\s+-\s+)"
    r"(?P<clock>\d{1,2}(?::\d{2}){1,2}(?:\.\d{1,9})?|\d{4}|\d{6}|\d{1,2}(?=\s*[AaPp]\.?[Mm]))"
    r"(?P<half>\s*[AaPp][Mm])?(?P<zone>\s*(?:Z|[+-]\d{2}:?\d{2})|\s+(?:UTC|GMT))?)?$"
)
_DAY = re.compile(r"^(?P<weekday>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?(?P<rest>.*)$", re.IGNORECASE)
_CLOCK = re.compile(r"(?P<clock>\d{1,2}(?::\d{2}){1,2}(?:\.\d{1,9})?|\d{1,2}(?=\s*[AaPp][Mm]))(?P<half>\s*[AaPp][Mm])?")
_MOST_DISTINCT_SAMPLES = 5

# What a date may look like, and the formats that could be meant; "{s}" stands for the separator that was found.
_FORMS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), formats)
    for pattern, formats in (
        (r"\d{4}" + _SEPARATED + r"\d{1,2}(?P=s)\d{1,2}", ("%Y{s}%m{s}%d",)),
        (r"\d{1,2}" + _SEPARATED + r"\d{1,2}(?P=s)\d{4}", ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
        (r"\d{1,2}" + _SEPARATED + r"\d{1,2}(?P=s)\d{2}", ("%d{s}%m{s}%y", "%m{s}%d{s}%y", "%y{s}%m{s}%d")),
        (r"\d{4}(?P<s>[-/.])\d{1,2}", ("%Y{s}%m",)),
        (r"\d{1,2}(?P<s>[-/.])\d{4}", ("%m{s}%Y",)),
        (r"\d{8}", ("%Y%m%d",)),
        (r"\d{1,2}(?P<s>[-/. ]?)" + _MONTH + r"(?P=s)\d{4}", ("%d{s}%b{s}%Y", "%d{s}%B{s}%Y")),
        (r"\d{1,2}(?P<s>[-/. ]?)" + _MONTH + r"(?P=s)\d{2}", ("%d{s}%b{s}%y", "%d{s}%B{s}%y")),
        (r"\d{1,2}\. " + _MONTH + r" \d{4}", ("%d. %b %Y", "%d. %B %Y")),
        (_MONTH + r" \d{1,2}, ?\d{4}", ("%b %d, %Y", "%B %d, %Y")),
        (_MONTH + r"(?P<s>[-/. ])\d{1,2}(?P=s)\d{4}", ("%b{s}%d{s}%Y", "%B{s}%d{s}%Y")),
        (r"\d{4}(?P<s>[-/. ])" + _MONTH + r"(?P=s)\d{1,2}", ("%Y{s}%b{s}%d", "%Y{s}%B{s}%d")),
        (_MONTH + r"(?P<s>[-/.' ]|, ?)\d{4}", ("%b{s}%Y", "%B{s}%Y")),
        (_MONTH + r"(?P<s>[-/.' ])\d{2}", ("%b{s}%y", "%B{s}%y")),
        (r"\d{4}(?P<s>[-/. ])" + _MONTH, ("%Y{s}%b", "%Y{s}%B")),
        (r"\d{2}(?P<s>-)" + _MONTH, ("%y{s}%b", "%y{s}%B")),
        (r"\d{4}\s*[-/ ]?\s*Q[1-4]|Q[1-4]\s*[-/ ']?\s*\d{4}", ("quarter",)),
        (r"\d{4}[-/ ]?(?:W|KW)\s?\d{1,2}(?:-[1-7])?", ("week",)),
    )
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?")
_POSSIBLE = re.compile(r"\d")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dates:
    """How a column's text is read as dates.

    form: as `raw_rows.moments` takes it, "" if the column holds no dates. odd: how many rows are no dates.
    order: what the column itself proves. asked: both readings of a value where the order must be asked.
    """

    form: str = ""
    odd: int = 0
    example: str = ""
    order: Order | None = None
    asked: str = ""


def date_form(values: Sequence[str], rows: np.ndarray | None = None, order: Order | None = None) -> Dates:
    """The one format in which a column's distinct values are dates.

    values: stripped, none missing. rows: how often each occurs, once if None. order: of day and month where the
    values allow both.

    >>> date_form(["01/03/2019", "01/15/2019"]).form, date_form(["2019-01", "2019-02"]).form
    ('%m/%d/%Y', '%Y-%m')
    >>> date_form(["01/03/2019", "01/04/2019"]).asked
    "'01/03/2019' is 2019-03-01 day-first, 2019-01-03 month-first"
    """
    values = [v.strip() for v in values]
    weights = np.ones(len(values), "int64") if rows is None else rows
    text, works = pd.Series(values, dtype="str"), {}
    iso = np.array([bool(_ISO.fullmatch(v)) for v in values[:_MOST_DISTINCT_SAMPLES]])
    candidates = (["ISO8601"] if iso.any() else []) + _candidates(values)
    for form in candidates:
        found = moments(text, form).notna().to_numpy()
        if form == "ISO8601":
            found = found & np.array([bool(_ISO.fullmatch(v)) for v in values])
        odd = int(weights[~found].sum())
        if odd < (1 - _SHARE) * weights.sum():
            works[form] = (odd, found)
            if form == "ISO8601" or (odd == 0 and not _is_doubtful(form)):
                break
    if not works:
        plain = [english_months(v) for v in values[:_MOST_DISTINCT_SAMPLES]]
        if plain != values[:_MOST_DISTINCT_SAMPLES]:
            return date_form([english_months(v) for v in values], rows, order)
        return Dates()
    fewest = min(odd for odd, _ in works.values())
    best = {form: found for form, (odd, found) in works.items() if odd == fewest}
    return _chosen(text, best, fewest, order)


def _candidates(values: Sequence[str]) -> list[str]:
    """The formats that the first values suggest."""
    found: dict[str, None] = {}
    for v in [v for v in values[:_MOST_DISTINCT_SAMPLES] if _POSSIBLE.search(v) and len(v) < 50]:
        if clock := _CLOCK.fullmatch(v):
            found[f"time {_clock_format(clock['clock'], clock['half'])}"] = None
        day = _DAY.fullmatch(v)
        assert day is not None
        weekday = day["weekday"] or ""
        for pattern, formats in _FORMS:
            if (match := pattern.match(day["rest"])) and (time := _TIME.fullmatch(day["rest"][match.end() :])):
                separator = match.groupdict().get("s") or ""
                for each in formats:
                    found[_weekday(weekday) + each.replace("{s}", separator) + _time_format(time)] = None
    return list(found)


def _weekday(text: str) -> str:
    if not text:
        return ""
    name = "%a" if len(text.strip(" ,.")) <= 3 else "%A"
    return name + text[len(text.rstrip(" ,.")) :]


def _time_format(match: re.Match[str]) -> str:
    if not match["clock"]:
        return ""
    zone = match["zone"] or ""
    return match["t"] + _clock_format(match["clock"], match["half"]) + _zone_format(zone)


def _zone_format(zone: str) -> str:
    return zone if zone.strip() in ("UTC", "GMT", "") else zone[: len(zone) - len(zone.lstrip())] + "%z"


def _clock_format(clock: str, half: str | None) -> str:
    hour = "%I" if half else "%H"
    if ":" in clock:
        text = f"{hour}:%M" + (":%S" if clock.count(":") == 2 else "") + (".%f" if "." in clock else "")
    else:
        text = {4: "%H%M", 6: "%H%M%S"}.get(len(clock), hour)
    return text + (half[: len(half) - len(half.lstrip())] + "%p" if half else "")


def _is_doubtful(form: str) -> bool:
    """Whether another order of the same fields might do as well."""
    return bool(re.match(r"(%a|%A)?[, ]*%[dmy][-/. ]%[dm]", form))


def _order(form: str) -> Order:
    first = min((form.find(f"%{letter}"), order) for letter, order in _ORDERS if f"%{letter}" in form)
    return first[1]


_ORDERS: tuple[tuple[str, Order], ...] = (("d", "day-first"), ("m", "month-first"), ("y", "year-first"))


def _chosen(text: pd.Series, best: dict[str, np.ndarray], odd: int, order: Order | None) -> Dates:
    """Of the formats that read the most values: the only one, or the one that the order says."""
    first = next(iter(best))
    example = text[~best[first]].iloc[0] if odd else ""
    if not _is_doubtful(first):
        return Dates(form=first, odd=odd, example=example)
    by_order = {_order(form): form for form in best if _is_doubtful(form)}
    if len(by_order) == 1:
        return Dates(form=first, odd=odd, example=example, order=_order(first))
    if order in by_order or "." in first:  # where points separate, the day comes first
        form = by_order.get(order or "day-first", first)
        return Dates(form=form, odd=odd, example=example)
    readings = pd.DataFrame({o: moments(text, form) for o, form in by_order.items()})
    differ = np.flatnonzero((readings.nunique(axis=1) > 1).to_numpy())
    if not len(differ):
        return Dates(form=first, odd=odd, example=example)
    place = int(differ[0])
    shown = ", ".join(f"{moment:%Y-%m-%d} {o}" for o, moment in readings.iloc[place].items())
    return Dates(form=first, odd=odd, example=example, asked=f"{text.iloc[place]!r} is {shown}")


_NAMES_OF_TIME = re.compile(
    r"(^|[^a-z])(date|time|timestamp|datetime|epoch|ts|when|created|updated|day|unix)([^a-z]|$)|_at$"
)
_COMPACT = (19000101, 21001231)
_RANGES = {"epoch s": 1, "epoch ms": 10**3, "epoch us": 10**6, "epoch ns": 10**9}
_FROM, _TO = 315_532_800, 4_102_444_800  # 1980 and 2100 in seconds
_FEWEST = 3


def whole_number_dates(values: np.ndarray, name: str) -> str:
    """The form in which whole numbers are dates, "" if they are none: 20190131, or seconds since 1970 and the like.

    values: distinct, whole numbers. Seconds count only where the column's name speaks of time.

    >>> whole_number_dates(np.array([20190131, 20190201, 20190202]), "when")
    '%Y%m%d'
    >>> whole_number_dates(np.array([1546473600, 1546498800, 1546524000]), "created_at")
    'epoch s'
    >>> whole_number_dates(np.array([1546473600, 1546498800, 1546524000]), "phone")
    ''
    """
    if len(values) < _FEWEST or not np.isfinite(values).all():
        return ""
    low, high = values.min(), values.max()
    if _COMPACT[0] <= low and high <= _COMPACT[1]:
        text = pd.Series(values.astype("int64")).astype("str")
        return "%Y%m%d" if moments(text, "%Y%m%d").notna().all() else ""
    if _NAMES_OF_TIME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()):
        for form, each in _RANGES.items():
            if _FROM * each <= low and high <= _TO * each:
                return form
    return ""
