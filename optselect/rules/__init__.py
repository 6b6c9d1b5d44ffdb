"""The update rules, one module each; the file name is the rule's name. Found by looking into this folder.

Another package brings rules by an entry point of the group "optselect.rules" that names its module.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import pkgutil
import warnings

from optselect.errors import UnknownName
from optselect.rule import Rule

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__all__ = ["RULES", "parse"]


def _load_other_packages() -> None:
    """Import what entry points name. A package that fails, or takes a name that is taken, is told of and left out."""
    for entry in importlib.metadata.entry_points(group="optselect.rules"):
        before = set(Rule.__subclasses__())
        try:
            entry.load()
        except Exception as error:  # another package's import may raise anything, and must not stop this one
            told = f"optselect: the rules of `{entry.value}` are left out, for they do not load: {error!r}"
            warnings.warn(told, stacklevel=2)
        for rule in set(Rule.__subclasses__()) - before:
            if Rule.members()[rule.name] is not rule:
                told = f"optselect: `{entry.value}` brings a rule {rule.name!r}, but there is one already; rename it."
                warnings.warn(told, stacklevel=2)


_load_other_packages()

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
