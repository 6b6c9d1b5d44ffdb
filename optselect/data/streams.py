"""Data that come piece by piece: `tf.data.Dataset`, `keras.utils.PyDataset`, PyTorch's DataLoader, generators."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np

from optselect.data.arrays import Taken, as_plain, unequal_rows
from optselect.data.on_disk import Growing, Room
from optselect.errors import InvalidData

__all__ = ["Tell", "comes_in_pieces", "read_pieces"]

Tell = Callable[[str], None]
"""Takes a line for people while data are read."""

_FIRST_WORD, _NEXT_WORD = 5.0, 20.0  # seconds of reading after which, and between which, it is said how far it is
_PATIENCE = 45.0  # seconds; data of unknown length that are not at their end by then are refused
_MOST_ROWS = 5_000_000  # of data of unknown length
_AT_ONCE = 1024  # rows of an unbatched dataset
_WAY_OUT = (
    "If it has an end, say where: `dataset.take(N)`, or "
    "`dataset.apply(tf.data.experimental.assert_cardinality(N))`; N counts its elements."
)


def comes_in_pieces(value: Any) -> bool:
    """Whether it is a dataset, a loader or a generator, and no array."""
    return _is_tf(value) or _is_loader(value) or isinstance(value, Generator)


def _is_tf(value: Any) -> bool:
    return hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator")


def _is_loader(value: Any) -> bool:
    names = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    return bool(names & {("keras", "PyDataset"), ("keras", "Sequence"), ("torch", "DataLoader")})


def read_pieces(value: Any, where: str, room: Room, tell: Tell = lambda line: None) -> Taken:
    """All rows of a dataset, a loader or a generator of (x, y) or (x, y, sample_weight).

    Raises InvalidData for one without an end, for rows of different length, and for elements of another form.
    """
    if _is_tf(value):
        return _from_tf(value, where, room, tell)
    if isinstance(value, Generator):
        return _Reader(where, room, tell, endless=True).read(value, batched=True)
    count = getattr(value, "num_batches", None) if hasattr(value, "num_batches") else len(value)
    if count is None:
        raise InvalidData(f"{where}: its `num_batches` is None: it never ends. Give it a length.")
    batches = value if type(value).__module__.startswith("torch") else (value[i] for i in range(int(count)))
    return _Reader(where, room, tell).read(iter(batches), batched=True)


def _from_tf(dataset: Any, where: str, room: Room, tell: Tell) -> Taken:
    spec, count = dataset.element_spec, int(dataset.cardinality())
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise InvalidData(f"{where}: the dataset must give (x, y) or (x, y, sample_weight), got elements of {spec}.")
    if count == -1:  # tf.data.INFINITE_CARDINALITY
        raise InvalidData(f"{where}: the dataset never ends; drop its `repeat()`.")
    shapes = [_shape_of(leaf, where) for part in spec for leaf in _leaves(part, where).values()]
    batched, note = _batched(dataset, shapes)
    reader = _Reader(where, room, tell, endless=count < 0 and _may_be_endless(dataset))
    if batched is None:  # nothing is known before the first element
        first = next(dataset.take(1).as_numpy_iterator(), ())
        batched = all(np.ndim(leaf) for part in first for leaf in _leaves(part, where).values())
        note = f"the dataset does not tell its shapes: its elements are taken for {_what(batched)}"
    elif not batched and all(None not in shape for shape in shapes if shape is not None):
        dataset, batched = dataset.batch(_AT_ONCE), True
    return reader.read(dataset.as_numpy_iterator(), batched=batched, note=note)


def _what(batched: bool) -> str:
    return "batches; single rows: `dataset.batch(32)`" if batched else "rows; batches: `dataset.unbatch()`"


def _batched(dataset: Any, shapes: list[Any]) -> tuple[bool | None, str]:
    """Whether elements are batches of rows, None if nobody knows, and what was assumed.

    `batch()` leaves the first axis open (None), or fixes it with `drop_remainder`; a row alone has a fixed one.
    """
    if any(shape is None for shape in shapes):
        return None, ""
    if any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
        return False, ""
    made = next((name for name in _made_of(dataset) if "batch" in name.lower()), "")
    if made:
        return "Unbatch" not in made, ""
    first = shapes[0][0]
    if first is None:
        flat = all(len(shape) == 1 for shape in shapes)
        return True, f"the dataset's elements are taken for {_what(True)}" if flat else ""
    return False, (
        f"each element of the dataset is taken for one row, its parts have the shapes {', '.join(map(str, shapes))}; "
        f"if it is a batch of {first} rows: `dataset.unbatch()`"
    )


def _may_be_endless(dataset: Any) -> bool:
    """Whether a dataset of unknown length has a source that may never stop, and nothing that ends it."""
    kinds = _made_of(dataset, through=True)
    sources = ("FlatMap", "Interleave", "Generator", "Repeat", "Random")
    return "_TakeDataset" not in kinds and any(word in kind for word in sources for kind in kinds)


def _made_of(dataset: Any, *, through: bool = False) -> list[str]:
    """The kinds of the steps of a dataset, the last first.

    through: beyond steps that do not give what they get element by element.
    """
    found, waiting = [], [dataset]
    while waiting:
        step = waiting.pop(0)
        kind = type(step).__name__
        found.append(kind)
        if through or not any(word in kind for word in ("FlatMap", "Interleave", "Unbatch")):
            waiting += list(getattr(step, "_inputs", list)())
    return found


def _shape_of(spec: Any, where: str) -> tuple[int | None, ...] | None:
    kind = type(spec).__name__
    if "Ragged" in kind:
        raise InvalidData(
            f"{where}: the dataset gives ragged tensors: rows of different length. Pad them: "
            "`dataset.map(lambda x, y: (x.to_tensor(shape=(None, LENGTH)), y))`, or `padded_batch` instead of `batch`."
        )
    if "Sparse" in kind:
        raise InvalidData(f"{where}: the dataset gives sparse tensors; make them dense: `tf.sparse.to_dense`.")
    if not hasattr(spec, "shape"):
        raise InvalidData(f"{where}: the dataset gives {kind}, which is no tensor; windows: `flat_map`, then `batch`.")
    return None if spec.shape.rank is None else tuple(spec.shape)


def _leaves(part: Any, where: str) -> dict[str, Any]:
    """The arrays of x, y or the weights, by name or place; "" for a single one."""
    if isinstance(part, Mapping):
        found = {str(name): leaf for name, leaf in part.items()}
    elif isinstance(part, list | tuple):
        found = {str(i): leaf for i, leaf in enumerate(part)}
    else:
        return {"": part}
    if any(isinstance(leaf, Mapping | list | tuple) for leaf in found.values()):
        raise InvalidData(f"{where}: inputs within inputs; give one dict, or one list, of arrays.")
    return found


class _Reader:
    """Puts batches, or rows, together to whole arrays."""

    def __init__(self, where: str, room: Room, tell: Tell, *, endless: bool = False) -> None:
        self._where, self._room, self._tell, self._endless = where, room, tell, endless
        self._grown: list[dict[str, Growing]] = []
        self._by_place: set[str] = set()
        self._notes: list[str] = []
        self._rows = 0
        self._began = self._said = time.monotonic()

    def read(self, elements: Iterator[Any], *, batched: bool, note: str = "") -> Taken:
        """Everything, to the end."""
        for batch in elements if batched else self._stacked(elements):
            self._add(batch)
            self._watch()
        if not self._rows:
            raise InvalidData(f"{self._where}: the dataset is empty.")
        whole = [{name: growing.whole() for name, growing in part.items()} for part in self._grown]
        x: Any
        y: Any
        x, y, *weight = (part[""] if set(part) == {""} else part for part in whole)
        if "y" in self._by_place:
            y = {f"output_{int(name) + 1}": values for name, values in y.items()}
        return Taken(
            x=x,
            y=y,
            weight=weight[0] if weight else None,
            by_place=frozenset(self._by_place),
            notes=(*([note] if note else ()), *dict.fromkeys(self._notes)),
        )

    def _stacked(self, elements: Iterator[Any]) -> Iterator[tuple[dict[str, Any], ...]]:
        """Rows as batches."""
        held: list[list[dict[str, Any]]] = []
        for element in elements:
            held.append([_leaves(part, self._where) for part in self._checked(element)])
            if len(held) == 1:
                self._note_places(element)
            if len(held) == _AT_ONCE:
                yield self._joined(held)
                held = []
            self._watch(len(held))
        if held:
            yield self._joined(held)

    def _joined(self, held: list[list[dict[str, Any]]]) -> tuple[dict[str, Any], ...]:
        parts = []
        for i, first in enumerate(held[0]):
            part = {}
            for name in first:
                rows = [row[i][name] for row in held]
                problem = unequal_rows(rows, f"{self._where}: {'xyw'[i]}") if np.ndim(rows[0]) else None
                if problem is not None:
                    raise problem
                part[name] = np.stack([np.asarray(row) for row in rows])
            parts.append(part)
        return tuple(parts)

    def _checked(self, element: Any) -> Any:
        if not isinstance(element, tuple | list) or len(element) not in (2, 3):
            got = (
                f"{type(element).__name__} of {len(element)}" if hasattr(element, "__len__") else type(element).__name__
            )
            raise InvalidData(f"{self._where}: must give (x, y) or (x, y, sample_weight), got {got}.")
        return element

    def _note_places(self, element: Any) -> None:
        for name, part in zip("xy", element, strict=False):
            if isinstance(part, list | tuple) and len(part) > 1:
                self._by_place.add(name)

    def _add(self, batch: Any) -> None:
        parts = [_leaves(part, self._where) for part in self._checked(batch)]
        if not self._grown:
            self._note_places(batch)
            mosts = [self._room.features // max(1, len(parts[0])), None, None]
            self._grown = [
                {name: Growing(self._room, most, self._where) for name in part}
                for part, most in zip(parts, mosts, strict=False)
            ]
        size: int | None = None
        for i, (growing, part) in enumerate(zip(self._grown, parts, strict=True)):
            if set(growing) != set(part):
                raise InvalidData(
                    f"{self._where}: a batch has the parts {', '.join(part)}, the first {', '.join(growing)}."
                )
            for name, values in part.items():
                rows = as_plain(values, f"{self._where}: {'xyw'[i]}", self._room, self._notes)
                array = rows if isinstance(rows, np.ndarray) else np.asarray(rows)
                size = len(array) if size is None else size
                if not array.ndim or len(array) != size:
                    raise InvalidData(
                        f"{self._where}: a batch has {size} rows of x and {len(np.atleast_1d(array))} of y."
                    )
                growing[name].add(array)
        self._rows += size or 0
        self._room.check_targets(sum(growing.nbytes for growing in self._grown[1].values()), self._where)

    def _watch(self, waiting: int = 0) -> None:
        """Say how far it is; refuse what is likely to have no end."""
        now, rows = time.monotonic(), self._rows + waiting
        if self._endless and (now - self._began > _PATIENCE or rows > _MOST_ROWS or self._bytes() > self._room.memory):
            raise InvalidData(
                f"{self._where}: its length is unknown, and after {rows:,} rows in {now - self._began:.0f} seconds it "
                f"is not at its end: a generator that never stops? {_WAY_OUT}"
            )
        if now - self._said > (_FIRST_WORD if self._said == self._began else _NEXT_WORD):
            self._said = now
            unknown = "; its length is unknown" if self._endless else ""
            self._tell(f"reading {self._where}: {rows:,} rows so far{unknown}")

    def _bytes(self) -> int:
        return sum(growing.nbytes for part in self._grown for growing in part.values())
