"""How an optimizer is declared: the update rule, its hyperparameters, schedules and clipping.

An outside package that brings a rule imports everything it needs from here; nothing below is meant for it. Importing
this package loads neither Keras nor TensorFlow: `ops` is `keras.ops`, loaded when it is first used.
"""

from optselect.optim.clipping import Clipping
from optselect.optim.hyperparameters import (
    BOOLEAN,
    FLAG,
    FRACTION,
    NON_NEGATIVE,
    NUMBER,
    PATTERNS,
    POSITIVE,
    UNIT,
    WHOLE,
    Domain,
    Form,
    Search,
    choice,
    hyper,
    linear,
    log,
    log1m,
    setting,
    wrapped,
)
from optselect.optim.rule import Rule, Scalar, Scaling, State, Tensor, Variable, cast, choose, exact
from optselect.optim.schedule import Schedule
from optselect.util.lazy import ops

__all__ = [
    "BOOLEAN",
    "FLAG",
    "FRACTION",
    "NON_NEGATIVE",
    "NUMBER",
    "PATTERNS",
    "POSITIVE",
    "UNIT",
    "WHOLE",
    "Clipping",
    "Domain",
    "Form",
    "Rule",
    "Scalar",
    "Scaling",
    "Schedule",
    "Search",
    "State",
    "Tensor",
    "Variable",
    "cast",
    "choice",
    "choose",
    "exact",
    "hyper",
    "linear",
    "log",
    "log1m",
    "ops",
    "setting",
    "wrapped",
]
