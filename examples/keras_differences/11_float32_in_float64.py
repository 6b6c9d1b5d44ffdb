"""In a float64 model the hyperparameters are rounded to float32: Adam's first step is not the learning rate."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

variable = keras.Variable([0.0], dtype="float64")
optimizer = keras.optimizers.Adam(learning_rate=0.5, epsilon=1e-30)
optimizer.apply([keras.ops.ones((1,), dtype="float64")], [variable])
expected, got = -0.5, round(float(variable.numpy()[0]), 8)
differs = abs(expected - got) > 1e-7
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
