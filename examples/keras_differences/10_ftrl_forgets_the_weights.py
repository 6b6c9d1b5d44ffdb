"""Ftrl's first step forgets the weights it starts from, even without any gradient."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

variable = keras.Variable([2.0])
keras.optimizers.Ftrl(learning_rate=0.1).apply([keras.ops.zeros((1,))], [variable])
expected, got = 2.0, float(variable.numpy()[0])
differs = expected != got
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
