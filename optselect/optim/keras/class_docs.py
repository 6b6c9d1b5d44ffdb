"""The docstring of an optimizer class, in numpydoc's sections, from the declaration of its rule."""

from __future__ import annotations

import inspect

from optselect.optim.keras.declaration import Argument, arguments
from optselect.optim.rule import Rule

__all__ = ["document", "summary"]

# Types that a reader would rather have in words.
_WORDS = {"Callable[..., Any]": "callable", "Mapping[str, Any]": "dict", "Sequence[str]": "sequence of str"}
_EVALUATED = (
    "After `fit` the model holds the weights at which it is to be evaluated; the callback `SwapEvaluated` puts them "
    "there for validation too."
)


def document(kind: type[Rule]) -> str:
    """What the rule does and its equations, every argument with type, default and domain, and the paper."""
    about = inspect.cleandoc(kind.__doc__ or "").partition(">>>")[0].rstrip()
    judged = _EVALUATED if kind.evaluated is not Rule.evaluated else ""
    extended = [part for part in (about, kind.good_for, kind.weakness, judged) if part]
    described = [line for argument in arguments(kind) for line in _described(argument)]
    sections = {
        "Parameters": described,
        "Notes": [f"Source: {kind.paper}."],
        "Examples": [
            ">>> from optselect import optimizers",
            f'>>> model.compile(optimizers.{kind.__name__}(), loss="mse")  # doctest: +SKIP',
        ],
    }
    made = ["\n".join([title, "-" * len(title), *lines]) for title, lines in sections.items()]
    return "\n\n".join([*extended, *made]) + "\n"


def summary(kind: type[Rule]) -> str:
    """The first line of the docstring."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]


def _described(argument: Argument) -> list[str]:
    default = "optional" if argument.default is None else f"default {argument.default!r}"
    words = " or ".join(_WORDS.get(part, part) for part in argument.annotation.split(" | ") if part != "None")
    return [f"{argument.name} : {words}, {default}", f"    {argument.doc}"]
