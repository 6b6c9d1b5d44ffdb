"""The learning-rate schedules that Keras lacks, as Keras classes: for `model.compile`, saved and loaded with the model.

One class per schedule, made from its declaration, under its name. The arguments count steps, as in Keras. The callback
`WeightDecaySchedule` moves the weight decay. Type checkers read `schedules.pyi`, which `just generate` writes.
"""

from optselect.optim.keras.schedule_classes import CLASSES, WeightDecaySchedule

globals().update(CLASSES)

__all__ = sorted([*CLASSES, WeightDecaySchedule.__name__])
