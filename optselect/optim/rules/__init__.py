"""The update rules, one module each; the file name is the rule's name. Found by looking into this folder.

Another package brings rules by an entry point of the group "optselect.rules" that names its module.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.metadata
import pkgutil
import warnings
from collections.abc import Mapping
from typing import Any

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.rule import Rule

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")

__all__ = ["RULES", "parse", "parse_settings"]


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


def parse_settings(text: str) -> tuple[Rule, Mapping[str, Any]]:
    """A rule with some settings, and which of the innermost rule's were given.

    text: a call in Python's grammar, a wrapped rule as the first argument. Raises `UnknownName` or `InvalidValue`.

    >>> parse_settings("sgd(momentum=0.9)")
    (SGD(learning_rate=0.01, momentum=0.9, nesterov=False), {'momentum': 0.9})
    >>> rule, given = parse_settings("lookahead(adam(learning_rate=0.01), k=10)")
    >>> rule.key, rule.k, given
    ('lookahead(adam)', 10.0, {'learning_rate': 0.01})
    >>> parse_settings("sgd(momentum=1.5)")
    Traceback (most recent call last):
    optselect.errors.InvalidValue: SGD: `momentum` must lie in [0, 1), got 1.5.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise InvalidValue(f"Rule: {text!r} is not a rule with settings, as in 'sgd(momentum=0.9)'.") from None
    return _called(tree, text)


def _called(node: ast.expr, text: str) -> tuple[Rule, Mapping[str, Any]]:
    call = node if isinstance(node, ast.Call) else ast.Call(func=node, args=[], keywords=[])
    if not isinstance(call.func, ast.Name) or len(call.args) > 1:
        raise InvalidValue(f"Rule: {text!r} is not a rule with settings, as in 'lookahead(adam, k=10)'.")
    kind = Rule.named(call.func.id)
    values = {str(keyword.arg): _literal(keyword.value, text) for keyword in call.keywords}
    rule = Rule.from_values(kind.name, values)
    if not call.args:
        return rule, values if not kind.wraps() else {}
    if not kind.wraps():
        raise InvalidValue(f"Rule: {kind.name!r} wraps no other rule, as in {text!r}; a setting is written NAME=VALUE.")
    inner, given = _called(call.args[0], text)
    return dataclasses.replace(rule, **{"rule": inner}), given


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        if isinstance(node, ast.Name) and node.id in ("true", "false"):
            return node.id == "true"
        raise InvalidValue(f"Rule: `{ast.unparse(node)}` in {text!r} is neither a number nor true or false.") from None
