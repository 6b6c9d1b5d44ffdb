"""Muon looks for "embedding" in a layer's name: a Dense layer so called gets another optimizer."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

optimizer = keras.optimizers.Muon()
chosen = []
for name in ("hidden", "after_embedding"):
    layer = keras.layers.Dense(4, name=name)
    layer.build((None, 4))
    chosen.append("Adam" if optimizer._should_use_adamw(layer.kernel) else "Muon")
expected, got = chosen
differs = expected != got
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
