"""optselect studies"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("studies")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(out: Path | None, as_json: bool) -> None:
    """List the studies of a folder.

    One that is damaged is named with a warning, and has an "error" in the JSON.

    \b
    Example:
      optselect studies
    """
    from optselect import api

    found = api.studies(out)
    if as_json:
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo(f"No study in {out or api.STUDIES}. Start one: optselect tune sklearn:digits")
    for study in found:
        if study["error"]:
            click.echo(f"Warning: {study['name']}: {study['error']}", err=True)
        if not study["data"] and study["error"]:
            click.echo(f"{study['name']}: damaged, see the warning")
            continue
        state = "finished" if study["finished"] else "not finished: the command that started it goes on with it"
        click.echo(f"{study['name']}: {study['data']}, {study['trials']} trials, {state}")
        if study["verdict"]:
            click.echo(f"  {study['verdict'].split('. ')[0]}.")
