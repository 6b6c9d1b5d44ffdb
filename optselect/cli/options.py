"""The options of commands, made from the fields of the dataclasses that declare them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click

from optselect.util.option_fields import Option, flag, options
from optselect.util.suggestion import suggestion

__all__ = ["DerivedCommand", "options_of", "taken"]

T = TypeVar("T")


class DerivedCommand(click.Command):
    """A command with options that dataclasses declare; they stand between its arguments and its own options.

    derive: makes them, when they are first asked for: the classes load pandas and Optuna, a list of commands does not.
    """

    def __init__(self, *args: Any, derive: Callable[[], Sequence[click.Option]], **kwargs: Any) -> None:
        self._derive: Callable[[], Sequence[click.Option]] | None = derive
        super().__init__(*args, **kwargs)

    @property
    def params(self) -> list[click.Parameter]:
        """All parameters, in the order of the help."""
        if self._derive is not None:
            derived, self._derive = self._derive(), None
            places = sum(isinstance(one, click.Argument) for one in self._own)
            self._own[places:places] = derived
        return self._own

    @params.setter
    def params(self, own: list[click.Parameter]) -> None:
        self._own = own


def options_of(kind: Any, *, only: Collection[str] = (), but: Collection[str] = ()) -> list[click.Option]:
    """The options that a class declares. only, but: names of some of them."""
    return [
        _option(field, about)
        for field, about in options(kind)
        if (not only or field.name in only) and field.name not in but and about.form != "object"
    ]


def taken(kind: type[T], given: dict[str, Any]) -> T:
    """An object of a class of options out of what a command was given, from which its values are taken."""
    return kind(**{field.name: given.pop(field.name) for field, _ in options(kind) if field.name in given})


def _option(field: dataclasses.Field[Any], about: Option) -> click.Option:
    word, usual, text = flag(field.name, about), field.default, _help(about)
    if about.form == "flag":
        text = f"{text}  [default: {'yes' if usual else 'no'}]"
        return click.Option([f"{word}/--no-{word.removeprefix('--')}", field.name], default=usual, help=text)
    shown = usual not in (None, ())
    return click.Option(
        [word, field.name],
        default=usual if shown else None,
        show_default=shown,
        type=_type(about),
        metavar=about.metavar or None,
        multiple=about.form == "repeated",
        callback=_one_or_several if about.form == "repeated" else None,
        help=text if shown or not about.absent else f"{text}  [default: {about.absent}]",
    )


def _help(about: Option) -> str:
    """The text in the words of a terminal; of a repeatable option that it is one."""
    text = about.terminal or about.doc.replace("`", "")
    return f"{text.removesuffix('.')}; repeatable." if about.form == "repeated" else text


def _type(about: Option) -> click.ParamType:
    if about.form in ("by name", "weights"):
        return ByName(about)
    if about.form == "arguments":
        return Arguments()
    if about.choices:
        return OptionChoice(about.choices)
    types: dict[str, click.ParamType] = {"whole": click.INT, "real": click.FLOAT, "seconds": Duration()}
    return types.get(about.form, click.STRING)


def _one_or_several(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    """None, the value that was given, or all of them."""
    return value if len(value) > 1 else (value[0] if value else None)


class OptionChoice(click.Choice[str]):
    """One of some words; of any other the nearest are named."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"{value!r} is not known. {suggestion(str(value), self.choices)}", param, ctx)
        return str(value)


class Duration(click.ParamType):
    """A time such as 90, 90s, 10m or 1.5h, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if not match:
            self.fail(f"{value!r} is not a time. Write 90s, 10m or 1.5h.", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


class ByName(click.ParamType):
    """One word for all, NAME=VALUE for each with commas, or JSON where names have commas in them."""

    name = "by name"

    def __init__(self, about: Option) -> None:
        self._numbers = about.form == "weights"
        self._words = ("balanced",) if self._numbers else about.choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str) or value in self._words:
            return value
        try:
            if value.startswith(("{", "[")):
                return json.loads(value)
            return dict(self._pair(part) for part in value.split(","))
        except ValueError:
            example = "no=1,yes=3" if self._numbers else "price=regression,sold=classification"
            words = " or ".join(map(repr, self._words))
            self.fail(f"{value!r} is neither {words} nor values by name. Write {example}.", param, ctx)

    def _pair(self, part: str) -> tuple[str, Any]:
        name, sign, text = part.rpartition("=")
        if not sign or (not self._numbers and text.strip() not in self._words):
            raise ValueError(part)
        return name.strip(), float(text) if self._numbers else text.strip()


class Arguments(click.ParamType):
    """NAME=VALUE,... with values as JSON has them, words without quotes; or a JSON object."""

    name = "arguments"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            if value.startswith("{"):
                return json.loads(value)
            return dict(self._pair(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not NAME=VALUE,... Write patience=5,min_delta=0.01.", param, ctx)

    def _pair(self, part: str) -> tuple[str, Any]:
        name, sign, text = part.partition("=")
        if not sign:
            raise ValueError(part)
        try:
            return name.strip(), json.loads(text)
        except ValueError:
            return name.strip(), text.strip()
