"""optselect data DATA"""

from __future__ import annotations

import json
from typing import Any

import click

from optselect.cli.data_options import reading_options


@click.command("data")
@click.argument("data")
@click.option("--target", help="The column to predict; several with commas.")
@click.option(
    "--kind",
    type=click.Choice(["classification", "regression"]),
    help="Kind of task.  [default: inferred from the target]",
)
@click.option("--weight", "sample_weight", help="The column that says what each row counts in the loss.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the split.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(data: str, as_json: bool, **options: Any) -> None:
    """Show what DATA is understood to be, without training.

    A table of the columns says what each was read as, with values as they were written, how many are missing, and
    what is done with it; then come the classes and everything that was inferred. DATA is as in `optselect tune`.

    \b
    Examples:
      optselect data houses.csv --target price
      optselect data miete.csv --target Miete --decimal comma
      optselect data orders.xlsx --target profit --drop order_id --json
    """
    from optselect import api

    found = api.describe_data(data, **options)
    click.echo(json.dumps(found.to_dict()) if as_json else found.text())
