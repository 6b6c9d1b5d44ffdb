"""Raw rows of a table as a saved model takes them, and cells of text as numbers and dates.

The file stands alone: it goes with a model into MLflow, which loads it there by `_load_pyfunc`, without optselect.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Written", "english_months", "moments", "number", "plural_free", "raw_columns", "value", "written"]

_SIGNS = "$€£¥₹₽₩₺₴₦₫₪₱₡₲₵₸₼₾฿¢"
_CURRENCIES = frozenset(
    "usd|eur|gbp|jpy|chf|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|ron|bgn|isk|try|rub|uah|cny|rmb|inr|idr|krw|sgd|hkd|twd|"  # noqa: SIM905
    "thb|myr|php|vnd|zar|brl|mxn|ars|clp|cop|pen|ils|aed|sar|egp|ngn|kes|pkr|bdt|lkr|kzt|gel|us$|r$|a$|c$|ca$|au$|nz$|"
    "hk$|s$|nt$|mx$|rs|rs.|kr|kr.|fr|fr.|sfr|sfr.|zł|kč|ft|lei|лв|руб|руб.|р.".split("|")
)
_MINUS = r"\-−–"
_CELL = re.compile(
    rf"(?P<bound>[<>≤≥~≈]=?|ca\.|approx\.)?\s*(?P<open>\()?\s*(?P<sign>[+{_MINUS}])?\s*"
    rf"(?P<before>(?:[^\W\d_]{{1,4}}\.?|[^\W\d_]{{0,3}}[{re.escape(_SIGNS)}]))?\s*"
    rf"(?P<inner>\()?\s*(?P<second>[+{_MINUS}])?\s*"
    r"(?P<core>[.,]?\d(?:[\d.,'’ʼ‘`´\s]*\d)?[.,]?(?:[eE][+\-−]?\d+)?)(?P<more>\+)?\s*(?P<shut>\))?\s*"
    rf"(?P<after>(?:[^\W\d_]|[%‰°\"″/{re.escape(_SIGNS)}])[^\d()<>]{{0,15}}?[23]?)?\s*(?P<close>\))?\s*"
    rf"(?P<last>[{_MINUS}])?"
)
_LONGEST_CELL = 60
_DURATION = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)")
_POINT = re.compile(
    r"(?:\d+|[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+)|[1-9]\d?(?:,\d{2})+,\d{3})?(?:\.\d*)?"
    r"|\d*\.?\d+[eE][+-]?\d+|\d+\.[eE][+-]?\d+"
)
_COMMA = re.compile(
    r"(?:\d+|[1-9]\d{0,2}(?:(?:\.\d{3})+|(?: \d{3})+|(?:'\d{3})+))?(?:,\d*)?"
    r"|\d*,?\d+[eE][+-]?\d+|\d+,[eE][+-]?\d+"
)  # fmt: skip


class Written(NamedTuple):
    """A cell that holds one number.

    core: digits and marks, every kind of space as " ", every kind of apostrophe as "'". unit: a unit or currency.
    bound: "<", ">", "~" or "+" where the cell says that the number is a limit or an estimate.
    """

    core: str
    negative: bool
    unit: str
    bound: str


def written(text: str) -> Written | None:
    """The parts of a cell that holds one number, None if it holds anything else.

    >>> written("$ (1,066.50)")
    Written(core='1,066.50', negative=True, unit='$', bound='')
    >>> written("70,7 kg").unit
    'kg'
    >>> written("user_1"), written("4-door")
    (None, None)
    """
    found = _CELL.fullmatch(text) if len(text) <= _LONGEST_CELL else None
    if found is None:
        return _duration(text)
    before, after = (found["before"] or "").strip(), " ".join((found["after"] or "").split())
    opened, closed = (found["open"] or "") + (found["inner"] or ""), (found["shut"] or "") + (found["close"] or "")
    signs = [found[name] for name in ("sign", "second", "last") if found[name]]
    if len(opened) > 1 or len(opened) != len(closed) or len(signs) + len(opened) > 1:
        return None
    if before and not _is_currency(before):
        return None
    unit = before + after  # "€5M" is in "€M"
    core = re.sub(r"\s", " ", found["core"])
    core = re.sub("[’ʼ‘`´]", "'", core).replace("−", "-")
    return Written(
        core=core,
        negative=bool(opened) or (bool(signs) and signs[0] != "+"),
        unit=unit.casefold() if _is_currency(unit) else plural_free(unit),
        bound=(found["bound"] or found["more"] or "")[:1],
    )


def _duration(text: str) -> Written | None:
    """Hours, minutes and seconds as a number of seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = map(int, found.groups())
    return Written(core=str(3600 * hours + 60 * minutes + seconds), negative=False, unit="h:m:s", bound="")


def plural_free(unit: str) -> str:
    """A unit without the s of its plural, so that "1 year" and "2 years" have the same.

    >>> plural_free("years"), plural_free("ms"), plural_free("km")
    ('year', 'ms', 'km')
    """
    return unit[:-1] if len(unit) > 2 and unit.endswith("s") and unit.isalpha() else unit


