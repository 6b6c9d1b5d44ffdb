"""Small files as people have them: what each column is read as, what is told, what is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from optselect.data import raw_inputs, read
from optselect.data.delimited import read_delimited
from optselect.errors import InvalidData
from optselect.task import TaskSpec, make_spec
from tests.helpers import RESOURCES

FOLDER = RESOURCES / "field"


@dataclass(frozen=True)
class Expected:
    """What a file is read as.

    target: its column. kinds: of columns in the schema. first: the first value of a column or target as a number or,
    of a date, as the model takes it. rows: how many are left. told: parts of the notes. refused: parts of the
    message, where it is refused without `options`.
    """

    target: str = "y"
    kinds: dict[str, str] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    rows: int = 24
    told: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def date(first: str, **more: Any) -> Expected:
    """A file whose column `when` holds dates."""
    return Expected(target="load", kinds={"when": "date"}, first={"when": first}, **more)


FILES = {
    "german_thousands_and_plain": Expected(target="rent", first={"area": 26.8, "rent": 494}, told=("thousands",)),
    "german_millions_target": Expected(target="price", first={"price": 1494000}, told=("thousands",)),
    "spanish_quoted_decimal_comma": Expected(target="rent", first={"area": 26.8, "rent": 741.0}),
    "english_three_decimals_beside_others": Expected(first={"a": 26.766, "b": 3.82}),
    "english_three_decimals_below_one": Expected(first={"a": 0.270}),
    "three_decimals_only": Expected(
        refused=("`a`", 'decimal="point"', 'decimal="comma"'), options={"decimal": "comma"}, first={"a": 3677}
    ),
    "swiss_apostrophes": Expected(target="chf", first={"chf": 494000}, told=("apostrophes", "chf")),
    "indian_groups": Expected(target="rupees", first={"rupees": 120126}, told=("₹",)),
    "thin_spaces": Expected(target="kr", first={"kr": 494000}, told=("spaces", "kr")),
    "dollars_behind": Expected(target="price", first={"miles": 26766, "price": 1482}),
    "trailing_minus": Expected(target="profit", told=("negative",)),
    "brackets_and_dollars": Expected(target="profit", first={"profit": 494}, told=("negative",)),
    "unicode_minus": Expected(kinds={"temp": "number"}),
    "detection_limits": Expected(kinds={"lead": "number"}, told=("'<5'",)),
    "excel_errors": Expected(kinds={"ratio": "number"}),
    "scientific_comma": Expected(kinds={"dose": "number"}, first={"dose": 0.00268}),
    "units_mixed": Expected(told=("kg (12 rows)", "g (12 rows)")),
    "percent": Expected(kinds={"rate": "number"}, first={"rate": 26.8}, told=("`%`",)),
    "units_row": Expected(target="power", first={"temp": 26.77}, told=("bar",)),
    "one_word_in_target": Expected(
        target="power",
        refused=("1 of 24", "'broken'", "row 12", "missing_target="),
        rows=23,
        options={"missing_target": "drop"},
    ),
    "total_row": Expected(kinds={"region": "category"}, told=("row 25", "'Total'")),
    "blank_rows": Expected(told=("7 rows",)),
    "few_targets_missing": Expected(target="price", rows=23, told=("1 of 24", "row 6")),
    "many_targets_missing": Expected(
        target="price", refused=("6 missing", 'missing_target="drop"'), rows=18, options={"missing_target": "drop"}
    ),
    "labels_alike": Expected(
        refused=("'No' (6 rows)", "'no '", 'labels="merge"'), options={"labels": "merge"}, told=("No 12",)
    ),
    "year_counter": Expected(target="level", kinds={"Year": "number"}, rows=60, told=('drop="Year"',)),
    "customer_counter": Expected(kinds={"age": "number"}, rows=60, told=("`customer_id`", "an id")),
    "dates_months": date("2019-01-01T00:00:00"),
    "dates_month_names": date("2019-01-03T00:00:00"),
    "dates_two_digit_years": date("2019-01-03T00:00:00"),
    "dates_german_moments": date("2019-01-03T07:30:00"),
    "dates_german_names": date("2019-01-03T00:00:00"),
    "dates_half_days": date("2019-01-03T07:30:00"),
    "dates_compact": date("2019-01-03T00:00:00"),
    "dates_compact_moments": date("2019-01-03T07:30:00"),
    "dates_quarters": date("2019-01-01T00:00:00"),
    "dates_weeks": date("2018-12-31T00:00:00"),
    "dates_clock": date("1970-01-01T07:30:00"),
    "dates_zoned": date("2019-01-03T05:30:00"),
    "dates_long_names": date("2019-01-03T00:00:00"),
    "dates_day_month_dashes": date("2019-01-03T00:00:00"),
    "dates_month_and_year": date("2019-01-01T00:00:00"),
    "dates_epoch_seconds": Expected(target="load", first={"timestamp": "2019-01-03T07:30:00"}, told=("seconds",)),
    "dates_epoch_milliseconds": Expected(target="load", first={"createdAt": "2019-01-03T07:30:00"}),
    "dates_ambiguous": date(
        "2019-01-01T00:00:00",
        refused=("2019-06-02", "2019-02-06", 'dates="month-first"'),
        options={"dates": "day-first"},
    ),
    "dates_order_by_neighbour": Expected(
        target="load", kinds={"start": "date", "end": "date"}, first={"end": "2019-01-13T00:00:00"}
    ),
    "durations": Expected(kinds={"took": "number"}, first={"took": 72000}, told=("seconds",)),
    "excel_separator": Expected(first={"a": 26.8, "b": 8.92}),
}


def test_every_file_of_the_folder_is_expected_to_be_something() -> None:
    """No file lies there unread."""
    assert {path.stem for path in FOLDER.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_a_person_reads_it(name: str) -> None:
    """Kinds, values, rows and notes are those of the list; what is refused goes through with its option."""
    wanted, path = FILES[name], FOLDER / f"{name}.csv"
    if wanted.refused:
        with pytest.raises(InvalidData) as caught:
            spec_of(path, wanted, {})
        assert all(part in str(caught.value) for part in wanted.refused), str(caught.value)
        assert "\n" not in str(caught.value)
    spec = spec_of(path, wanted, wanted.options)
    assert spec.data.rows == wanted.rows
    assert spec.schema is not None
    kinds = {c.name: c.kind for c in spec.schema.columns}
    assert wanted.kinds.items() <= kinds.items()
    raw = raw_inputs(spec.data.x, spec.schema)  # type: ignore[arg-type]
    for column, first in wanted.first.items():
        found = spec.y[0] if column == wanted.target else raw[column][0]
        assert found == (first if isinstance(first, str) else pytest.approx(first, rel=1e-6)), column
    lines = "\n".join(spec.describe())
    assert all(part in lines for part in wanted.told), lines
    days = [
        c.name for c in spec.schema.columns if c.kind == "date" and not str(raw[c.name][0]).startswith("1970-01-01")
    ]
    assert ("split at random" in lines) == bool(
        days or spec.schema.counts_time
    )  # of a table over time that is a choice, and of a clock it is not


@pytest.mark.parametrize("name", FILES)
def test_rows_to_be_predicted_are_read_as_in_training(name: str) -> None:
    """The text of the file, given as raw rows, becomes what the training rows became."""
    wanted, path = FILES[name], FOLDER / f"{name}.csv"
    spec = spec_of(path, wanted, wanted.options)
    assert spec.schema is not None
    text = read_delimited(path).frame
    trained = raw_inputs(spec.data.x, spec.schema)  # type: ignore[arg-type]
    if len(text) == spec.data.rows:
        for column, values in raw_inputs(text, spec.schema).items():
            missing = pd.isna(trained[column]) if values.dtype == "float32" else np.zeros(len(values), bool)
            np.testing.assert_array_equal(values[~missing], trained[column][~missing], err_msg=column)


def spec_of(path: Path, wanted: Expected, options: dict[str, Any]) -> TaskSpec:
    """The task of a file."""
    return make_spec(read(path, target=wanted.target, **options), epochs=1, seed=0)


def test_the_data_command_shows_what_was_understood() -> None:
    """The table has every column with its reading and examples, as JSON and for people, and loads no TensorFlow."""
    code = """
import sys
from optselect.cli import main
sys.argv = ["optselect", "data", sys.argv[1], "--target", "y", "--labels", "merge", *sys.argv[2:]]
try:
    main()
finally:
    print("heavy:", *({"tensorflow", "keras", "mlflow"} & set(sys.modules)), file=sys.stderr)
"""
    command = [sys.executable, "-c", code, str(FOLDER / "labels_alike.csv")]
    for more in (["--json"], []):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "heavy:"
        if more:
            found = json.loads(done.stdout)
            assert found["classes"] == {"y": {"No": 12, "YES": 12}}
            assert [(c["name"], c["role"]) for c in found["columns"]] == [("a", "feature"), ("y", "target")]
            assert found["columns"][0]["examples"][0].startswith("26.7")
        else:
            assert "26.7" in done.stdout
            assert "No 12" in done.stdout
