"""Reading a data set, wherever it is: one reader a kind of reference, found by its decorator."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.arrays import Taken
from optselect.data.containers import COMPRESSED, contents_kind, unpacked, zip_size
from optselect.data.dataset import Data
from optselect.data.dates import Order
from optselect.data.delimited import read_delimited
from optselect.data.in_memory import as_weights, from_frame, from_pair
from optselect.data.labels import with_settled_labels
from optselect.data.materialise import materialise
from optselect.data.missing import without_missing_targets
from optselect.data.npz import load, load_large, members
from optselect.data.numerals import Decimal
from optselect.data.on_disk import DiskArray, Room, Spool
from optselect.data.other_frames import as_frame
from optselect.data.parting import PARTS
from optselect.data.raw_sources import RawArrays, RawTable, together
from optselect.data.row_roles import row_arrays
from optselect.data.split_options import SplitOptions
from optselect.data.streams import Tell
from optselect.data.text_columns import Labels, MissingTarget, ReadOptions, as_names
from optselect.data.typed_tables import read_excel, read_json
from optselect.errors import InvalidData, OptselectError, UnknownName
from optselect.user_code.functions import SAID, check_function, is_reference, split_reference
from optselect.util.machine import available_memory, gigabytes
from optselect.util.suggestion import suggestion

__all__ = ["Source", "read"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a reader is asked: the reference as a path, and how to read it.

    contents: of a compressed file, unpacked. parts: names of those that a file may bring itself.
    """

    path: Path
    target: Any
    sample_weight: Any
    encoding: str | None
    separator: str | None
    memory: int | None
    options: ReadOptions
    spool: Spool
    contents: bytes | None = None
    parts: frozenset[str] = frozenset()


_Reader = Callable[[Source], RawTable | RawArrays]
_BY_SUFFIX: dict[str, _Reader] = {}


def _reads(*suffixes: str) -> Callable[[_Reader], _Reader]:
    def register(reader: _Reader) -> _Reader:
        _BY_SUFFIX.update(dict.fromkeys(suffixes, reader))
        return reader

    return register


def read(
    reference: Any,
    *,
    target: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    encoding: str | None = None,
    separator: str | None = None,
    memory: int | None = None,
    decimal: Decimal | None = None,
    dates: Order | None = None,
    keep: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    missing_target: MissingTarget | None = None,
    labels: Labels | None = None,
    splits: SplitOptions | None = None,
    tell: Tell = lambda line: None,
) -> Data:
    """Read a data set from a file, a name, a function, or objects in memory.

    Parameters
    ----------
    reference : Any
        A path (.csv, .tsv, .txt, .data, .json, .jsonl, .xlsx, .parquet, .feather, .arrow, .npz; text files also
        compressed as .gz, .bz2, .xz, .zst or .zip); "sklearn:NAME"; "FILE.py:FUNCTION"; a table that contains the
        target (a frame of pandas or polars, a pyarrow table, or a dict of columns); or `(x, y)` or `(x, y,
        sample_weight)`, where several targets are a dict by name.
    target : str or sequence of str, optional
        Name of the target column; several separated by commas or in a sequence.
    sample_weight : str or array, optional
        Weight of each row in the loss, shape (rows,), or the name of the column (in .npz, of the array) that contains
        it. Default: all rows count the same.
    encoding : str, optional
        Encoding of a text file. Default: auto-detected.
    separator : str, optional
        Separator of a text file. Default: auto-detected.
    memory : int, optional
        Bytes that training may use. Default: what is free. Feature arrays larger than an eighth of it stay on disk and
        are read in pieces.
    decimal : {"point", "comma"}, optional
        Decimal mark, for numbers that can be read in two ways. Default: auto-detected.
    dates : {"day-first", "month-first", "year-first"}, optional
        Order of the parts of a date. Default: auto-detected.
    keep : str or sequence of str, optional
        Columns to use although they look like identifiers.
    drop : str or sequence of str, optional
        Columns not to use.
    missing_target : {"drop", "refuse"}, optional
        Whether rows without a target are left out, or refused. Default: fewer than 5 % are left out.
    labels : {"merge", "distinct"}, optional
        Whether labels that differ only in case or spaces are one class. Default: an error if there are such labels.
    splits : SplitOptions, optional
        How the rows are parted. Columns that part them are no features, and rows that are given beside the data are
        among those of the data set.
    tell : callable, optional
        Called with a line of text from time to time while a data set is read.

    Returns
    -------
    Data
        The data set.

    Raises
    ------
    InvalidData
        If the data cannot be read, or cannot be trained on.
    UnknownName
        If a file, column or name does not exist.

    Examples
    --------
    >>> frame = pd.DataFrame({"width": [1.0, 2.0], "species": ["a", "b"], "seen": [3, 1]})
    >>> data = read(frame, target="species", sample_weight="seen")
    >>> data.x.columns.tolist(), data.sample_weight.tolist()
    (['width'], [3, 1])
    """
    splits = splits or SplitOptions()
    options = ReadOptions(
        group=splits.column("group"),
        time=splits.column("time"),
        given=splits.column("given"),
        groups=splits.groups,
        counted=splits.cv is not None,
        ordered=splits.split == "time",
        decimal=decimal,
        dates=dates,
        keep=as_names(keep),
        drop=as_names(drop),
        missing_target=missing_target,
        labels=labels,
    )
    source = Source(
        path=Path("data"), target=target, sample_weight=sample_weight, encoding=encoding, separator=separator,
        memory=memory, options=options, spool=Spool(), parts=_own_parts(splits),
    )  # fmt: skip
    data = _read(reference, source, splits.rows_given, tell)
    return with_settled_labels(without_missing_targets(data, missing_target), labels)


