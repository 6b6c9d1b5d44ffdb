"""Names of other libraries lead to the names here, and Keras finds the optimizers by theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optselect import optimizers
from optselect.errors import UnknownName
from optselect.optim.keras.declaration import signature
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.optim.schedules import SCHEDULES
from optselect.util import other_libraries
from optselect.util.suggestion import suggestion
from tests.helpers import ROOT

CLASSES = [row for row in other_libraries.CLASSES if row.here]
KINDS = {kind.__name__ for kind in [*RULES.values(), *SCHEDULES.values()]} | {*RULES, *SCHEDULES}
ARGUMENTS = {name for kind in RULES.values() for name in signature(kind).parameters}
FOREIGN = [row for row in CLASSES if row.name not in optimizers.__all__ and set(row.here) & set(optimizers.__all__)]


def test_every_name_of_the_table_exists() -> None:
    """Whatever the table says that something is called here, is called so; and each row says something."""
    assert {name for row in other_libraries.CLASSES for name in row.here} <= KINDS
    assert {name for row in other_libraries.ARGUMENTS for name in row.here} <= ARGUMENTS
    assert all(row.here or row.note for row in (*other_libraries.CLASSES, *other_libraries.ARGUMENTS))
    assert all(row.note.endswith(".") for row in (*other_libraries.CLASSES, *other_libraries.ARGUMENTS) if row.note)


def test_page_is_made_of_the_table() -> None:
    """The page of the documentation is the table as it is now."""
    page = ROOT / "docs" / "other-libraries.md"
    assert page.read_text(encoding="utf-8") == other_libraries.page()


@pytest.mark.parametrize("row", FOREIGN, ids=lambda row: row.name)
def test_class_of_another_library_is_answered_with_ours(row: Any) -> None:
    """As an attribute, in an import and for `get`, a foreign name is refused with the name here."""
    wanted = next(name for name in row.here if name in optimizers.__all__)
    with pytest.raises(AttributeError, match=rf"Did you mean '{wanted}'"):
        getattr(optimizers, row.name)
    with pytest.raises(ImportError, match=rf"Did you mean '{wanted}'"):
        exec(f"from optselect.optimizers import {row.name}")
    with pytest.raises(UnknownName, match=rf"'{wanted}'"):
        optimizers.get(row.name)
    assert not hasattr(optimizers, row.name)


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("Lookahead", "sync_period", "Did you mean 'k'"),
        ("Lookahead", "slow_step_size", "Did you mean 'alpha'"),
        ("EMA", "average_decay", "Did you mean 'momentum'"),
        ("SWA", "start_averaging", "Did you mean 'start'"),
        ("RAdam", "sma_threshold", "cannot be set"),
        ("Adam", "lr", "Did you mean 'learning_rate'"),
        ("Adam", "betas", "Did you mean 'beta_1' or 'beta_2'"),
        ("Adam", "eps", "Did you mean 'epsilon'"),
        ("SGD", "decay", "InverseTimeDecay"),
    ],
)
def test_argument_of_another_library_is_answered_with_ours(kind: str, given: str, wanted: str) -> None:
    """An argument of another library is refused with the name that it has here, or with what to do."""
    with pytest.raises(UnknownName, match=wanted):
        getattr(optimizers, kind)(**{given: 1})


def test_names_of_rules_and_hyperparameters_are_answered_too() -> None:
    """In a key and in a search space, where the names of rules are used, the hint is a rule's name."""
    with pytest.raises(UnknownName, match="Did you mean 'radam'"):
        parse("rectified_adam")
    with pytest.raises(UnknownName, match="Did you mean 'learning_rate'"):
        Rule.from_dict({"name": "adam", "lr": 0.1})
    assert suggestion("lr", ["rate", "time"]) == "Known: rate, time."


def test_submodules_can_still_be_imported() -> None:
    """The hint does not stand in the way of a module of the package that has not been imported."""
    script = "from optselect.optim.keras import swap, declaration; assert not hasattr(swap, 'x')"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


COMPILED = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
try:
    keras.saving.load_model(sys.argv[1])
except TypeError as refused:
    print("optselect.optimizers" in str(refused), keras.saving.load_model(sys.argv[1], compile=False).count_params())
def taken(name):
    try:
        return keras.optimizers.get(name) is not None
    except ValueError:
        return False
theirs = {name for name in sys.argv[2:] if taken(name)}
import optselect
print(type(keras.saving.load_model(sys.argv[1]).optimizer).__name__)
for name in sys.argv[2:]:
    made = model()
    made.compile(name, loss="mse")
    assert type(made.optimizer).__module__.startswith("keras" if name in theirs else "optselect.optimizers"), name
print("radam" not in theirs and "adam" in theirs)
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, when it saves
def test_keras_finds_the_optimizers_by_name(tmp_path: Path) -> None:
    """After the import a string compiles and a saved model loads; before it, Keras's error names the module.

    Where Keras has an optimizer of the name, the string is still Keras's.
    """
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizers.get("radam"), loss="mse")
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-c", COMPILED, str(tmp_path / "model.keras")]
    command += [name for name, kind in RULES.items() if not kind.wraps()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "4", "RAdam", "True"], done.stderr[-2000:]
