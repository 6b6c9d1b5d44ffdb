"""A rule as a Keras optimizer: how the classes of `optselect.optimizers` are made."""
