"""optselect scale STUDY|FILE"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from optselect.cli.argument_names import in_options
from optselect.cli.options import DerivedCommand, options_of


def _options() -> list[click.Option]:
    from optselect.data import DataOptions, SplitOptions
    from optselect.options import Settings

    own = options_of(Settings, only=("model", "target", "kind", "seed"))
    return [*own, *options_of(SplitOptions), *options_of(DataOptions)]


@click.command("scale", cls=DerivedCommand, derive=_options)
@click.argument("configuration", metavar="STUDY|FILE")
@click.option("--batch-size", type=int, required=True, help="The new batch size.")
@click.option("--rows", type=float, default=1.0, metavar="FACTOR", help="So many times the training rows.")
@click.option("--epochs", type=float, default=1.0, metavar="FACTOR", help="So many times the epochs.")
@click.option("--check", "data", metavar="DATA", help="Train on DATA at a third, one and three times the new rate.")
@click.option("--train-epochs", type=int, default=20, show_default=True, help="Epochs per training on DATA.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    configuration: str,
    batch_size: int,
    rows: float,
    epochs: float,
    data: str | None,
    train_epochs: int,
    out: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Rescale a configuration to another batch size, more rows or more epochs.

    It is taken from a finished study (its recommendation) or from a JSON or YAML file. The answer is a starting
    point: the laws hold where the noise of the gradient outweighs its mean. So check it at three learning rates.

    \b
    Examples:
      optselect scale digits --batch-size 256
      optselect scale digits --batch-size 256 --check sklearn:digits
      optselect scale recommendation.json --batch-size 512 --rows 10
    """
    from optselect import api
    from optselect.options import Settings

    spec = None if data is None else Settings.of(data=data, epochs=train_epochs, **given).spec()
    with click.progressbar(length=6, label="Training", file=sys.stderr, hidden=as_json or spec is None) as bar:
        found = api.scale(
            configuration,
            batch_size=batch_size,
            rows=rows,
            epochs=epochs,
            check=spec,
            out=out,
            told=lambda done: bar.update(1),
        )
    click.echo(json.dumps(found.to_dict()) if as_json else in_options(found.text()))
