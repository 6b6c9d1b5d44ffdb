"""Tracking: every trial is in MLflow exactly once and readable, and a study never pays for MLflow's troubles."""

# ruff: noqa: F401, F811  fixtures are imported, and named again by who takes them

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.errors import InvalidValue
from optselect.model.objective import Objective
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.record.entries import StudyRecord, TrialRecord
from optselect.sinks.mlflow import MlflowTracker, NullTracker, Tracker, default_uri, run_contents
from optselect.sinks.mlflow.uris import Store
from tests.helpers import ROOT
from tests.helpers.mirrored import ENDING, STUDY, WEEK, client, record, server, template, uri


def tracker(uri: str, directory: Path, **named: Any) -> MlflowTracker:
    return MlflowTracker(uri, experiment="optselect/iris", directory=directory, **named)


def runs(uri: str) -> tuple[Any, dict[int, Any]]:
    """The one study's run and its trials by number; each must be there once, under that run."""
    mlflow = client(uri)
    experiment = mlflow.get_experiment_by_name("optselect/iris").experiment_id
    found = mlflow.search_runs([experiment], max_results=1000)
    parents = [run for run in found if run.data.tags["optselect.kind"] == "study"]
    trials = [run for run in found if run.data.tags["optselect.kind"] == "trial"]
    assert len(parents) == 1
    arms = {run.info.run_id: run for run in found if run.data.tags["optselect.kind"] == "arm"}
    assert {run.data.tags["mlflow.parentRunId"] for run in arms.values()} <= {parents[0].info.run_id}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} <= arms.keys()
    counts = Counter(int(run.data.tags["optselect.number"]) for run in trials)
    assert set(counts.values()) <= {1}, counts
    return parents[0], {int(run.data.tags["optselect.number"]): run for run in trials}


def deliver(
    uri: str, directory: Path, records: list[TrialRecord], resumed: list[TrialRecord] | None = None
) -> list[str]:
    """A whole study; the warnings."""
    mirror = tracker(uri, directory)
    mirror.start(STUDY, resumed=resumed or [])
    for each in records:
        mirror.trial(each)
    mirror.finish(ENDING)
    return mirror.close(WEEK)


# -- what is written -------------------------------------------------------------------------------------------------


def test_a_study_reads_back(uri, tmp_path):
    """The study's run and a run a trial hold the settings, curves, outcome, times, recommendation and files."""
    (tmp_path / "recommendation.json").write_text("{}")
    mirror = tracker(uri, tmp_path)
    mirror.start(STUDY, resumed=[record(0)])
    for each in (
        record(1, "diverged"),
        record(2, "failed", curves={}, metrics={}),
        record(3, stage="confirm"),
        record(4),
    ):
        mirror.trial(each)
    files = {"recommendation.json": tmp_path / "recommendation.json", "gone.txt": tmp_path / "gone.txt"}
    mirror.finish(dataclasses.replace(ENDING, artifacts=files))
    assert mirror.close(WEEK) == []
    parent, trials = runs(uri)

    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "iris"
    assert parent.data.params == {"rows": "150", "model": "mlp", "data": "1f2e3d", "objective": "val_loss"}
    expected = {
        "mlflow.note.content": "Take **it**.",
        "optselect.winner": "it",
        "optselect.study": "iris",
        "optselect.data": "1f2e3d",
    }
    assert expected.items() <= parent.data.tags.items()
    assert "optselect.version.optuna" in parent.data.tags
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= parent.data.metrics.keys()
    said = {name: value for name, value in parent.data.metrics.items() if not name.startswith("system/")}
    assert said == {"p_best": 0.9, "best_objective": 1 / 5}
    best = client(uri).get_metric_history(parent.info.run_id, "best_objective")
    assert [(m.step, m.value) for m in best] == [(0, 1.0), (4, 1 / 5)]
    files = [f.path for f in client(uri).list_artifacts(parent.info.run_id)]
    assert files == ["recommendation.json"]
    assert list((tmp_path / "mlruns").rglob("recommendation.json")), "artifacts lie beside the database"

    assert {n: run.info.status for n, run in trials.items()} == {
        0: "FINISHED", 1: "KILLED", 2: "FAILED", 3: "FINISHED", 4: "FINISHED",
    }  # fmt: skip
    assert {run.data.tags["optselect.stage"] for run in trials.values()} == {"search", "confirm"}
    first = trials[0]
    assert first.info.run_name == f"{record(0).configuration.rule.name} 0"
    assert (first.info.start_time, first.info.end_time) == (1767225600500, 1767225602000)
    assert first.data.params == run_contents.trial_params(record(0))
    history = client(uri).get_metric_history(first.info.run_id, "val_loss")
    assert [(m.step, m.value, m.timestamp) for m in history] == [
        (1, 1.5, 1767225601000), (2, 0.5, 1767225601500), (3, 0.25, 1767225602000),
    ]  # fmt: skip
    assert first.data.metrics == {
        "loss": 0.25,
        "val_loss": 0.25,
        "test_accuracy": 0.875,
        "objective": 1.0,
        "seconds": 1.5,
    }
    diverged = trials[1].data
    assert diverged.metrics["diverged_at_epoch"] == 2
    assert diverged.metrics["loss"] == 1.0
    assert diverged.tags["optselect.reason"] == "the loss is inf"


