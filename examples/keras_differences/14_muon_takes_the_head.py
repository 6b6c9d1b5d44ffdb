"""Muon orthogonalises the output layer, which its author leaves to Adam, and gives convolutions to Adam."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
model.add(keras.layers.Dense(8))
model.add(keras.layers.Dense(2))
optimizer = keras.optimizers.Muon()
kernels = [w for w in model.trainable_variables if "kernel" in w.path]
expected = "convolution Muon, hidden Muon, head Adam"
chosen = ["Adam" if optimizer._should_use_adamw(kernel) else "Muon" for kernel in kernels]
got = "convolution {}, hidden {}, head {}".format(*chosen)
differs = got != expected
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
