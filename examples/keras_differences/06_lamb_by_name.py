"""keras.optimizers.deserialize does not know Lamb: what was serialised comes back as a word."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

config = keras.optimizers.serialize(keras.optimizers.Lamb())
try:
    got = type(keras.optimizers.deserialize(config)).__name__
except ValueError:
    got = "ValueError"
expected = "Lamb"
differs = got != expected
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
