"""optselect repair STUDY"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("repair")
@click.argument("study")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(study: str, out: Path | None, as_json: bool) -> None:
    """Keep what is whole of STUDY's damaged ledger.

    Lines that are doubled or out of order are put right; where a line is lost or changed, the lines before it are
    kept. The file as it was stays beside it, as ledger.jsonl.damaged. Nothing is trained: the command that started
    the study then trains again what is lost.

    \b
    Example:
      optselect repair digits
    """
    from optselect import api

    made = api.repair(study, out=out)
    click.echo(json.dumps(made.to_dict()) if as_json else made.text())
