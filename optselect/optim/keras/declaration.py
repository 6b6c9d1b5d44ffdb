"""Signature and documentation of an optimizer class, from the declaration of its rule."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optselect.errors import UnknownName
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.rule import Rule
from optselect.util import other_libraries
from optselect.util.suggestion import suggestion

__all__ = ["bind", "document", "hint", "keras_class", "names", "signature"]

# What every Keras optimizer takes, in Keras's order, with Keras's defaults.
_KERAS: dict[str, tuple[Any, str]] = {
    "weight_decay": (None, "Share of a weight that a step takes away before the rule, times the learning rate."),
    "clipnorm": (None, "Largest norm of each gradient."),
    "clipvalue": (None, "Largest absolute entry of a gradient."),
    "global_clipnorm": (None, "Largest norm of the whole gradient."),
    "use_ema": (False, "Keep a moving average of the weights and put it into the model when training ends."),
    "ema_momentum": (0.99, "Share of the moving average that stays."),
    "ema_overwrite_frequency": (None, "Put the average into the model every so many steps; None: at the end only."),
    "loss_scale_factor": (None, "Factor on the loss, taken off the gradients again."),
    "gradient_accumulation_steps": (None, "Batches whose gradients are averaged for one step."),
    "name": (None, "Name of the optimizer."),
}
_HEAD_LAYERS = (
    "Names of the layers that are the model's head, for rules that treat it apart; "
    "None: the layer of the last trainable variable."
)
_INNER_RATE = "Learning rate of the wrapped rule: a number, a schedule or a function. None: the rule's own."
_INNER_RULE = "The wrapped rule: its name, a rule, or an optimizer of this package or of `keras.optimizers`. None: {}."
_RATE = "{} In [0, inf). A `LearningRateSchedule` or a function is taken too."


def keras_class(kind: type[Rule]) -> Any:
    """The class of `keras.optimizers` that the rule equals, or that has its name and no argument that the rule lacks.

    None if there is none.
    """
    module, _, name = (kind.twin or f"keras.optimizers.{kind.__name__}").rpartition(".")
    found = getattr(importlib.import_module(module), name, None)
    if kind.twin or not isinstance(found, type):
        return found if kind.twin else None
    own = {*_own(kind), *_KERAS, "kwargs"}
    return found if own.issuperset(inspect.signature(found).parameters) else None


def signature(kind: type[Rule]) -> inspect.Signature:
    """How the class is called.

    Where Keras has a class of this rule: its arguments in its order with its defaults, and then, by keyword alone, what
    it has not. Otherwise: the rule's hyperparameters, then what every Keras optimizer takes.
    """
    own = _own(kind)
    theirs = keras_class(kind)
    if theirs is None:
        rest = {name: value for name, (value, _) in _KERAS.items() if name not in own}
        order, by_keyword = {**own, **rest}, {}
    else:
        known = inspect.signature(theirs).parameters.values()
        order = {p.name: p.default for p in known if p.kind is p.POSITIONAL_OR_KEYWORD}
        by_keyword = {name: value for name, value in own.items() if name not in order}
    kinds = [(order, inspect.Parameter.POSITIONAL_OR_KEYWORD), (by_keyword, inspect.Parameter.KEYWORD_ONLY)]
    return inspect.Signature([inspect.Parameter(n, k, default=v) for group, k in kinds for n, v in group.items()])


def _own(kind: type[Rule]) -> dict[str, Any]:
    wrapped = {"rule": None, "learning_rate": None} if kind.wraps() else {}
    heads = {"head_layers": None} if kind.sees_head or kind.wraps() else {}
    hypers = {h.name: h.default for h in kind.hypers()}
    return {**wrapped, **hypers, **{s.name: s.default for s in kind.settings()}, **heads}


def bind(kind: type[Rule], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a call by name.

    Raises `UnknownName` for one that is not in the signature, `InvalidValue` for a clipping outside its domain.
    """
    known = signature(kind)
    for name in kwargs:
        if name not in known.parameters:
            raise UnknownName(f"{kind.__name__}: unknown argument {name!r}. {hint(name, known.parameters)}")
    bound = known.bind(*args, **kwargs)
    bound.apply_defaults()
    for clipping in CLIPPINGS.values():
        given = {h.name: bound.arguments[h.name] for h in clipping.hypers()}
        if any(value is not None for value in given.values()):
            clipping(**given)
    return dict(bound.arguments)


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: what it is called here, the nearest names, all names.

    >>> hint("sync_period", ["k", "alpha"])
    "Did you mean 'k'? Of `Lookahead`. Known: alpha, k."
    """
    said, known_here, rest = suggestion(name, known).partition("Known: ")
    noted = other_libraries.note(name)
    return f"{said}{noted}{' ' if noted else ''}{known_here}{rest}"


def names(kind: type[Rule]) -> list[str]:
    """The arguments that Keras's base class takes care of, without the learning rate."""
    return [name for name in _KERAS if name not in _own(kind)]


def document(kind: type[Rule]) -> str:
    """What the rule does and its equations, every argument with default and domain, and the paper."""
    about = inspect.cleandoc(kind.__doc__ or "").partition(">>>")[0].rstrip()
    own = {
        "rule": _INNER_RULE.format(kind().parts[1] if kind.wraps() else ""),
        "learning_rate": _INNER_RATE,
        "head_layers": _HEAD_LAYERS,
        **{name: doc for name, (_, doc) in _KERAS.items()},
        **{s.name: f"{s.doc} It must be {s.form.words}." for s in kind.settings()},
        **{h.name: f"{h.doc} In {h.domain}." for h in kind.hypers()},
    }
    if not kind.wraps():
        [rate] = [h for h in kind.hypers() if h.name == "learning_rate"]
        own["learning_rate"] = _RATE.format(rate.doc)
    arguments = "\n".join(
        f"    {name}: {own[name]} Defaults to {parameter.default!r}."
        for name, parameter in signature(kind).parameters.items()
    )
    judged = (
        "After `fit` the model holds the point at which it is to be judged; `SwapEvaluated` puts it there for "
        "validation too."
        if kind.evaluated is not Rule.evaluated
        else ""
    )
    parts = [about, kind.good_for, kind.weakness, judged, f"Args:\n{arguments}", f"Reference: {kind.paper}."]
    return "\n\n".join(part for part in parts if part)
