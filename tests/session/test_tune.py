"""The main job as a user has it: the command line, a real study, a real MLflow store, SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optselect.cli import main
from optselect.optim.configuration import Configuration
from optselect.record import read

Cli = Callable[..., subprocess.CompletedProcess[str]]
STUDY = [
    "tune",
    "sklearn:iris",
    "--trials",
    "28",
    "--epochs",
    "4",
    "--care",
    "quick",
    "--confirm",
    "2",
    "--workers",
    "1",
]
STUDY += ["--pruner", "halving"]  # with range tests and rungs there is more that a kill can hit


def trials(folder: Path) -> list[dict[str, Any]]:
    """The finished trials of the iris study in a folder, by number, without what a clock says."""
    found = [e for e in read(folder / "optselect-studies/iris/ledger.jsonl") if e["kind"] == "trial"]
    clocks = ("started", "seconds", "step_seconds")
    return sorted(({k: v for k, v in e.items() if k not in clocks} for e in found), key=lambda e: e["number"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An uninterrupted study: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "optselect", *STUDY, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_budget_is_exact_and_shared_fairly(finished: tuple[Path, dict[str, Any]]) -> None:
    """As many trials as asked, every arm within one of every other, each arm's first at its rule's defaults."""
    folder, _ = finished
    search = [t for t in trials(folder) if t["stage"] == "search"]
    arms = [t["arm"] for t in search]
    counts = {arm: arms.count(arm) for arm in arms}
    assert len(search) == 28
    assert max(counts.values()) - min(counts.values()) <= 1
    for arm in counts:
        first = next(t for t in search if t["arm"] == arm)
        assert Configuration.from_dict(first["configuration"]).changed().keys() == {"learning_rate"}


def test_a_killed_study_goes_on_as_if_it_had_not_been(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, optselect: Cli
) -> None:
    """SIGKILL in the search, in the race and in the confirmations, then the same command: bit for bit the same."""
    ledger = tmp_path / "optselect-studies/iris/ledger.jsonl"
    for enough in (8, 32, 47):
        process = subprocess.Popen(
            [sys.executable, "-m", "optselect", *STUDY, "--mlflow", "none"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while not (ledger.exists() and ledger.read_bytes().count(b'"kind": "trial"') >= enough):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = optselect(*STUDY, "--mlflow", "none")
    assert done.returncode == 0, done.stderr
    assert "are there already" in done.stderr
    assert trials(tmp_path) == trials(finished[0])


def test_a_finished_study_only_reports(finished: tuple[Path, dict[str, Any]]) -> None:
    """The same command once more trains nothing, loads no TensorFlow and gives the same answer."""
    folder, before = finished
    code = (
        "import json, sys\nfrom optselect import Evaluation, RunOptions, SearchOptions, tune\n"
        "evaluation, run = Evaluation(care='quick', confirm=2), RunOptions(workers=1)\n"
        "search = SearchOptions(pruner='halving')\n"
        "r = tune(None, 'sklearn:iris', trials=28, epochs=4, search=search, evaluation=evaluation, run=run)\n"
        "assert not {'tensorflow', 'mlflow'} & sys.modules.keys()\n"
        "print(json.dumps(r.to_dict()))\n"
    )
    size = (folder / "optselect-studies/iris/ledger.jsonl").stat().st_size
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout)
    assert (folder / "optselect-studies/iris/ledger.jsonl").stat().st_size == size
    assert after["verdict"] == before["verdict"]
    assert after["snippet"] == before["snippet"]


def test_killed_before_its_files_were_written(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, optselect: Cli
) -> None:
    """A study that was killed after its last training writes what it has to say when the same command comes again."""
    folder = tmp_path / "optselect-studies/iris"
    shutil.copytree(finished[0] / "optselect-studies/iris", folder)
    written = json.loads((folder / "recommendation.json").read_text())
    files = ("recommendation.json", "snippet.py", "report.html", "study.db")
    for name in files:
        (folder / name).unlink()
    done = optselect(*STUDY, "--mlflow", "none")
    assert done.returncode == 0, done.stderr
    assert all((folder / name).exists() for name in files)
    after = json.loads((folder / "recommendation.json").read_text())
    assert after["verdict"] == written["verdict"]


def test_mlflow_has_every_trial(finished: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """One run a trial somewhere under one run of the study, read back by MLflow, with curves and artifacts."""
    import mlflow

    folder, _ = finished
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    runs = mlflow.search_runs(search_all_experiments=True, max_results=1000)
    children = runs[runs["tags.optselect.kind"] == "trial"]
    parent = runs[runs["tags.optselect.kind"] == "study"]
    assert len(parent) == 1
    assert {"metrics.p_best", "metrics.gain_over_default", "tags.optselect.word"} <= set(parent.columns)
    above = dict(zip(runs["run_id"], runs["tags.mlflow.parentRunId"], strict=True))
    roots = set(children["run_id"])
    while roots & {run for run, parent in above.items() if isinstance(parent, str)}:
        roots = {above[run] if isinstance(above[run], str) else run for run in roots}
    assert roots == set(parent["run_id"])
    assert sorted(children["tags.optselect.number"].astype(int)) == [t["number"] for t in trials(folder)]
    assert set(children["status"]) <= {"FINISHED", "KILLED"}
    client = mlflow.MlflowClient()
    history = client.get_metric_history(children["run_id"].iloc[0], "val_loss")
    assert len(history) == 4
    assert {a.path for a in client.list_artifacts(parent["run_id"].iloc[0])} >= {"recommendation.json", "snippet.py"}


def test_the_pasted_snippet_gives_the_number_claimed(finished: tuple[Path, dict[str, Any]]) -> None:
    """Plain Keras, the printed code, the same rows: the held-out accuracy of the confirmation runs."""
    import numpy as np

    from optselect.data import read
    from optselect.task import make_spec
    from optselect.task.prepared import Task
    from optselect.util.seeds import derive

    folder, found = finished
    task = Task.from_spec(make_spec(read("sklearn:iris"), epochs=4, seed=0))
    best = found["configuration"]
    runs = [t for t in trials(folder) if t["stage"] == "confirm" and t["configuration"] == best]
    claimed = [t["metrics"]["test_accuracy"] for t in runs]
    scores = []
    for k in range(5):
        model = task.build(derive(99, k))
        names = {"model": model, "x_train": task.x_train, "y_train": task.y_train}
        exec(found["snippet"].replace("epochs=4", "epochs=4, verbose=0"), names)
        scores.append(model.evaluate(task.x_test, task.y_test, verbose=0, return_dict=True)["accuracy"])
    assert np.mean(scores) == pytest.approx(np.mean(claimed), abs=0.15)  # 30 test rows: 0.033 each


def test_the_saved_model_answers_raw_rows_without_optselect(finished: tuple[Path, dict[str, Any]]) -> None:
    """`best.keras` loads with Keras alone and gives class probabilities for raw rows."""
    folder, found = finished
    code = (
        "import keras, sklearn.datasets, sys\n"
        "model = keras.saving.load_model('optselect-studies/iris/best.keras')\n"
        "x, y = sklearn.datasets.load_iris(return_X_y=True)\n"
        "p = model.predict(x, verbose=0)\n"
        "assert p.shape == (150, 3) and abs(p.sum(1) - 1).max() < 1e-5\n"
        "assert 'optselect' not in sys.modules\n"
        "print((p.argmax(1) == y).mean())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(found["verdict"]["check"], abs=0.15)


def test_optuna_reads_the_export(finished: tuple[Path, dict[str, Any]]) -> None:
    """`study.db` holds a study an arm for optuna-dashboard and plain Optuna."""
    import optuna

    storage = f"sqlite:///{finished[0] / 'optselect-studies/iris/study.db'}"
    names = optuna.get_all_study_names(storage)
    arms = {t["arm"] for t in trials(finished[0])}
    assert {name.removeprefix("iris/") for name in names} == arms


def test_another_question_under_the_same_name_is_refused(finished: tuple[Path, dict[str, Any]]) -> None:
    """What changed is named, with both values; exit code 2; nothing is overwritten."""
    folder, _ = finished
    command = [sys.executable, "-m", "optselect", *STUDY, "--epochs", "5"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "epochs: 4 -> 5" in done.stderr
    assert "--study NAME" in done.stderr


def test_studies_are_listed(finished: tuple[Path, dict[str, Any]]) -> None:
    """`optselect studies` names the study, its state and its recommendation."""
    command = [sys.executable, "-m", "optselect", "studies", "--json"]
    done = subprocess.run(command, cwd=finished[0], capture_output=True, text=True, check=True)
    [study] = json.loads(done.stdout)
    assert (study["name"], study["trials"], study["finished"]) == ("iris", 28, True)
    assert study["verdict"] == finished[1]["verdict"]["text"]


def test_a_dead_mlflow_server_costs_a_warning(tmp_path: Path, optselect: Cli) -> None:
    """With nobody listening the study ends well, in time, and says what was not delivered."""
    done = optselect(
        *STUDY[:2],
        "--trials",
        "3",
        "--epochs",
        "1",
        "--care",
        "quick",
        "--confirm",
        "2",
        "--optimizers",
        "adam,sgd,adagrad",
        "--workers",
        "1",
        "--mlflow",
        "http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:9 could not be reached" in done.stderr
    assert "Verdict" in done.stdout


BAD = {
    ("tune", "nosuch.csv", "--target", "y"): "nosuch.csv",
    ("tune", "data.csv"): "target",
    ("tune", "data.csv", "--target", "specie"): "Did you mean 'species'",
    ("tune", "data.csv", "--target", "species", "--optimizers", "adamn"): "or 'adam'?",
    ("tune", "data.csv", "--target", "species", "--space", "bad.yaml"): "Swap them?",
    ("tune", "data.csv", "--target", "species", "--objective", "val_acc"): "Did you mean 'val_accuracy'",
    ("tune", "data.csv", "--target", "species", "--trials", "0"): "`--trials` must be at least 1, got 0",
    ("tune", "data.csv", "--target", "species", "--sampler", "tpee"): "Did you mean 'tpe'",
    ("tune", "data.csv", "--target", "species", "--pruner", "medain"): "Did you mean 'median'",
    ("tune", "data.csv", "--target", "species", "--strategy", "joined"): "Did you mean 'joint'",
    ("tune", "data.csv", "--target", "species", "--start", "nosuch"): "neither a file nor a study",
    ("tune", "data.csv", "--target", "species", "--time", "soon"): "'soon' is not a time",
    ("tune", "data.csv", "--target", "species", "--confirm", "1"): "one number has no interval",
    ("replay", "nosuch"): "no study is recorded here",
    ("scale", "nosuch", "--batch-size", "8"): "no study is recorded here",
    ("compare", "one", "two"): "no study is recorded here",
    ("tune", "data.csv", "--target", "species", "--model", "model.py:biuld"): "Did you mean 'build'",
    ("tune", "sklearn:digit"): "Did you mean 'digits'",
    ("tune", "sklearn:iris", "--target", "species"): "brings its own target",
    ("tune", "sklearn:iris", "--mlflow", "./mlruns"): "cannot hold a study",
    ("tune", "holes.csv", "--target", "species"): "missing",
    ("tune", "one.csv", "--target", "species"): "one",
    ("tune", "ragged.csv", "--target", "species"): "line 4",
    ("tune", "empty.csv", "--target", "species"): "empty",
    ("parity", "adamn"): "or 'adam'?",
    ("optimizers", "adamn"): "or 'adam'?",
    ("spaces", "defalt"): "Did you mean 'default'",
    ("spaces", "--check", "bad.yaml"): "bad.yaml:1",
}


@pytest.fixture
def files(tmp_path: Path) -> None:
    rows = [f"{i},{i % 7 + 0.5},{'abc'[i % 3]}" for i in range(60)]
    head = "length,width,species"
    (tmp_path / "data.csv").write_text("\n".join([head, *rows]))
    (tmp_path / "holes.csv").write_text("\n".join([head, *rows[:-6], *["1,2,"] * 6]))
    (tmp_path / "one.csv").write_text("\n".join([head, *(r[:-1] + "a" for r in rows)]))
    (tmp_path / "ragged.csv").write_text("\n".join([head, *rows[:2], "1,2,3,4", *rows[2:]]))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bad.yaml").write_text("optimizers: {adam: {learning_rate: {low: 0.1, high: 0.001}}}")
    (tmp_path / "model.py").write_text("def build():\n    raise RuntimeError('no')\n")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_a_mistake_gives_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Exit code 2, the message that says how to mend it, no traceback: in this process, for each is over at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["optselect", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err
    assert left.value.code == 2, said
    assert BAD[arguments] in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("files")
def test_a_model_function_that_fails_is_named(tmp_path: Path, optselect: Cli) -> None:
    """The user's file, line and exception; no study is begun, so that the mended command starts cleanly."""
    done = optselect("tune", "data.csv", "--target", "species", "--model", "model.py:build")
    assert done.returncode == 2
    assert "RuntimeError: no" in done.stderr
    assert "model.py:2" in done.stderr
    assert not (tmp_path / "optselect-studies/data/ledger.jsonl").read_bytes()
    assert "Traceback" not in done.stderr


def test_help_is_light_and_every_command_has_an_example(optselect: Cli) -> None:
    """The list of commands loads no library; the help of a command is without the heaviest, and shows a call.

    Options derive from the dataclasses that the library uses, so the help of a command may load pandas and Optuna.
    """
    code = (
        "import sys, click\nfrom click.testing import CliRunner\nfrom optselect.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "assert not {'tensorflow', 'mlflow', 'optuna', 'pandas', 'sklearn', 'rich'} & sys.modules.keys()\n"
        "for name, command in cli.commands.items():\n"
        "    text = CliRunner().invoke(cli, [name, '--help']).output\n"
        "    assert 'Example' in text and f'optselect {name}' in text, name\n"
        "assert not {'tensorflow', 'mlflow', 'sklearn', 'rich', 'sqlalchemy'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_optimizers_are_described(optselect: Cli) -> None:
    """Every rule's page has its equation, its hyperparameters and its paper."""
    listed = json.loads(optselect("optimizers", "--json").stdout)
    for rule in listed:
        assert rule["paper"]
        assert all(h["doc"] for h in rule["hyperparameters"])
    page = optselect("optimizers", listed[0]["name"]).stdout
    assert listed[0]["paper"] in page
    assert "←" in page
