"""optselect data DATA"""

from __future__ import annotations

import json
from typing import Any

import click

from optselect.cli.argument_names import in_options
from optselect.cli.options import DerivedCommand, options_of, taken


def _options() -> list[click.Option]:
    from optselect.data import DataOptions, SplitOptions
    from optselect.options import Settings

    own = options_of(Settings, only=("target", "kind", "seed"))
    return [*own, *options_of(SplitOptions), *options_of(DataOptions)]


@click.command("data", cls=DerivedCommand, derive=_options)
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(data: str, as_json: bool, **given: Any) -> None:
    """Show what DATA is understood to be, without training.

    A table of the columns says what each was read as, with values as they were written, how many are missing, and
    what is done with it; then come the classes and everything that was inferred. DATA is as in `optselect tune`.

    \b
    Examples:
      optselect data houses.csv --target price
      optselect data miete.csv --target Miete --decimal comma
      optselect data orders.xlsx --target profit --drop order_id --json
      optselect data visits.csv --target score --split group:patient
    """
    from optselect import api
    from optselect.data import DataOptions, SplitOptions

    splits, data_options = taken(SplitOptions, given), taken(DataOptions, given)
    found = api.describe_data(data, splits=splits, data_options=data_options, **given)
    click.echo(json.dumps(found.to_dict()) if as_json else in_options(found.text()))
