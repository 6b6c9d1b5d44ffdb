"""A space as YAML, in full."""

from __future__ import annotations

from typing import Any, TextIO

from optselect.spaces.families import member
from optselect.spaces.space import Space

__all__ = ["write_yaml"]


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
    content = space.to_dict()
    arms = CommentedMap(content["optimizers"])
    for key in arms:
        arms.yaml_set_comment_before_after_key(key, before=_source(key), indent=2)
    yaml.dump({**content, "optimizers": arms}, stream)


def _source(key: str) -> str:
    rule: Any = member("optimizers", key)
    return "\n".join(part.paper for part in rule.parts if part.paper)
