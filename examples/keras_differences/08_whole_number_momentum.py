"""SGD(momentum=0) is refused: the number must be written 0.0."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

try:
    got = f"momentum {keras.optimizers.SGD(momentum=0).momentum}"
except ValueError as refused:
    got = f"ValueError: {refused}"
expected = "momentum 0.0"
differs = not got.startswith("momentum")
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
