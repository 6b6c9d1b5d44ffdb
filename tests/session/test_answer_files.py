"""What a finished study leaves is whole, or every command says that it is not and the same one mends it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optselect import api
from optselect.errors import DamagedFile, DamagedRecord, NoResult
from optselect.record import StudyLog, read
from optselect.study.listener import Silent
from optselect.verdict.answer import Answer
from tests.helpers.asking import tuned

ASKED: dict[str, Any] = {
    "trials": 4, "optimizers": ["adam", "sgd"], "epochs": 1, "care": "quick", "confirm": 2, "workers": 1,
}  # fmt: skip
COMMAND = [
    *("tune", "sklearn:iris", "--trials", "4", "--optimizers", "adam,sgd", "--epochs", "1", "--care", "quick"),
    *("--confirm", "2", "--workers", "1", "--mlflow", "none"),
]
WRONG = ["null", "[]", "3", '{"study": "iris"}', '{"study": "iris", "verdict": 3}', "{", "\\ud800"]
TEXTS = ("recommendation.json", "snippet.py", "report.html")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study's folder, as the command line leaves it."""
    place = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "optselect", *COMMAND, "--out", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return place / "iris"


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "studies" / "iris"))


def again(study: Path) -> list[str]:
    """The same command once more; what it said."""
    told = Told()
    tuned(None, "sklearn:iris", mlflow=None, storage=None, out=study.parent, listener=told, **ASKED)
    return told.lines


def trials(study: Path) -> list[dict[str, Any]]:
    """What was trained, without clocks."""
    clocks = ("started", "seconds", "step_seconds")
    return [
        {k: v for k, v in e.items() if k not in clocks} for e in read(study / "ledger.jsonl") if e["kind"] == "trial"
    ]


def rows(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute("select count(*) from trials").fetchone()[0])


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "one byte changed": lambda data: flipped(data, len(data) * 2 // 3),
    "of another kind": lambda data: b"\x89PNG\r\n\x1a\n" + data,
}


def test_a_whole_study_is_left_alone(study: Path) -> None:
    """The same command writes nothing where nothing is wrong."""
    before = {path.name: path.stat().st_mtime_ns for path in study.iterdir() if path.suffix != ".lock"}
    assert not [line for line in again(study) if "Written again" in line]
    assert {name: (study / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_answer_files_are_written_again(finished: Path, study: Path, damage: str) -> None:
    """However the files are damaged, the same command names them and writes them as they were; nothing is trained."""
    for name in (*TEXTS, "study.db"):
        (study / name).write_bytes(DAMAGES[damage]((study / name).read_bytes()))
    if damage == "one byte changed":  # a byte of free space in a database is nobody's
        (study / "study.db").write_bytes(flipped((study / "study.db").read_bytes(), 20))
    [line] = [line for line in again(study) if "Written again" in line]
    assert all(name in line for name in TEXTS)
    assert (study / "ledger.jsonl").read_bytes() == (finished / "ledger.jsonl").read_bytes()
    assert (study / "snippet.py").read_bytes() == (finished / "snippet.py").read_bytes()
    log = StudyLog.read(study / "ledger.jsonl")
    theirs = json.loads((finished / "recommendation.json").read_text())["verdict"]
    assert Answer.read(log).wanted().verdict.to_dict() == theirs
    assert rows(study / "study.db") == rows(finished / "study.db")
    assert (study / "report.html").read_text().rstrip().endswith("-->")
    assert not list(study.glob(".draft-*"))


def test_an_answer_is_of_its_trainings_or_said_not_to_be(study: Path) -> None:
    """Cut at any place, with any byte changed, an answer is refused, or holds what it held."""
    path = study / "recommendation.json"
    data, log = path.read_bytes(), StudyLog.read(study / "ledger.jsonl")
    whole = Answer.read(log)
    assert whole.state == "whole"
    for place in range(0, len(data), 37):
        for damaged in (data[:place], flipped(data, place)):
            path.write_bytes(damaged)
            found = Answer.read(log)
            assert found.recommendation in (None, whole.recommendation), place
            assert (found.recommendation is None) == bool(found.problem)
            if found.recommendation is None:
                assert str(path) in found.problem


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 5, -4, -1])
def test_a_shorter_ledger_makes_the_answer_anothers(study: Path, lines: int) -> None:
    """Where lines are missing at the end every reader refuses the answer, and the report leaves it out and says so."""
    ledger = study / "ledger.jsonl"
    kept = ledger.read_bytes().splitlines(keepends=True)[:lines]
    ledger.write_bytes(b"".join(kept))
    for use in (api.replay, lambda place: api.scale(place, batch_size=8), lambda place: api.compare([place, place])):
        with pytest.raises(DamagedFile, match=f"of which {len(kept)} are there"):
            use(study)
    made = api.report(study)
    assert not made.finished
    assert "of which" in made.problem
    assert "of which" in made.path.read_text()
    [found] = api.studies(study.parent)
    assert not found["finished"]
    assert not found["verdict"]
    assert "of which" in found["error"]


