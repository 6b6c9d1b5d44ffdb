"""`tune` with its options by name, as the command line takes them."""

from __future__ import annotations

from typing import Any

from optselect.api import Result, tune
from optselect.options import Settings
from optselect.study.listener import Listener

__all__ = ["tuned"]


def tuned(model: Any, data: Any, *, listener: Listener | None = None, **options: Any) -> Result:
    """A study, with options of every group."""
    return tune(**Settings.of(model=model, data=data, **options).arguments(), listener=listener)
