"""optselect report STUDY"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("report")
@click.argument("study")
@click.option("--out-file", type=click.Path(path_type=Path), help="Where to.  [default: report.html in its folder]")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the path and what the page holds.")
def command(study: str, out_file: Path | None, opened: bool, out: Path | None, as_json: bool) -> None:
    """Write the report of STUDY again: verdict, pictures, all trials, in one HTML file that needs no network.

    STUDY is a name (see `optselect studies`) or a folder. It need not be finished: the page then shows what is there.
    `optselect tune` writes it at the end of every study.

    \b
    Examples:
      optselect report digits --open
      optselect report digits --out-file digits.html
    """
    from optselect import api

    made = api.report(study, path=out_file, out=out)
    click.echo(json.dumps(made.to_dict()) if as_json else made.text())
    if opened:
        click.launch(str(made.path))
