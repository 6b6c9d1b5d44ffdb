"""A schedule that starts from the whole number 1 computes in whole numbers: the rate is 0 from step 1 on."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

schedule = keras.optimizers.schedules.ExponentialDecay
expected, got = (float(schedule(rate, decay_steps=10, decay_rate=0.5)(5)) for rate in (1.0, 1))
expected, got = round(expected, 4), round(got, 4)
differs = abs(expected - got) > 0.1
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
