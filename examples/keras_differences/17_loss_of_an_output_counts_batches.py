"""The loss of one of several outputs is a mean over batches: a smaller last batch counts as much as a full one."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

x = keras.Input((1,))
ones = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
model = keras.Model(x, {"a": ones(x), "b": ones(x)})
model.compile(loss={"a": "mse", "b": "mse"}, loss_weights={"a": 1.0, "b": 0.0})
rows = np.array([[0.0], [0.0], [0.0], [0.0], [1.0]])
zeros = np.zeros((5, 1))
found = model.evaluate(rows, {"a": zeros, "b": zeros}, batch_size=4, verbose=0, return_dict=True)

print("expected", round(found["loss"], 3))
print("got     ", round(found["a_loss"], 3))
sys.exit(0 if abs(found["loss"] - found["a_loss"]) > 0.1 else 1)
