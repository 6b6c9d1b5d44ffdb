"""exclude_from_weight_decay is not part of an optimizer's config: a loaded model decays its biases."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

optimizer = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.5)
optimizer.exclude_from_weight_decay(var_names=["bias"])
weights = []
for one in (optimizer, keras.optimizers.AdamW.from_config(optimizer.get_config())):
    bias = keras.Variable([1.0], name="bias")
    one.apply([keras.ops.zeros((1,))], [bias])
    weights.append(round(float(bias.numpy()[0]), 4))
expected, got = weights
differs = expected != got
print("expected", expected)
print("got     ", got)
sys.exit(0 if differs else 1)
