"""use_ema averages the weights before their constraint: the average breaks it."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

positive = keras.constraints.NonNeg()
variable = keras.Variable([0.5])
variable.constraint = positive
optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
for _ in range(3):
    optimizer.apply([keras.ops.ones((1,))], [variable])
expected = "at least 0.0"
got = round(float(optimizer._model_variables_moving_average[0].numpy()[0]), 4)
differs = got < 0
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