def test_best_objective_follows_the_direction(uri, tmp_path):
    """With a maximised objective, the best one of the study's run only grows."""
    mirror = tracker(uri, tmp_path, objective=Objective("val_accuracy", maximize=True))
    mirror.start(STUDY, resumed=[])
    for number, value in enumerate([0.5, 0.25, 0.75]):
        mirror.trial(record(number, value=value))
    assert mirror.close(WEEK) == []
    parent, _ = runs(uri)
    best = client(uri).get_metric_history(parent.info.run_id, "best_objective")
    assert [(m.step, m.value) for m in best] == [(0, 0.5), (2, 0.75)]
    assert parent.info.status == "KILLED", "closed without an end"


@pytest.mark.parametrize("number", range(max(len(RULES), len(SCHEDULES), len(CLIPPINGS))))
def test_settings_are_flat(number):
    """Every setting of any configuration is one parameter, a word or a plain number, never a dict."""
    each = record(number)
    params = run_contents.trial_params(each)
    configuration = each.configuration
    assert params["optimizer"] == configuration.rule.key
    for name, value in configuration.rule.named_numbers().items():
        if isinstance(value, bool):
            assert params[name] in ("true", "false")
        else:
            assert math.isclose(float(params[name]), value, rel_tol=1e-3)
            assert set(params[name]) <= set("-.0123456789")
    assert {f"schedule_{name}" for name in configuration.schedule.values()} <= params.keys()
    assert configuration.clipping.values().keys() <= params.keys()
    assert math.isclose(10 ** float(params["log10_learning_rate"]), float(params["learning_rate"]), rel_tol=1e-3)


@given(st.floats(1e-9, 1e9))
def test_numbers_are_short_and_true(value):
    """A number is shown without an exponent, in 16 characters, to a thousandth of it and of 1 minus it."""
    shown = run_contents.number(value)
    assert set(shown) <= set("0123456789.")
    assert len(shown) <= 16
    assert math.isclose(float(shown), value, rel_tol=1e-3)
    if 0.5 < value < 1 - 1e-9:
        assert math.isclose(1 - float(shown), 1 - value, rel_tol=1e-3)


@given(st.text(st.characters()), st.text(st.characters()))
def test_mlflow_takes_any_name_and_text(name, value):
    """MLflow's own checks pass for whatever name or text is made clean here, and a second cleaning changes nothing."""
    from mlflow.utils.validation import _validate_metric_name, _validate_param, _validate_tag

    clean, short = run_contents.key(name * 9), run_contents.text(value * 5000, run_contents.PARAM_LENGTH)
    _validate_metric_name(clean)
    _validate_param(clean, short)
    _validate_tag(clean, short)
    assert run_contents.key(clean) == clean
    assert len(short) <= run_contents.PARAM_LENGTH
    short.encode("utf-8")


def test_long_curves_and_wild_names_arrive(uri, tmp_path):
    """A curve beyond MLflow's limit of a request and a description with odd names arrive whole."""
    study = StudyRecord(name="x" * 300, fingerprint={}, description={f"é 🙂 {n}": "v" * 7000 for n in range(130)})
    mirror = tracker(uri, tmp_path)
    mirror.start(study, resumed=[])
    mirror.trial(record(0, curves={"top-5 (%)": [float(n) for n in range(2500)]}, epochs=2500))
    assert mirror.close(WEEK) == []
    parent, trials = runs(uri)
    assert len(parent.data.params) == 130
    history = client(uri).get_metric_history(trials[0].info.run_id, "top-5 ___")
    assert sorted((m.step, m.value) for m in history) == [(n + 1, float(n)) for n in range(2500)]


