"""The update rules, one module each; the file name is the rule's name. Found by looking into this folder."""

from __future__ import annotations

import importlib
import pkgutil

from optselect.rule import Rule

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__all__ = ["RULES"]

RULES: dict[str, type[Rule]] = Rule.members()