def _own_parts(splits: SplitOptions) -> frozenset[str]:
    """Parts that a file may bring itself: those that nothing was said of."""
    asked = {part for part in ("validation", "test") if getattr(splits, part) is not None}
    made = {"validation"} if splits.folds or splits.cv is not None else set()
    return frozenset({"validation", "test"} - asked - made)


def _read(reference: Any, source: Source, given: Mapping[str, Any], tell: Tell) -> Data:
    if isinstance(reference, Data) or (isinstance(reference, str) and reference.startswith("sklearn:")):
        _refuse_reading(source.options, reference if isinstance(reference, str) else reference.name)
    if isinstance(reference, Data) and not given:
        return _grouped(_weighted(reference, source.sample_weight), source.options)
    if not given and str(reference).startswith("sklearn:"):
        return _grouped(_weighted(_sklearn(reference, source.target), source.sample_weight), source.options)
    first = _raw(reference, source, tell)
    if not given:
        return _interpreted(first, source, source.options)
    alone = dataclasses.replace(source, sample_weight=_name_or_none(source.sample_weight), parts=frozenset())
    others = [(PARTS.index(part), part, _raw(value, alone, tell)) for part, value in given.items()]
    whole, options = together(
        _only_training(first, given),
        others,
        source.options,
        as_names(source.target),
        Room.of(source.memory, source.spool),
    )
    return _interpreted(whole, source, options)


def _only_training(first: RawTable | RawArrays, given: Mapping[str, Any]) -> RawTable | RawArrays:
    if first.part is not None and len({*first.part}) > 1:
        raise InvalidData(
            f"{first.name}: brings some parts itself, and `{next(iter(given))}` is given: give both parts."
        )
    return first


def _name_or_none(weight: Any) -> str | None:
    return weight if isinstance(weight, str) else None


