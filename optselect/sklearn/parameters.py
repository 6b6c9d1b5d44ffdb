"""The parameters of the estimators: the options of `tune`, but for those that `fit` decides."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from optselect.options import GROUPS, Settings
from optselect.util.option_fields import Option, entry, options

__all__ = ["parameters_of", "parametrized"]

T = TypeVar("T")

_DECIDED = {
    *("target", "kind", "sample_weight", "missing_target", "labels"),  # y and the weights come to `fit`
    *("encoding", "separator"),  # X is no file
    "groups",  # which come to `fit`
    *("seed", "check", "whole", "report", "study"),
}
_DEFAULTS = {"workers": 1, "mlflow": None}  # several fits run at once, in folders that are gone afterwards
_OWN = {
    "random_state": (None, Option(doc="An integer makes fits repeatable.", type="int or RandomState")),
    "verbose": (0, Option(doc="1 to print what happens.", type="int")),
}


def parametrized(*, but: str = "") -> Callable[[type[T]], type[T]]:
    """A decorator that gives an estimator its `__init__` and describes its parameters. but: one that it has not."""

    def made(kind: type[T]) -> type[T]:
        found = {name: one for name, one in _parameters().items() if name != but}
        signature = inspect.Signature([
            inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual)
              for name, (usual, _) in found.items()),
        ])  # fmt: skip

        def __init__(self: Any, **given: Any) -> None:  # noqa: N807
            bound = signature.bind(self, **given)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                if name != "self":
                    setattr(self, name, value)

        __init__.__signature__ = signature  # type: ignore[attr-defined]  # what scikit-learn and `help` read
        kind.__init__ = __init__  # type: ignore[method-assign]
        lines = [line for name, (usual, about) in found.items() for line in entry(name, about, usual)]
        kind.__doc__ = (kind.__doc__ or "").replace("    {parameters}", textwrap.indent("\n".join(lines), "    "))
        return kind

    return made


def parameters_of(estimator: Any) -> Mapping[str, Any]:
    """The values of those parameters of an estimator that are options of `tune`."""
    return {name: value for name, value in estimator.get_params(deep=False).items() if name not in _OWN}


def _parameters() -> dict[str, tuple[Any, Option]]:
    """Default and description by name."""
    declared = {
        field.name: (_DEFAULTS.get(field.name, field.default), about)
        for kind in (Settings, *GROUPS.values())
        for field, about in options(kind)
        if field.name not in _DECIDED
    }
    return {**declared, **_OWN}
