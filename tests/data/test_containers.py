"""Files of every container hold the same table; what is not what it says is named; nothing unpacks without end."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import json
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from optselect.data import raw_inputs, read
from optselect.errors import InvalidData, OptselectError
from optselect.task import make_spec

FRAME = pd.DataFrame(
    {"a": np.arange(30) * 1.25 + 0.5, "word": ["x", "y", "z"] * 10, "n": np.arange(30) % 7, "y": [0, 1] * 15}
)
CSV = FRAME.to_csv(index=False).encode()


def zipped(path: Path, **members: bytes) -> None:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)


def zstandard_file(path: Path) -> None:
    """Compressed with Zstandard."""
    import zstandard

    path.write_bytes(zstandard.compress(CSV))


def stream(path: Path) -> None:
    """Arrow's format for streams."""
    import pyarrow as pa

    table = pa.Table.from_pandas(FRAME)
    with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)


def aligned(path: Path) -> None:
    """Columns that spaces align."""
    path.write_text(FRAME.to_string(index=False) + "\n")


WRITERS: dict[str, Callable[[Path], Any]] = {
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV)),
    "t.csv.bz2": lambda path: path.write_bytes(bz2.compress(CSV)),
    "t.csv.xz": lambda path: path.write_bytes(lzma.compress(CSV)),
    "t.csv.zst": zstandard_file,
    "t.csv.zip": lambda path: zipped(path, **{"t.csv": CSV, "__MACOSX/t.csv": b"x"}),
    "t.tsv.gz": lambda path: path.write_bytes(gzip.compress(CSV.replace(b",", b"\t"))),
    "t.data": lambda path: path.write_bytes(CSV),
    "t.dat": aligned,
    "t.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "t.jsonl.gz": lambda path: FRAME.to_json(path, orient="records", lines=True, compression="gzip"),
    "t.json": lambda path: FRAME.to_json(path, orient="records"),
    "lines.json": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "split.json": lambda path: FRAME.to_json(path, orient="split", index=False),
    "columns.json": lambda path: FRAME.to_json(path),
    "lists.json": lambda path: path.write_text(json.dumps(FRAME.to_dict("list"))),
    "wrapped.json": lambda path: path.write_text(json.dumps({"count": 30, "rows": FRAME.to_dict("records")})),
    "t.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "t.arrow": stream,
    "t.feather": lambda path: FRAME.to_feather(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_is_the_same_in_every_container(name: str, tmp_path: Path) -> None:
    """Compressed, as records, as a sheet: columns, values and target are those of the CSV file."""
    WRITERS[name](tmp_path / name)
    data = read(tmp_path / name, target="y")
    assert isinstance(data.x, pd.DataFrame)
    pd.testing.assert_frame_equal(data.x, FRAME.drop(columns="y"), check_dtype=False)
    assert list(data.y) == FRAME["y"].tolist()
    assert {c.kind for c in make_spec(data, epochs=1, seed=0).schema.columns} == {"number", "category"}  # type: ignore[union-attr]


OTHERS: dict[str, tuple[bytes | Callable[[Path], Any], list[str]]] = {
    "zip.csv": (lambda path: zipped(path, a=b"1", b=b"2"), ["zip archive", "unpack"]),
    "sheet.csv": (lambda path: zipped(path, **{"xl/workbook.xml": b"1"}), ["Excel workbook", ".xlsx"]),
    "fake.xlsx": (b"PK\x03\x04" + bytes(60), ["Save it as CSV"]),
    "text.xlsx": (CSV, ["no Excel workbook"]),
    "other.xlsx": (lambda path: zipped(path, a=b"1"), ["zip archive"]),
    "old.xls": (b"\xd0\xcf\x11\xe0" + bytes(60), [".xls", "save it as .xlsx or CSV"]),
    "page.csv": (b"<!DOCTYPE html><html>", ["web page"]),
    "pointer.csv": (b"version https://git-lfs.github.com/spec/v1\n", ["Git LFS", "git lfs pull"]),
    "broken.csv.gz": (gzip.compress(CSV)[:-20], ["not a readable .gz"]),
    "text.csv.gz": (CSV, ["not a readable .gz"]),
    "several.csv.zip": (lambda path: zipped(path, a=CSV, b=CSV), ["2 files", "a, b"]),
    "bad.jsonl": (b'{"a": 1, "y": 2}\n{"a": 1,\n', ["line 2"]),
    "numbers.jsonl": (b"1\n2\n", ["record 1"]),
    "bad.json": (b'{"a": [1, 2]', ["no valid JSON"]),
    "one.json": (b'{"a": 1}', ["array of objects"]),
    "t.parquet.gz": (gzip.compress(b"PAR1"), ["cannot read .gz", "unpack it first"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_what_it_says_is_named(name: str, tmp_path: Path) -> None:
    """One message with the file, what it is, and what to do."""
    contents, said = OTHERS[name]
    path = tmp_path / name
    if isinstance(contents, bytes):
        path.write_bytes(contents)
    else:
        contents(path)
    with pytest.raises(InvalidData) as caught:
        read(path, target="y")
    assert all(part in str(caught.value) for part in (name, *said)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused(ending: str, tmp_path: Path) -> None:
    """Reading stops where memory has no more room, before anything is decoded."""
    bomb, path = b"0" * 30_000_000, tmp_path / f"t.csv.{ending}"
    if ending == "zip":
        zipped(path, **{"t.csv": bomb})
    elif ending == "zst":
        path.write_bytes(pytest.importorskip("zstandard").compress(bomb))
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(bomb))
    with pytest.raises(InvalidData, match="unpacks to more than"):
        read(path, target="y", memory=8_000_000)


def test_an_address_is_no_file() -> None:
    """It is named whole, with the advice to download it."""
    with pytest.raises(InvalidData, match=r"https://example\.org/d\.csv: an address"):
        read("https://example.org/d.csv", target="y")


@pytest.mark.parametrize(("module", "name"), [("openpyxl", "t.xlsx"), ("zstandard", "t.csv.zst")])
def test_a_package_that_lacks_is_named(module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    WRITERS[name](tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidData, match="pip install 'optselect"):
        read(tmp_path / name, target="y")


def test_a_sheet_keeps_types_and_leaves_out_what_is_empty(tmp_path: Path) -> None:
    """Dates stay dates, errors of Excel are missing, empty rows and columns are no rows and columns."""
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=30, freq="7D"),
            "a": [*np.arange(28) * 1.5, "#N/A", "#DIV/0!"],
            "at": [datetime.time(8, i) for i in range(30)],
            "y": [0.5, 1.5] * 15,
        }
    )
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.concat([frame, pd.DataFrame([[None] * 4] * 5, columns=frame.columns)]).to_excel(book, index=False)
        frame.to_excel(book, sheet_name="other", index=False)
    data = read(tmp_path / "t.xlsx", target="y")
    spec = make_spec(data, epochs=1, seed=0)
    assert data.rows == 30
    assert spec.schema is not None
    assert {c.name: c.kind for c in spec.schema.columns} == {"when": "date", "a": "number", "at": "date"}
    assert any("first of 2" in note for note in data.notes)
    raw = raw_inputs(data.x, spec.schema)  # type: ignore[arg-type]
    assert (raw["at"][3], raw["when"][1]) == ("1970-01-01T08:03:00", "2020-01-08T00:00:00")
    assert np.isnan(raw["a"][-2:]).all()


ROWS = 40
TYPED: dict[str, tuple[Any, str]] = {
    "period": (pd.period_range("2010-01", periods=ROWS, freq="M"), "date"),
    "quarter": (pd.period_range("2010Q1", periods=ROWS, freq="Q"), "date"),
    "time": ([datetime.time(i % 24, 30) for i in range(ROWS)], "date"),
    "day": ([datetime.date(2020, 1, 1 + i % 28) for i in range(ROWS)], "date"),
    "span": (pd.to_timedelta(np.arange(ROWS) * 1.5, unit="h"), "number"),
    "Int64": (pd.array([None, *range(0, 3 * ROWS - 3, 3)], dtype="Int64"), "number"),
    "boolean": (pd.array([None, *[True, False] * 20][:ROWS], dtype="boolean"), "boolean"),
    "category": (pd.Categorical(["u", "v"] * (ROWS // 2)), "category"),
    "decimals": ([decimal.Decimal(i) / 4 for i in range(ROWS)], "number"),
    "mixed": ([*np.arange(ROWS - 2) * 0.5, "n.d.", "7,25"], "number"),
    "amounts": ([f"{i + 1}.{i:03d},50 €" for i in range(ROWS)], "number"),
    "codes": ([str(i % 5) for i in range(ROWS)], "category"),
    "arrow": (pd.array(np.arange(ROWS) * 1.5, dtype="double[pyarrow]"), "number"),
    "compact": ([20200101 + i % 28 for i in range(ROWS)], "date"),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_column_of_a_frame_is_what_its_type_says(name: str) -> None:
    """Every type that pandas has is used, and becomes what a model takes."""
    values, kind = TYPED[name]
    frame = pd.DataFrame({"c": values, "a": np.arange(ROWS) % 9 * 0.5, "y": np.arange(ROWS) * 0.25})
    spec = make_spec(read(frame, target="y"), epochs=1, seed=0)
    assert spec.schema is not None
    assert {c.name: c.kind for c in spec.schema.columns}["c"] == kind
    raw = raw_inputs(spec.data.x, spec.schema)["c"]  # type: ignore[arg-type]
    assert raw.shape == (ROWS,)
    if kind in ("number", "boolean"):
        assert np.isfinite(raw).sum() >= ROWS - 1
    if kind == "date":
        assert all(len(text) == 19 for text in raw)


def test_tables_of_other_libraries_are_taken() -> None:
    """polars frames, pyarrow tables and dicts of columns give what the pandas frame gives; names may be numbers."""
    polars, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    expected = read(FRAME, target="y")
    for other in (polars.from_pandas(FRAME), pa.Table.from_pandas(FRAME), FRAME.to_dict("list")):
        data = read(other, target="y")
        assert isinstance(data.x, pd.DataFrame)
        pd.testing.assert_frame_equal(data.x, expected.x, check_dtype=False)  # type: ignore[arg-type]
    numbered = FRAME.set_axis(range(4), axis=1)
    for target in (3, "3", [3], np.int64(3)):
        assert read(numbered, target=target).y.tolist() == FRAME["y"].tolist()


@pytest.mark.parametrize(
    ("data", "target", "said"),
    [
        ({"a": [1, 2], "y": [1]}, "y", "same number of rows"),
        ({"a": [1, 2], "y": [1, 2]}, None, "target"),
        ({"a": [1, 2]}, "z", "target"),
        ({}, None, "nothing in it"),
    ],
)
def test_a_dict_that_is_no_table_is_refused(data: Any, target: Any, said: str) -> None:
    """With what it holds and what is taken."""
    with pytest.raises(OptselectError, match=said):
        read(data, target=target)


def test_columns_are_kept_and_dropped_as_asked() -> None:
    """A kept id is a feature, a dropped column is none, and a misspelt one is told the right one."""
    frame = pd.concat([FRAME, FRAME]).reset_index(drop=True)
    frame = frame.assign(user=[f"u{i}" for i in range(60)], row=range(60))

    def used(**options: Any) -> set[str]:
        schema = make_spec(read(frame, target="y", **options), epochs=1, seed=0).schema
        assert schema is not None
        return {c.name for c in schema.columns}

    assert used() == {"a", "word", "n"}
    assert used(keep=["user", "row"]) == {"a", "word", "n", "user", "row"}
    assert used(drop="word") == {"a", "n"}
    for options, said in (
        ({"keep": "users"}, "'user'"),
        ({"drop": "y"}, "target"),
        ({"keep": "a", "drop": "a"}, "'a'"),
    ):
        with pytest.raises(OptselectError, match=said):
            read(frame, target="y", **options)