def _raw(reference: Any, source: Source, tell: Tell) -> RawTable | RawArrays:
    """The rows of a reference before anything is made of them."""
    target, weight = source.target, source.sample_weight
    if isinstance(reference, Data):
        taken = Taken(
            x=reference.x,
            y=reference.y,
            weight=reference.sample_weight,
            by_place=reference.by_place,
            targetless=reference.targetless,
        )
        return RawArrays(taken=taken, name=reference.name, where=reference.name, notes=reference.notes)
    frame, what = as_frame(reference, target)
    if frame is not None:
        return RawTable(frame=frame, name=what, weight=weight)
    room = Room.of(source.memory, source.spool)
    if not isinstance(reference, str | Path):
        found = materialise(reference, "data", room, tell)
        return _as_raw(found, weight, "data in memory", "data", source.parts)
    text = str(reference)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InvalidData(f"{text}: an address, not a file. Download it first and name the file: curl -LO {text}")
    if text.startswith("sklearn:"):
        data = _sklearn(text, target)
        return _as_raw(Taken(x=data.x, y=data.y), weight, data.name, data.name)
    if is_reference(text):
        path, function = split_reference(text)
        where = f"{path}: `{function}`"
        return _as_raw(_call(path, function, room, tell), weight, text, where, source.parts)
    return _file(dataclasses.replace(source, path=Path(reference)))


def _as_raw(found: Taken, weight: Any, name: str, where: str, parts: frozenset[str] = frozenset()) -> RawArrays:
    """parts: names of those that the data may bring themselves."""
    brought = set() if found.part is None else {PARTS[number] for number in np.unique(found.part)} - {"train"}
    if unwanted := sorted(brought - parts):
        raise InvalidData(
            f"{where}: the second dataset holds {unwanted[0]} rows, and an option says which rows those are: drop the "
            "option, or give the training dataset alone."
        )
    taken = dataclasses.replace(found, weight=_one_of(found.weight, weight, where))
    return RawArrays(taken=taken, name=name, where=where, notes=found.notes, part=found.part)


def _interpreted(raw: RawTable | RawArrays, source: Source, options: ReadOptions) -> Data:
    """What the columns and targets of all rows are."""
    if isinstance(raw, RawTable):
        return from_frame(
            raw.frame,
            source.target,
            raw.name,
            raw.notes,
            raw.weight,
            options=options,
            separator=raw.separator,
            part=raw.part,
        )
    taken = raw.taken
    data = from_pair(taken.x, taken.y, taken.weight, raw.name, raw.where, source.target, options, raw.part, raw.beside)
    data = dataclasses.replace(
        data, by_place=taken.by_place, notes=(*raw.notes, *data.notes), targetless=taken.targetless
    )
    return _kept(data, source.spool)


def _grouped(data: Data, options: ReadOptions) -> Data:
    """The data with the groups that were given for its rows."""
    by = options.group or options.time or options.given
    if by is not None and not data.aside:
        raise InvalidData(f"{data.name}: has no column {by!r} to split the rows by; pass `SplitOptions(groups=)`.")
    return dataclasses.replace(data, aside={**data.aside, **row_arrays(data.rows, options, data.name)})


def _refuse_reading(options: ReadOptions, name: str) -> None:
    """Raise InvalidData if something was said of the reading of what is read already."""
    said = [word for word in ("decimal", "dates", "keep", "drop") if getattr(options, word)]
    if said:
        raise InvalidData(f"{name}: is read already, and `{said[0]}` says how to read a table: pass the table itself.")


def _kept(data: Data, spool: Spool) -> Data:
    """The data with the folder that holds features of it, and a line on those that stay on disk."""
    parts = data.x.values() if isinstance(data.x, dict) else [data.x]
    large = [part for part in parts if isinstance(part, DiskArray)]
    if not large:
        return data
    line = f"{gigabytes(sum(part.nbytes for part in large))} of features stay on disk and are read in pieces"
    if not spool.files:
        return dataclasses.replace(data, notes=(*data.notes, line))
    line += f"; unpacked to {spool.path}, which is removed at the end"
    return dataclasses.replace(data, notes=(*data.notes, line), spool=spool)


def _weighted(data: Data, given: Any) -> Data:
    return dataclasses.replace(data, sample_weight=as_weights(_one_of(data.sample_weight, given, data.name), data.name))


def _one_of(own: Any, given: Any, where: str) -> Any:
    if own is not None and given is not None:
        raise InvalidData(f"{where}: brings sample weights, and `sample_weight` is given too; drop one.")
    return own if given is None else given


