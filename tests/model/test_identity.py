"""Which model it is: the same in every process and wherever it stands, another one when anything it reads changes."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from optselect.errors import StudyConflict
from optselect.model.identity import identity_of_object
from optselect.model.reference import ModelReference, model_reference
from optselect.record import StudyLog
from optselect.record.entries import StudyRecord, TaskRecord
from optselect.study.conflict import check_architecture, check_conflict, differences, needs_architecture
from optselect.task import TaskDescription
from tests.helpers import ROOT


def reference(model: Any) -> ModelReference:
    found = model_reference(model)
    assert found is not None
    return found


def run(text: str) -> Any:
    """The object `build` of a notebook's cell: code that has no file."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(text), names)
    return names["build"]


CELL = """
import functools
import importlib
import numpy as np
UNITS = 8
SIZES = {"first": [8, 16], "names": {"a", "b"}}
WEIGHTS = np.arange(20.0)

def helper(n):
    return other(n - 1) if n else UNITS

def other(n):
    return helper(n) + 2

class Maker:
    scale = 3
    def __init__(self, units):
        self.units = units
        self.me = self
    def build(self):
        return self.units * self.scale
    def __call__(self):
        return self.build()

def make(units):
    return lambda: units

def twice(function):
    @functools.wraps(function)
    def inner(*given):
        return function(*given), function(*given)
    return inner

def plain(depth=2, *, width=4):
    if depth in {"x", "y", 3}:
        return np.zeros(width)
    return [helper(1), SIZES, WEIGHTS, [q + UNITS for q in range(3)]]
"""

KINDS = {
    "function": "build = plain",
    "closure": "build = make(8)",
    "lambda": "build = lambda: UNITS",
    "bound method": "build = Maker(8).build",
    "object": "build = Maker(8)",
    "partial": "build = functools.partial(plain, width=5)",
    "decorated": "build = twice(plain)",
    "class": "build = Maker",
}


@pytest.mark.parametrize("kind", KINDS)
def test_place_and_comments_do_not_count(kind: str) -> None:
    """Comments, docstrings, blank lines and other functions above leave every kind of model the same."""
    moved = "\n\n# a remark\ndef unrelated():\n    return 1\n" + CELL.replace(
        "def helper(n):", 'def helper(n):\n    "What it does."\n    # why'
    ).replace("class Maker:", 'class Maker:\n    """A maker."""')
    assert reference(run(CELL + KINDS[kind])).digest == reference(run(moved + KINDS[kind])).digest


CHANGES = {
    "a global": ("function", "UNITS = 8", "UNITS = 64", "the global `UNITS` was 8, is now 64"),
    "inside a container": ("function", "[8, 16]", "[8, 17]", "the global `SIZES` was"),
    "an element of a set": ("function", '{"a", "b"}', '{"a", "c"}', "the global `SIZES` was"),
    "an array": ("function", "np.arange(20.0)", "np.arange(20.0) + 1", "the global `WEIGHTS` has changed"),
    "a type": ("function", "np.arange(20.0)", "np.arange(20.0, dtype='float32')", "the global `WEIGHTS` was"),
    "a function that a function calls": ("function", "+ 2", "+ 3", "the function `other` has changed"),
    "a constant": ("function", '"y", 3', '"y", 4', "the function `plain` has changed"),
    "a default": ("function", "depth=2", "depth=3", "the default of `depth` in `plain` was 2, is now 3"),
    "a keyword's default": ("function", "width=4", "width=9", "the default of `width` in `plain` was 4, is now 9"),
    "a closure": ("closure", "make(8)", "make(64)", "the closure value `units`"),
    "a lambda's global": ("lambda", "UNITS = 8", "UNITS = 64", "the global `UNITS` was 8, is now 64"),
    "a lambda": ("lambda", "lambda: UNITS", "lambda: UNITS * 2", "has changed"),
    "a bound object": ("bound method", "Maker(8)", "Maker(64)", "the attribute `units`"),
    "a class's attribute": ("bound method", "scale = 3", "scale = 4", "`Maker.scale` was 3, is now 4"),
    "a callable object": ("object", "Maker(8)", "Maker(64)", "the attribute `units` of the model was 8, is now 64"),
    "a method": ("object", "self.build()", "self.build() + 1", "`Maker.__call__` has changed"),
    "an argument": ("partial", "width=5", "width=6", "the argument `width` was 5, is now 6"),
    "behind a decorator": ("decorated", "UNITS = 8", "UNITS = 64", "the global `UNITS` was 8, is now 64"),
}


