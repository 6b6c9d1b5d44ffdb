"""What a space is made of: the families of rules, schedules and clippings, and what each member declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.errors import UnknownName
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.hyperparameters import Declared, Hyper, Search
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.optim.schedules import SCHEDULES
from optselect.spaces.coupling import prefixed
from optselect.util.suggestion import suggestion

__all__ = ["FAMILIES", "SHARED", "Member", "Members", "declared", "declared_members", "defaults", "hypers", "member"]

Member = Rule | type[Declared]  # a rule with what it wraps, or a kind of schedule or clipping
Members = Mapping[str, Mapping[str, Search]]
FAMILIES: dict[str, Mapping[str, type[Declared]]] = {
    "optimizers": RULES,
    "schedules": SCHEDULES,
    "clipping": CLIPPINGS,
}
SHARED = {"schedule": "schedules", "clipping": "clipping", "batch_size": "batch_size"}  # arms' name to space's name


def member(section: str, name: str) -> Member:
    """The member of a family by its name, a rule by its key. Raises `UnknownName`.

    >>> member("optimizers", "ema(adam)").key
    'ema(adam)'
    """
    if section == "optimizers":
        return parse(name)
    if name not in FAMILIES[section]:
        raise UnknownName(f"no member is called {name!r}. {suggestion(name, FAMILIES[section])}")
    return FAMILIES[section][name]


def hypers(of: Member) -> dict[str, Hyper]:
    """The hyperparameters by name, "rule." before those of a wrapped rule."""
    parts: Mapping[str, Member] = of.named_parts() if isinstance(of, Rule) else {"": of}
    return {prefix + h.name: h for prefix, part in parts.items() for h in part.hypers()}


def defaults(of: Member) -> dict[str, Any]:
    """The values that are used where nothing is searched, by the names of `hypers`."""
    return of.named_numbers() if isinstance(of, Rule) else {h.name: h.default for h in of.hypers()}


def declared(of: Member) -> dict[str, Search]:
    """The searches that a member declares, and what it wraps."""
    found = {name: (h.search, name.removesuffix(h.name)) for name, h in hypers(of).items()}
    return {name: prefixed(search, before) for name, (search, before) in found.items() if search is not None}


def declared_members(section: str, *, common: bool) -> dict[str, dict[str, Search]]:
    """All members of a family as declared, or the common ones."""
    return {
        name: declared(member(section, name)) for name, kind in FAMILIES[section].items() if kind.common or not common
    }
