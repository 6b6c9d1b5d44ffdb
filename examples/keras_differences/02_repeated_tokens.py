"""An embedding whose batch holds a token twice: Adam sees the two gradients apart, not their sum."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow as tf


def trained(sparse):
    table = keras.Variable([[1.0], [1.0]])
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(5):
        with tf.GradientTape() as tape:
            tape.watch(table.value)
            loss = tf.reduce_sum(tf.gather(table.value, [0, 0, 1]) ** 2)
        gradient = tape.gradient(loss, table.value)
        optimizer.apply([gradient if sparse else tf.convert_to_tensor(gradient)], [table])
    return [round(float(row), 3) for row in table.numpy().ravel()]


expected, got = trained(sparse=False), trained(sparse=True)
differs = abs(expected[0] - got[0]) > 0.01
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
