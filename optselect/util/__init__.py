"""Leaves that know nothing of optimizers or data: lazy imports, seeds, intervals, the machine, whole files."""
