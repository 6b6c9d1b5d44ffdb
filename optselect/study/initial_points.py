"""What every arm tries first: defaults, known-good configurations, what the range test suggests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from optselect.optim.configuration import BASELINE, Configuration
from optselect.spaces import Space

__all__ = ["first_points"]


def first_points(
    space: Space,
    arm: str,
    *,
    rows: int,
    start: Iterable[Configuration] = (),
    suggested: Sequence[float] = (),
    below: float = math.inf,
) -> list[Configuration]:
    """The first configurations of an arm, none twice.

    Its rule as Keras has it; as its paper has it, where that differs; of `start` those of the arm; the rule as Keras
    has it at each of the `suggested` learning rates. rows: of the training part. below: from this learning rate on
    training is known to diverge: the first two are left out there, unless nothing else is left. Defaults come first:
    trying several optimizers at theirs is worth about as much as tuning one (Schmidt et al. 2021, arXiv:2007.01547).

    >>> from optselect.spaces import default_space
    >>> [str(c) for c in first_points(default_space(), "adam", rows=1000, suggested=(0.01,))]
    ['Adam (learning_rate 0.001, batch 32)', 'Adam (learning_rate 0.01, batch 32)']
    """
    rule = space.defaults(arm)
    default = Configuration(rule=rule, batch_size=min(BASELINE.batch_size, rows))
    published = rule.replaced(**rule.base.published) if rule.base.published else rule
    rules = [published, *(rule.replaced(learning_rate=rate) for rate in suggested)]
    paper, *tried = (dataclasses.replace(default, rule=other) for other in rules)
    own = [dataclasses.replace(c, batch_size=min(c.batch_size, rows)) for c in start if c.rule.key == arm]
    usual = [c for c in (default, paper) if c.learning_rate < below]
    return list(dict.fromkeys([*usual, *own, *tried])) or [default]
