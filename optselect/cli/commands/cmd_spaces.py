"""optselect spaces [NAME] | --check FILE..."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from optselect.spaces import Mistake


@click.command("spaces")
@click.argument("names", nargs=-1, metavar="[NAME | FILE...]")
@click.option("--check", is_flag=True, help="Say what is wrong with YAML files; exit with 2 if anything is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; of a space all of it, also what its base says.")
def command(names: tuple[str, ...], check: bool, as_json: bool) -> None:
    """List the search spaces, show the one called NAME with its sources, or check files of your own.

    \b
    Examples:
      optselect spaces
      optselect spaces quick
      optselect spaces --check my_space.yaml
    """
    from optselect import spaces

    if check:
        _check(names, as_json)
    elif not names:
        _list(as_json)
    elif len(names) > 1:
        raise click.UsageError(f"One NAME at a time, got {len(names)}. Several files go with --check.")
    else:
        space = spaces.load_space(names[0])
        text = spaces.find(names[0]).read_text(encoding="utf-8-sig").rstrip()
        click.echo(json.dumps(space.to_dict()) if as_json else text)


def _list(as_json: bool) -> None:
    from optselect import spaces

    rows = [
        {"name": s.name, "arms": len(s.optimizers), "hyperparameters": s.searched(), "description": s.description}
        for s in map(spaces.load_space, spaces.available())
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    width = max(len(row["name"]) for row in rows)  # type: ignore[arg-type]
    columns = min(shutil.get_terminal_size().columns, 110)
    click.echo(f"{'':<{width}}  arms  hyperparameters")
    for row in rows:
        start = f"{row['name']:<{width}}  {row['arms']:>4}  {row['hyperparameters']:>15}  "
        click.echo(
            textwrap.fill(str(row["description"]), columns, initial_indent=start, subsequent_indent=" " * len(start))
        )


def _check(names: Sequence[str], as_json: bool) -> None:
    from optselect import spaces
    from optselect.errors import UnknownName

    if not names:
        raise click.UsageError("--check needs a FILE, as in `optselect spaces --check my_space.yaml`.")
    found: dict[str, tuple[Mistake, ...]] = {}
    for name in names:
        try:
            found[name] = spaces.check(name)
        except UnknownName as error:
            found[name] = (spaces.Mistake(0, 0, str(error).removeprefix("Space: ")),)
    if as_json:
        click.echo(json.dumps([{"file": name, "mistakes": [vars(m) for m in wrong]} for name, wrong in found.items()]))
    else:
        for name, wrong in found.items():
            _tell(name, wrong)
    if any(found.values()):
        sys.exit(2)


def _tell(name: str, mistakes: Sequence[Any]) -> None:
    if not mistakes:
        click.echo(f"{name}: no mistakes")
    for mistake in mistakes:
        if not mistake.line:
            click.echo(f"{name}: {mistake.text}", err=True)
            continue
        click.echo(f"{name}:{mistake.line}:{mistake.column}: {mistake.text}", err=True)
        if mistake.source.strip():
            source, column = _window(mistake.source, mistake.column)
            click.echo(f"{mistake.line:>5} | {source}\n{'':>5} | {'':>{column - 1}}^", err=True)


def _window(source: str, column: int, width: int = 70) -> tuple[str, int]:
    """The part of a line around a column, safe to print, and where in it the column is.

    >>> _window("a: " + "x" * 1000, 500, width=9)
    ('…xxxxxxxxx…', 6)
    """
    start = max(0, min(column - 1 - width // 2, len(source) - width))
    shown = "".join(c if c.isprintable() else " " for c in source[start : start + width])
    shown = ("…" if start else "") + shown.rstrip() + ("…" if len(source) > start + width else "")
    return shown, column - start + (start > 0)
