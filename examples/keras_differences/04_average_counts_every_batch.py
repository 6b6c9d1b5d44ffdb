"""use_ema with gradient accumulation: the average is taken every batch, not every update."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

variable = keras.Variable([1.0])
options = {"use_ema": True, "ema_momentum": 0.5, "gradient_accumulation_steps": 4}
optimizer = keras.optimizers.SGD(0.1, **options)
for _ in range(12):
    optimizer.apply([keras.ops.ones((1,))], [variable])
average = 0.9  # after the first of three updates, then half and half with 0.8 and 0.7
for weight in (0.8, 0.7):
    average = 0.5 * average + 0.5 * weight
expected, got = round(average, 4), round(float(optimizer._model_variables_moving_average[0].numpy()[0]), 4)
differs = abs(expected - got) > 1e-3
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
