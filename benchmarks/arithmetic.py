"""What the arithmetic of a training costs on one core of this machine: the bound that no trainer can beat."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.kinds import KINDS, parts

__all__ = ["Work", "flops", "matmul_rate", "operations", "seconds_of_matmuls"]

Work = dict[str, Any]
"""forward: operations of a row, two a multiply-add. first: those for which no gradient goes back, since they take the
model's input. dense: the shapes of all kernels where the model is dense layers alone. train, validation: rows."""


def flops(names: list[str]) -> dict[str, Work]:
    """The work of each kind of model, counted layer by layer; what is not a product of matrices is not counted."""
    import keras

    found = {}
    for name in names:
        model = KINDS[name].build()
        layers = [layer for layer in model.layers if layer.weights]
        plain = all(isinstance(layer, keras.layers.Dense) for layer in model.layers)
        x, _, x_valid, _ = parts(name)
        found[name] = {
            "forward": sum(_forward(layer, "kernel", "recurrent_kernel") for layer in layers),
            "first": _forward(layers[0], "kernel"),
            "dense": [tuple(layer.kernel.shape) for layer in model.layers] if plain else [],
            "train": len(x),
            "validation": len(x_valid),
        }
    return found


def _forward(layer: Any, *names: str) -> int:
    """Operations of a row with these weights: each entry is used once a position (a pixel, a time step)."""
    import keras

    kernels = sum(math.prod(w.shape) for w in layer.weights if w.name in names)
    recurrent = isinstance(layer, keras.layers.RNN)
    shape = layer.input.shape[:2] if recurrent else layer.output.shape[:-1]
    attention = 0
    if isinstance(layer, keras.layers.MultiHeadAttention):
        steps = layer.output.shape[1]
        attention = 2 * steps * steps * layer.num_heads * layer.key_dim  # scores, and the values they weigh
    return 2 * (kernels * math.prod(shape[1:]) + attention)


def operations(work: Work, epochs: int) -> float:
    """Of a training: a row goes forwards, and twice that backwards, but for the gradient of the model's input.

    The validation part goes through forwards once an epoch.
    """
    forward = work["forward"]
    return float(epochs * (work["train"] * (3 * forward - work["first"]) + work["validation"] * forward))


def matmul_rate(size: int = 1024) -> float:
    """Operations a second of a large product of float32 matrices, BLAS as numpy has it, in this process's threads."""
    a, b = (np.random.default_rng(k).random((size, size), "float32") for k in range(2))
    out = np.empty_like(a)
    return 2 * size**3 / _best(lambda: np.matmul(a, b, out=out), 10)


def seconds_of_matmuls(work: Work, batch: int, epochs: int) -> float:
    """Seconds of the products of matrices of a training of dense layers, of just these shapes.

    A step multiplies forwards, for the gradient of each kernel, and back to each layer's input but the first's.
    The validation part goes through forwards once an epoch.
    """
    step = sum(_layer(batch, *shape, backwards=k > 0) for k, shape in enumerate(work["dense"]))
    validation = sum(_product(work["validation"], *shape) for shape in work["dense"])
    return float(epochs * (work["train"] / batch * step + validation))


def _layer(rows: int, inputs: int, outputs: int, *, backwards: bool) -> float:
    seconds = _product(rows, inputs, outputs) + _product(inputs, rows, outputs)
    return seconds + _product(rows, outputs, inputs) if backwards else seconds


def _product(rows: int, inner: int, columns: int) -> float:
    random = np.random.default_rng(0)
    a, b = random.random((rows, inner), "float32"), random.random((inner, columns), "float32")
    out = np.empty((rows, columns), "float32")

    def several() -> None:
        for _ in range(100):
            np.matmul(a, b, out=out)

    return _best(several, 5) / 100


def _best(function: Callable[[], Any], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        taken.append(time.perf_counter() - began)
    return min(taken)
