"""Options of the commands that read a data set: how it is written, and which of its columns and rows count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["reading_options"]

_OPTIONS = (
    click.option("--encoding", help="Encoding of a text file.  [default: UTF-8]"),
    click.option("--separator", help="Character between the fields of a text file.  [default: auto-detected]"),
    click.option(
        "--decimal", type=click.Choice(["point", "comma"]), help="Decimal mark of the file.  [default: auto-detected]"
    ),
    click.option(
        "--dates",
        type=click.Choice(["day-first", "month-first", "year-first"]),
        help="What comes first in dates such as 03/04/2019.  [default: auto-detected]",
    ),
    click.option(
        "--keep", multiple=True, metavar="COLUMN", help="Use this column even if it looks like an id; repeatable."
    ),
    click.option("--drop", multiple=True, metavar="COLUMN", help="Do not use this column; repeatable."),
    click.option(
        "--missing-target",
        type=click.Choice(["drop", "refuse"]),
        help="What to do with rows without a target.  [default: drop fewer than 5 %]",
    ),
    click.option(
        "--labels",
        type=click.Choice(["merge", "distinct"]),
        help="Labels that differ only in case or spaces: one class, or several.  [default: ask]",
    ),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
