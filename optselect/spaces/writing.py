"""A space as YAML, in full."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TextIO

from optselect.optim.hyperparameters import Search
from optselect.spaces.families import FAMILIES, Members, declared, defaults, member
from optselect.spaces.space import Space

__all__ = ["plain", "write_yaml"]


def plain(space: Space) -> dict[str, Any]:
    """What the YAML says, JSON types only."""
    described = {"description": space.description} if space.description else {}
    return {
        **described,
        **{section: _members(section, getattr(space, section)) for section in FAMILIES},
        "batch_size": _search(space.batch_size),
    }


def write_yaml(space: Space, stream: TextIO) -> None:
    """Write a search space as YAML that `load_space` reads back, with the papers of its rules as comments.

    Parameters
    ----------
    space : Space
        The space.
    stream : file object
        A text file that is open for writing.

    Examples
    --------
    >>> import sys
    >>> from optselect.spaces import default_space
    >>> write_yaml(default_space().only(["sgd"]), sys.stdout)  # doctest: +ELLIPSIS
    description: what the rules declare ...
    optimizers:
      # Robbins & Monro 1951; momentum: Polyak 1964; nesterov: Sutskever et al. 2013
      sgd:
        learning_rate: {low: 0.001, high: 1.0, scale: log}
    ...
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    yaml = YAML(typ="rt")
    yaml.default_flow_style = None  # leaves in one line, the rest in blocks
    yaml.width = 110
    content = plain(space)
    arms = CommentedMap(content["optimizers"])
    for key in arms:
        arms.yaml_set_comment_before_after_key(key, before=_source(key), indent=2)
    yaml.dump({**content, "optimizers": arms}, stream)


def _source(key: str) -> str:
    rule: Any = member("optimizers", key)
    return "\n".join(part.paper for part in rule.parts if part.paper)


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