@pytest.mark.parametrize("content", WRONG)
def test_an_answer_of_wrong_types_is_refused(study: Path, content: str) -> None:
    """Whatever JSON the file holds, there is one error that names it; the list and the report go on."""
    (study / "recommendation.json").write_text(content)
    for use in (api.replay, lambda place: api.scale(place, batch_size=8), lambda place: api.compare([place, place])):
        with pytest.raises(DamagedFile, match=r"recommendation\.json.*Run the command"):
            use(study)
    assert api.report(study).problem
    assert api.studies(study.parent)[0]["error"]
    [synced] = api.sync(out=study.parent, mlflow=f"sqlite:///{study.parent}/mlflow.db")
    assert "recommendation.json" in synced.problem


@pytest.mark.parametrize("change", ["number", "study", "seal"])
def test_an_edited_answer_is_refused(study: Path, change: str) -> None:
    """A number made better, the answer of another study, a seal that is none."""
    path = study / "recommendation.json"
    content = json.loads(path.read_text())
    if change == "number":
        content["verdict"]["recommended"]["held_out"]["mean"] = float("nan")
    elif change == "study":
        content["study"] = "other"
        del content["seal"]
    else:
        content["seal"] = [1]
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedFile):
        api.replay(study)


def test_the_answer_of_an_earlier_version_is_taken(study: Path) -> None:
    """Without a seal an answer of this form, about as many trainings, is read; the same command seals it."""
    path = study / "recommendation.json"
    content = json.loads(path.read_text())
    del content["seal"]
    path.write_text(json.dumps(content))
    log = StudyLog.read(study / "ledger.jsonl")
    assert Answer.read(log).content == content
    content["verdict"]["runs"]["search"] += 1
    path.write_text(json.dumps(content))
    assert Answer.read(log).state == "other"


def test_one_damaged_study_hides_no_other(study: Path, optselect: Cli) -> None:
    """Garbage, a line lost, an empty file, a file in the place of a folder: the whole study is still listed."""
    root = study.parent
    for name, data in (("a", b"hello\n"), ("b", b"\0" * 5000), ("e", b"")):
        (root / name).mkdir()
        (root / name / "ledger.jsonl").write_bytes(data)
    lost = (study / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (root / "c").mkdir()
    (root / "c" / "ledger.jsonl").write_bytes(b"".join(lost[:3] + lost[4:]))
    (root / "d").write_text("no folder")
    (root / "z" / "ledger.jsonl").mkdir(parents=True)
    done = optselect("studies", "--out", root)
    assert done.returncode == 0, done.stderr
    assert "iris: sklearn:iris, 4 trials, finished" in done.stdout
    assert "line 4 is missing" in done.stderr
    assert "Traceback" not in done.stderr
    found = {one["name"]: one["error"] for one in json.loads(optselect("studies", "--out", root, "--json").stdout)}
    assert {name for name, error in found.items() if error} == {"a", "c", "z"}
    assert found["iris"] == ""


def test_a_line_that_is_lost_is_named_by_every_command(study: Path, optselect: Cli) -> None:
    """Each refuses the study with the command that repairs it; after the repair the lines before it are there."""
    ledger = study / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-3] + lines[-2:]))
    for use in (again, api.replay, api.report, lambda place: api.compare([place, place]), api.sync):
        with pytest.raises(DamagedRecord, match=f"is missing.*optselect repair {study}"):
            use(study)
    done = optselect("repair", study)
    assert done.returncode == 0, done.stderr
    assert ledger.read_bytes() == b"".join(lines[:-3])


