"""Numbers as people write them: what was written is what is read, or it is asked."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.data import raw_inputs, read
from optselect.data.numerals import Convention, decimal_of, survey
from optselect.data.raw_rows import number, value, written
from optselect.data.schema import infer_schema
from optselect.errors import InvalidData, UnknownName

GROUPS = {".": [",", " ", "'", "’", "\u2009", "\u202f", "\u00a0", ""], ",": [".", " ", "'", "\u202f", ""]}
AFFIXES = ["{}", "$ {}", "${}", "{} €", "CHF {}", "{} kg", "{}%", "{} km/h", "{}°C", "R$ {}"]
NEGATIVES = ["-{}", "−{}", "({})", "{}-"]


def written_as(x: float, mark: str, group: str, digits: int, affix: str, negative: str) -> str:
    """A number as a person would write it."""
    whole, _, fraction = f"{abs(x):.{digits}f}".partition(".")
    whole = f"{int(whole):,}".replace(",", group)
    text = affix.format(whole + (mark + fraction if fraction else ""))
    return negative.format(text) if x < 0 else text


@settings(deadline=None, max_examples=100)
@given(
    x=st.floats(-1e9, 1e9, allow_nan=False),
    mark=st.sampled_from([".", ","]),
    digits=st.integers(0, 6),
    data=st.data(),
)
def test_a_number_is_read_as_it_was_written(x: float, mark: str, digits: int, data: st.DataObject) -> None:
    """Any number, in any convention, with any sign, currency or unit, is read back."""
    group = data.draw(st.sampled_from(GROUPS[mark]))
    affix = data.draw(st.sampled_from(AFFIXES))
    negative = data.draw(st.sampled_from(NEGATIVES))
    x = round(x, digits)
    text = written_as(x, mark, group, digits, affix, negative)
    parts = written(text)
    assert parts is not None, text
    assert number(text, mark + parts.unit) == pytest.approx(x, rel=1e-12, abs=0), text


@settings(deadline=None, max_examples=25)
@given(
    values=st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=12, max_size=40, unique=True),
    mark=st.sampled_from([".", ","]),
    digits=st.sampled_from([1, 2, 4]),
    data=st.data(),
)
def test_a_file_is_read_in_the_convention_it_is_written_in(
    values: list[float], mark: str, digits: int, data: st.DataObject
) -> None:
    """Every number of a file is read back, and so are rows that are to be predicted, as the same text."""
    group = data.draw(st.sampled_from(GROUPS[mark]))
    values = [round(v, digits) for v in values]
    text = [written_as(v, mark, group, digits, "{}", "-{}") for v in values]
    lines = "a;y\n" + "".join(f"{t};{i % 2}\n" for i, t in enumerate(text))
    path = io.BytesIO(lines.encode())
    found = read_text(path)
    assert found.x["a"].tolist() == pytest.approx(values)
    schema = infer_schema(found.x, "t", readings=found.readings, keep=("a",))
    if schema.columns:
        raw = raw_inputs(pd.DataFrame({"a": text}), schema)["a"]
        np.testing.assert_array_equal(raw, found.x["a"].to_numpy("float32"))


def read_text(contents: io.BytesIO) -> object:
    """A data set out of the bytes of a file."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(contents.getvalue())
        return read(path, target="y")


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_any_text_is_a_number_or_none(text: str) -> None:
    """Whatever a cell holds, reading it as a number raises nothing, and words are none."""
    parts = written(text)
    for mark in (".", ","):
        assert parts is None or isinstance(value(parts.core, mark), float)
    assert parts is None or any(c.isdecimal() for c in text)


@pytest.mark.parametrize("text", ["user_1", "A1", "4-door", "10:30", "2019-01", "1 of 5", "555-1234", "Q1", "1.2.3.4",
                                  "12/25", "3x4", "(5", "5)", "--5", "", "-", "$", "1st and 2nd"])  # fmt: skip
def test_what_is_no_number_is_none(text: str) -> None:
    """Codes, ranges, times and broken brackets are no numbers under either mark."""
    assert all(np.isnan(number(text, mark)) for mark in (".", ","))