def _file(source: Source) -> RawTable | RawArrays:
    path = source.path
    if path.is_dir():
        raise InvalidData(f"{path}: a folder; name a file ({', '.join(sorted(_BY_SUFFIX))}).")
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        hint = re.match(r"Did you mean .*?\? ", suggestion(path.name, beside))
        raise InvalidData(f"{path}: no such file.{' ' + hint[0].strip() if hint else ''}")
    try:
        suffix = path.suffix.lower()
        if suffix in COMPRESSED and path.with_suffix("").suffix.lower() in (*_UNPACKABLE, ""):
            suffix = path.with_suffix("").suffix.lower() or ".csv"
            source = dataclasses.replace(source, contents=unpacked(path, _memory(source) // _PER_BYTE))
        reader = _BY_SUFFIX.get(suffix)
        if reader is None:
            raise InvalidData(_unknown(path))
        return reader(source)
    except PermissionError:
        raise InvalidData(f"{path}: no permission to read it.") from None


_PER_BYTE = 4  # of memory for a byte of text that was packed, at the least


def _unknown(path: Path) -> str:
    found = contents_kind(path)
    known = f"Known: {', '.join(sorted(_BY_SUFFIX))} ({', '.join(_UNPACKABLE)} also with {', '.join(COMPRESSED)} " \
            "behind), sklearn:NAME, FILE.py:FUNCTION."  # fmt: skip
    what = f" It is {found[0]}: {found[1]}." if found else ""
    return f"{path}: cannot read {path.suffix or 'files without an ending'}.{what} {known}"


def _memory(source: Source) -> int:
    return available_memory() if source.memory is None else source.memory


def _refuse_other(source: Source, *allowed: str) -> None:
    """Raise InvalidData if the first bytes of a file say that it is something else than its ending says."""
    found = contents_kind(source.path) if source.contents is None else None
    if found is not None and not found[0].startswith(allowed or ("\0",)):
        raise InvalidData(f"{source.path}: not what its ending says but {found[0]}: {found[1]}.")


_UNPACKABLE = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".json", ".jsonl", ".ndjson")


@_reads(".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
def _delimited(source: Source) -> RawTable:
    _refuse_other(source)
    _check_table(source, source.path.stat().st_size)
    found = read_delimited(source.path, source.encoding, source.separator, source.contents)
    return RawTable(
        frame=found.frame,
        name=str(source.path),
        notes=tuple(found.notes),
        separator=found.separator,
        weight=source.sample_weight,
    )


@_reads(".json", ".jsonl", ".ndjson")
def _json(source: Source) -> RawTable:
    _refuse_other(source)
    _check_table(source, source.path.stat().st_size)
    contents = source.path.read_bytes() if source.contents is None else source.contents
    return _records(source, *read_json(source.path, contents))


@_reads(".xlsx", ".xlsm")
def _excel(source: Source) -> RawTable:
    _refuse_other(source, "an Excel workbook")
    if not zipfile.is_zipfile(source.path):
        raise InvalidData(f"{source.path}: no Excel workbook: not the zip archive that .xlsx is. What made it?")
    _check_table(source, zip_size(source.path))
    return _records(source, *read_excel(source.path))


def _records(source: Source, frame: pd.DataFrame, notes: Sequence[str]) -> RawTable:
    return RawTable(frame=frame, name=str(source.path), notes=tuple(notes), weight=source.sample_weight)


@_reads(".parquet", ".pq")
def _parquet(source: Source) -> RawTable:
    return _columnar(source, pd.read_parquet, "Parquet", _parquet_bytes)


@_reads(".feather", ".arrow")
def _feather(source: Source) -> RawTable:
    return _columnar(source, _arrow, "Feather or Arrow", lambda path: path.stat().st_size)


def _arrow(path: Path) -> pd.DataFrame:
    """A Feather or Arrow file, or Arrow's format for streams, which has the same ending."""
    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1" or file.seek(0) or file.read(4) == b"FEA1"
    if is_file:
        return pd.read_feather(path)
    from pyarrow import ipc

    with path.open("rb") as file, ipc.open_stream(file) as stream:
        frame: pd.DataFrame = stream.read_pandas()
    return frame


def _parquet_bytes(path: Path) -> int:
    from pyarrow import parquet  # here, because it takes half a second that other data sets need not pay

    about = parquet.read_metadata(path)
    return sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))


