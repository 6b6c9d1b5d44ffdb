"""optselect replay STUDY"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("replay")
@click.argument("study")
@click.option("--seeds", type=int, default=10, show_default=True, help="How many new seeds.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one draws other seeds.")
@click.option("--workers", type=int, help="Training processes.  [default: as memory and cores allow]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(study: str, seeds: int, seed: int, workers: int | None, out: Path | None, as_json: bool) -> None:
    """Check the number of a finished STUDY: train its recommendation under seeds that the study never saw.

    STUDY is a name (see `optselect studies`) or a folder. The mean of the new runs should lie in an interval that
    follows from the stated mean and its spread; in 5 of 100 replays of a right number it will not.

    Exits with 1 if it does not, with 2 if the check cannot be made.

    \b
    Examples:
      optselect replay digits
      optselect replay digits --seeds 30 --seed 1
    """
    from optselect import api

    with click.progressbar(length=seeds, label="Training", file=sys.stderr, hidden=as_json) as bar:
        found = api.replay(study, seeds=seeds, seed=seed, workers=workers, out=out, told=lambda done: bar.update(1))
    click.echo(json.dumps(found.to_dict()) if as_json else found.text())
    sys.exit(0 if found.inside else 1)
