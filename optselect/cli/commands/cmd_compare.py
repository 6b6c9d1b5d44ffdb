"""optselect compare STUDY STUDY ..."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("compare")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY STUDY...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(studies: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Compare optimizers over several finished studies, each against Keras's default Adam.

    Nothing is trained: the runs on fresh seeds that the studies have made are what is compared.

    \b
    Example:
      optselect compare digits wine breast_cancer
    """
    from optselect import api

    found = api.compare(studies, out=out)
    click.echo(json.dumps(found.to_dict()) if as_json else found.text())
