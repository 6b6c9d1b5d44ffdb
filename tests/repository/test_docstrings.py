"""Docstrings of everything public have numpydoc's sections, checked by numpydoc itself."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from numpydoc.validate import validate

from tests.helpers.public import MODULES, public

NOT_ASKED = {
    "GL01": "the summary begins on the line of the quotes",
    "GL02": "a docstring of one line ends on it",
    "SS05": "a summary may be a noun, as a class's or a property's is",
    "ES01": "many functions need no more than a summary",
    "SA01": "the site links what belongs together",
}
NO_EXAMPLE = {"EX01": "a method is shown in the example of its class, a class in that of the function that returns it"}


def described() -> Iterator[str]:
    """Dotted names of public functions and classes, and of the methods and properties that a class of ours defines."""
    seen = set()
    for name, thing in public():
        if not (inspect.isclass(thing) or inspect.isroutine(thing)) or thing is Any or thing in seen:
            continue
        seen.add(thing)
        yield name
        if inspect.isclass(thing):
            yield from (f"{name}.{member}" for member in sorted(members(thing)))


def members(kind: type) -> set[str]:
    """Public methods and properties of a class that are declared in this package, and in no class outside it."""
    own = [vars(base) for base in kind.__mro__ if base.__module__.startswith("optselect")]
    others = [vars(base) for base in kind.__mro__ if not base.__module__.startswith("optselect")]
    return {
        name
        for names in own
        for name, member in names.items()
        if not name.startswith("_")
        and not any(name in other for other in others)
        and (getattr(member, "__module__", None) or "optselect").startswith("optselect")
        and (inspect.isroutine(member) or isinstance(member, property | classmethod | staticmethod))
    }


def problems(name: str) -> dict[str, str]:
    """What numpydoc finds wrong with a docstring, by code."""
    module, _, last = name.rpartition(".")
    of_module = module in MODULES and inspect.isroutine(getattr(importlib.import_module(module), last))
    passed = NOT_ASKED if of_module else NOT_ASKED | NO_EXAMPLE
    return {code: said for code, said in validate(name)["errors"] if code not in passed}


def test_everything_public_has_a_numpydoc_docstring() -> None:
    """The sections are complete: every parameter with its type, what is returned, and how a function is called."""
    found = {name: problems(name) for name in described()}
    assert len(found) > len(MODULES)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
