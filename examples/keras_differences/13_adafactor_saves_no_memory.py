"""Adafactor keeps a full-size second moment beside the rows and columns that should replace it."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

variable = keras.Variable(keras.ops.ones((100, 200)))
optimizer = keras.optimizers.Adafactor()
optimizer.build([variable])
numbers = sum(int(keras.ops.size(v)) for v in optimizer.variables)
expected, got = "about 300 numbers of state", f"{numbers} numbers of state"
differs = numbers > 20_000
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