def column(*values: str, separator: str = ",", file: str = "", asked: bool = False) -> str:
    """The decimal mark that a column of these values gets; "" if it is asked."""
    cells = survey(list(dict.fromkeys(values)), np.ones(len(set(values)), int))
    return decimal_of(cells, Convention(mark=file, asked=asked, separator=separator))[0]


MANY = [f"{n}.{n + 100}" for n in range(1, 12)]  # 1.101, 2.102: thousands, or three decimals
MIXED = [*MANY, "717", "12", "995", "4"]


@pytest.mark.parametrize(
    ("values", "options", "mark"),
    [
        (["0.125", "12.375"], {}, "."),
        (["0,125", "12,375"], {}, ","),
        (["1.5", "1.461"], {}, "."),
        (["2.460.000", "1.461"], {}, ","),
        (["1234.567"], {}, "."),
        (["1.234,5", "1.461"], {}, ","),
        (["1,234.5", "1,461"], {}, "."),
        (["1.461e3", "1.461"], {}, "."),
        (["12,34,567"], {}, "."),
        (MANY, {}, ""),
        (MANY, {"separator": ";"}, ""),
        (MIXED, {}, ""),
        (MIXED, {"separator": ";"}, ","),
        (MANY, {"file": ".", "separator": ";"}, "."),
        (MIXED, {"file": ".", "separator": "\t"}, ""),
        (MANY, {"file": ",", "separator": ";"}, ","),
        (MANY, {"file": ",", "separator": ","}, "."),
        (MIXED, {"file": ",", "separator": ","}, ","),
        (MANY, {"file": ",", "asked": True}, ","),
        (MANY, {"file": ".", "asked": True}, "."),
        (["1,101", "2,102"], {}, "."),
        (["1,101", "2,102"], {"separator": ";"}, ""),
        (["1", "2"], {"file": ","}, ","),
    ],
)
def test_the_decimal_mark_follows_from_evidence(values: list[str], options: dict, mark: str) -> None:
    """A column's own cells, then the other columns, then the separator with the grouping; else it is asked."""
    assert column(*values, **options) == mark


def test_what_could_be_both_is_asked_with_both_readings(tmp_path: object) -> None:
    """All ambiguous columns stand in one message, with both numbers and the option; either option settles it."""
    rows = "".join(f"{a},{a},{i % 2}\n" for i, a in enumerate(MANY))
    contents = io.BytesIO(f"a,b,y\n{rows}".encode())
    with pytest.raises(InvalidData) as caught:
        read_text(contents)
    for part in ("`a`", "`b`", "1.101", "1101", 'decimal="point"', 'decimal="comma"'):
        assert part in str(caught.value)
    path = tmp_path / "t.csv"  # type: ignore[operator]
    path.write_bytes(contents.getvalue())
    assert read(path, decimal="point").x["a"][0] == 1.101
    assert read(path, decimal="comma").x["a"][0] == 1101
    with pytest.raises(UnknownName, match="'comma'"):
        read(path, decimal="coma")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["70 kg", "900 g"] * 20, None),
        (["70 kg"] * 39 + ["900 g"], "one missing"),
        (["21%", "0.21"] * 20, None),
        (["$ 5", "5"] * 20, [5, 5]),
        (["$5", "5 €"] * 20, None),
        (["1 year", "2 years"] * 20, [1, 2]),
        (["5 M", "5 m"] * 20, None),
        (["€5M", "€900K"] * 20, None),
        (["€5M", "€6M"] * 20, [5, 6]),
    ],
)
def test_values_in_several_units_are_not_merged(cells: list[str], numbers: object) -> None:
    """A mixture of units is text with a note; a rare other unit is missing; money may lack its sign."""
    found = read(pd.DataFrame({"a": cells, "y": [0, 1] * 20}), target="y")
    if numbers is None:
        assert found.x["a"].tolist() == cells
        assert all(c.endswith("%") or c.startswith("0") for c in cells) != any("units" in n for n in found.notes)
    elif numbers == "one missing":
        assert found.x["a"].isna().sum() == 1
    else:
        assert found.x["a"].tolist()[:2] == numbers
