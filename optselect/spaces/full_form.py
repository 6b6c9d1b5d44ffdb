"""What a space's file says in full, as JSON types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import Search
from optselect.spaces.families import Members, declared, defaults, member

__all__ = ["full_form"]


def full_form(description: str, sections: Mapping[str, Members], batch_size: Search) -> dict[str, Any]:
    """The content of the file, by section; a description only if there is one."""
    described = {"description": description} if description else {}
    members = {section: _members(section, found) for section, found in sections.items()}
    return {**described, **members, "batch_size": _search(batch_size)}


def _members(section: str, members: Members) -> dict[str, Any]:
    return {name: {**_unsearched(section, name, own), **_searches(own)} for name, own in members.items()}


def _searches(own: Mapping[str, Search]) -> dict[str, Any]:
    return {key: _search(search) for key, search in own.items()}


def _unsearched(section: str, name: str, own: Mapping[str, Search]) -> dict[str, Any]:
    """What a member declares and the space leaves at its default. A file must say so, for else it is searched."""
    of = member(section, name)
    return {key: [defaults(of)[key]] for key in declared(of) if key not in own}


def _search(search: Search) -> Any:
    """A list, or a mapping where there is more to say."""
    more: dict[str, Any] = {"from_trials": search.from_trials} if search.from_trials else {}
    if search.when:
        more["when"] = {name: _condition(allowed) for name, allowed in search.when}
    if search.scale == "choice":
        choices = list(search.choices)
        return {"choices": choices, **more} if more else choices
    per = {"per": search.per} if search.per else {}
    return {"low": search.low, "high": search.high, "scale": search.scale, **per, **more}


def _condition(allowed: Search) -> Any:
    if allowed.scale == "choice":
        return list(allowed.choices)
    ends: Mapping[str, float] = {"low": allowed.low, "high": allowed.high}
    return {name: end for name, end in ends.items() if math.isfinite(end)}
