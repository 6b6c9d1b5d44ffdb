"""A study's log: what is added is there, in memory and in the file, as what it is."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest

from optselect.errors import DamagedRecord, StudyConflict
from optselect.optim.configuration import BASELINE
from optselect.record import Ledger, StudyLog
from optselect.record.entries import Entry, SettingsRecord, StorageRecord, StudyRecord, TaskRecord
from optselect.record.notes import (
    CareRecord,
    Eliminated,
    FinalKind,
    FinalTraining,
    Preset,
    RangeTestRecord,
    RungRecord,
    ShareRecord,
)
from optselect.task import TaskDescription
from optselect.trainer.messages import ProbeRun, Run
from tests.helpers.played import record as trial
from tests.helpers.reported import DATA, STUDIES

RUN = Run(curves={"loss": [1.0, math.inf]}, metrics={"val_loss": 0.5}, epochs=2, finite=True, seconds=1.5)
PROBE = ProbeRun(rates=(0.1, 1.0), start=2.0, losses=[1.0, 3.0], val_losses=[1.0, math.inf], seconds=0.5)
ENTRIES: list[Entry] = [
    StudyRecord(name="s", fingerprint={"seed": "0"}, description={"data": "d"}),
    StorageRecord(key="k"),
    TaskRecord(description=TaskDescription(rows=9, architecture={"parameters": 3})),
    SettingsRecord(settings={"kind": None, "trials": 9}),
    RangeTestRecord(arm="adam", steps=10, whole=80, run=PROBE),
    RungRecord(number=0, arm="adam", epochs=2, configuration=BASELINE, run=RUN),
    ShareRecord(trials=60),
    trial(0, "search", BASELINE, 7, 0.5, 0.9),
    trial(1, "search", BASELINE, 7, math.inf, 0.1),
    Eliminated(arm="sgd", checkpoint=8, best=1.0, bound=0.9, needed=0.5, leader="adam"),
    CareRecord(stage="race", care=Preset(2, 4, 2, 0)),
    FinalTraining(kind="check", configuration=BASELINE, metrics={"test_loss": 0.1}, error=""),
    FinalTraining(kind="refit", configuration=BASELINE, metrics={}, error="", files={"best.keras": "ab"}),
]


def held(log: StudyLog) -> list[Any]:
    """All that a log says."""
    lists = [log.trials, log.rungs, log.range_tests, log.eliminated, log.care]
    task = TaskRecord(description=log.task) if log.task else None
    settings = SettingsRecord(settings=log.settings)
    return [
        log.study,
        settings,
        task,
        log.storage,
        log.share,
        *lists,
        *(log.final(kind) for kind in get_args(FinalKind)),
    ]


@pytest.mark.parametrize("looked", [False, True])
def test_what_is_added_is_there_at_once_and_in_the_file(tmp_path: Path, looked: bool) -> None:
    """Whether it was looked at before or not, a log says after each entry what one says that reads the file."""
    path = tmp_path / "ledger.jsonl"
    with StudyLog.open(path) as log:
        for entry in ENTRIES:
            if looked:
                held(log)
            log.append(entry)
            if looked:
                assert held(log) == held(StudyLog.read(path))
        assert held(log) == held(StudyLog.read(path))
        assert log.stamp() == StudyLog.read(path).stamp()
        assert log.data == StudyLog.read(path).data
        assert log.kinds_after(3) == StudyLog.read(path).kinds_after(3) == [entry.kind for entry in ENTRIES[3:]]
    found = held(StudyLog.read(path))
    for entry in ENTRIES:
        said = {"storage": "k", "share": 60}.get(entry.kind, entry)
        assert said in found or any(said in one for one in found if isinstance(one, list)), entry.kind
    assert StudyLog.read(path).ended


@pytest.mark.parametrize("name", STUDIES)
def test_every_entry_of_a_real_study_is_read_and_would_be_written_alike(tmp_path: Path, name: str) -> None:
    """Ledgers of earlier versions: the entries made from what was read are those that are in the file."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(gzip.decompress((DATA / name / "ledger.jsonl.gz").read_bytes()))
    log = StudyLog.read(path)
    written = {kind: [] for kind in ("trial", "rung", "probe", "eliminated", "care")}  # type: ignore[var-annotated]
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        written.setdefault(entry["kind"], []).append({k: v for k, v in entry.items() if k not in ("kind", "crc")})
    lists = {"trial": log.trials, "rung": log.rungs, "probe": log.range_tests, "eliminated": log.eliminated}
    for kind, found in {**lists, "care": log.care}.items():
        again = json.loads(json.dumps([entry.to_dict() for entry in found]))
        assert [{**new, **old} for new, old in zip(again, written[kind], strict=True)] == again
    assert log.share == written["share"][-1]["trials"]
    assert [log.final("refit").to_dict()] == written["refit"]  # type: ignore[union-attr]
    assert log.task is not None
    assert log.task.to_dict() == written["task"][0]["description"]


def test_what_cannot_be_read_is_said_each_time_and_hides_nothing_else(tmp_path: Path) -> None:
    """An entry of another version raises whenever it is asked for; the others are there."""
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.append("study", {"name": "s", "fingerprint": {}, "description": {}})
        ledger.append("task", {"description": {}})
        ledger.append("eliminated", {"arm": "sgd", "why": "?"})
    log = StudyLog.read(path)
    for _ in range(2):
        with pytest.raises(StudyConflict, match="why"):
            log.eliminated  # noqa: B018
    assert log.begun.name == "s"


def test_a_log_that_was_read_takes_nothing(tmp_path: Path) -> None:
    """Only who holds the ledger writes to it; one that makes no sense is not opened, and not held either."""
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.append("share", {"trials": 3})
    for _ in range(2):
        with pytest.raises(DamagedRecord):
            StudyLog.open(path)
    path.unlink()
    with StudyLog.open(path) as log:
        log.append(ENTRIES[0])
    with pytest.raises(TypeError):
        StudyLog.read(path).append(ENTRIES[0])
