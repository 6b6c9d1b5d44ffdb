"""ScheduleFreeAdamW reads the old z after it has moved: under TensorFlow its average is wrong."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

grads = np.random.default_rng(0).normal(size=(50, 3))
start = np.array([1.0, -2.0, 3.0])
variable = keras.Variable(start, dtype="float64")
optimizer = keras.optimizers.ScheduleFreeAdamW(learning_rate=0.0025)
x = z = y = start
v = np.zeros(3)
for t, g in enumerate(grads, start=1):
    optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
    v = 0.999 * v + 0.001 * g**2
    z = z - 0.0025 * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    x = (1 - 1 / t) * x + z / t
    y = 0.1 * z + 0.9 * x
expected, got = (y - start).round(4).tolist(), (variable.numpy() - start).round(4).tolist()
differs = np.abs(np.subtract(expected, got)).max() > 1e-3
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
