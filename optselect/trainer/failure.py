"""What a worker says of an error: to whom it belongs, and in words for people."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback

import tensorflow as tf

from optselect.errors import CannotWrite, InvalidModel, OptselectError
from optselect.trainer.messages import Failed
from optselect.util.machine import available_memory, gigabytes, resident_memory
from optselect.util.whole_files import reason, refusal

__all__ = ["described", "disk_refusal", "failed", "out_of_memory", "print_trace"]


def failed(error: Exception) -> Failed:
    """The answer to a request that ended in an error; the log gets the trace of one that is not ours."""
    if isinstance(error, OptselectError):
        return Failed(error=error)
    print_trace()
    return Failed(error=disk_refusal(error) or InvalidModel(f"Training failed: {described(error)}"))


def disk_refusal(error: Exception) -> CannotWrite | None:
    """What to say if it was the disk that refused something that this process wrote."""
    if isinstance(error, CannotWrite):
        return error
    found = refusal(error)
    if found is None:
        return None
    where = found.filename or "a file that the training process writes"
    return CannotWrite(
        f"{where}: cannot be written, {reason(found)}. All finished trainings are safe in the ledger: mend that and "
        "run the same command again."
    )


def print_trace() -> None:
    """Print the trace of the error that is handled."""
    with contextlib.suppress(OSError):  # the log may lie on the disk that is full
        traceback.print_exc(file=sys.stderr)


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception tells that memory ran out, on the machine or on a device.

    >>> out_of_memory(MemoryError()), out_of_memory(ValueError())
    (True, False)
    """
    return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))


def described(error: Exception, where: str = "") -> str:
    """An exception for people; with numbers and what to do if memory ran out."""
    if not out_of_memory(error):
        return f"{type(error).__name__}: {error}"[:2000]
    asked = re.search(r"(?<=allocating tensor with )shape\S*|Unable to allocate [^,\n]*", str(error))
    wanted = f" for {asked[0]}" if asked else ""
    return (
        f"Memory ran out{where}{wanted}: the process holds {gigabytes(resident_memory(os.getpid()))}, "
        f"{gigabytes(available_memory())} are free. Use smaller batches (`batch_size` in the space), fewer workers "
        "(`RunOptions(workers=1)`) or a smaller model."
    )
