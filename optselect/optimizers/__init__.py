"""Every rule as a `keras.optimizers.Optimizer`, for `model.compile`; no study is needed.

One class a rule, made from its declaration, under its name; importing this module loads no Keras. A model that was
saved with one of them is loaded with `keras.saving.load_model` after `import keras, optselect.optimizers`, and
`model.compile("radam")` then works too.

>>> import keras, numpy as np
>>> from optselect import optimizers
>>> keras.utils.set_random_seed(0)
>>> x = np.random.default_rng(0).normal(size=(64, 3))
>>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
>>> model.compile(optimizers.Lookahead(rule="radam", learning_rate=0.3, k=5), loss="mse")
>>> history = model.fit(x, x @ [[1.0], [2.0], [3.0]], epochs=20, batch_size=8, verbose=0)
>>> history.history["loss"][-1] < 0.01
True
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from optselect.errors import UnknownName
from optselect.optim.keras import keras_backend
from optselect.optim.keras.declaration import hint
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.util import other_libraries

keras_backend.check()
_KINDS = {kind.__name__: kind for kind in RULES.values()}

__all__ = sorted([*_KINDS, "SwapEvaluated", "deserialize", "get", "register", "serialize"])


def __getattr__(name: str) -> Any:  # the classes are made when they are asked for, and Keras is loaded then
    if name in _KINDS:
        from optselect.optim.keras.derived import derive

        return derive(_KINDS[name])
    if name == "SwapEvaluated":
        from optselect.optim.keras.swap import SwapEvaluated

        return SwapEvaluated
    said = hint(name, __all__) if not name.startswith("_") else ""
    if other_libraries.called_here(name, __all__) and sys._getframe(1).f_globals["__name__"] == "importlib._bootstrap":
        # `from ... import`, which would put a message of its own in the place of an AttributeError's.
        raise ImportError(f"cannot import {name!r} from {__name__!r}. {said}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {said}".rstrip())


def __dir__() -> list[str]:
    return __all__


def get(identifier: Any) -> Any:
    """A Keras optimizer from whatever names one.

    identifier: a rule's key, "radam" or "lookahead(radam)"; a class's name, "RAdam"; a rule; a rule as a dict,
    `{"name": "radam", "beta_1": 0.8}`; what `serialize` gives; an optimizer, which is returned as it is.

    Raises `UnknownName` or `InvalidValue`.

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


def serialize(optimizer: Any) -> dict[str, Any]:
    """An optimizer as a dict of JSON types, without its state: the inverse of `deserialize`."""
    import keras

    config: dict[str, Any] = keras.saving.serialize_keras_object(optimizer)
    return config


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` was given, fresh. `custom_objects`: as Keras has it."""
    import keras

    register()
    return keras.saving.deserialize_keras_object(dict(config), custom_objects=custom_objects)


def register() -> None:
    """Make every class known to Keras, for `keras.saving.load_model` and `model.compile("radam")`.

    Importing this module does it if Keras is there already.

    Notes
    -----
    A string is the name of a rule that Keras itself does not take, and that wraps no other. Keras prefers what is
    registered to what `custom_objects` says, so the names of the classes, as in "RAdam", are registered with the
    package's name alone: a class of yours that is called the same is not taken for ours.

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


if "keras" in sys.modules:
    register()
