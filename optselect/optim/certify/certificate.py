"""Any Keras optimizer beside a rule, or beside another Keras optimizer."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.certify.cases import named
from optselect.optim.certify.walking import STEPS, Applied, Comparison, DType, Side, Stepped, compared
from optselect.optim.clipping import CLIPPINGS, Clipping, NoClipping
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.util.lazy import tf
from optselect.util.other_libraries import called_here
from optselect.util.suggestion import suggestion

__all__ = ["certify", "likely_twin"]

Tensor = Any


def certify(
    optimizer: Any, against: Any = None, *, steps: int = STEPS, dtype: DType = "float32", eager: bool = False
) -> Comparison:
    """Step any Keras optimizer beside a rule, or beside another Keras optimizer, with the same gradients.

    optimizer: an instance that has not been built (it is then built for the comparison, and of no further use), a
    class, or a function of no arguments that makes one. against: the same, or a rule or the name of one; by default
    the rule of `likely_twin`. A rule given by name takes learning
    rate, clipping and hyperparameters from the optimizer.

    Raises `InvalidValue` or `UnknownName`.

    >>> import keras
    >>> certify(keras.optimizers.SGD(momentum=0.5), "sgd", steps=20).bit_equal
    True
    """
    made = _made(optimizer, "optimizer")
    beside: Side
    if against is None or isinstance(against, str | Rule):
        rule = against if isinstance(against, Rule) else _like(named(against or likely_twin(made)), made)
        beside, name = Stepped.clipped(rule, _rate(made), _clipping(made)), _spelt(rule)
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


def likely_twin(optimizer: Any) -> str:
    """Name the rule that an optimizer is probably meant to be.

    The name of its class, then those of the base classes, are searched for the name of a rule, or of what it
    is called in another library. The longest counts.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer, type or callable
        As `certify` takes it.

    Returns
    -------
    str
        The rule's name.

    Raises
    ------
    UnknownName
        If no name contains that of a rule.

    Examples
    --------
    >>> import keras
    >>> class MyAdamW(keras.optimizers.Optimizer):
    ...     pass
    >>> likely_twin(MyAdamW(learning_rate=0.1))
    'adamw'
    """
    kind = type(_made(optimizer, "optimizer"))
    for base in kind.__mro__:
        named = called_here(base.__name__, RULES)
        found = [rule for rule in RULES if _names(base.__name__, rule.replace("_", ""))]
        if named or found:
            return named[0] if named else max(found, key=len)
    hint = suggestion(kind.__name__.lower(), RULES)
    raise UnknownName(f"parity: no rule is called like {kind.__name__}; say which it should be. {hint}")


def _names(kind: str, rule: str) -> bool:
    """Whether a class's name contains a rule's; a short one, such as "ema" in "Schema", only as a word of its own."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", kind)]
    return rule in words if len(rule) < 4 else rule in "".join(words)


def _like(kind: type[Rule], optimizer: Any) -> Rule:
    """The rule with the optimizer's hyperparameters; one that it has not takes the twin's value, or its default."""
    config = optimizer.get_config()
    config |= kind.of_twin(config)
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
    return kind(**values, **{s.name: config[s.name] for s in kind.settings() if s.name in config})


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
