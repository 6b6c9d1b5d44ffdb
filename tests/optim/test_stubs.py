"""The type stubs of the classes that are made at run time."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from optselect import optimizers
from optselect.optim.keras import stubs
from optselect.optim.rules import RULES

FOLDER = Path(optimizers.__file__).parent
AGAIN = "run `just generate` and commit what it writes"


def test_generated_stubs_are_what_the_declarations_give() -> None:
    """The stubs in the package are those that the generator writes."""
    assert (FOLDER / "__init__.pyi").read_text(encoding="utf-8") == stubs.optimizer_stub(), AGAIN
    assert (FOLDER / "schedules.pyi").read_text(encoding="utf-8") == stubs.schedule_stub(), AGAIN


@pytest.mark.parametrize("name", sorted(kind.__name__ for kind in RULES.values()))
def test_stub_has_the_arguments_of_the_class(name: str) -> None:
    """Names, order, kinds and defaults are those with which the class is called."""
    [declared] = [
        node
        for node in ast.parse((FOLDER / "__init__.pyi").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    [made] = [node for node in declared.body if isinstance(node, ast.FunctionDef)]
    positional = [argument.arg for argument in made.args.args][1:]
    defaults = [ast.literal_eval(node) for node in made.args.defaults]
    by_keyword = {
        argument.arg: ast.literal_eval(node)
        for argument, node in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
        if node is not None
    }
    signature = inspect.signature(getattr(optimizers, name)).parameters.values()
    assert dict(zip(positional, defaults, strict=True)) == {
        p.name: p.default for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD
    }
    assert positional == [p.name for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_keyword == {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
