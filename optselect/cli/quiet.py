"""TensorFlow loaded in this process without its greetings."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path

__all__ = ["load_tensorflow_quietly"]


def load_tensorflow_quietly() -> None:
    """TensorFlow greets on the descriptor of standard error, below Python, and warns of every graph it traces."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("keras")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
