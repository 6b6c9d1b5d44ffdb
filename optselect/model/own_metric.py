"""A function of the user's as the objective of a study, as plain data that a worker process can follow."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.model.reference import PickledFunction, UserFunction, model_reference
from optselect.user_code.functions import is_reference

__all__ = ["ObjectiveLike", "OwnMetric", "own_metric"]

ObjectiveLike = str | Path | Callable[..., float] | tuple[str, Callable[..., float]]
"""An objective as users give it: a name, "FILE.py:FUNCTION", a function (y_true, y_pred) -> number, or a pair."""

_WAYS = ("max", "min")
_NAMELESS = "metric"  # a lambda


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnMetric:
    """A function (target, answers) -> number. name: of the metric. maximize: whether larger is better."""

    name: str
    maximize: bool
    function: UserFunction | PickledFunction

    @property
    def asked(self) -> str:
        """The objective as text, with its direction."""
        return f"{'max' if self.maximize else 'min'}:val_{self.name}"


def own_metric(objective: ObjectiveLike) -> OwnMetric | None:
    """The function that an objective means; None where it is the name of a metric.

    objective: a name, "FILE.py:FUNCTION", "max:FILE.py:FUNCTION", a function, or ("max", function). Raises
    InvalidValue where nothing says which way is better, InvalidModel where the function is not there.

    >>> own_metric("val_loss") is None
    True
    """
    way, given = _apart(objective)
    if isinstance(given, str) and not is_reference(given):
        return None
    if not (isinstance(given, str | Path) or callable(given)):
        raise InvalidValue(
            "Task: `objective` must be the name of a metric, FILE.py:FUNCTION, a function, or a pair such as "
            f'("max", function), got {type(given).__name__}.'
        )
    reference = model_reference(given)
    assert isinstance(reference, UserFunction | PickledFunction)
    name = _name(reference.function if isinstance(reference, UserFunction) else reference.name)
    shown = str(given) if isinstance(given, str | Path) else name
    try:
        maximize = Objective.parse(f"{way}:val_{name}" if way else f"val_{name}").maximize
    except InvalidValue:
        pair = "" if isinstance(given, str | Path) else f', in Python `objective=("max", {name})`'
        raise InvalidValue(f"Is a larger `{name}` better? Say `max:{shown}` or `min:{shown}`{pair}.") from None
    return OwnMetric(name=name, maximize=maximize, function=reference)


def _apart(objective: Any) -> tuple[str, str | Path | Callable[..., Any]]:
    """The direction, "" if none was given, and what it is of."""
    if isinstance(objective, tuple) and len(objective) == 2 and objective[0] in _WAYS:
        return objective
    if isinstance(objective, str):
        way, _, rest = objective.partition(":")
        return (way, rest) if way in _WAYS and is_reference(rest) else ("", objective)
    return "", objective


def _name(function: str) -> str:
    """Of the metric, from that of a function, which may stand in another one or have none."""
    last = function.rpartition(".")[2]
    return last if re.fullmatch(r"\w+", last) else _NAMELESS
