"""Optimizers by name, to a dict and back, and known to Keras."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optselect.errors import UnknownName
from optselect.optim.keras.declaration import hint
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse

if TYPE_CHECKING:
    from keras.optimizers import Optimizer

__all__ = ["deserialize", "get", "register", "serialize"]

_KINDS = {kind.__name__: kind for kind in RULES.values()}


def get(identifier: str | Rule | Mapping[str, Any] | Optimizer) -> Optimizer:
    """Make a Keras optimizer from a name, a rule or a dict.

    Parameters
    ----------
    identifier : str or Rule or dict or Optimizer
        The key of a rule, such as "radam" or "lookahead(radam)"; the name of a class, "RAdam"; a rule; a rule as a
        dict, `{"name": "radam", "beta_1": 0.8}`; what `serialize` returned; or an optimizer, which is returned as it
        is.

    Returns
    -------
    keras.optimizers.Optimizer
        The optimizer.

    Raises
    ------
    UnknownName
        If no rule or argument has that name.
    InvalidValue
        If a hyperparameter is outside its domain.

    Examples
    --------
    >>> get("radam").rule.beta_2
    0.999
    >>> get("RAdm")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    optselect.errors.UnknownName: Rule: no member is called 'RAdm'. Did you mean 'RAdam' ...
    """
    from optselect.optim.keras.derived import derive, is_optimizer

    if is_optimizer(identifier):
        return identifier
    if isinstance(identifier, Mapping) and "class_name" in identifier:
        return deserialize(identifier)
    if isinstance(identifier, str):
        identifier = _named(identifier)
    rule = identifier if isinstance(identifier, Rule) else Rule.from_dict(identifier)
    return derive(type(rule))(**rule.values(), **rule.chosen(), **({"rule": rule.parts[1]} if rule.wraps() else {}))


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Describe an optimizer as a dict of JSON types, without its state.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        The optimizer.

    Returns
    -------
    dict
        What `deserialize` and `get` take.

    Examples
    --------
    >>> serialize(get("radam"))["registered_name"]
    'optselect>RAdam'
    """
    import keras

    config: dict[str, Any] = keras.saving.serialize_keras_object(optimizer)
    return config


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Make the optimizer that `serialize` described, with fresh state.

    Parameters
    ----------
    config : dict
        What `serialize` returned.
    custom_objects : dict, optional
        Classes and functions by name, as in `keras.saving.deserialize_keras_object`.

    Returns
    -------
    keras.optimizers.Optimizer
        The optimizer.

    Examples
    --------
    >>> deserialize(serialize(get({"name": "radam", "beta_1": 0.8}))).rule.beta_1
    0.8
    """
    import keras

    register()
    return keras.saving.deserialize_keras_object(dict(config), custom_objects=custom_objects)


def register() -> None:
    """Register every class with Keras, for `keras.saving.load_model` and `model.compile("radam")`.

    Importing `optselect.optimizers` after Keras calls this function.

    Notes
    -----
    The strings are the names of the rules that Keras itself does not know and that wrap no other rule. Keras prefers
    registered names to `custom_objects`, so the names of the classes, such as "RAdam", are registered only together
    with the name of the package: a user's class of the same name is not replaced.

    Examples
    --------
    >>> import keras
    >>> register()
    >>> type(keras.optimizers.get("radam")).__module__, type(keras.optimizers.get("adam")).__module__.split(".")[0]
    ('optselect.optimizers', 'keras')
    """
    import keras

    from optselect.optim.keras.derived import derive

    # Strings that Keras knows: not all of its classes, "lamb" for example is not among them.
    theirs = importlib.import_module("keras.src.optimizers").ALL_OBJECTS_DICT
    for name, kind in RULES.items():
        made = derive(kind)
        if name not in theirs and not kind.wraps():
            keras.saving.get_custom_objects().setdefault(name, made)


def _named(name: str) -> Rule:
    """The rule of that key or class name."""
    if name in _KINDS:
        return _KINDS[name]()
    if "(" in name or name in RULES:
        return parse(name)
    raise UnknownName(f"Rule: no member is called {name!r}. {hint(name, [*RULES, *_KINDS])}")
