"""The command line: each command parses, makes one call of `optselect.api`, and prints."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

import click

from optselect import __version__
from optselect.errors import OptselectError

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="optselect")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Which optimizer, with which settings, for this data set and this Keras model, and how sure are we?

    \b
    Start with real data that is there already:
      optselect tune sklearn:digits
    or with your own:
      optselect tune data.csv --target price
    """


def _add_commands() -> None:
    from optselect.cli import commands

    for found in pkgutil.iter_modules(commands.__path__):
        module: Any = importlib.import_module(f"{commands.__name__}.{found.name}")
        cli.add_command(module.command)


_add_commands()


def main() -> None:
    """Run, and turn what a user can mend into one message and exit code 2."""
    debug = "--debug" in sys.argv[1:]
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Finished trials are safe: the same command goes on from here.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OptselectError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
