"""The pictures of a report. Each is a module with `TITLE`, `PLACE`, `READING` and `draw`, found by looking here."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from optselect.report.evidence import Evidence

__all__ = ["Drawn", "Picture", "pictures"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
    """What `draw` gives where there is something to draw.

    svg: one picture or several. caption: what it shows of this study. optimizers: in the legend. header, rows: the
    numbers behind it, for those who do not see it. key: other things in the legend, mark and words.
    """

    svg: Markup
    caption: str
    optimizers: Sequence[str] = ()
    key: Sequence[tuple[Markup, str]] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    wide: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with its name, or why there is none. reading: how to read it. missing: "" where it is drawn."""

    name: str
    title: str
    reading: str
    drawn: Drawn | None
    missing: str = ""


def pictures(evidence: Evidence) -> list[Picture]:
    """All of them, in the order of the page."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    modules: list[Any] = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [_picture(module, evidence) for module in sorted(modules, key=lambda module: module.PLACE)]


def _picture(module: Any, evidence: Evidence) -> Picture:
    made: Drawn | str = module.draw(evidence)
    return Picture(
        name=module.__name__.rpartition(".")[2].replace("_", "-"),
        title=module.TITLE,
        reading=module.READING,
        drawn=made if isinstance(made, Drawn) else None,
        missing=made if isinstance(made, str) else "",
    )