def _check_table(source: Source, size: int) -> None:
    """Raise InvalidData if a table of so many bytes, which is always read whole, is too large for memory."""
    memory = _memory(source)
    if size > memory:
        raise InvalidData(
            f"{source.path}: a table of {gigabytes(size)}, {gigabytes(memory)} of memory are free, and tables are "
            "read whole. Take fewer rows or columns, or save its numbers as arrays `x` and `y` with numpy.savez: "
            "an .npz file may be larger than memory."
        )


def _columnar(source: Source, load: Callable[[Path], pd.DataFrame], what: str, size: Callable[[Path], int]) -> RawTable:
    try:
        _check_table(source, size(source.path))
        frame = load(source.path)
    except InvalidData:
        raise
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as problem:
        # pyarrow's exceptions derive from these builtins
        raise InvalidData(f"{source.path}: not a readable {what} file: {_first_line(problem)}") from None
    return _records(source, frame, ())


_PARTS = ("train", "val", "valid", "validation", "test")  # x_test is not the input called test


@_reads(".npz")
def _npz(source: Source) -> RawArrays:
    path = source.path
    if not zipfile.is_zipfile(path):
        raise InvalidData(f"{path}: not a readable .npz file: no zip archive, or a damaged one.")
    room = Room.of(source.memory, source.spool)
    with _readable(path):
        held = members(path)
    keys = {part: found for part in ("train", *sorted(source.parts)) if (found := _keys(held, part)) is not None}
    raws = {part: _arrays(source, room, held, *found) for part, found in keys.items()}
    if "train" not in raws:
        shown = ", ".join(f"{name} {member.shape}" for name, member in sorted(held.items())) or "nothing"
        raise InvalidData(
            f"{path}: needs arrays `x` and `y` (or `x_train` and `y_train`; several as `y_NAME`), holds {shown}."
        )
    by = [key for key in (source.options.group, source.options.time, source.options.given) if key in held]
    used = {key for x, y in keys.values() for key in (*x.values(), *y.values())} | {_weight_key(source, held), *by}
    unused = sorted(set(held) - used)
    first = dataclasses.replace(
        raws.pop("train"), notes=(f"arrays not used: {', '.join(unused)}",) if unused else ()
    )  # fmt: skip
    others = [(PARTS.index(part), part, raw) for part, raw in raws.items()]
    if by:
        with _readable(path):
            first = dataclasses.replace(first, beside=load(path, by))
    if not others:
        return first
    whole, _ = together(first, others, ReadOptions(), (), room)
    assert isinstance(whole, RawArrays)
    return whole


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OptselectError:
        raise
    except Exception as problem:  # zipfile, zlib and numpy raise without a common base
        raise InvalidData(f"{path}: not a readable .npz file: {_first_line(problem)}") from None


def _weight_key(source: Source, held: Collection[str]) -> str:
    """The name of the array of sample weights, "" if there is none."""
    if isinstance(source.sample_weight, str):
        return source.sample_weight
    return "sample_weight" if source.sample_weight is None and "sample_weight" in held else ""


