"""A learning rate given as a function that returns a number is asked once, when fit compiles its step."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

asked = []


def rate():
    asked.append(0.1 * 0.5 ** len(asked))
    return asked[-1]


model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
asked.clear()
model.fit(np.ones((6, 1)), np.ones((6, 1)), batch_size=1, verbose=0)
expected, got = "asked 6 times in 6 steps", f"asked {len(asked)} times in 6 steps"
differs = len(asked) < 6
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
