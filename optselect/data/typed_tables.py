"""Tables in files whose cells have types: JSON records and Excel sheets."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from optselect.errors import InvalidData

__all__ = ["read_excel", "read_json"]


def read_json(path: Path, contents: bytes) -> tuple[pd.DataFrame, list[str]]:
    """Records as a table: one object a line, or an array of objects, or an object of columns.

    Objects within objects become columns named "outer.inner". Raises InvalidData with the line that is wrong.
    """
    try:
        text = contents.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InvalidData(f"{path}: not UTF-8, as JSON must be: byte {problem.start + 1:,}.") from None
    if not text.strip():
        raise InvalidData(f"{path}: the file is empty.")
    notes: list[str] = []
    lined = path.name.lower().split(".json")[-1][:1] == "l" or ".ndjson" in path.name.lower()
    records = _lines(path, text) if lined else _whole(path, text, notes)
    if isinstance(records, pd.DataFrame):
        return records, notes
    odd = next((i for i, record in enumerate(records) if not isinstance(record, dict)), None)
    if odd is not None:
        raise InvalidData(
            f"{path}: record {odd + 1:,} is no object with named values, got {json.dumps(records[odd])[:60]}."
        )
    frame = pd.json_normalize(records)
    lacking = [name for name in frame.columns if len({name} & set(records[0])) == 0 and "." not in str(name)]
    if lacking:
        notes.append(f"not in every record, missing elsewhere: {', '.join(f'`{n}`' for n in lacking[:5])}")
    return frame, notes


def _lines(path: Path, text: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except ValueError as problem:
                raise InvalidData(f"{path}: line {number:,} is no JSON object: {problem}.") from None
    return records


def _whole(path: Path, text: str, notes: list[str]) -> Any:
    """The records of a document, or a frame out of columns."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as problem:
        if problem.msg == "Extra data":  # one object a line under another ending
            return _lines(path, text)
        raise InvalidData(f"{path}: no valid JSON: {problem}.") from None
    if isinstance(found, dict):
        lists = {key: value for key, value in found.items() if isinstance(value, list)}
        tables = [key for key, value in lists.items() if value and all(isinstance(v, dict) for v in value)]
        if len(tables) == 1:
            notes.append(f"the records are those of {tables[0]!r}")
            return lists[tables[0]]
        if {"columns", "data"} <= lists.keys():
            return pd.DataFrame(found["data"], columns=found["columns"])
        if lists and len(lists) == len(found) and len({len(v) for v in lists.values()}) == 1:
            return pd.DataFrame(found)
        if found and all(isinstance(value, dict) for value in found.values()):
            return pd.DataFrame(found)
    if not isinstance(found, list) or not found:
        raise InvalidData(f"{path}: must hold an array of objects, one a row, or columns as arrays of one length.")
    return found


def read_excel(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The first sheet of a workbook with a header in its first line. Raises InvalidData if it is none."""
    try:
        import openpyxl
    except ImportError:
        raise InvalidData(
            f"{path}: Excel workbooks need a package: pip install 'optselect[excel]', or save the sheet as CSV."
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = book.sheetnames
        rows = [list(row) for row in book[sheets[0]].iter_rows(values_only=True)]
        book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError, IndexError, AttributeError) as problem:
        raise InvalidData(f"{path}: not a readable Excel workbook: {type(problem).__name__}: {problem}") from None
    notes = (
        [f"sheet {sheets[0]!r} is read, the first of {len(sheets)}: {', '.join(sheets[:5])}"] if len(sheets) > 1 else []
    )
    first = next((i for i, row in enumerate(rows) if any(cell is not None for cell in row)), None)
    if first is None or first + 1 == len(rows):
        raise InvalidData(f"{path}: sheet {sheets[0]!r} has no rows below a header.")
    header, body = rows[first], rows[first + 1 :]
    used = [i for i in range(len(header)) if header[i] is not None or any(row[i] is not None for row in body)]
    names = [str(header[i]) if header[i] is not None else f"column {i + 1}" for i in used]
    frame = pd.DataFrame([[row[i] for i in used] for row in body], columns=names, dtype=object)
    return frame.infer_objects(), notes
