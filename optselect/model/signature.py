"""What a model takes and gives, told to those who do not load Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["signature"]


def signature(model: Any) -> dict[str, list[dict[str, Any]]] | None:
    """Name ("" for the only one), dtype and shape (-1 where it is open) of every input and output; JSON types only.

    model: a keras.Model; None for one that is no graph of layers, whose shapes nobody knows.

    >>> import keras
    >>> inputs = {"size": keras.Input((1,), name="size")}
    >>> signature(keras.Model(inputs, keras.layers.Dense(3)(inputs["size"])))["outputs"]
    [{'name': '', 'dtype': 'float32', 'shape': [-1, 3]}]
    """
    try:
        sides = {"inputs": model.input, "outputs": model.output}
    except AttributeError:
        return None
    return {side: [_tensor(name, tensor) for name, tensor in _named(tensors)] for side, tensors in sides.items()}


def _named(tensors: Any) -> list[tuple[str, Any]]:
    if isinstance(tensors, Mapping):
        return list(tensors.items())
    if isinstance(tensors, list | tuple):
        return [(tensor.name, tensor) for tensor in tensors] if len(tensors) > 1 else [("", tensors[0])]
    return [("", tensors)]


def _tensor(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "dtype": str(tensor.dtype), "shape": [-1 if size is None else size for size in tensor.shape]}
