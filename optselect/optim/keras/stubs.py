"""Type stubs of the modules whose classes are made at run time, written from the declarations: `just generate`.

Keras itself has no types, so its classes are `Any` in the stubs; what is checked is every argument of a constructor.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from optselect.optim.keras.class_docs import summary
from optselect.optim.keras.declaration import Argument, arguments, signature
from optselect.optim.keras.schedule_classes import CLASSES, schedule_signature
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES

__all__ = ["optimizer_stub", "schedule_stub", "write"]

_WRITTEN = "Written by `just generate` from the declarations; do not edit."
_FUNCTIONS = ("deserialize", "get", "register", "serialize")


def write() -> list[Path]:
    """Write both stubs into the package; the files."""
    folder = Path(__file__).parents[2] / "optimizers"
    stubs = {folder / "__init__.pyi": optimizer_stub(), folder / "schedules.pyi": schedule_stub()}
    for path, text in stubs.items():
        path.write_text(text, encoding="utf-8")
    return list(stubs)


def optimizer_stub() -> str:
    """The stub of `optselect.optimizers`: the classes of this package's rules."""
    kinds = sorted((k for k in RULES.values() if k.__module__.startswith("optselect.")), key=lambda kind: kind.__name__)
    names = [*(kind.__name__ for kind in kinds), "SwapEvaluated", *_FUNCTIONS]
    head = [
        f'"""The optimizer classes. {_WRITTEN}"""',
        "",
        "from collections.abc import Callable, Mapping, Sequence",
        "from typing import Any, ClassVar",
        "",
        "from keras.optimizers import Optimizer",
        "",
        *(f"import {module}" for module in sorted(kind.__module__ for kind in kinds)),
        "from optselect.optim.keras.derived import Derived",
        "from optselect.optim.keras.swap import SwapEvaluated as SwapEvaluated",
        "from optselect.optim.rule import Rule",
        "from optselect.optimizers import schedules as schedules",
        *(f"from optselect.optimizers.serialization import {name} as {name}" for name in _FUNCTIONS),
        "",
        *_exported(names),
    ]
    return "\n".join([*head, *(line for kind in kinds for line in ["", *_optimizer(kind)]), ""])


def schedule_stub() -> str:
    """The stub of `optselect.optimizers.schedules`."""
    head = [
        f'"""The schedule classes. {_WRITTEN}"""',
        "",
        "from collections.abc import Callable",
        "from typing import Any",
        "",
        "from optselect.optim.keras.schedule_classes import DerivedSchedule",
        "from optselect.optim.keras.schedule_classes import WeightDecaySchedule as WeightDecaySchedule",
        "",
        *_exported([*CLASSES, "WeightDecaySchedule"]),
    ]
    lines = [line for made in CLASSES.values() for line in ["", *_schedule(made.__name__)]]
    return "\n".join([*head, *lines, ""])


def _exported(names: Iterable[str]) -> list[str]:
    """`__all__` in ruff's order: capitals, classes, functions."""
    ordered = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    return ["__all__ = [", *(f'    "{name}",' for name in ordered), "]"]


def _class(name: str, base: str, doc: str, fields: Iterable[str], parameters: Iterable[str]) -> list[str]:
    return [
        f"class {name}({base}):",
        f'    """{doc}"""',
        "",
        *(f"    {field}" for field in fields),
        "    def __init__(",
        "        self,",
        *(f"        {parameter}," for parameter in parameters),
        "    ) -> None: ...",
    ]


def _optimizer(kind: type[Rule]) -> list[str]:
    home = f"{kind.__module__}.{kind.__name__}"
    fields = [f"kind: ClassVar[type[Rule]] = {home}", f"rule: {home}"]
    by_keyword = {p.name for p in signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY}
    positional = [_parameter(argument) for argument in arguments(kind) if argument.name not in by_keyword]
    rest = [_parameter(argument) for argument in arguments(kind) if argument.name in by_keyword]
    parameters = [*positional, *(["*"] if rest else []), *rest]
    return _class(kind.__name__, "Derived", summary(kind), fields, parameters)


def _parameter(argument: Argument) -> str:
    optional = argument.default is None or argument.name.endswith("weight_decay")
    none = " | None" if optional and not argument.annotation.endswith("| None") else ""
    return f"{argument.name}: {argument.annotation}{none} = {argument.default!r}"


def _schedule(name: str) -> list[str]:
    kind = CLASSES[name].kind
    parameters = []
    for parameter in schedule_signature(kind).parameters.values():
        annotation = "float | Callable[..., Any]" if parameter.name == "schedule" else parameter.annotation
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parameters.append(f"{parameter.name}: {annotation}{default}")
    doc = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
    return _class(name, "DerivedSchedule", doc, [], ["*", *parameters])
