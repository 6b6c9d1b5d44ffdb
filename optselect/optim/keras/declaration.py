"""The arguments of an optimizer class, from the declaration of its rule."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optselect.errors import UnknownName
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.hyperparameters import Hyper
from optselect.optim.rule import Rule
from optselect.util import other_libraries
from optselect.util.suggestion import suggestion

__all__ = ["Argument", "arguments", "bind", "hint", "keras_class", "names", "signature"]


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of an optimizer class: its default, its type as Python code, and a sentence about it."""

    name: str
    default: Any
    annotation: str
    doc: str


# The arguments of every Keras optimizer, in Keras's order.
_KERAS: tuple[Argument, ...] = (
    Argument("weight_decay", None, "float", "Share of the weights removed at each step, times the learning rate."),
    Argument("clipnorm", None, "float", "Largest norm of the gradient of each variable."),
    Argument("clipvalue", None, "float", "Largest absolute entry of a gradient."),
    Argument("global_clipnorm", None, "float", "Largest norm of the gradients of all variables together."),
    Argument(
        "use_ema", False, "bool", "Keep a moving average of the weights and store it in the model after training."
    ),
    Argument("ema_momentum", 0.99, "float", "Decay rate of the moving average."),
    Argument(
        "ema_overwrite_frequency",
        None,
        "int",
        "Number of steps after which the average replaces the weights. None: only at the end of training.",
    ),
    Argument("loss_scale_factor", None, "float", "Factor applied to the loss and divided out of the gradients."),
    Argument("gradient_accumulation_steps", None, "int", "Number of batches whose gradients are averaged per step."),
    Argument("name", None, "str", "Name of the optimizer."),
)
_BY_NAME = {argument.name: argument for argument in _KERAS}
_RATE = "float | Callable[..., Any]"
_RATE_DOC = "{} In [0, inf). A `LearningRateSchedule` or a function without arguments is accepted too."
_WRAPPED = (
    Argument(
        "rule",
        None,
        "str | Rule | Mapping[str, Any] | Optimizer",
        "The wrapped rule: its name, a rule, or an optimizer of this package or of `keras.optimizers`. None: {}.",
    ),
    Argument("learning_rate", None, _RATE, "Learning rate of the wrapped rule. None: the rule's own."),
)
_HEAD_LAYERS = Argument(
    "head_layers",
    None,
    "Sequence[str]",
    "Names of the layers that form the head of the model, for rules that treat it differently. "
    "None: the layer of the last trainable variable.",
)


def keras_class(kind: type[Rule]) -> Any:
    """The class of `keras.optimizers` that the rule equals, or that has its name and no argument that the rule lacks.

    None if there is none.
    """
    module, _, name = (kind.twin or f"keras.optimizers.{kind.__name__}").rpartition(".")
    found = getattr(importlib.import_module(module), name, None)
    if kind.twin or not isinstance(found, type):
        return found if kind.twin else None
    own = {*_own(kind), *_BY_NAME, "kwargs"}
    return found if own.issuperset(inspect.signature(found).parameters) else None


def signature(kind: type[Rule]) -> inspect.Signature:
    """How the class is called.

    Where Keras has a class of this rule: its arguments in its order with its defaults, and then, by keyword alone, what
    it has not. Otherwise: the rule's hyperparameters, then what every Keras optimizer takes.
    """
    own = {name: argument.default for name, argument in _own(kind).items()}
    theirs = keras_class(kind)
    if theirs is None:
        rest = {argument.name: argument.default for argument in _KERAS if argument.name not in own}
        order, by_keyword = {**own, **rest}, {}
    else:
        known = inspect.signature(theirs).parameters.values()
        order = {p.name: p.default for p in known if p.kind is p.POSITIONAL_OR_KEYWORD}
        by_keyword = {name: value for name, value in own.items() if name not in order}
    kinds = [(order, inspect.Parameter.POSITIONAL_OR_KEYWORD), (by_keyword, inspect.Parameter.KEYWORD_ONLY)]
    return inspect.Signature([inspect.Parameter(n, k, default=v) for group, k in kinds for n, v in group.items()])


def arguments(kind: type[Rule]) -> list[Argument]:
    """The arguments in the order of `signature`, with its defaults."""
    known = {**_BY_NAME, **_own(kind)}
    return [dataclasses.replace(known[p.name], default=p.default) for p in signature(kind).parameters.values()]


def _own(kind: type[Rule]) -> dict[str, Argument]:
    """The arguments that the rule declares, or that it takes because it wraps another or treats the head apart."""
    own = [_declared(h) for h in kind.hypers()]
    own += [
        Argument(s.name, s.default, s.form.annotation, f"{s.doc} It must be {s.form.words}.") for s in kind.settings()
    ]
    if kind.wraps():
        rule, rate = _WRAPPED
        own = [dataclasses.replace(rule, doc=rule.doc.format(kind().parts[1])), rate, *own]
    if kind.sees_head or kind.wraps():
        own.append(_HEAD_LAYERS)
    return {argument.name: argument for argument in own}


def _declared(h: Hyper) -> Argument:
    if h.name == "learning_rate":
        return Argument(h.name, h.default, _RATE, _RATE_DOC.format(h.doc))
    if h.domain.boolean:
        return Argument(h.name, h.default, "bool", h.doc)
    return Argument(h.name, h.default, "float", f"{h.doc} In {h.domain}.")


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
    return [name for name in _BY_NAME if name not in _own(kind)]
