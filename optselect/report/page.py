"""The report as one HTML file that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from optselect.report import methods_section, palette, primary_metric, svg
from optselect.report.evidence import Evidence
from optselect.report.pictures import Picture, pictures
from optselect.report.table import table
from optselect.util import whole_files
from optselect.verdict.further import further_metrics

__all__ = ["is_whole", "render", "write"]

_SEAL = "<!-- of "


@cache
def _templates() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["mark"] = lambda place: svg.marks(palette.mark(place))
    return found


def render(evidence: Evidence, drawn: Sequence[Picture] | None = None) -> str:
    """The whole page. Everything that comes from data is escaped; scripts and styles run by their digests alone.

    drawn: its pictures, if they are there already.
    """
    templates = _templates()
    sources = templates.loader.get_source  # type: ignore[union-attr]
    style = sources(templates, "report.css")[0] + palette.styles(len(evidence.optimizers))
    script = sources(templates, "report.js")[0]
    rows = table(evidence)
    return templates.get_template("report.html").render(
        evidence=evidence,
        verdict=evidence.verdict,
        answer=evidence.answer,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704  our own, checked by its digest
        script=Markup(script),  # noqa: S704
        tiles=list(primary_metric.tiles(evidence)),
        finalists=primary_metric.finalists(evidence),
        further=further_metrics(evidence.verdict) if evidence.verdict else (),
        settings=primary_metric.settings(evidence.answer.configuration) if evidence.answer else [],
        warnings=methods_section.warnings(evidence),
        pictures=pictures(evidence) if drawn is None else drawn,
        arms=methods_section.arms(evidence),
        table=rows,
        data=rows.data(evidence.optimizers),
        how=methods_section.how(evidence),
        replay=shlex.join(["optselect", "replay", evidence.name]),
        command=methods_section.command(evidence),
    )


def write(evidence: Evidence, path: Path) -> tuple[str, list[Picture]]:
    """Write the page so that no half of it is ever there; give it and its pictures. Raises `CannotWrite`."""
    drawn = pictures(evidence)
    page = render(evidence, drawn)
    page += _seal(page, evidence.seal)
    whole_files.write(path, page, safe="The study itself is safe.")
    return page, drawn


def is_whole(path: Path, seal: str) -> bool:
    """Whether a page is there as it was written, and of what `Evidence.seal` says."""
    try:
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    before, mark, after = page.rpartition(_SEAL)
    return bool(mark) and mark + after == _seal(before, seal)


def _seal(page: str, seal: str) -> str:
    """The last line of a page: what it is of, and the checksum of all before."""
    return f"{_SEAL}{seal} {hashlib.sha256(page.encode()).hexdigest()} -->\n"


def _policy(style: str, script: str) -> str:
    """What the page may do: our style and our script, no other, and no word to anybody."""
    allowed: Mapping[str, str] = {
        "default-src": "'none'",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
