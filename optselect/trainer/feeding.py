"""The task's rows as the program takes them: whole parts where they fit in memory, else chunk by chunk from disk."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.data.on_disk import DiskArray, concatenate, take
from optselect.task.prepared import Task

__all__ = ["Feed", "Part", "as_given", "batch_rows", "few_rows", "is_on_disk", "parts", "row_order", "rows_of"]

Part = tuple[Any, ...]
"""(x, y) or (x, y, sample weights): structures of arrays or tensors whose first axis counts rows."""

_BLOCK = 64  # rows at most that lie together on disk and stay together in a chunk: one seek each
_BLOCK_BYTES = 64_000  # more is no faster; of large rows few, since data are often sorted by class
_CHUNK_BYTES = 16_000_000  # the process holds some five at once: made, on their way and in use


def row_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the training rows in an epoch (counts from 0), the same for all trials of a seed.

    int32, shape (rows,).
    """
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)


def batch_rows(seed: int, size: int, count: int, rows: int) -> np.ndarray:
    """The rows of `count` whole batches one after the other: int32, shape (count * size,).

    They are those of the first epochs, a smaller batch at an epoch's end left out.
    """
    whole = rows // size * size
    epochs = range(-(-count * size // whole))
    return np.concatenate([row_order(seed, e, rows)[:whole] for e in epochs])[: count * size]


def rows_of(data: Part) -> int:
    """How many rows a part has."""
    return int(tf.nest.flatten(data)[0].shape[0])


def as_given(data: Part) -> Part:
    """A part as Keras takes it: None for targets where there are none, of which a part has an empty tuple."""
    x, y, *weights = data
    return (x, None if isinstance(y, tuple) and not y else y, *weights)


def is_on_disk(data: Part) -> bool:
    """Whether some of its arrays are not in memory."""
    return any(isinstance(array, np.memmap | DiskArray) for array in tf.nest.flatten(data))


def parts(task: Task, split: int | None = None) -> dict[str, Part]:
    """The train, validation and test rows of a task as arrays.

    split: the seed of a redrawn split of training and validation rows, None for the task's own. Features and targets
    stay prepared as the task's own training rows had it.
    """
    found: dict[str, Part] = {}
    for part in ("train", "validation", "test"):
        x, y, w = (getattr(task, f"{name}_{part}", None) for name in "xyw")
        found[part] = (x, y) if w is None else (x, y, w)
    if split is None:
        return found
    own, other = task.spec.split, task.spec.redrawn(split)
    pool = np.concatenate([own.train, own.validation])
    classes = task.spec.class_weight is not None  # which only training rows have
    kept = 2 if classes else 3
    both = tf.nest.map_structure(concatenate, found["train"][:kept], found["validation"][:kept])
    more = np.setdiff1d(np.concatenate([other.train, other.validation]), pool)
    if len(more):  # pairs of rows that somebody gave need not be of the same rows
        pool = np.concatenate([pool, more])
        both = tf.nest.map_structure(concatenate, both, task.rows(more)[:kept])
    place = np.empty(pool.max() + 1, dtype="int64")
    place[pool] = np.arange(len(pool))
    for part, rows in (("train", other.train), ("validation", other.validation)):
        found[part] = tf.nest.map_structure(lambda a, at=place[rows]: take(a, at), both)
        if classes and (weights := task.weights(rows, training=part == "train")) is not None:
            found[part] = (*found[part], weights)
    return found


def few_rows(task: Task) -> Part:
    """Some rows of the training part, as tensors."""
    return tf.nest.map_structure(lambda a: tf.convert_to_tensor(a[:2]), parts(task)["train"])  # type: ignore[no-any-return]


class Feed:
    """Hands out the parts of a task: tensors that were made once, or, where the arrays lie on disk, chunks of them.

    Arrays on disk are shuffled in two steps, blocks of neighbouring rows over the whole part and rows within a
    chunk, and the next chunk is read while the program works on this one.

    split: the seed of a redrawn split of training and validation rows, None for the task's own. chunk_bytes: of
    features and targets in memory at once.
    """

    def __init__(self, task: Task, *, split: int | None = None, chunk_bytes: int = _CHUNK_BYTES) -> None:
        self.task, self.split = task, split
        self._parts = parts(task, split)
        self.rows = rows_of(self._parts["train"])
        self.on_disk = is_on_disk(self._parts["train"])
        self._chunk_bytes = chunk_bytes
        if not self.on_disk:
            self._parts = {name: tf.nest.map_structure(tf.convert_to_tensor, p) for name, p in self._parts.items()}

    def of(self, split: int | None) -> Feed:
        """The feed of another split: itself if it is that already."""
        return self if split == self.split else Feed(self.task, split=split, chunk_bytes=self._chunk_bytes)

    def chunks(self, part: str, size: int = 1) -> Iterator[Part]:
        """All rows of "train", "validation" or "test", in their order; from disk so many times `size` at once."""
        data = self._parts[part]
        if not self.on_disk:
            yield data
            return
        rows = rows_of(data)
        step = self._chunk_rows(size)
        ranges = [slice(start, start + step) for start in range(0, rows, step)]
        yield from self._read(lambda: (tf.nest.map_structure(lambda a, r=r: a[r], data) for r in ranges), data)

    def epoch(self, seed: int, epoch: int, size: int) -> Iterator[tuple[Part, Any, bool]]:
        """The training rows of an epoch in pieces: data, the order of its rows, whether it is the last.

        Every piece but the last holds whole batches of `size`.
        """
        data = self._parts["train"]
        if not self.on_disk:
            yield data, tf.convert_to_tensor(row_order(seed, epoch, self.rows)), True
            return
        step = self._chunk_rows(size)
        order = _block_order(seed, epoch, self.rows, step, max(1, min(_BLOCK, _BLOCK_BYTES // self._row_bytes())))
        pieces = [order[start : start + step] for start in range(0, self.rows, step)]

        def take() -> Iterator[Part]:
            for piece in pieces:
                yield tf.nest.map_structure(lambda a, rows=piece: a[rows], data)

        for i, chunk in enumerate(self._read(take, data)):
            yield chunk, tf.range(rows_of(chunk), dtype=tf.int32), i == len(pieces) - 1

    def batches(self, seed: int, size: int, count: int) -> tuple[Part, Any]:
        """`count` whole batches of `size`: data, and the rows of the batches as `batch_rows` has them."""
        if not self.on_disk:
            return self._parts["train"], tf.constant(batch_rows(seed, size, count, self.rows))
        data, _, _ = next(iter(self.epoch(seed, 0, size)))
        return data, tf.range(count * size, dtype=tf.int32) % (rows_of(data) // size * size)

    def stream(self, part: str, size: int, epoch: Callable[[], tuple[int, int]] | None = None) -> tf.data.Dataset:
        """Batches of a part on disk as `model.fit` takes them.

        epoch: tells seed and epoch, of which the rows of training get their order, at every new pass; None for the
        order in which they lie.
        """
        data = self._parts[part]

        def leaves() -> Iterator[tuple[np.ndarray, ...]]:
            chunks = (data for data, _, _ in self.epoch(*epoch(), size)) if epoch else self.chunks(part, size)
            for chunk in chunks:
                flat = tf.nest.flatten(chunk)
                for start in range(0, len(flat[0]), size):
                    yield tuple(array[start : start + size].numpy() for array in flat)

        stream = tf.data.Dataset.from_generator(leaves, output_signature=_signature(data))
        like = keras.tree.lists_to_tuples(data)  # a list would be one tensor
        # A step of `model.fit` that finds no data still counts as one for the optimizer: it must know where to stop.
        stream = stream.apply(tf.data.experimental.assert_cardinality(-(-rows_of(data) // size)))
        if as_given(like)[1] is None:
            return stream.map(lambda *flat: tf.nest.pack_sequence_as(like, flat)[0])
        return stream.map(lambda *flat: tf.nest.pack_sequence_as(like, flat))

    def _chunk_rows(self, size: int) -> int:
        """The rows of a chunk: whole batches of `size`, as many as the memory allows."""
        return int(max(1, self._chunk_bytes // self._row_bytes() // size)) * size

    def _row_bytes(self) -> int:
        return max(1, sum(int(a.nbytes) // max(len(a), 1) for a in tf.nest.flatten(self._parts["train"])))

    def _read(self, produce: Any, like: Part) -> Iterator[Part]:
        """Chunks as tensors, one read ahead of the use."""
        flat = tf.nest.flatten(like)

        def leaves() -> Iterator[tuple[np.ndarray, ...]]:
            for chunk in produce():
                yield tuple(np.ascontiguousarray(a) for a in tf.nest.flatten(chunk))
                for array in flat:
                    _let_go(array)

        for found in tf.data.Dataset.from_generator(leaves, output_signature=_signature(like)).prefetch(1):
            yield tf.nest.pack_sequence_as(like, list(found))


def _signature(data: Part) -> tuple[tf.TensorSpec, ...]:
    return tuple(tf.TensorSpec((None, *a.shape[1:]), tf.as_dtype(a.dtype)) for a in tf.nest.flatten(data))


def _let_go(array: np.ndarray) -> None:
    """Take what was read of a file out of the process's memory; the system still has it if there is room."""
    if isinstance(array, np.memmap) and array.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _block_order(seed: int, epoch: int, rows: int, step: int, block: int) -> np.ndarray:
    """Row numbers: blocks of so many neighbours in random order, and the rows of every `step` in random order."""
    generator = np.random.default_rng((seed, epoch))
    starts = generator.permutation(-(-rows // block)) * block
    order = (starts[:, None] + np.arange(block)).ravel()
    order = order[order < rows]
    for start in range(0, rows, step):
        generator.shuffle(order[start : start + step])
    return order
