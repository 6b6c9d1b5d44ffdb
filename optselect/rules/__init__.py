"""The update rules, one module each; the file name is the rule's name. Found by looking into this folder."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

from optselect.errors import UnknownName
from optselect.rule import Rule

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__all__ = ["RULES", "parse"]

RULES: dict[str, type[Rule]] = Rule.members()


def parse(key: str) -> Rule:
    """The rule of a key, everything at its default: the inverse of `Rule.key`.

    Raises `UnknownName`.

    >>> parse("lookahead(adam)").key
    'lookahead(adam)'
    >>> parse("lookahead(adma)")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    optselect.errors.UnknownName: Rule: no member is called 'adma'. Did you mean ...
    """
    name, opened, rest = key.strip().partition("(")
    kind = Rule.named(name.strip())
    if not opened:
        return kind()
    if not rest.endswith(")"):
        raise UnknownName(f"Rule: {key!r} lacks its closing parenthesis.")
    if not kind.wraps():
        wrappers = sorted(name for name, member in RULES.items() if member.wraps())
        raise UnknownName(f"Rule: {kind.name!r} wraps no other rule, as in {key!r}. Those that do: {wrappers}.")
    return dataclasses.replace(kind(), **{"rule": parse(rest[:-1])})