def record(model: Any, **fingerprint: str) -> StudyRecord:
    found = reference(model)
    return StudyRecord(
        name="s", fingerprint={"model": found.digest, **fingerprint}, description={"model": found.to_dict()}
    )


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_model_reads_counts_and_is_named(change: str) -> None:
    """Another closure, global, default, attribute, helper or constant is another model, and the refusal names it."""
    kind, old, new, said = CHANGES[change]
    text = CELL + KINDS[kind]
    assert old in text
    before, now = (record(run(t)).to_dict() for t in (text, text.replace(old, new)))
    lines = differences(before, now)
    assert any(said in line for line in lines), lines
    assert differences(before, before) == []


VALUES: dict[str, Callable[[], list[Any]]] = {
    "numbers": lambda: [1, 1.0, True, "1", b"1", None, (1,), [1], {1}, {1: 1}, np.float32(1), np.int64(1), 1j],
    "frames": lambda: [pd.Series([1, 2]), pd.Series([1, 3]), pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]})],
    "arrays": lambda: [
        np.zeros(4),
        np.zeros((2, 2)),
        np.zeros(4, "float32"),
        np.array(["a"], object),
        np.array([None]),
    ],
    "others": lambda: [Path("a"), Path("b"), pd.Timestamp(0), np.random.default_rng(0), np.random.default_rng(1), int],
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_differ_by_content_and_type(kind: str) -> None:
    """Values of other types or contents are told apart; equal ones made twice are the same."""

    def digests() -> list[str]:
        return [reference(functools.partial(print, value)).digest for value in VALUES[kind]()]

    assert len(set(digests())) == len(VALUES[kind]())
    assert digests() == digests()


def test_what_contains_itself_ends() -> None:
    """Containers and objects that contain themselves, and functions that call each other, are told apart."""
    around: list[Any] = [1]
    around.append(around)
    other: list[Any] = [2]
    other.append(other)
    holder = type("Holder", (), {})()
    holder.child = type("Holder", (), {})()
    holder.child.parents = {holder}
    assert reference(lambda: around).digest != reference(lambda: other).digest
    assert reference(lambda: holder).digest == reference(lambda: holder).digest


def test_what_has_no_content_is_left_to_the_architecture() -> None:
    """A lock or a generator cannot be digested: the model then counts by the architecture it builds as well."""
    import threading

    lock = threading.Lock()
    assert identity_of_object(lambda: lock).unseen
    assert identity_of_object(lambda: (n for n in (1, 2))).unseen == ()
    assert reference(run("build = lambda: open('x')")).identity.unseen == ("open",)
    assert not reference(run("build = lambda: 3")).identity.unseen


def test_it_is_the_same_in_another_process(tmp_path: Path) -> None:
    """Two processes that order sets differently, one of them with the file moved elsewhere, find the same models."""
    found = []
    for seed, folder in (("1", "a"), ("4242", "elsewhere")):
        home = tmp_path / folder
        home.mkdir()
        (home / "nets.py").write_text("NAMES = {'p', 'q', 'r'}\ndef net(): return NAMES\n")
        asked = [*KINDS.values(), "import nets; build = lambda: nets.net()", "build = nets.net"]
        told = "print(model_reference(build).digest, model_reference(build).identity.unseen)"
        checks = "\n".join(f"{line}\n{told}" for line in asked)
        script = f"from optselect.model.reference import model_reference\n{'# moved' * (seed == '4242')}\n{CELL}"
        (home / "script.py").write_text(
            script + checks + "\nprint(model_reference('nets.py:net').digest)\n", encoding="utf-8"
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=home, env=environment, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.splitlines())
    assert found[0] == found[1]
    assert len(found[0]) == len(KINDS) + 3


