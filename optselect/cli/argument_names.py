"""Messages name arguments as Python has them; on a terminal they are options."""

from __future__ import annotations

import functools
import re

__all__ = ["in_options"]

_ARGUMENT = re.compile(r"`(?:[A-Z]\w+\()?(?P<name>[a-z_]+)=(?P<value>[^`]*?)\)?`")
_SUBJECT = re.compile(
    r"^(?P<caller>(?:Error: |Warning: )?(?:tune|lr_range|describe_data|Task|DataOptions)): `(?P<name>[a-z_]+)`"
)


def in_options(text: str) -> str:
    """A message with its arguments as options of the command line; other words in backticks stay.

    >>> in_options('which column? Say it with `target="NAME"`; or drop `target`')
    'which column? Say it with `--target NAME`; or drop `target`'
    >>> in_options('`DataOptions(decimal="comma")` reads it, `DataOptions(encoding=)` too, `Dense(units=3)` does not')
    '`--decimal comma` reads it, `--encoding` too, `Dense(units=3)` does not'
    >>> in_options("Error: tune: `time_limit` must be at least 1, got 0.")
    'Error: tune: `--time` must be at least 1, got 0.'
    """

    def argument(match: re.Match[str]) -> str:
        word = _flags().get(match["name"])
        value = match["value"].strip("\"'")
        return match[0] if word is None else f"`{word} {value}".rstrip() + "`"

    def subject(match: re.Match[str]) -> str:
        word = _flags().get(match["name"])
        return match[0] if word is None else f"{match['caller']}: `{word}`"

    return _SUBJECT.sub(subject, _ARGUMENT.sub(argument, text))


@functools.cache
def _flags() -> dict[str, str]:
    """The option of every argument, by name."""
    from optselect.options import every_option
    from optselect.util.option_fields import flag

    return {name: flag(name, about) for _, name, about in every_option() if about.form != "object"}
