"""What is known of a task: its record, also those of earlier versions."""

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.task import TaskDescription
from optselect.task.agreement import Agreement
from optselect.task.description import ColumnFacts, SimpleAnswer, TargetFacts
from tests.helpers.reported import DATA

AGREEMENT = Agreement(
    equal=True,
    what="training",
    rows=83,
    steps=3,
    figure="loss",
    difference=2e-7,
    program=1.0,
    fit=1.0,
    unreached=("w",),
)
WHOLE = TaskDescription(
    data="a.csv",
    target="y",
    kind="classification",
    rows=10,
    classes=("a", "b"),
    targets=(TargetFacts(name="y", kind="classification", classes=("a", "b")),),
    features=((4,), (None, 3)),
    metrics=("score",),
    asked="max:val_score",
    objective=Objective("val_score", maximize=True),
    headline=Objective("score", maximize=True),
    way="xla",
    comparison=AGREEMENT,
    baselines={"constant": SimpleAnswer(answer="a", metrics={"val_loss": 0.5})},
    suspects=("nothing",),
    workers=2,
    threads=1,
    source="/a.csv",
    columns=(ColumnFacts(name="x", kind="number", type="float64"),),
    environment={"python": "3.11"},
)


def recorded(path: Path) -> Any:
    """The description in a ledger."""
    lines = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
    return next(line["description"] for line in lines if line.get("kind") == "task")


@pytest.mark.parametrize("path", sorted(DATA.glob("*/ledger.jsonl.gz")), ids=lambda path: path.parent.name)
def test_an_old_record_is_written_again_as_it_was(path: Path) -> None:
    """Key by key, those that this version does not know among them."""
    before = recorded(path)
    assert TaskDescription.from_dict(before).to_dict() == before


def test_from_dict_is_the_inverse_of_to_dict() -> None:
    """Through JSON text, for one with everything and for one with nothing."""
    for task in (WHOLE, TaskDescription(), dataclasses.replace(WHOLE, comparison=None)):
        assert TaskDescription.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_what_is_not_known_is_not_recorded() -> None:
    """But that a worker looked and compared nothing is."""
    assert not {"comparison", "baselines", "source", "columns", "architecture"} & set(TaskDescription().to_dict())
    assert dataclasses.replace(WHOLE, comparison=None).to_dict()["comparison"] is None
    assert WHOLE.to_dict()["objective"] == "max:val_score"


def test_a_record_of_another_form_is_refused_with_its_place() -> None:
    """A wrong type is no description."""
    with pytest.raises(InvalidValue, match=r"targets\[0\]\.name"):
        TaskDescription.from_dict({**WHOLE.to_dict(), "targets": [{"name": 3, "kind": "regression"}]})
