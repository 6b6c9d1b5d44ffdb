"""What a data function, or a person in Python, may give as data: arrays in any container, or something that is read."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optselect.data.arrays import Taken, taken
from optselect.data.on_disk import Room, placed
from optselect.data.raw_sources import joined
from optselect.data.streams import Tell, comes_in_pieces, read_pieces
from optselect.errors import InvalidData

__all__ = ["materialise"]


def materialise(value: Any, where: str, room: Room, tell: Tell = lambda line: None) -> Taken:
    """Arrays or pandas objects from (x, y), (x, y, sample weights), or a dataset, loader or generator of such.

    (x,) has no targets, as for a model that trains itself; its rows are counted in their place. Two or three datasets
    are the training, validation and test rows.
    x and y may be dicts or lists. Arrays of features for which `room` has no memory are a `DiskArray`. tell: gets a
    line now and then while a dataset is read.
    """
    if comes_in_pieces(value):
        return read_pieces(value, where, room, tell)
    if isinstance(value, tuple | list) and len(value) in (2, 3) and all(map(comes_in_pieces, value)):
        named = enumerate(zip(("train", "validation", "test"), value, strict=False))
        return joined(
            [(i, name, read_pieces(one, f"{where}, {name}", room, tell)) for i, (name, one) in named], where, room
        )
    if isinstance(value, tuple) and len(value) == 1:
        return _without_targets(value[0], where, room)
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        raise InvalidData(
            f"{where}: must be (x, y), (x, y, sample_weight), a data frame with `target`, or a tf.data.Dataset, got "
            f"{_got(value)}."
        )
    x, y, weight = (*value, None)[:3]
    found = taken(x, y, weight, where, room)
    room.check_targets(_bytes(found.y), where)
    return Taken(
        x=placed(found.x, room, where), y=found.y, weight=found.weight, by_place=found.by_place, notes=found.notes
    )


def _without_targets(x: Any, where: str, room: Room) -> Taken:
    """Features alone: an array, or arrays by name."""
    rows = len(next(iter(x.values()))) if isinstance(x, dict) and x else len(x)
    found = taken(x, np.arange(rows, dtype="float32"), None, where, room)
    return dataclasses.replace(found, x=placed(found.x, room, where), targetless=True)


def _got(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of length {len(value)}"
    if isinstance(value, np.ndarray):
        return (
            f"an array of shape {value.shape} without targets; for a model with its own train_step and test_step: (x,)"
        )
    return type(value).__name__


def _bytes(targets: Any) -> int:
    """Of arrays; of pandas objects their owner has made room already."""
    parts = targets.values() if isinstance(targets, dict) else [targets]
    return sum(part.nbytes for part in parts if isinstance(part, np.ndarray))
