"""Where a row has several steps, a sample weight a row weighs the steps, if there are as many, and else fails."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np


def loss(weights):
    model = keras.Sequential([keras.Input((2, 1)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(loss="mse")
    rows = np.array([[[1.0], [1.0]], [[0.0], [2.0]]])
    return model.evaluate(rows, np.zeros((2, 2, 1)), sample_weight=weights, verbose=0)


weights = np.array([1.0, 0.0])  # the first row alone
expected, got = loss(weights[:, None]), loss(weights)
print("expected", expected)
print("got     ", got)
sys.exit(0 if expected != got else 1)