def _arrays(
    source: Source, room: Room, held: Mapping[str, Any], x: Mapping[str, str], y: Mapping[str, str]
) -> RawArrays:
    """The arrays of one part. x, y: names in the file by name."""
    path, weight = source.path, source.sample_weight
    room.check_targets(sum(held[key].nbytes for key in y.values()), str(path))
    large = [k for k in x.values() if held[k].dtype.kind in "biuf" and held[k].nbytes > room.features // len(x)]
    small = [*(key for key in x.values() if key not in large), *y.values()]
    if any(_part_of(key) for key in x.values()):
        weight = None  # those of the file are of its training rows
    elif named := _weight_key(source, held):
        weight = named
        if weight not in held:
            raise UnknownName(f"{path}: no array `{weight}` of sample weights. {suggestion(weight, held)}")
        small.append(weight)
    with _readable(path):
        arrays: dict[str, Any] = load(path, small)
        arrays |= {key: load_large(path, held[key], room) for key in large}
    features, targets = ({name: arrays[key] for name, key in keys.items()} for keys in (x, y))
    weights = arrays[weight] if isinstance(weight, str) else weight
    taken = Taken(x=features.get("", features), y=targets.get("", targets), weight=weights)
    return RawArrays(taken=taken, name=str(path), where=str(path))


_WORDS_OF_PARTS = {"validation": ("val", "valid", "validation", "dev"), "test": ("test", "holdout")}


def _part_of(key: str) -> str:
    """The part that a name of an array speaks of, "" for training rows."""
    word = key.partition("_")[2]
    return next((part for part, words in _WORDS_OF_PARTS.items() if word in words), "")


def _keys(held: Collection[str], part: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """The names of features and targets of a part, None if the file has not both."""
    if part == "train":
        x, y = _named_parts(held, "x"), _named_parts(held, "y")
        return (x, y) if x and y else None
    if _named_parts(held, "x").keys() != {""} or _named_parts(held, "y").keys() != {""}:
        return None  # of several inputs x_test may be one
    for word in _WORDS_OF_PARTS[part]:
        found = [next((k for k in (f"{n}_{word}", f"{n.upper()}_{word}") if k in held), None) for n in "xy"]
        if None not in found:
            return {"": str(found[0])}, {"": str(found[1])}
    return None


def _named_parts(arrays: Collection[str], letter: str) -> dict[str, str]:
    """The keys of features or targets by their names: `x` alone has the name "", `x_left` and `x_right` have theirs."""
    for key in (letter, letter.upper(), f"{letter}_train", f"{letter.upper()}_train"):
        if key in arrays:
            return {"": key}
    named = {key.removeprefix(f"{letter}_"): key for key in arrays if key.startswith(f"{letter}_")}
    return {name: key for name, key in named.items() if name not in _PARTS}


def _sklearn(reference: str, target: Any) -> Data:
    name = reference.removeprefix("sklearn:")
    from sklearn import datasets  # here, because it takes a second that other data sets need not pay

    left_out = {"load_files", "load_svmlight_file", "load_svmlight_files", "load_sample_image",
                "load_sample_images", "load_linnerud"}  # fmt: skip
    known = [n.removeprefix("load_") for n in datasets.__all__ if n.startswith("load_") and n not in left_out]
    if name not in known:
        raise UnknownName(f"scikit-learn: no data set `{name}`. {suggestion(name, known)}")
    if target not in (None, "target"):
        raise InvalidData(f"{reference}: brings its own target, got `target` {target!r}; leave that out.")
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Data(name=reference, x=x.astype("float32"), y=pd.Series(y), target="target")


def _call(path: Path, function: str, room: Room, tell: Tell) -> Taken:
    """What the user's function returns, as arrays or pandas objects.

    Raises InvalidData with the user's file and line if it fails.
    """
    check_function(path, function, InvalidData)
    with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
        out = Path(folder) / "result.pickle"
        asked = [str(path.resolve()), function, str(out), str(room.memory), str(room.folder())]
        command = [sys.executable, "-m", "optselect.data.user_data", *asked]
        code, last = _listened(command, tell)
        if not out.exists():
            raise InvalidData(f"{path}: `{function}` ended its process (exit code {code}): {last or 'it said nothing'}")
        result = pickle.loads(out.read_bytes())  # noqa: S301 - written a moment ago by our child, in a private folder
    if isinstance(result, str):
        raise InvalidData(result)
    assert isinstance(result, Taken)
    return result


def _listened(command: Sequence[str], tell: Tell) -> tuple[int, str]:
    """Run a data function's process, passing on the lines it wants to have said; its exit code and last words."""
    last = ""
    with subprocess.Popen(  # noqa: S603 - the user's own file
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith(SAID):
                    tell(line.removeprefix(SAID).strip())
                else:
                    last = line.strip() or last
        except BaseException:  # Ctrl-C: the process must not read on
            process.kill()
            raise
    return process.returncode, last


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:300] if lines else type(problem).__name__
