"""Rules that go down a surface: every step of every learning rate of a rule in one compiled loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optselect.demo.surfaces import Surface
from optselect.errors import InvalidValue
from optselect.optim import stepping
from optselect.optim.rule import Rule, Scalar, Variable
from optselect.util.seeds import derive

__all__ = ["POINT", "Walker"]

Tensor = Any

POINT = Variable(path="point", shape=(2,))
"""What a rule is told of the point that it moves."""

_FAR = 10.0  # windows from the middle: a rule that is so far out has diverged


class Walker:
    """Walks rules down one surface, all from the same start, with the same noise on every gradient.

    steps: of a walk. seed: of the noise. Raises `InvalidValue` for a surface without a gradient.
    """

    def __init__(self, surface: Surface, *, steps: int, seed: int) -> None:
        self.surface, self.steps = surface, steps
        generator = np.random.default_rng(derive(seed, "race", "noise"))
        self._noise = tf.constant(generator.normal(0.0, surface.noise, (steps, 2)), tf.float32)
        left, right, bottom, top = surface.window
        self._middle = tf.constant([(left + right) / 2, (bottom + top) / 2], tf.float32)
        self._reach = tf.constant([right - left, top - bottom], tf.float32) * _FAR
        self._check()

    def walk(self, rule: Rule, rates: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Where the rule would have the point judged before the first step and after each, and the height there.

        Float32, of shape (rates, steps + 1, 2) and (rates, steps + 1). NaN after the step with which the point, or its
        height, was no longer finite or was ten windows away.
        """
        flags = [h.domain.boolean for part in rule.parts for h in part.hypers()]
        numbers = [[float(number) for number in rule.replaced(learning_rate=rate).numbers()] for rate in rates]

        def one(values: Tensor) -> Any:
            fields = [Scalar(values[i] > 0.5 if flag else values[i]) for i, flag in enumerate(flags)]
            return self._loop(rule.with_numbers(fields))

        shapes = (tf.TensorSpec((self.steps + 1, 2), tf.float32), tf.TensorSpec((self.steps + 1,), tf.float32))
        table = tf.constant(numbers, tf.float64)
        run = tf.function(lambda table: tf.map_fn(one, table, fn_output_signature=shapes), autograph=False)
        paths, heights = run.get_concrete_function(tf.TensorSpec.from_tensor(table))(table)
        return paths.numpy(), heights.numpy()

    def height(self, point: Tensor) -> Tensor:
        """Of a point, a tensor of shape (2,)."""
        return tf.cast(self.surface.function(point[0], point[1]), tf.float32)

    def gradient(self, point: Tensor) -> Tensor:
        """Of the surface at a point, without noise: shape (2,)."""
        with tf.GradientTape() as tape:
            tape.watch(point)
            height = self.height(point)
        return tape.gradient(height, point)

    def _check(self) -> None:
        """Trace the gradient once, as the walks will."""
        try:
            found = tf.function(self.gradient, autograph=False).get_concrete_function(tf.TensorSpec((2,), tf.float32))
        except Exception as problem:  # whatever a user's function raises on tensors
            raise self._no_gradient() from problem
        if found.structured_outputs is None:
            raise self._no_gradient()

    def _no_gradient(self) -> InvalidValue:
        return InvalidValue(
            f"demo: TensorFlow finds no gradient of {self.surface.name}: write it with +, -, *, / and **, or with "
            "`keras.ops`, not with numpy or math, and without `if`."
        )

    def _loop(self, rule: Rule) -> tuple[Tensor, Tensor]:
        start = tf.constant(self.surface.start, tf.float32)
        states = stepping.init(rule, [start], [POINT])

        def body(i: Tensor, _: Tensor, point: Tensor, states: Any, path: Any, heights: Any) -> Any:
            grad = self.gradient(point) + self._noise[i]
            step = tf.cast(i, tf.int64) + 1
            [point], states = stepping.update(rule, [grad], [point], states, step, [POINT])
            [judged] = stepping.evaluated(rule, [point], states, [POINT])
            height = self.height(judged)
            inside = tf.reduce_all(tf.abs(judged - self._middle) <= self._reach)  # false for NaN too
            going = inside & tf.math.is_finite(height) & tf.reduce_all(tf.math.is_finite(point))
            return i + 1, going, point, states, path.write(i + 1, judged), heights.write(i + 1, height)

        path = tf.TensorArray(tf.float32, self.steps + 1, element_shape=(2,), clear_after_read=False)
        heights = tf.TensorArray(tf.float32, self.steps + 1, element_shape=())
        begin = (
            tf.constant(0),
            tf.constant(True),
            start,
            states,
            path.write(0, start),
            heights.write(0, self.height(start)),
        )
        done, going, _, _, path, heights = tf.while_loop(lambda i, going, *_: (i < self.steps) & going, body, begin)
        steps = tf.range(self.steps + 1)
        kept = (steps < done) | ((steps == done) & going)
        nan = tf.constant(float("nan"))
        return tf.where(kept[:, None], path.stack(), nan), tf.where(kept, heights.stack(), nan)
