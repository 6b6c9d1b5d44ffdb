"""optselect tune DATA"""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from types import FrameType
from typing import Any

import click

from optselect.cli.options import DerivedCommand, options_of


def _options() -> list[click.Option]:
    from optselect.options import GROUPS, Settings

    return [one for kind in (Settings, *GROUPS.values()) for one in options_of(kind)]


@click.command("tune", cls=DerivedCommand, derive=_options)
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no progress.")
def command(data: str, as_json: bool, **given: Any) -> None:
    """Find the best optimizer and settings for DATA.

    DATA is a CSV, TSV, JSON, Excel, Parquet, Feather or .npz file (text also .gz, .bz2, .xz, .zst), sklearn:NAME, or
    FILE.py:FUNCTION returning (x, y) or (x, y, sample_weight), where x and y may be dicts by the names of inputs and
    outputs. The same command goes on with a study that was stopped, and reports one that is finished.

    \b
    Examples:
      optselect tune sklearn:digits --trials 60 --epochs 20
      optselect tune houses.csv --target price --time 5m
      optselect tune sales.csv --target units --split time:date
      optselect tune loans.csv --target default --weight amount --class-weight balanced
      optselect tune data.npz --model my_model.py:build --optimizers adam,adamw,sgd
    """
    from optselect import api
    from optselect.cli.board import Board
    from optselect.cli.summary import show
    from optselect.options import Settings
    from optselect.study.listener import Silent

    signal.signal(signal.SIGTERM, _interrupt)
    board = None if as_json else Board()
    try:
        settings = Settings.of(data=data, **given)
        result = api.tune(**settings.arguments(), listener=board or Silent())
    except KeyboardInterrupt:
        if board:
            board.close()
            click.echo(f"{board.interrupted()} The same command goes on from there:\n  {_typed()}", err=True)
        raise SystemExit(130) from None
    finally:
        if board:
            board.close()
    if board:
        show(result)
    else:
        click.echo(json.dumps(result.to_dict()))


def _typed() -> str:
    """The command as it was typed, without passwords."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]+@", r"\1:***@", shlex.join(["optselect", *sys.argv[1:]]))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
