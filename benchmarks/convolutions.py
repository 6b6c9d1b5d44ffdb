"""What a convolution costs on one thread: TensorFlow's own, XLA's, and written as products of matrices.

    uv run python -m benchmarks.convolutions
    TF_ENABLE_ONEDNN_OPTS=0 uv run python -m benchmarks.convolutions --ways graph

Seconds of CPU of the output, with the gradient of the kernel, and with that of the input too; the best of several.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
BATCH = 64
CASES = ((28, 1, 16), (14, 16, 32), (32, 3, 32), (16, 32, 64))
"""Height and width, channels before and after."""
_MODES = {"output": "", "and the kernel's gradient": "w", "and the input's": "xw"}


def own(x: Any, w: Any) -> Any:
    """As Keras asks TensorFlow for it."""
    import tensorflow as tf

    return tf.nn.conv2d(x, w, 1, "SAME")


def one_product(x: Any, w: Any) -> Any:
    """The input's shifted slices side by side, times the kernel."""
    import tensorflow as tf

    size, channels = w.shape[0], w.shape[-1]
    slices = _slices(x, size)
    columns = tf.reshape(tf.concat(slices, -1), (-1, size * size * x.shape[-1]))
    return tf.reshape(columns @ tf.reshape(w, (-1, channels)), (*x.shape[:3], channels))


def many_products(x: Any, w: Any) -> Any:
    """Each shifted slice times its part of the kernel, added."""
    import tensorflow as tf

    size = w.shape[0]
    parts = [tf.reshape(s, (-1, x.shape[-1])) for s in _slices(x, size)]
    total = tf.add_n([part @ w[k // size, k % size] for k, part in enumerate(parts)])
    return tf.reshape(total, (*x.shape[:3], w.shape[-1]))


def lowered(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A lowering with its gradients as products too: the input's is a convolution with the kernel turned round."""
    import tensorflow as tf

    @tf.custom_gradient
    def convolution(x: Any, w: Any) -> Any:
        def gradients(dy: Any) -> Any:
            turned = tf.transpose(w[::-1, ::-1], (0, 1, 3, 2))
            flat = tf.reshape(dy, (-1, w.shape[-1]))
            parts = [tf.reshape(s, (-1, x.shape[-1])) for s in _slices(x, w.shape[0])]
            if forward is one_product:
                kernel = tf.matmul(tf.concat(parts, -1), flat, transpose_a=True)
            else:
                kernel = tf.stack([tf.matmul(part, flat, transpose_a=True) for part in parts])
            return forward(dy, turned), tf.reshape(kernel, w.shape)

        return forward(x, w), gradients

    return convolution


def _slices(x: Any, size: int) -> list[Any]:
    import tensorflow as tf

    _, height, width, _ = x.shape
    side = (size // 2, size // 2)
    padded = tf.pad(x, ((0, 0), side, side, (0, 0)))
    return [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]


def seconds(function: Callable[..., Any], case: tuple[int, int, int], way: str, wanted: str) -> float:
    """Of CPU."""
    import tensorflow as tf

    side, before, after = case
    x, w = tf.random.normal((BATCH, side, side, before)), tf.random.normal((3, 3, before, after))
    dy = tf.random.normal((BATCH, side, side, after))

    def run(x: Any, w: Any, dy: Any) -> Any:
        given = [tensor for name, tensor in (("x", x), ("w", w)) if name in wanted]
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = function(x, w)
        return [y, *tape.gradient(y, given, output_gradients=dy)] if given else [y]

    traced = tf.function(run, autograph=False, jit_compile=way == "xla")
    taken = []
    for _ in range(10):
        began = time.process_time()
        traced(x, w, dy)[-1].numpy()
        taken.append(time.process_time() - began)
    return min(taken[1:])


@click.command()
@click.option("--ways", default="graph,xla", show_default=True, help="Ways of running it.")
def main(ways: str) -> None:
    """Time convolutions of 3 x 3 kernels."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    forms = {"own": own, "one product": lowered(one_product), "nine products": lowered(many_products)}
    print(f"{'ms of CPU':<34}" + "".join(f"{mode:>27}" for mode in _MODES))
    for case in CASES:
        side, before, after = case
        print(f"{side} x {side}, {before} to {after} channels, batches of {BATCH}")
        for way in ways.split(","):
            for name, function in forms.items():
                taken = [1e3 * seconds(function, case, way, wanted) for wanted in _MODES.values()]
                print(f"  {way + ', ' + name:<32}" + "".join(f"{ms:>27.2f}" for ms in taken), flush=True)


if __name__ == "__main__":
    main()
