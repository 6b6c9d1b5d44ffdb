"""Training: the compiled program, its fallback to `model.fit`, and the process they run in."""
