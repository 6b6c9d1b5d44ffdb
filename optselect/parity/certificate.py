"""Any Keras optimizer beside a rule, or beside another Keras optimizer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from optselect.clipping import CLIPPINGS, Clipping, NoClipping
from optselect.errors import InvalidValue, UnknownName
from optselect.lazy import tf
from optselect.parity.cases import named
from optselect.parity.walking import STEPS, Applied, Comparison, DType, Side, Stepped, compared
from optselect.rule import Rule
from optselect.rules import RULES

__all__ = ["certify"]

Tensor = Any


def certify(
    optimizer: Any, against: Any = None, *, steps: int = STEPS, dtype: DType = "float32", eager: bool = False
) -> Comparison:
    """Step any Keras optimizer beside a rule, or beside another Keras optimizer, with the same gradients.

    optimizer: an instance that has not been built (it is then built for the comparison, and of no further use), a
    class, or a function of no arguments that makes one. against: the same, or a rule or the name of one; by default
    the rule whose class or twin the optimizer is called like or derived from. A rule given by name takes learning
    rate, clipping and hyperparameters from the optimizer.

    Raises `InvalidValue` or `UnknownName`.

    >>> import keras
    >>> certify(keras.optimizers.SGD(momentum=0.5), "sgd", steps=20).bit_equal
    True
    """
    made = _made(optimizer, "optimizer")
    beside: Side
    if against is None or isinstance(against, str | Rule):
        rule = against if isinstance(against, Rule) else _like(named(against) if against else _kin(made), made)
        beside, name = Stepped(rule, _rate(made), _clipping(made)), _spelt(rule)
    else:
        beside, name = Applied(_made(against, "against")), _called(against)
    return compared(_called(made), name, Applied(made), beside, dtype, steps=steps, eager=eager)


def _made(thing: Any, what: str) -> Any:
    """A Keras optimizer that has not been built."""
    import keras

    made = thing() if callable(thing) and not isinstance(thing, keras.optimizers.Optimizer) else thing
    if not isinstance(made, keras.optimizers.Optimizer):
        raise InvalidValue(
            f"certify: `{what}` must be a Keras optimizer, a class or a function that gives one, got {made!r}."
        )
    if made.built:
        raise InvalidValue(
            f"certify: `{what}` has been built already: give its class, or a function that makes it anew."
        )
    return made


def _called(optimizer: Any) -> str:
    kind = optimizer if isinstance(optimizer, type) or not hasattr(optimizer, "apply") else type(optimizer)
    return str(getattr(kind, "__name__", kind))


def _spelt(rule: Rule) -> str:
    """The rule and what it takes from itself: all but the learning rate."""
    own = {k: v for part in rule.parts for k, v in part.values().items() if k != "learning_rate"}
    return f"{rule.key} ({', '.join(f'{k} {v}' for k, v in own.items())})" if own else rule.key


def _kin(optimizer: Any) -> type[Rule]:
    """The rule that the optimizer's class, or the nearest of its bases, is called like."""
    by_name = {rule.__name__.lower(): rule for rule in RULES.values()}
    for base in type(optimizer).__mro__:
        name = base.__name__.replace("_", "").lower()
        if name in by_name:
            return by_name[name]
    raise UnknownName(
        f"parity: no rule is called like {type(optimizer).__name__}; say which it should be: {', '.join(RULES)}."
    )


def _like(kind: type[Rule], optimizer: Any) -> Rule:
    """The rule with the optimizer's hyperparameters; one that it has not takes the twin's value, or its default."""
    config = optimizer.get_config()
    own = {h.name for h in kind.hypers()}
    if config.get("weight_decay") and "weight_decay" not in own:
        raise InvalidValue(f"certify: `weight_decay` is {config['weight_decay']!r}, and {kind.name} has none.")
    values = {name: value for name, value in kind.twin_at.items() if name in own}
    for h in kind.hypers():
        value = config.get(h.name, getattr(optimizer, h.name, None))
        if h.name == "learning_rate" or (value is None and h.name not in config):
            continue
        if value is None and not h.domain.contains(0.0):
            raise InvalidValue(f"certify: `{h.name}` is None, which {kind.name} does not know.")
        values[h.name] = bool(value) if h.domain.boolean else float(value or 0.0)
    return kind(**values)


def _rate(optimizer: Any) -> Callable[[Tensor], Tensor]:
    """The learning rate as a function of the step, counted from 0."""
    for name in ("use_ema", "gradient_accumulation_steps", "loss_scale_factor"):
        if getattr(optimizer, name, None):
            raise InvalidValue(f"certify: a rule knows no `{name}`: switch it off, or compare with a Keras optimizer.")
    rate = optimizer._learning_rate  # the schedule itself, which `learning_rate` hides behind its value
    if isinstance(rate, importlib.import_module("keras").optimizers.schedules.LearningRateSchedule):
        return lambda step: tf.convert_to_tensor(rate(step))
    value = tf.identity(optimizer.learning_rate)
    return lambda step: value


def _clipping(optimizer: Any) -> Clipping:
    for kind in CLIPPINGS.values():
        given = {h.name: getattr(optimizer, h.name, None) for h in kind.hypers()}
        if given and all(value is not None and value > 0 for value in given.values()):
            return kind(**given)
    return NoClipping()
