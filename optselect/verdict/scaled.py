"""A configuration for another batch size, more rows or more epochs: a starting point, to be checked at three rates."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

from optselect.errors import InvalidValue
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule

__all__ = ["around", "rescaled"]

THIRDS = (1 / 3, 1.0, 3.0)


def rescaled(configuration: Configuration, *, batch_size: int, rows: float = 1.0, epochs: float = 1.0) -> Configuration:
    """The configuration that should go the same way through the examples with another batch size.

    With s the new batch size over the old: the learning rate grows by s under SGD (Goyal et al. 2017,
    arXiv:1706.02677), by √s under Adam, whose epsilon shrinks by √s (Malladi et al. 2022, arXiv:2205.10287), and
    for the other rules as their `scaling` says. A mean's decay becomes βˢ (Busbridge et al. 2023,
    arXiv:2307.13813), which to first order is Malladi's 1 - s (1 - β) and never leaves [0, 1). Weight decay keeps
    its timescale 1 / (η λ steps an epoch) in epochs (Wang & Aitchison 2024, arXiv:2405.13698), also where there
    are more rows. Thresholds of clipping shrink by √s as the noise does; schedules are shares of training and stay.

    All of that holds where noise outweighs the mean gradient; beyond the critical batch size the best rate grows
    less. So train at the three rates of `around` before trusting it. Numbers are rounded to four digits.

    rows, epochs: how many times as many as before. Raises `InvalidValue`.

    >>> from optselect.optim.rules.adamw import AdamW
    >>> tuned = Configuration(rule=AdamW(learning_rate=1e-3, weight_decay=0.1, beta_1=0.9, epsilon=1e-6))
    >>> print(rescaled(tuned, batch_size=128))            # s = 4
    AdamW (learning_rate 0.002, weight_decay 0.2, beta_1 0.656, beta_2 0.996, epsilon 5e-07, batch 128)
    >>> rescaled(tuned, batch_size=32, rows=10).changed()["weight_decay"]        # ten times the steps an epoch
    0.01
    """
    for name, value in (("rows", rows), ("epochs", epochs)):
        if not 0 < value < float("inf"):
            raise InvalidValue(f"rescaled: `{name}` must be a positive number, got {value!r}.")
    moved = dataclasses.replace(configuration, batch_size=batch_size)  # checks the batch size
    s = moved.batch_size / configuration.batch_size
    *wrappers, base = (dataclasses.replace(p, **_followed(p, s, rows, epochs)) for p in configuration.rule.parts)
    rule = functools.reduce(lambda inner, part: dataclasses.replace(part, **{"rule": inner}), wrappers[::-1], base)
    clipping = configuration.clipping
    thresholds = {name: _short(value, value * s**-0.5) for name, value in clipping.values().items()}
    return dataclasses.replace(moved, rule=rule, clipping=dataclasses.replace(clipping, **thresholds))


def around(configuration: Configuration, factors: Iterable[float] = THIRDS) -> list[Configuration]:
    """The configuration at several multiples of its learning rate.

    >>> from optselect.optim.rules.sgd import SGD
    >>> [str(c) for c in around(Configuration(rule=SGD(learning_rate=0.3)))]
    ['SGD (learning_rate 0.1, batch 32)', 'SGD (learning_rate 0.3, batch 32)', 'SGD (learning_rate 0.9, batch 32)']
    """
    rate = configuration.learning_rate
    rules = (configuration.rule.replaced(learning_rate=_short(rate, rate * factor)) for factor in factors)
    return [dataclasses.replace(configuration, rule=rule) for rule in rules]


def _followed(part: Rule, s: float, rows: float, epochs: float) -> dict[str, Any]:
    """The hyperparameters of a rule, without those of the rule that it wraps, for s times the batch size."""
    facts, found = part.scaling, part.values()
    for name, value in part.values().items():
        if name in facts.means:
            found[name] = _kept(value, s)
        elif name in facts.steps:
            count = value * rows * epochs / s
            found[name] = value if count == value else float(max(round(count), min(value, 1.0)))
        elif name in facts.decays:
            power = facts.powers.get(name, 1 - facts.powers.get("learning_rate", 0.0))
            found[name] = _short(value, value * s**power / rows)
        elif name in facts.powers:
            found[name] = _short(value, value * s ** facts.powers[name])
    return found


def _kept(beta: float, s: float) -> float:
    """βˢ, to four digits of it or of 1 - βˢ; strictly inside (0, 1), also in float32, where programs compute."""
    if s == 1 or beta == 0:
        return beta
    kept = min(max(beta**s, 1e-6), 1 - 1e-6)
    return float(f"{kept:.4g}") if kept < 0.5 else round(1 - float(f"{1 - kept:.4g}"), 12)


def _short(old: float, new: float) -> float:
    """The new value to four digits; the old one untouched if nothing changed."""
    return old if new == old else float(f"{new:.4g}")
