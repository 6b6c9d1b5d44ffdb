"""Which backend Keras runs on, found without loading Keras."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from optselect.errors import WrongBackend

__all__ = ["check"]


def check() -> None:
    """Raise `WrongBackend` if Keras runs, or would run once it is loaded, on another backend than TensorFlow."""
    found = _backend()
    if found != "tensorflow":
        raise WrongBackend(
            f"optselect.optimizers needs Keras on the backend tensorflow, and it is {found}: set the environment "
            f"variable KERAS_BACKEND=tensorflow before Python starts."
        )


def _backend() -> str:
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        return str(keras.config.backend())
    return os.environ.get("KERAS_BACKEND") or _configured()


def _configured() -> str:
    """What Keras's own file of settings says; tensorflow where there is none or it cannot be read."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((folder / "keras.json").read_text())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