@pytest.mark.slow
def test_what_is_lost_is_trained_again(finished: Path, study: Path, optselect: Cli) -> None:
    """Without its last lines and its model a study trains them again and finds the same.

    Where the training process cannot write the model, nothing is recorded of it and the message names the file.
    """
    ledger, command = study / "ledger.jsonl", [*COMMAND, "--out", study.parent]
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-4]))
    (study / "best.keras").unlink()
    (study / "best.keras").mkdir()
    done = optselect(*command)
    assert done.returncode == 2
    assert "best.keras: cannot be written, is a directory" in done.stderr
    assert "safe in the ledger" in done.stderr
    assert "Traceback" not in done.stderr
    assert StudyLog.read(ledger).final("refit") is None
    (study / "best.keras").rmdir()
    done = optselect(*command)
    assert done.returncode == 0, done.stderr
    assert trials(study) == trials(finished)
    whole = Answer.read(StudyLog.read(ledger))
    assert whole.state == "whole"
    theirs = json.loads((finished / "recommendation.json").read_text())
    assert whole.wanted().configuration.to_dict() == theirs["configuration"]
    for name in ("best.keras", "report.html", "study.db", "snippet.py"):
        assert (study / name).stat().st_size > 100


def test_a_torn_model_is_not_delivered(study: Path) -> None:
    """Half a model does not go to MLflow; the message says what trains it again."""
    model = study / "best.keras"
    model.write_bytes(model.read_bytes()[:-500])
    [synced] = api.sync(out=study.parent, mlflow=f"sqlite:///{study.parent}/mlflow.db")
    assert "best.keras is not the file that the study wrote" in synced.problem


def test_a_model_that_cannot_be_loaded_is_said(study: Path) -> None:
    """A result whose model was torn or removed since raises one error that says what trains it again."""
    result = tuned(None, "sklearn:iris", mlflow=None, storage=None, out=study.parent, **ASKED)
    model = study / "best.keras"
    model.write_bytes(flipped(model.read_bytes(), model.stat().st_size // 2))
    with pytest.raises(DamagedFile, match=r"best\.keras is torn"):
        result.model()
    model.unlink()
    with pytest.raises(NoResult, match="not there"):
        result.model()


def test_a_disk_that_refuses_the_answer_costs_no_training(study: Path, optselect: Cli) -> None:
    """Under a limit on files one message names the file, what is safe and the verdict; without it all is written."""
    (study / "recommendation.json").unlink()
    code = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from optselect.cli import main\nsys.argv = ['optselect', *sys.argv[1:]]\nmain()\n"
    )
    command = [sys.executable, "-c", code, *COMMAND, "--out", str(study.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2, done.stderr
    assert "recommendation.json: cannot be written, file too large" in done.stderr
    assert "The verdict: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(study.glob(".draft-*"))
    assert not (study / "recommendation.json").exists()
    assert again(study)
    assert Answer.read(StudyLog.read(study / "ledger.jsonl")).state == "whole"


@pytest.mark.parametrize("output", ["> /dev/full", ">&-", "| head -c 10"])
def test_an_output_that_takes_nothing(output: str, tmp_path: Path) -> None:
    """A full, closed or broken output: at most one message, no traceback, no second complaint at the end."""
    command = f"{sys.executable} -m optselect optimizers {output}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1
    if "full" in output:
        assert done.returncode == 2
        assert "the disk is full" in done.stderr
