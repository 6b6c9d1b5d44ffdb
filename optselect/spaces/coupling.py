"""How one hyperparameter's search hangs on another: quotients (`Search.per`) and conditions (`Search.when`)."""

from __future__ import annotations

import dataclasses
import graphlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optselect.optim.hyperparameters import Hyper, Search
from optselect.spaces.document import spelt

__all__ = ["can_hold", "factor", "holds", "in_order", "leaning_mistakes", "leans_on", "partner", "prefixed"]

_NAME = r"[A-Za-z_][\w.]*"
_PER = re.compile(rf"(?P<minus>1-)?(?P<root>sqrt\()?(?P<name>{_NAME})(?(root)\))")


def partner(per: str) -> str | None:
    """The hyperparameter in a quotient's denominator; None if it is not written as one.

    >>> partner("epsilon"), partner("1-momentum"), partner("sqrt(epsilon)"), partner("2*epsilon")
    ('epsilon', 'momentum', 'epsilon', None)
    """
    match = _PER.fullmatch(per)
    return match["name"] if match and not (match["minus"] and match["root"]) else None


def factor(per: str, values: Mapping[str, Any]) -> float:
    """The denominator. `values`: all hyperparameters by name.

    >>> factor("1-momentum", {"momentum": 0.9}), factor("sqrt(epsilon)", {"epsilon": 0.25}), factor("", {})
    (0.1, 0.5, 1.0)
    """
    if not per:
        return 1.0
    value = float(values[str(partner(per))])
    if per.startswith("1-"):
        return round(1 - value, 12)
    return math.sqrt(value) if per.startswith("sqrt(") else value


def holds(allowed: Search, value: Any) -> bool:
    """Whether a value is among those of a condition."""
    if allowed.scale == "choice":
        return value in allowed.choices
    return bool(allowed.low <= value <= allowed.high)


def can_hold(allowed: Search, search: Search | None, default: Any) -> bool:
    """Whether a hyperparameter that is searched so can have a value of the condition.

    A range meets single values with chance zero.
    """
    if (search is None or search.from_trials or search.when) and holds(allowed, default):
        return True
    if search is None or search.scale == "choice":
        return search is not None and any(holds(allowed, choice) for choice in search.choices)
    if allowed.scale == "choice":
        return False
    return bool(search.per) or (allowed.low <= search.high and search.low <= allowed.high)


def leans_on(search: Search) -> list[str]:
    """The hyperparameters that must have their values before this one is drawn."""
    return [name for name, _ in search.when] + [name for name in [partner(search.per)] if name]


def in_order(searches: Mapping[str, Search]) -> Iterable[str]:
    """The names so that each comes after those that it leans on. Raises `graphlib.CycleError` for a circle."""
    graph = {name: [n for n in leans_on(search) if n in searches] for name, search in searches.items()}
    return graphlib.TopologicalSorter(graph).static_order()


def prefixed(search: Search, prefix: str) -> Search:
    """The same search where the names that it leans on have a prefix.

    >>> prefixed(Search("log", 0.01, 1.0, per="1-momentum"), "rule.").per
    '1-rule.momentum'
    """
    name = partner(search.per)
    per = search.per.replace(name, prefix + name) if name else ""
    return dataclasses.replace(search, per=per, when=tuple((prefix + other, what) for other, what in search.when))


def leaning_mistakes(
    where: str, hypers: Mapping[str, Hyper], values: Mapping[str, Any], searches: Mapping[str, Search], name: str
) -> list[str]:
    """What is wrong with what a search leans on, now that all searches of its member are known.

    values: where nothing is searched.
    """
    search, wrong = searches[name], []
    for other, allowed in search.when:
        if not can_hold(allowed, searches.get(other), values[other]):
            text = f"{where}: its condition never holds: {other} is {_whereabouts(searches.get(other), values[other])}."
            ranged = other in searches and searches[other].scale != "choice" and allowed.scale == "choice"
            wrong.append(text + (" Give the condition a `low` or `high`." if ranged else ""))
    other_name = partner(search.per)
    if other_name:
        other_search = searches.get(other_name)
        if other_search and other_search.per:
            wrong.append(f"{where}: `per: {search.per}`, but {other_name} is a quotient itself.")
            return wrong
        ends = _ends(other_search, values[other_name])
        try:
            corners = [end * factor(search.per, {other_name: e}) for end in (search.low, search.high) for e in ends]
        except (ValueError, OverflowError):  # the root of a negative number
            corners = [math.nan]
        if not all(hypers[name].domain.contains(corner) for corner in corners):
            wrong.append(f"{where}: `per: {search.per}` takes it out of {hypers[name].domain}.")
    return wrong


def _ends(search: Search | None, default: Any) -> Sequence[float]:
    if search is None:
        return [default]
    return search.choices if search.scale == "choice" else [search.low, search.high]


def _whereabouts(search: Search | None, default: Any) -> str:
    if search is None:
        return f"not searched and stays at {spelt(default)}"
    if search.scale == "choice":
        return " or ".join(spelt(choice) for choice in search.choices)
    return f"searched from {spelt(search.low)} to {spelt(search.high)}"