FILES = {
    "net.py": (
        "import keras\nfrom nets import make\nimport constants\nOTHER = 1\n\ndef data():\n    return OTHER\n\n"
        'def build(n_classes):\n    """Doc."""\n    return make(constants.UNITS)\n'
    ),
    "nets.py": "from deeper import DEPTH\ndef make(units):\n    return units * DEPTH\ndef unused():\n    return 0\n",
    "deeper.py": "DEPTH = 2\n",
    "constants.py": "UNITS = 8\n",
}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("net.py", "OTHER = 1", "OTHER = 2", None),
        ("net.py", '"""Doc."""', "# another remark\n", None),
        ("net.py", "return OTHER", "return OTHER + 1", None),
        ("nets.py", "return 0", "return 1", None),
        ("net.py", "constants.UNITS", "constants.UNITS + 1", "`build` in net.py has changed"),
        ("nets.py", "units * DEPTH", "units + DEPTH", "`make` in nets.py has changed"),
        ("deeper.py", "2", "3", "`DEPTH` in deeper.py was 2, is now 3"),
        ("constants.py", "8", "64", "`UNITS` in constants.py was 8, is now 64"),
    ],
)
def test_a_function_in_a_file_counts_with_the_users_modules(
    file: str, old: str, new: str, said: str | None, tmp_path: Path
) -> None:
    """Of FILE.py:FUNCTION all counts that the function leads to, in the user's other modules too, and nothing else."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    before = record(f"{tmp_path / 'net.py'}:build").to_dict()
    (tmp_path / file).write_text(FILES[file].replace(old, new))
    lines = differences(before, record(f"{tmp_path / 'net.py'}:build").to_dict())
    assert (lines == []) if said is None else any(said in line for line in lines), lines


def test_a_file_that_the_function_names_counts(tmp_path: Path) -> None:
    """A settings file that a model function names is compared; one that appears later is not taken for a change."""
    (tmp_path / "net.py").write_text("import json\ndef build():\n    return json.loads(open('units.json').read())\n")
    (tmp_path / "units.json").write_text("8")
    before = record(f"{tmp_path / 'net.py'}:build").to_dict()
    (tmp_path / "units.json").write_text("64")
    assert "units.json" in str(differences(before, record(f"{tmp_path / 'net.py'}:build").to_dict()))
    (tmp_path / "units.json").unlink()
    gone = record(f"{tmp_path / 'net.py'}:build").to_dict()
    assert differences(gone, before) == []


# -- what a study does with it ----------------------------------------------------------------------------------


def closure(units: int) -> Any:
    def build() -> int:
        return units

    return build


def opened(folder: Path, stored: StudyRecord, **task: Any) -> StudyLog:
    log = StudyLog.open(folder / "ledger.jsonl")
    log.append(stored)
    log.append(TaskRecord.from_dict(task))
    return log


def test_a_study_of_another_model_is_refused_in_words(tmp_path: Path) -> None:
    """The refusal names the value and the ways out, and no digest of 64 digits."""
    with (
        opened(tmp_path, record(closure(8)), description={}) as log,
        pytest.raises(StudyConflict, match="closure value `units` of `build` was 8, is now 64") as caught,
    ):
        check_conflict(record(closure(64)), log)
    assert "study=" in str(caught.value)
    assert not any(len(word) >= 32 and word.isalnum() for word in str(caught.value).split())


def test_a_study_of_an_earlier_version_still_opens(tmp_path: Path) -> None:
    """A log that knows the source text alone goes on if that is the same, and asks for the architecture."""

    def built(parameters: int) -> TaskDescription:
        architecture = {"parameters": parameters, "layers": {}}
        return TaskDescription(parameters=parameters, loss="mse", architecture=architecture)

    now = record(closure(8))
    old = StudyRecord(name="s", fingerprint={"model": reference(closure(8)).source}, description={})
    with opened(tmp_path, old, description={"parameters": 49, "loss": "mse"}) as log:
        check_conflict(now, log)
        assert needs_architecture(now, log)
        check_architecture(now, log, built(49))
        with pytest.raises(StudyConflict, match="49 parameters, now 385"):
            check_architecture(now, log, built(385))
    other = StudyRecord(name="s", fingerprint={"model": "f" * 64}, description={})
    with opened(tmp_path / "other", other, description={}) as log, pytest.raises(StudyConflict, match="the model"):
        check_conflict(now, log)


def test_another_architecture_is_refused_layer_by_layer(tmp_path: Path) -> None:
    """A model that builds other layers than recorded is refused, with the layer's settings before and now."""
    built = {"parameters": 49, "layers": {"layer 1 (Dense)": ["a", "units=8"], "layer 2 (Dense)": ["b", "units=1"]}}
    other = {"parameters": 385, "layers": {**built["layers"], "layer 1 (Dense)": ["c", "units=64"]}}  # type: ignore[dict-item]
    about = {"parameters": 49, "loss": "mse"}
    with opened(tmp_path, record(closure(8)), description=about, architecture=built) as log:
        known = TaskDescription.from_dict(about, built)
        check_architecture(record(closure(8)), log, known)
        assert not needs_architecture(record(closure(8)), log)
        with pytest.raises(StudyConflict, match=r"layer 1 \(Dense\) was units=8, is now units=64"):
            check_architecture(record(closure(8)), log, dataclasses.replace(known, architecture=other))


