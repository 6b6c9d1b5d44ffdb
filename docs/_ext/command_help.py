"""What Sphinx needs to know about this package's command line and lazy modules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["helped", "setup"]

_CODE = re.compile(r"(``.*?``|`[^`]*`)", re.DOTALL)


def helped(lines: Sequence[str]) -> list[str]:
    """reStructuredText of a command's help: indented lines become a block of code, other text is escaped.

    >>> helped(["Words of val_.", "| Example:", "|   optselect studies"])
    ['Words of val\\\\_.', 'Example:', '', '.. code-block:: text', '', '   optselect studies', '']
    """
    made: list[str] = []
    code = False
    for line in lines:
        before, code = code, line.startswith("|  ")
        if code != before:
            made += ["", ".. code-block:: text", ""] if code else [""]
        if code:
            made.append(f"   {line.removeprefix('|').strip()}")
        else:
            made.append(line if line.startswith("..") else _escaped(line.removeprefix("| ")))
    return [*made, ""]


def _escaped(text: str) -> str:
    """The text with what reStructuredText would take for markup outside backticks."""
    parts = _CODE.split(text)
    return "".join(
        part if i % 2 else re.sub(r"([*|])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for i, part in enumerate(parts)
    )


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what another package has put into a class of ours, such as scikit-learn's `set_fit_request`."""
    return True if not (getattr(thing, "__module__", None) or "optselect").startswith("optselect") else None


def _help(app: Any, context: Any, lines: list[str]) -> None:
    lines[:] = helped(lines)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    from optselect.util.lazy import LazyModule

    LazyModule.__sphinx_mock__ = None  # autodoc asks every name of a module for this, and would load TensorFlow
    app.connect("autodoc-skip-member", _skip)
    app.connect("sphinx-click-process-description", _help)
    app.connect("sphinx-click-process-options", _help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
