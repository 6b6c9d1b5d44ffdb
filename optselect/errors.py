"""The exceptions of optselect.

Every error that a user can cause derives from `OptselectError` and from the builtin that fits it::

    OptselectError
    ├── InvalidValue (ValueError)          a number, flag or combination outside its domain
    ├── UnknownName (ValueError)           no such optimizer, schedule, column, metric, space key, study ...
    ├── WrongBackend (ImportError)         Keras runs on another backend than TensorFlow
    ├── InvalidSpace (ValueError)          a search-space file; all its mistakes at once
    ├── InvalidData (ValueError)           a data set that cannot be read or trained on
    ├── InvalidModel (ValueError)          a model that does not build, compile or fit the data
    ├── InvalidState (ValueError)          a file of a paused training that is missing, damaged or another's
    ├── DamagedFile (ValueError)           a file of a study's answer that is torn, changed or of other trainings
    ├── CannotWrite (OSError)              a file that the disk refuses: full, read-only, no permission
    ├── StudyConflict (RuntimeError)       a study on disk that was started with other data, model or settings
    │   └── DamagedRecord                  a ledger with lines that are damaged, missing, doubled or out of order
    ├── NoResult (RuntimeError)            a study in which no trial gave a finite value
    └── WorkerFailed (RuntimeError)        a training process died more often than chance explains

A message says who, `what`, where, what was got, and how to mend it. The command line prints it without a
traceback and exits with 2.
"""

from __future__ import annotations

__all__ = [
    "CannotWrite",
    "DamagedFile",
    "DamagedRecord",
    "InvalidData",
    "InvalidModel",
    "InvalidSpace",
    "InvalidState",
    "InvalidValue",
    "NoResult",
    "OptselectError",
    "StudyConflict",
    "UnknownName",
    "WorkerFailed",
    "WrongBackend",
]


class OptselectError(Exception):
    """Anything that a user, a file or a machine did wrong, with a message for a person."""


class InvalidValue(OptselectError, ValueError):
    """A value outside its domain."""


class UnknownName(OptselectError, ValueError):
    """A name that nothing answers to."""


class WrongBackend(OptselectError, ImportError):
    """Keras runs on another backend than TensorFlow."""


class InvalidSpace(OptselectError, ValueError):
    """A search space with mistakes."""


class InvalidData(OptselectError, ValueError):
    """Data that cannot be read or trained on."""


class InvalidModel(OptselectError, ValueError):
    """A model that does not build, or does not fit the data."""


class InvalidState(OptselectError, ValueError):
    """A paused training that cannot be gone on with."""


class DamagedFile(OptselectError, ValueError):
    """A file of a study's answer is torn, was changed, or is of other trainings."""


class CannotWrite(OptselectError, OSError):
    """A file cannot be written: the disk is full, read-only or broken, or a permission is missing."""


class StudyConflict(OptselectError, RuntimeError):
    """A study on disk belongs to another question."""


class DamagedRecord(StudyConflict):
    """The ledger of a study has lines that are damaged, missing, doubled or out of order."""


class NoResult(OptselectError, RuntimeError):
    """No trial produced a finite value."""


class WorkerFailed(OptselectError, RuntimeError):
    """A training process died and could not be replaced."""
