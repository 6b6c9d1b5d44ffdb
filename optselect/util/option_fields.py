"""Options declared once: a dataclass field that knows its type, help text and form on the command line."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

from optselect.errors import UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["Form", "Option", "check_choices", "documented", "entry", "fill", "flag", "option", "options"]

T = TypeVar("T")

Form = Literal[
    "text",
    "whole",
    "real",
    "seconds",
    "flag",
    "repeated",
    "listed",
    "by name",
    "weights",
    "configurations",
    "arguments",
    "object",
]
"""How a value is written on a command line: as it is; a whole number; a real number; a time such as 90s or 10m; as
--name or --no-name; the option again for each value; values with commas; a word or NAME=WORD,...; a word or
NAME=NUMBER,...; a name or file, or JSON; NAME=VALUE,... or JSON; an object in Python, which no command line takes."""

_WIDTH = 79


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """What is known of an option besides its default. doc: one or two sentences. type: for people. absent: what the
    default None means. terminal: what the help of the command line says instead of `doc`. flag: on the command line,
    derived from the name if "". metavar: of its value in the help."""

    doc: str
    type: str
    absent: str = ""
    terminal: str = ""
    choices: tuple[str, ...] = ()
    flag: str = ""
    metavar: str = ""
    form: Form = "text"


def option(
    default: Any,
    doc: str,
    *,
    type: str = "",
    absent: str = "",
    terminal: str = "",
    choices: tuple[str, ...] = (),
    flag: str = "",
    metavar: str = "",
    form: Form | None = None,
) -> Any:
    """A field of a dataclass that is an option; the arguments are those of `Option`."""
    about = Option(
        doc=doc,
        type=type or "{" + ", ".join(f'"{choice}"' for choice in choices) + "}",
        absent=absent,
        terminal=terminal,
        choices=choices,
        flag=flag,
        metavar=metavar,
        form=form or ("flag" if isinstance(default, bool) else "text"),
    )
    return dataclasses.field(default=default, metadata={"option": about})


def options(kind: Any) -> Iterator[tuple[dataclasses.Field[Any], Option]]:
    """The fields of a dataclass that are options, in their order."""
    for field in dataclasses.fields(kind):
        if "option" in field.metadata:
            yield field, field.metadata["option"]


def flag(name: str, about: Option) -> str:
    """The option on the command line.

    >>> flag("range_test", Option(doc="", type="bool"))
    '--range-test'
    """
    return about.flag or f"--{name.replace('_', '-')}"


def check_choices(given: Any, where: str) -> None:
    """Raise `UnknownName` for the first option whose value is none of its choices."""
    for field, about in options(given):
        value = getattr(given, field.name)
        is_free = value is None or not (isinstance(value, str) or about.type.startswith("{"))  # an object of Optuna's
        if about.choices and not is_free and value not in about.choices:
            raise UnknownName(f"{where}: unknown {field.name} {value!r}. {suggestion(str(value), about.choices)}")


def documented(kind: type[T]) -> type[T]:
    """Add the section on parameters to the docstring of a class of options, after its first paragraph."""
    summary, _, rest = (kind.__doc__ or "").partition("\n\n")
    section = ["Parameters", "----------"]
    section += [line for field, about in options(kind) for line in entry(field.name, about, field.default)]
    kind.__doc__ = "\n\n".join([summary, textwrap.indent("\n".join(section), "    "), rest])
    return kind


def fill(kind: Any) -> Callable[[T], T]:
    """A decorator for functions: a line `{name}` of the docstring becomes the entry of that option of `kind`."""

    def filled(function: T) -> T:
        text = function.__doc__ or ""
        for field in dataclasses.fields(kind):
            if about := field.metadata.get("option") or field.metadata.get("positional"):
                default = dataclasses.MISSING if "positional" in field.metadata else field.default
                entry_text = textwrap.indent("\n".join(entry(field.name, about, default)), "    ")
                text = text.replace(f"    {{{field.name}}}", entry_text)
        described: Any = function
        described.__doc__, described.__signature__ = text, _Tall.from_callable(described)
        return function

    return filled


class _Tall(inspect.Signature):
    """A signature that `help()` prints with one parameter per line, types without quotes."""

    def __str__(self) -> str:
        lines, keywords = list[str](), False
        for parameter in self.parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
                keywords = True
                lines.append("    *,")
            default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
            lines.append(f"    {parameter.name}: {parameter.annotation}{default},")
        return "\n".join(["(", *lines, f") -> {self.return_annotation}"])


def entry(name: str, about: Option, default: Any = dataclasses.MISSING) -> list[str]:
    """An option in numpydoc's form. default: left out for what must be given.

    >>> entry("count", Option(doc="Trainings.", type="int", absent="what time allows"), None)
    ['count : int, optional', '    Trainings. Default: what time allows.']
    """
    if default is dataclasses.MISSING:
        usual = ""
    elif default in (None, ()):
        usual = ", optional"
    else:
        usual = f', default "{default}"' if isinstance(default, str) else f", default {default!r}"
    doc = f"{about.doc} Default: {about.absent}." if about.absent else about.doc
    space = " " * 4
    lines = textwrap.wrap(
        doc,
        _WIDTH - 4,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{name} : {about.type}{usual}", *lines]
