"""What a type checker sees of the package."""

from __future__ import annotations

import re
from pathlib import Path

import mypy.api
import pytest

from tests.helpers.public import public

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "resources" / "typed_script.py"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of mypy about a user's program, and about a program that asks for the type of every public name."""
    asking = tmp_path_factory.mktemp("typing") / "every_name.py"
    names = [name for name, _ in public()]
    modules = sorted({name.rpartition(".")[0] for name in names})
    lines = [f"import {module}" for module in modules] + [f"reveal_type({name})" for name in names]
    asking.write_text("\n".join(lines))
    said, problem, _ = mypy.api.run(
        [
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
            str(SCRIPT),
            str(asking),
        ]
    )
    assert not problem
    told = said.splitlines()
    assert sum("Revealed type" in line for line in told) == len(names)
    return told


def test_user_script_has_no_type_error(checked: list[str]) -> None:
    """A program that uses the package passes `mypy --strict`, and each mistake that it marks as one is found."""
    assert [line for line in checked if "error:" in line] == []


def test_no_public_name_is_any(checked: list[str]) -> None:
    """Every public name has a type, except the two that stand for Keras, which has none."""
    types = (re.search(r'Revealed type is "(.*)"$', line) for line in checked)
    found = [match[1] for match in types if match]
    named = {name: type_ for (name, _), type_ in zip(public(), found, strict=True)}
    untyped = {name for name, type_ in named.items() if re.search(r"^(Any|type\[Any\]|typing\.Any)$", type_)}
    assert untyped == {"optselect.optim.Tensor", "optselect.optim.ops"}


def test_package_says_that_it_is_typed() -> None:
    """The marker is where installed packages have it."""
    assert (ROOT / "optselect" / "py.typed").exists()