def _is_currency(unit: str) -> bool:
    return unit.casefold() in _CURRENCIES or (len(unit) == 1 and unit in _SIGNS)


def value(core: str, decimal: str) -> float:
    """The number that digits and marks are if `decimal` ("." or ",") is the decimal mark; NaN if they are none.

    >>> value("1.461", "."), value("1.461", ","), value("0.125", ","), value("2.460.000,5", ",")
    (1.461, 1461.0, nan, 2460000.5)
    """
    pattern, groups = (_POINT, ",") if decimal == "." else (_COMMA, ".")
    if not pattern.fullmatch(core):
        return float("nan")
    return float(core.replace(groups, "").replace(" ", "").replace("'", "").replace(",", "."))


def number(text: str, form: str) -> float:
    """A cell as a number, NaN if it is none.

    form: the decimal mark, then the unit that every value has: ".", ",", ".kg", ",€".

    >>> number("1.461,50 €", ",€"), number("(1 066)", "."), number("70 g", ".kg"), number("21%", ".")
    (1461.5, -1066.0, nan, nan)
    """
    found = written(text.strip())
    if found is None or (found.unit and found.unit != form[1:]) or (form[1:] == "%" and not found.unit):
        return float("nan")
    return -value(found.core, form[0]) if found.negative else value(found.core, form[0])


_QUARTER = r"(?P<year>\d{4})\s*[-/ ]?\s*[qQ](?P<part>[1-4])|[qQ](?P<part2>[1-4])\s*[-/ ']?\s*(?P<year2>\d{4})"
_WEEK = r"(?P<year>\d{4})[-/ ]?(?:W|w|KW|kw)\s?(?P<part>\d{1,2})(?:-(?P<day>[1-7]))?"
_SECONDS = {"epoch s": 1, "epoch ms": 1_000, "epoch us": 1_000_000, "epoch ns": 1_000_000_000}
_EPOCH = datetime.date(1970, 1, 1)


_MONTHS = {
    word: english
    for english, words in (
        ("Jan", "jan january januar jänner janvier janv enero ene gennaio gen janeiro januari"),
        ("Feb", "feb february februar février fevrier févr fév febrero febbraio fevereiro fev februari"),
        ("Mar", "mar march märz maerz mär mrz mars marzo março maart mrt"),
        ("Apr", "apr april avril avr abril abr aprile"),
        ("May", "may mai mayo maggio mag maio mei"),
        ("Jun", "jun june juni juin junio giugno giu junho"),
        ("Jul", "jul july juli juillet juil julio luglio lug julho"),
        ("Aug", "aug august août aout agosto ago augustus"),
        ("Sep", "sep sept september septembre septiembre settembre set setembro"),
        ("Oct", "oct october oktober okt octobre octubre ottobre ott outubro out"),
        ("Nov", "nov november novembre noviembre novembro"),
        ("Dec", "dec december dezember dez décembre déc diciembre dic dicembre dezembro"),
    )
    for word in words.split()
}
_WORD = re.compile(r"[^\W\d_]{3,}\.?")


def english_months(text: str) -> str:
    """A date with its month as in English, from some other European languages too.

    >>> english_months("3. März 2019"), english_months("15 déc. 2020"), english_months("Monday")
    ('3. Mar 2019', '15 Dec 2020', 'Monday')
    """
    return _WORD.sub(lambda match: _MONTHS.get(match[0].lower().rstrip("."), match[0]), text)


def moments(values: pd.Series, form: str) -> pd.Series:
    """Text or numbers as moments, datetime64 in UTC, NaT for what is none.

    form: a format of strptime, "ISO8601", "quarter" (2019Q1), "week" (2019-W05), "time" and such a format for times
    of a day, which become times of 1970-01-01, or "epoch s", "epoch ms", "epoch us", "epoch ns".

    >>> moments(pd.Series(["2019Q2", "2020Q1"]), "quarter").dt.strftime("%Y-%m-%d").tolist()
    ['2019-04-01', '2020-01-01']
    """
    if form in _SECONDS:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        return pd.Series(pd.to_datetime(numbers / _SECONDS[form], unit="s", utc=True, errors="coerce"))
    if values.dtype.kind in "iuf":
        values = values.map(lambda v: "" if pd.isna(v) else f"{v:.0f}")
    text = values.astype(object).where(values.notna(), None).map(lambda v: None if v is None else str(v).strip())
    if "%b" in form:
        text = text.map(lambda v: None if v is None else english_months(v))
    if form in ("quarter", "week"):
        return _periods(text.astype("str"), form)
    if form.startswith("time "):
        text, form = "1970-01-01 " + text.astype("str"), f"%Y-%m-%d {form.removeprefix('time ')}"
    return pd.to_datetime(text, format=form or None, errors="coerce", utc=True)


