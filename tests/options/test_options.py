"""Options are declared once: what a study records of them is the command that asks for them, for every option."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pydoc
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import optselect
from optselect import api
from optselect.cli.argument_names import in_options
from optselect.cli.commands.cmd_tune import command
from optselect.errors import OptselectError, UnknownName
from optselect.optim.configuration import BASELINE
from optselect.optim.rules import RULES
from optselect.options import GROUPS, Settings, command_line, every_option, from_objects
from optselect.record import StudyLog
from optselect.record.entries import SettingsRecord
from optselect.report.evidence import gather
from optselect.report.methods_section import command as printed
from optselect.sklearn import OptimizerSearchClassifier, OptimizerSearchRegressor
from optselect.sklearn.parameters import parameters_of
from optselect.task import EarlyStopping
from optselect.util.option_fields import Option, flag
from tests.helpers.reported import unpack

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
NUMBERS = st.floats(0, 1e9)
FORMS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "whole": st.integers(2, 10**6),
    "real": NUMBERS,
    "seconds": st.floats(1, 1e9),
    "flag": st.booleans(),
    "repeated": TEXT | st.lists(TEXT, min_size=1, max_size=3),
    "arguments": st.builds(
        EarlyStopping,
        monitor=st.sampled_from(["val_loss", "val_a,b", "val_=x"]),
        patience=st.integers(0, 99),
        min_delta=NUMBERS,
        mode=st.sampled_from(["auto", "min", "max"]),
        baseline=st.none() | NUMBERS,
        restore_best_weights=st.booleans(),
        start_from_epoch=st.integers(0, 99),
    ),
    "listed": st.lists(st.sampled_from(sorted(RULES)), min_size=1, max_size=3),
    "object": st.none(),
    "weights": st.just("balanced") | st.dictionaries(TEXT, NUMBERS) | st.lists(NUMBERS),
    "configurations": TEXT.filter(lambda name: name.lstrip()[:1] not in ("{", "["))
    | st.just((BASELINE, dataclasses.replace(BASELINE, batch_size=64))),
}
ADDRESSES = st.sampled_from(["default", None, "sqlite:///a b.db", "http://host:5000", "postgresql://ada@host/db"])
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(-5, 10**12),
    "mlflow": ADDRESSES.filter(lambda uri: uri is not None),
    "storage": ADDRESSES,
    "split": st.sampled_from(["random", "stratified", "group:a b", "time:t:0", "given:part"]),
    "register": st.sampled_from(["penguins", "a b"]),
}


def values(name: str, about: Option) -> st.SearchStrategy[Any]:
    """What an option may be, by the form that it declares."""
    if name in SPECIAL:
        return SPECIAL[name]
    if about.form == "by name":
        return st.sampled_from(about.choices) | st.dictionaries(TEXT, st.sampled_from(about.choices), min_size=1)
    return st.sampled_from(about.choices) if about.choices else FORMS[about.form]


def possible(given: dict[str, Any]) -> bool:
    """Whether no two options ask for the same."""
    return not {"patience", "early_stopping"} <= {*given}


ANY = st.fixed_dictionaries(
    {"data": TEXT}, optional={name: values(name, about) for _, name, about in every_option()}
).filter(possible)


def parsed(words: list[str]) -> Settings:
    """What the command line makes of the words after `optselect tune`."""
    given = command.make_context("tune", words).params
    assert not given.pop("as_json")
    return Settings.of(**given)


@settings(deadline=None, max_examples=100)
@given(ANY)
@example({"data": "-a.csv", "target": "--trials", "class_weight": {"a,b": 1.0}, "kind": {"a=b": "regression"}})
@example({"data": "a.csv", "class_weight": {0: 1, True: 2, "x": 3}, "keep": ["a,b", "-"], "optimizers": "adam, sgd"})
@example({"data": "a.csv", "time_limit": 1.0, "rope": 1e-17, "out": Path("some where"), "start": "x [y"})
def test_settings_are_recorded_and_written_as_the_command_that_asks_for_them(given: dict[str, Any]) -> None:
    """Any settings, recorded, read, written as a command and parsed again are the same settings."""
    record = json.loads(json.dumps(Settings.of(**given).to_record()))
    assert record["objects"] == []
    recorded = Settings.from_record(record)
    assert recorded.to_record() == record
    line = command_line(record)
    assert line is not None
    found = parsed(shlex.split(line)[2:])
    assert found == recorded
    assert found.to_record() == record


def test_every_option_is_on_the_command_line_once() -> None:
    """All options of all groups are those of the command, under names that none shares, but for Python's objects."""
    written = [(name, about) for _, name, about in every_option() if about.form != "object"]
    names = [name for name, _ in written]
    words = [flag(name, about) for name, about in written]
    assert len({*names}) == len(names)
    assert len({*words}) == len(words)
    assert {p.name for p in command.params} == {*names, "data", "as_json"}
    assert {word for p in command.params for word in p.opts} >= {*words}


