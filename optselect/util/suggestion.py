"""The end of a message about an unknown name: what may have been meant, and what is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from optselect.util.other_libraries import called_here

__all__ = ["suggestion"]


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of an unknown-name message: the nearest names, those of other libraries included, and all of them.

    >>> suggestion("adamn", ["sgd", "adam", "adamw"])
    "Did you mean 'adam' or 'adamw'? Known: adam, adamw, sgd."
    >>> suggestion("ADMA", ["sgd", "adam", "adan"])
    "Did you mean 'adam'? Known: adam, adan, sgd."
    >>> suggestion("RectifiedAdam", ["sgd", "adam", "radam"])
    "Did you mean 'radam'? Known: adam, radam, sgd."
    >>> suggestion("zzz", ["sgd", "adam"])
    'Known: adam, sgd.'
    """
    known = sorted(known)
    shown = known if len(known) <= 40 else [*known[:40], "..."]
    low = name.strip().lower()
    slips = {low, *(low[:i] + low[i + 1] + low[i] + low[i + 2 :] for i in range(len(low) - 1))}  # two letters swapped
    near = (
        [k for k in known if k.strip().lower() in slips]
        or called_here(name, known)
        or difflib.get_close_matches(name, known, n=2)
    )
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{hint}Known: {', '.join(shown)}."
