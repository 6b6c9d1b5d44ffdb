"""optselect sync [STUDY]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from optselect.api.sync import Synced


@click.command("sync")
@click.argument("study", required=False)
@click.option(
    "--mlflow", help="Tracking URI.  [default: where the study went before, else MLFLOW_TRACKING_URI, ./mlflow.db]"
)
@click.option("--register", metavar="NAME", help="Make the trained model a version in MLflow's registry.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(study: str | None, mlflow: str | None, register: str | None, out: Path | None, as_json: bool) -> None:
    """Deliver to MLflow what is missing there of STUDY, or of all studies.

    For a study whose server did not answer, that was killed, or that was run with `--mlflow none`. What is there
    already is left alone: a second call adds nothing. A study that was killed, and that no process runs, is ended.

    \b
    Examples:
      optselect sync
      optselect sync digits --mlflow http://127.0.0.1:5000
    """
    from optselect import api

    found = api.sync(study, mlflow=mlflow, out=out, register=register)
    if as_json:
        click.echo(json.dumps([synced.to_dict() for synced in found]))
    elif not found:
        click.echo(f"No study in {out or api.STUDIES}. Start one: optselect tune sklearn:digits")
    else:
        for synced in found:
            _say(synced)
    if any(synced.problem for synced in found):
        raise SystemExit(1)


def _say(synced: Synced) -> None:
    if synced.problem:
        click.echo(f"{synced.study}: {synced.problem}", err=True)
        return
    ends = "finished" if synced.finished else "not finished"
    done = f"{synced.trials} of {synced.total} trials delivered" if synced.written else "all was there already"
    click.echo(f"{synced.study} ({ends}): {done}")
    if synced.registered:
        click.echo(f"  registered: {synced.registered}")
    for warning in synced.warnings:
        click.echo(f"  Warning: {warning}", err=True)
    for line in synced.where.splitlines():
        click.echo(f"  {line}")
