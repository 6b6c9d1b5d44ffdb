"""A result as a notebook shows it: the verdict, those that were confirmed, and the code to paste."""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optselect.api.result import Result

__all__ = ["shown"]


def shown(result: Result) -> str:
    """HTML that inherits the notebook's fonts and colours."""
    verdict = result.verdict
    rows = [
        f"<tr><td style='text-align:left'>{'<b>recommended</b>' if standing is verdict.recommended else ''}</td>"
        f"<td style='text-align:left'>{escape(standing.label)}</td><td>{standing.held_out.mean:.4g}</td>"
        f"<td>{standing.held_out.low:.4g} to {standing.held_out.high:.4g}</td><td>{standing.p_best:.2f}</td></tr>"
        for standing in verdict.ranking
    ]
    where = "held-out rows" if verdict.confirmed else "validation rows"
    head = "".join(
        f"<th style='text-align:left'>{name}</th>"
        for name in ("", "configuration", f"{escape(verdict.headline)} on {where}", "95 % interval", "P(best)")
    )
    report = result.directory / "report.html"
    link = f"<p>The report: <a href='{escape(os.path.relpath(report))}'>report.html</a></p>" if report.exists() else ""
    return (
        f"<div style='max-width:60em'><p>{escape(verdict.text())}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<details><summary>Code to paste</summary><pre>{escape(result.snippet)}</pre></details>{link}</div>"
    )
