"""PiecewiseConstantDecay keeps a value at its boundary: 10 steps of the first rate need the boundary 9."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries=[10], values=[1.0, 0.1])
rates = [float(schedule(step)) for step in range(20)]
expected, got = "10 steps at 1.0", f"{rates.count(1.0)} steps at 1.0"
differs = got != expected
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