EDITS: dict[str, Callable[[Any, Path], Any]] = {
    "nothing": lambda module, path: None,
    "a constant in memory": lambda module, path: setattr(module, "UNITS", 64),
    "a table in memory": lambda module, path: module.SIZES.update(first=64),
    "the file's constant": lambda module, path: path.write_text(path.read_text().replace("UNITS = 8", "UNITS = 64")),
    "the file's function": lambda module, path: path.write_text(path.read_text().replace("return UNITS", "return -1")),
}


@pytest.mark.parametrize("edit", EDITS)
def test_another_process_builds_what_is_in_memory(edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was edited since its import, in memory or in its file, is sent as it is in memory."""
    path = tmp_path / "edited_nets.py"
    path.write_text("UNITS = 8\nSIZES = {'first': 8}\nREGISTRY = {}\ndef build():\n    return UNITS, SIZES['first']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "edited_nets", raising=False)
    module = importlib.import_module("edited_nets")
    EDITS[edit](module, path)
    found = reference(module.build)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import sys, cloudpickle; print(cloudpickle.load(sys.stdin.buffer)())"
    done = subprocess.run([sys.executable, "-c", code], input=found.pickled, env=environment, capture_output=True)  # type: ignore[union-attr]
    assert done.stdout.decode().strip() == str(module.build()), done.stderr
    if edit == "nothing":
        assert len(found.pickled) < 100  # type: ignore[union-attr]  # by its name alone
    sys.modules.pop("edited_nets", None)


def test_a_module_made_in_memory_counts_by_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module without a file has no source: the attributes that a model reads tell it apart."""
    settings = types.ModuleType("settings_in_memory")
    settings.units = 8  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, settings.__name__, settings)
    build = run("import settings_in_memory\ndef build(): return settings_in_memory.units")
    before = reference(build).digest
    settings.units = 64  # type: ignore[attr-defined]
    assert reference(build).digest != before
