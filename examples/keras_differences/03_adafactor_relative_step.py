"""Adafactor(relative_step=False) bounds the rate by 1/√t all the same."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

variable = keras.Variable([1.0])
optimizer = keras.optimizers.Adafactor(learning_rate=0.9, relative_step=False)
for _ in range(4):
    optimizer.apply([keras.ops.ones((1,))], [variable])
expected, got = round(0.1**4, 4), round(float(variable.numpy()[0]), 4)
differs = abs(expected - got) > 1e-3
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
