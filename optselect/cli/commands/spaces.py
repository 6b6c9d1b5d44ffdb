"""optselect spaces [NAME]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("spaces")
@click.argument("name", required=False)
@click.option("--check", type=click.Path(path_type=Path), help="Say what is wrong with a YAML file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, check: Path | None, as_json: bool) -> None:
    """Show the search spaces, or the one called NAME.

    \b
    Examples:
      optselect spaces
      optselect spaces default
      optselect spaces --check my_space.yaml
    """
    from optselect import spaces

    if check is not None:
        space = spaces.load_space(check)
        click.echo(f"{check}: {len(space.optimizers)} optimizers, {len(space.schedules)} schedules; no mistakes.")
    elif name is None:
        found = spaces.available()
        click.echo(json.dumps(list(found)) if as_json else "\n".join(found))
    else:
        space = spaces.load_space(name)
        if as_json:
            click.echo(json.dumps(space.to_dict()))
        else:
            spaces.write_yaml(space, sys.stdout)