def _periods(text: pd.Series, form: str) -> pd.Series:
    """The first days of quarters or ISO weeks."""
    parts = text.str.extract(f"^(?:{_QUARTER if form == 'quarter' else _WEEK})$")
    if form == "quarter":
        parts = parts.assign(year=parts["year"].fillna(parts["year2"]), part=parts["part"].fillna(parts["part2"]))
        month = pd.to_numeric(parts["part"]) * 3 - 2
        return pd.to_datetime(parts["year"] + "-" + month.map("{:.0f}".format) + "-1", format="%Y-%m-%d",
                              errors="coerce", utc=True)  # fmt: skip
    iso = parts["year"] + "-" + parts["part"].str.zfill(2) + "-" + parts["day"].fillna("1")
    return pd.to_datetime(iso, format="%G-%V-%u", errors="coerce", utc=True)


def raw_columns(table: pd.DataFrame, columns: Iterable[tuple[str, str, str]]) -> dict[str, np.ndarray]:
    """One array a column, by name, each of shape (rows,).

    columns: name, kind, and how text is read: for numbers a form of `number`, for dates one of `moments`, "" for
    what is a number or a date already. Numbers and booleans become float32, missing or infinite NaN; categories,
    dates (ISO 8601) and text str objects, missing "".

    >>> table = pd.DataFrame({"size": [1, None], "colour": [None, "red"]})
    >>> raw_columns(table, [("size", "number", ""), ("colour", "category", "")])
    {'size': array([ 1., nan], dtype=float32), 'colour': array(['', 'red'], dtype=object)}
    >>> raw_columns(pd.DataFrame({"rent": ["1.461", "717", None]}), [("rent", "number", ",")])
    {'rent': array([1461.,  717.,   nan], dtype=float32)}
    """
    return {name: _RAW[kind](table[name], form) for name, kind, form in columns}


def _raw_number(values: pd.Series, form: str) -> np.ndarray:
    if pd.api.types.is_timedelta64_dtype(values):
        values = values.dt.total_seconds()
    if form and not pd.api.types.is_numeric_dtype(values):
        codes, distinct = pd.factorize(values)
        found = [number(v, form) if isinstance(v, str) else v for v in distinct]
        numbers = np.append(
            np.asarray(pd.to_numeric(pd.Series(found, dtype=object), errors="coerce"), "float64"), np.nan
        )
        numbers = numbers[codes]
    else:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(over="ignore"):
        single = numbers.astype("float32")
    return np.where(np.isfinite(single), single, np.float32("nan")).astype("float32")


def _raw_boolean(values: pd.Series, form: str) -> np.ndarray:
    if values.dtype == object or pd.api.types.is_string_dtype(values):
        values = values.map(lambda v: {"true": 1.0, "false": 0.0}.get(str(v).lower(), np.nan))
    return values.to_numpy(dtype="float32", na_value=np.nan)


def _raw_date(values: pd.Series, form: str) -> np.ndarray:
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(values):
        dates = pd.to_datetime(values, utc=True)
    else:
        if values.dtype == object and values.map(lambda v: isinstance(v, datetime.time)).any():
            values, form = values.map(lambda v: str(v) if isinstance(v, datetime.time) else None), "time ISO8601"
        codes, distinct = pd.factorize(values)
        found = _moments_of(pd.Series(distinct), form)
        dates = pd.Series(np.append(found, np.datetime64("NaT"))[codes])
    return dates.dt.strftime("%Y-%m-%dT%H:%M:%S").fillna("").to_numpy(dtype=object)


def _moments_of(distinct: pd.Series, form: str) -> np.ndarray:
    if form == "time ISO8601":
        form, distinct = "ISO8601", "1970-01-01 " + distinct.astype("str")
    found: np.ndarray = moments(distinct, form).dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    return found


def _raw_text(values: pd.Series, form: str) -> np.ndarray:
    missing = values.isna().to_numpy(dtype=bool)
    text = values.astype(object).map(str).to_numpy(dtype=object)
    text[missing] = ""
    return text


_RAW = {
    "number": _raw_number,
    "boolean": _raw_boolean,
    "date": _raw_date,
    "category": _raw_text,
    "text": _raw_text,
}


class _Model:
    """A Keras model whose `predict` takes raw rows: a table, or arrays where it was trained on arrays."""

    def __init__(self, model: Any, columns: list[tuple[str, str, str]]) -> None:
        self.model, self.columns = model, columns

    def predict(self, rows: Any, params: Any = None) -> Any:
        if self.columns:
            rows = raw_columns(pd.DataFrame(rows), self.columns)
        return self.model.predict(rows, verbose=0)


def _load_pyfunc(path: str) -> _Model:
    """What MLflow calls. path: the folder with `model.keras` and `columns.json`."""
    import keras

    columns = json.loads((Path(path) / "columns.json").read_text(encoding="utf-8"))
    model = keras.saving.load_model(Path(path) / "model.keras", compile=False)
    return _Model(model, [tuple(column) for column in columns])