def test_early_stopping_has_its_epochs():
    """Epochs trained and kept; what the kept weights score is a metric's last value, one step behind its curve."""
    curve = [0.9, 0.5, 0.7]
    kept = {"curves": {"val_loss": curve}, "metrics": {"val_loss": 0.5}, "epochs": 3}
    told = run_contents.trial_points(dataclasses.replace(record(0), **kept, best_epoch=2, stopped=True))
    assert [(p.step, p.value) for p in told if p.name == "val_loss"] == [(1, 0.9), (2, 0.5), (3, 0.7), (4, 0.5)]
    assert {p.name: p.value for p in told if p.name in ("epochs", "best_epoch")} == {"epochs": 3, "best_epoch": 2}
    without = run_contents.trial_points(dataclasses.replace(record(0), **kept))
    assert [p.step for p in without if p.name == "val_loss"] == [1, 2, 3]
    assert not any("epoch" in p.name for p in without)


# -- exactly once ----------------------------------------------------------------------------------------------------


def test_resumed_trials_are_delivered_once(uri, tmp_path):
    """A second run of the study adds what is missing and repeats nothing, in the same run of MLflow."""
    records = [record(n) for n in range(4)]
    assert deliver(uri, tmp_path, records[:2]) == []
    before, _ = runs(uri)
    assert deliver(uri, tmp_path, records[3:], resumed=records[:3]) == []
    parent, trials = runs(uri)
    assert set(trials) == {0, 1, 2, 3}
    assert parent.info.run_id == before.info.run_id
    best = client(uri).get_metric_history(parent.info.run_id, "best_objective")
    assert [m.step for m in best] == [0, 1, 2, 3]


def test_half_written_and_repeated_runs_are_mended(uri, tmp_path):
    """Runs that a lost process or a late request left are deleted; a parent that the user deleted is replaced."""
    records = [record(n) for n in range(3)]
    assert deliver(uri, tmp_path, records[:2]) == []
    parent, trials = runs(uri)
    mlflow = client(uri)
    experiment = parent.info.experiment_id
    for tags in (
        trials[1].data.tags,
        run_contents.trial_tags(records[2]) | {"optselect.key": parent.data.tags["optselect.key"]},
    ):
        mlflow.create_run(experiment, tags={k: v for k, v in tags.items() if k != "mlflow.runName"})
    mlflow.delete_run(parent.info.run_id)
    assert deliver(uri, tmp_path, [], resumed=records) == []
    after, trials = runs(uri)
    assert set(trials) == {0, 1, 2}
    assert after.info.run_id != parent.info.run_id
    assert {run.info.status for run in trials.values()} == {"FINISHED"}


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.sinks.test_mlflow import STUDY, record, tracker
mirror = tracker(sys.argv[1], Path(sys.argv[2]))
mirror.start(STUDY, resumed=[record(n) for n in range(60)])
print("go", flush=True)
time.sleep(60)
"""


def test_sigkill_in_the_middle(uri, tmp_path):
    """A process killed while it delivers, twice, and then run again leaves every trial in MLflow exactly once."""
    seen = [0]
    for more in (5, 10):
        command = [sys.executable, "-c", KILLED, uri, str(tmp_path), str(ROOT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            until = time.monotonic() + WEEK
            while count_runs(tmp_path / "mlflow.db") < seen[-1] + more and time.monotonic() < until:
                time.sleep(0.003 * more)
            os.kill(process.pid, signal.SIGKILL)
        seen.append(count_runs(tmp_path / "mlflow.db"))
    assert 0 < seen[1] < seen[2] < 61, "the kills came in the middle"
    assert deliver(uri, tmp_path, [], resumed=[record(n) for n in range(60)]) == []
    _, trials = runs(uri)
    assert set(trials) == set(range(60))
    for number, run in trials.items():
        assert run.info.status == "FINISHED"
        assert run.data.params == run_contents.trial_params(record(number))
        assert run.data.metrics["objective"] == record(number).value


def count_runs(database: Path) -> int:
    """How many runs of trials a database has, half-written ones too."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("select count(*) from tags where key = 'optselect.number'").fetchone()[0])


