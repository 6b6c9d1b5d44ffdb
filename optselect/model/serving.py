"""The model that people use: from raw inputs to probabilities or units of the target, around a trained body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from optselect.data.on_disk import Array
from optselect.data.schema import Schema
from optselect.model import preparation as preparing

__all__ = ["Answer", "free_name", "serve"]

Answer = tuple[str, int, Any]
"""A target's name, the place of its output in `keras.tree.flatten`, and the layer after it or None."""


def serve(
    body: Any,
    answers: Sequence[Answer],
    *,
    prepared: Array | dict[str, Array] | tuple[Array, ...],
    preparation: Any,
    schema: Schema | None,
) -> Any:
    """A keras.Model that shares the body's weights; with several answers it gives a dict by target.

    prepared: features as the body takes them, for their shapes and types. preparation: in front of the body, None if
    that takes raw inputs. schema: of a table's columns.
    """
    inputs = _inputs(prepared)
    flat = keras.tree.flatten(body(inputs))
    after = {name: flat[place] if layer is None else layer(flat[place]) for name, place, layer in answers}
    outputs = after if len(after) > 1 else next(iter(after.values()))
    tail = keras.Model(inputs, outputs, name=free_name("model", schema))
    if schema is not None:
        return preparing.connect(schema, [preparation, tail])
    if preparation is None:
        return tail
    raw = keras.Input(inputs.shape[1:], dtype="float32")
    return keras.Model(raw, tail(preparation(raw)))


def free_name(name: str, schema: Schema | None) -> str:
    """A layer's name that is no column's: Keras wants all names in a graph to differ."""
    columns = {c.name for c in schema.columns} if schema is not None else set()
    while name in columns:
        name += "_"
    return name


def _inputs(prepared: Any) -> Any:
    if isinstance(prepared, tuple):
        return [_inputs(part) for part in prepared]
    if isinstance(prepared, dict):
        return {n: keras.Input(v.shape[1:], dtype=str(v.dtype), name=n) for n, v in prepared.items()}
    return keras.Input(prepared.shape[1:], dtype=str(prepared.dtype))
