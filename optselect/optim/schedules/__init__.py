"""The learning-rate schedules, one module each, as the rules are. Found by looking into this folder."""

from __future__ import annotations

import importlib
import pkgutil

from optselect.optim.schedule import Schedule

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

from optselect.optim.schedules.constant import Constant  # noqa: E402

__all__ = ["SCHEDULES", "Constant", "Schedule"]

SCHEDULES: dict[str, type[Schedule]] = Schedule.members()