# -- MLflow in trouble -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def broken_server(manner: str) -> Iterator[str]:
    """The address of a server that refuses, hangs or answers 500."""

    class Fails(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    if manner == "500":
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fails) as server:
            threading.Thread(target=server.serve_forever).start()
            yield f"http://ada:s3cr3t-CANARY@127.0.0.1:{server.server_port}"
            server.shutdown()
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://ada:s3cr3t-CANARY@127.0.0.1:{listener.getsockname()[1]}"
        if manner == "refuses":
            listener.close()
        yield address


@pytest.mark.parametrize(
    ("manner", "reason"), [("refuses", "connection refused"), ("500", "it answers 500"), ("hangs", "within 1 s")]
)
def test_broken_server_costs_one_warning(manner, reason, template, tmp_path, capfd):
    """A server in trouble costs no call, one warning, no password and no trial: another store gets all afterwards."""
    import mlflow

    records = [record(n) for n in range(41)]
    with broken_server(manner) as address:
        mirror = tracker(address, tmp_path)
        mirror.start(STUDY, resumed=records[:20])
        slowest = 0.0
        for each in records[20:]:
            begin = time.perf_counter()
            mirror.trial(each)
            slowest = max(slowest, time.perf_counter() - begin)
            time.sleep(0.01)
        mirror.finish(ENDING)
        begin = time.perf_counter()
        warnings = mirror.close(1.0)
        assert time.perf_counter() - begin < 1.5
    assert slowest < 0.05
    assert len(warnings) == 1
    shown = address.replace("s3cr3t-CANARY", "***")
    assert warnings[0].startswith(f"MLflow at {shown} ")
    assert reason in warnings[0]
    assert "41 trials are in the ledger and will be delivered once the server is up by\n" in warnings[0]
    assert warnings[0].endswith(f"  optselect sync {tmp_path}")
    assert "CANARY" not in str(mirror.where())
    assert capfd.readouterr() == ("", "")
    assert "CANARY" not in (tmp_path / "mlflow.json").read_text()
    working = f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"
    assert deliver(working, tmp_path, [], resumed=records) == []
    assert set(runs(working)[1]) == set(range(41))


def test_store_that_comes_back_gets_everything(uri, tmp_path):
    """A store that fails for a while is tried once more at the end, and nothing is missing then."""
    database = tmp_path / "mlflow.db"
    database.rename(tmp_path / "away")
    database.write_text("not a database" * 100)
    mirror = tracker(uri, tmp_path)
    mirror.start(STUDY, resumed=[])
    mirror.trial(record(0))
    until = time.monotonic() + WEEK
    courier = mirror._sending.courier
    while not courier.trouble and time.monotonic() < until:
        time.sleep(0.01)
    assert "not a database" in courier.trouble
    (tmp_path / "away").rename(database)
    mirror.trial(record(1))
    mirror.finish(ENDING)
    assert mirror.close(WEEK) == []
    assert set(runs(uri)[1]) == {0, 1}


def test_optuna_database_is_named(tmp_path):
    """A database of Optuna is left as it is, and the warning says why."""
    uri = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=uri, study_name="kept")
    (warning,) = deliver(uri, tmp_path, [record(0)])
    assert "holds Optuna studies" in warning
    assert "1 trial is in the ledger" in warning
    assert optuna.load_study(storage=uri, study_name="kept").trials == []


def test_deleted_experiment_is_named(uri, tmp_path):
    """An experiment in MLflow's bin is not written to; the warning says how to get it back."""
    mlflow = client(uri)
    mlflow.delete_experiment(mlflow.create_experiment("optselect/iris"))
    (warning,) = deliver(uri, tmp_path, [record(0)])
    assert "was deleted there" in warning


def test_refused_trial_holds_up_no_other(uri, tmp_path):
    """A trial that the store cannot hold is reported by its number and leaves nothing; the rest arrives."""
    warnings = deliver(uri, tmp_path, [record(0), record(1, started=1e30), record(2)])
    assert len(warnings) == 1
    assert "did not take 1 trial, such as number 1: " in warnings[0]
    assert set(runs(uri)[1]) == {0, 2}


