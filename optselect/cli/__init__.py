"""The command line: each command parses, makes one call of `optselect.api`, and prints."""

from __future__ import annotations

import contextlib
import importlib
import os
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
    _occupy_standard_streams()
    debug = "--debug" in sys.argv[1:]
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Finished trials are safe: the same command goes on from here.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        _give_up_output()
        sys.exit(1)
    except (OptselectError, OSError) as error:
        if debug:
            raise
        _say(f"Error: {error if isinstance(error, OptselectError) else _refused(error)}")
        _give_up_output()
        sys.exit(2)


def _refused(error: OSError) -> str:
    """What to say of a file, or of the output, that the system refused."""
    from optselect.util.whole_files import reason

    if error.filename is not None:
        return f"{error.filename}: {reason(error)}."
    return f"the output cannot be written, {reason(error)}. What is in files is safe: run the same command again."


def _say(text: str) -> None:
    from optselect.cli.argument_names import in_options

    with contextlib.suppress(OSError):  # the standard error is full too: the exit code has to do
        click.echo(in_options(text), err=True)


def _give_up_output() -> None:
    """What could not be printed is dropped, so that Python does not try again, and fail, when it ends."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(nowhere.fileno(), stream.fileno())


def _occupy_standard_streams() -> None:
    """Give a closed standard stream somewhere to go: the next file opened would take its place and get what is
    printed.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
