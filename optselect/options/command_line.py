"""Settings as the command that asks for them: `optselect tune DATA ...`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from optselect.options.settings import Settings, every_option
from optselect.task import EarlyStopping
from optselect.util.option_fields import Option, flag

__all__ = ["command_line"]


def command_line(record: Mapping[str, Any]) -> str | None:
    """The command of recorded settings, with what is not at its default; None where objects in Python were given.

    >>> command_line(Settings(data="a.csv", target="price", time_limit=90.0, epochs=5).to_record())
    'optselect tune a.csv --target price --time 90s --epochs 5'
    """
    if record.get("objects"):
        return None
    settings = Settings.from_record(record)
    given, usual = settings.values() | {"trials": record.get("trials")}, Settings().values() | {"trials": None}
    words = [
        word
        for _, name, about in every_option()
        if given[name] != usual[name]
        for word in _words(name, about, "none" if given[name] is None else given[name])
    ]
    data = str(settings.data)
    place = [*words, "--", data] if data.startswith("-") else [data, *words]
    return shlex.join(["optselect", "tune", *place])


def _words(name: str, about: Option, value: Any) -> list[str]:
    """An option and its value; a repeatable option with each of its values."""
    word = flag(name, about)
    if about.form == "flag":
        return [word if value else word.replace("--", "--no-", 1)]
    if about.form == "repeated":
        return [part for one in ([value] if isinstance(value, str) else value) for part in (word, str(one))]
    return [word, _text(about, value)]


def _text(about: Option, value: Any) -> str:
    if about.form == "seconds":
        return f"{Decimal(repr(float(value))):f}".removesuffix(".0") + "s"
    if about.form == "listed":
        return ",".join(value)
    if about.form == "configurations" and not isinstance(value, str):
        return json.dumps([configuration.to_dict() for configuration in value])
    if about.form in ("by name", "weights") and not isinstance(value, str):
        return _by_name(value)
    if about.form == "arguments":
        return _arguments(value)
    return str(value)


def _arguments(stopping: EarlyStopping) -> str:
    """NAME=VALUE,... of what is not at its default, the patience first."""
    usual = EarlyStopping(patience=stopping.patience).to_dict()
    given = {name: one for name, one in stopping.to_dict().items() if one != usual[name]}
    return (
        json.dumps({"patience": stopping.patience, **given})
        if "," in stopping.monitor
        else ",".join(
            f"{name}={one if isinstance(one, str) else json.dumps(one)}"
            for name, one in {"patience": stopping.patience, **given}.items()
        )
    )


def _by_name(value: Any) -> str:
    """NAME=VALUE,... where that can be read again, else JSON."""
    plain = isinstance(value, Mapping) and all(
        name and name == name.strip() and "," not in name and not name.startswith(("{", "[")) for name in value
    )
    return ",".join(f"{name}={one}" for name, one in value.items()) if plain and value else json.dumps(value)