# -- the rest --------------------------------------------------------------------------------------------------------


def test_calls_do_not_wait(uri, tmp_path):
    """A call costs its caller under a millisecond in the median, while MLflow works."""
    mirror = tracker(uri, tmp_path)
    records = [record(n) for n in range(40)]
    mirror.start(STUDY, resumed=[])
    seconds = []
    for each in records:
        begin = time.perf_counter()
        mirror.trial(each)
        seconds.append(time.perf_counter() - begin)
        time.sleep(0.005)
    assert mirror.close(WEEK) == []
    assert sorted(seconds)[20] < 1e-3


def test_settings_of_the_process(uri, tmp_path, monkeypatch):
    """MLflow's timeouts are lowered for the time of a study only, and what the user has set stays."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    mirror = tracker(uri, tmp_path)
    mirror.start(STUDY, resumed=[])
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert mirror.close(WEEK) == []
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_import_is_light():
    """Importing the tracking loads no MLflow."""
    code = (
        "import sys, optselect.sinks.mlflow\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('mlflow', 'tensorflow')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_default_uri(monkeypatch, tmp_path):
    """The environment decides, else a database in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert default_uri() == "http://127.0.0.1:5000"


@pytest.mark.parametrize("address", ["file:///tmp/mlruns", "mlruns", "sqlite://", "sqlite:///:memory:", ""])
def test_stores_that_cannot_hold_a_study(address, tmp_path):
    """Folders of files and databases in memory are refused before a study starts."""
    with pytest.raises(InvalidValue, match="cannot hold a study"):
        tracker(address, tmp_path)


def test_null_tracker(tmp_path):
    """Telling nobody is silent; a tracker that was never started has nothing to say either."""
    nobody: Tracker = NullTracker()
    nobody.start(STUDY, resumed=[])
    nobody.trial(record(0))
    nobody.finish(ENDING)
    assert nobody.close(1.0) == []
    assert nobody.where() is None
    assert tracker(f"sqlite:///{tmp_path}/none.db", tmp_path).close(1.0) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://ada:p%40ss/w@db.example:5432/mlflow",
        "https://p%40ss/w@db.example/x",
        "postgresql://db.example/mlflow?user=ada&password=p%40ss/w",
    ],
)
def test_passwords_are_masked(address, tmp_path):
    """No form of a password in an address is shown, nor passed on from a message of MLflow."""
    where = str(tracker(address, tmp_path).where())
    said = Store.parse(address).scrub(f"{address} did not take p%40ss/w or p@ss/w")
    for shown in (where, said):
        assert "db.example" in shown
        assert "ss/w" not in shown


def test_nothing_is_printed(tmp_path):
    """Making a database, delivering to it and closing prints nothing, neither MLflow nor its migrations."""
    code = KILLED.replace("time.sleep(60)", "assert mirror.close(60) == []\nprint(mirror.where())")
    uri = f"sqlite:///{tmp_path / 'new.db'}"
    command = [sys.executable, "-c", code, uri, str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "go",
        f"mlflow ui --backend-store-uri {uri}",
        "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART"
        "&viewStateShareKey=optselect",
    ]


def test_real_server(server, tmp_path):
    """Through a real server the same study arrives: resumed, once, with its files, and the link names it."""
    (tmp_path / "snippet.py").write_text("import keras")
    records = [record(0), record(1, "diverged"), record(2)]
    assert deliver(server, tmp_path, records[:2]) == []
    mirror = tracker(server, tmp_path)
    mirror.start(STUDY, resumed=records)
    mirror.finish(dataclasses.replace(ENDING, artifacts={"code/snippet.py": tmp_path / "snippet.py"}))
    assert mirror.close(WEEK) == []
    parent, trials = runs(server)
    assert {n: run.info.status for n, run in trials.items()} == {0: "FINISHED", 1: "KILLED", 2: "FINISHED"}
    assert parent.data.tags["mlflow.note.content"] == "Take **it**."
    files = [f.path for f in client(server).list_artifacts(parent.info.run_id, "code")]
    assert files == ["code/snippet.py"]
    experiment = parent.info.experiment_id
    assert str(mirror.where()).startswith(
        f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&compareR"
    )