def test_tune_takes_what_is_declared() -> None:
    """The arguments of the call are the fields of the settings, in their order, with their defaults."""
    arguments = dict(inspect.signature(optselect.tune).parameters)
    del arguments["listener"], arguments["validation_data"]  # a word of Keras's for one of them
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    assert list(arguments) == list(fields)
    own = {name: p.default for name, p in arguments.items() if name not in (*GROUPS, "model", "data")}
    assert own == {name: fields[name].default for name in own}


@pytest.mark.parametrize("call", [api.tune, api.describe_data, api.lr_range, *GROUPS.values()])
def test_docs_describe_every_argument_in_eighty_columns(call: Any) -> None:
    """Each argument has its entry, none a place left open, and `help` does not wrap."""
    text = inspect.getdoc(call) or ""
    for name in inspect.signature(call).parameters:
        assert f"\n{name} : " in text, name
    assert "\n{" not in text
    documented = text.partition("Examples\n---")[0]
    assert max(map(len, documented.splitlines())) <= 79


@pytest.mark.parametrize("call", [api.tune, api.describe_data, api.lr_range])
def test_help_does_not_wrap_the_signature(call: Any) -> None:
    """`help` shows one parameter per line, in eighty columns."""
    text = pydoc.plain(pydoc.render_doc(call))
    shown = text.split("\n    ----------")[0].splitlines()[1:]  # without the title
    assert max(map(len, shown)) <= 79
    for name in inspect.signature(call).parameters:
        assert sum(line.startswith(f"    {name}: ") for line in shown) == 1


@pytest.mark.parametrize("kind", [OptimizerSearchClassifier, OptimizerSearchRegressor])
def test_estimators_have_the_options(kind: Any) -> None:
    """Options that `fit` does not decide are parameters, with the default of `tune` unless it says otherwise."""
    estimator = kind()
    known = {name for _, name, _ in every_option()}
    assert {*parameters_of(estimator)} <= known
    assert {"keep", "drop", "rope", "sampler", "time_limit"} <= {*parameters_of(estimator)}
    for name in parameters_of(estimator):
        assert f"\n    {name} : " in kind.__doc__, name
    with pytest.raises(TypeError, match="car"):
        kind(car="quick")


def test_what_no_file_holds_is_named() -> None:
    """Arrays, functions and samplers of one's own are listed, and then there is no command."""
    objects = {"data": (np.eye(2), [0, 1]), "model": len, "sampler": optuna.samplers.RandomSampler()}
    for name, value in objects.items():
        record = Settings.of(**{"data": "a.csv", name: value}).to_record()
        assert record["objects"] == [name]
        assert name not in record
        assert command_line(record) is None
        assert from_objects(record) == (name != "sampler")
    weights = Settings.of(data="a.csv", sample_weight=np.ones(3)).to_record()
    assert from_objects(weights)


def test_no_password_is_recorded() -> None:
    """A report may go to anyone."""
    record = Settings.of(data="a.csv", storage="postgresql://ada:s3cret@host/db").to_record()
    assert "s3cret" not in json.dumps(record)


def test_names_that_are_not_known_are_refused_with_the_nearest() -> None:
    """Of each option with a list of choices."""
    for group, name, about in every_option():
        if about.choices and group:
            with pytest.raises(UnknownName, match=about.choices[0]):
                GROUPS[group](**{name: f"{about.choices[0]}x"})


def test_the_terminal_speaks_of_options_and_python_of_arguments(optselect: Any, tmp_path: Path) -> None:
    """The same mistake, once by the call and once by the command."""
    (tmp_path / "a.csv").write_text("width,height\n" + "1,2\n" * 20)
    with pytest.raises(OptselectError, match='`target="NAME"`') as caught:
        api.describe_data(tmp_path / "a.csv")
    assert "`--target NAME`" in in_options(str(caught.value))
    done = optselect("data", "a.csv")
    assert done.returncode == 2
    assert "`--target NAME`" in done.stderr
    assert "target=" not in done.stderr


def test_studies_of_earlier_versions_have_settings(tmp_path: Path) -> None:
    """A ledger without recorded settings tells what it has: the task, and what its fingerprint says in words."""
    log = StudyLog.read(unpack("flowers", tmp_path) / "ledger.jsonl")
    assert log.study.settings is None
    asked = Settings.from_record(log.settings)
    assert (asked.data, asked.epochs, asked.evaluation.care, asked.run.study) == ("sklearn:iris", 3, "quick", "flowers")
    assert asked.search.range_test == (log.study.fingerprint["range test"] == "yes")
    assert asked.spec().fingerprint()["data"] == log.study.fingerprint["data"]


def test_the_latest_settings_count(tmp_path: Path) -> None:
    """What a resumed study was asked for is written behind what it was started with, and read in its place."""
    path = unpack("flowers", tmp_path) / "ledger.jsonl"
    record = Settings.of(data="sklearn:iris", trials=99, kind="classification").to_record()
    with StudyLog.open(path) as log:
        log.append(SettingsRecord(settings=record))
    assert StudyLog.read(path).settings == record
    assert printed(gather(path.parent)) == "optselect tune sklearn:iris --kind classification --trials 99"
