"""A real study in MLflow: its tree, its numbers, its model, delivered exactly once, whoever dies on the way."""

# ruff: noqa: F401, F811  fixtures are imported, and named again by who takes them

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from optselect import Tracking, api
from optselect.errors import InvalidValue, StudyConflict
from optselect.optim.configuration import Configuration
from optselect.record import Ledger, read
from optselect.sinks.mlflow import Remembered, run_contents
from optselect.sinks.mlflow.delivery import Delivery
from tests.helpers.mirrored import WEEK, client, server, template, uri

NAME = "flats"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of a table with gaps, that MLflow has not heard of."""
    folder = tmp_path_factory.mktemp("finished")
    random, rows = np.random.default_rng(0), 120
    table = pd.DataFrame(
        {
            "size": random.normal(size=rows),
            "rooms": random.integers(1, 6, rows),
            "city": random.choice(["Bern", "Köln", "Rom"], rows),
            "new": random.choice([True, False], rows),
        }
    )
    table["rent"] = table["size"] * 2 + table["rooms"] + random.normal(size=rows) / 4
    table.loc[::17, "size"] = np.nan
    table.loc[::23, "city"] = None
    table.to_csv(folder / f"{NAME}.csv", index=False)
    words = f"tune {NAME}.csv --target rent --mlflow none --trials 6 --epochs 2 --optimizers adam,sgd --care quick"
    command = [sys.executable, "-m", "optselect", *words.split(), "--confirm", "3", "--workers", "1", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "optselect-studies" / NAME


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, in a folder of studies of its own."""
    return Path(shutil.copytree(finished, tmp_path / "studies" / NAME))


def runs(uri: str) -> dict[str, list[Any]]:
    """All runs of the study by kind."""
    mlflow = client(uri)
    experiment = mlflow.get_experiment_by_name(f"optselect/{NAME}").experiment_id
    found: dict[str, list[Any]] = {"study": [], "arm": [], "configuration": [], "trial": []}
    for run in mlflow.search_runs([experiment], max_results=1000):
        found[run.data.tags["optselect.kind"]].append(run)
    return found


def told(uri: str) -> list[tuple[Any, ...]]:
    """What MLflow holds of the study, without the names that MLflow gives: the same however it was delivered."""
    found = [run for those in runs(uri).values() for run in those]
    names = {run.info.run_id: run.info.run_name for run in found}
    lines = []
    for run in found:
        tags = {k: v for k, v in run.data.tags.items() if k.startswith(("optselect.", "mlflow.note"))}
        tags = {k: v for k, v in tags.items() if k != "optselect.key"}
        parent = names.get(run.data.tags.get("mlflow.parentRunId"), "")
        metrics = sorted((k, v) for k, v in run.data.metrics.items() if not k.startswith("system/"))
        lines.append((run.info.run_name, parent, run.info.status, sorted(run.data.params.items()), sorted(tags.items()),
                      metrics))  # fmt: skip
    return sorted(lines)


def dump(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return sorted(connection.iterdump())


def unfinished(study: Path, trials: int) -> list[str]:
    """Cut a study's ledger after so many trials, as if its process had been killed; the lines that are left."""
    lines = (study / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    last = [number for number, kind in enumerate(kinds) if kind == "trial"][trials - 1]
    (study / "ledger.jsonl").write_bytes(b"".join(lines[: last + 1]))
    (study / "recommendation.json").unlink()
    return kinds[: last + 1]


def test_the_tree(study: Path, uri: str) -> None:
    """Every training hangs below its configuration where that has several seeds, else below its arm; none is lost."""
    (synced,) = api.sync(study, mlflow=uri)
    assert synced.finished
    trials = [entry for entry in read(study / "ledger.jsonl") if entry["kind"] == "trial"]
    assert (synced.trials, synced.total) == (len(trials), len(trials))
    found = runs(uri)
    (top,) = found["study"]
    by_id = {run.info.run_id: run for those in found.values() for run in those}
    seeds = Counter(run.data.tags["optselect.configuration_key"] for run in found["trial"])
    assert {int(run.data.tags["optselect.number"]) for run in found["trial"]} == {t["number"] for t in trials}
    assert len(found["trial"]) == len(trials)
    for run in found["trial"]:
        parent = by_id[run.data.tags["mlflow.parentRunId"]]
        key, arm = (run.data.tags[f"optselect.{name}"] for name in ("configuration_key", "arm"))
        kind = "configuration" if seeds[key] > 1 else "arm"
        assert parent.data.tags["optselect.kind"] == kind
        assert parent.data.tags.get("optselect.configuration_key", key) == key
        assert parent.data.tags["optselect.arm"] == arm
    for run in found["configuration"]:
        assert by_id[run.data.tags["mlflow.parentRunId"]].data.tags["optselect.kind"] == "arm"
    assert {run.data.tags["mlflow.parentRunId"] for run in found["arm"]} == {top.info.run_id}
    assert {run.info.status for run in by_id.values()} == {"FINISHED"}
    distinct = [run for run in by_id.values() if run.data.tags.get("optselect.distinct") == "yes"]
    assert Counter(run.data.tags["optselect.configuration_key"] for run in distinct) == dict.fromkeys(seeds, 1)


def test_the_numbers_are_those_of_the_verdict(study: Path, uri: str) -> None:
    """Means and intervals of a finalist's run equal what the verdict says; arms count; the study's run has it all."""
    api.sync(study, mlflow=uri)
    found = runs(uri)
    answer = json.loads((study / "recommendation.json").read_text())
    verdict = answer["verdict"]
    by_key = {run.data.tags["optselect.configuration_key"]: run.data for run in found["configuration"]}
    assert verdict["confirmed"]
    for place, standing in enumerate(verdict["ranking"], start=1):
        configuration = Configuration.from_dict(standing["configuration"])
        data = by_key[run_contents.configuration_key(standing["arm"], configuration)]
        assert data.tags["optselect.configuration"] == standing["label"]
        for name, of in (("objective", "objective"), (f"test_{verdict['headline']}", "held_out")):
            for suffix, part in (("", "mean"), ("_low", "low"), ("_high", "high")):
                assert data.metrics[name + suffix] == pytest.approx(standing[of][part], rel=1e-6)
        assert data.metrics["seeds"] == standing["objective"]["seeds"]
        assert data.metrics["held_out_seeds"] == standing["held_out"]["seeds"]
        assert data.metrics["place"] == place
        assert data.tags["optselect.recommended"] == str(place == verdict["chosen"] + 1).lower()
        assert {"val_loss", "loss", "learning_rate"} <= data.metrics.keys()
    top = found["study"][0].data
    held_out = verdict["recommended"]["held_out"]
    assert top.metrics[f"held_out_{verdict['headline']}_high"] == pytest.approx(held_out["high"])
    assert top.tags["mlflow.note.content"].startswith(verdict["text"])
    assert sum(run.data.metrics["trials"] for run in found["arm"]) == 6
    assert min(run.data.metrics["best_objective"] for run in found["arm"]) == top.metrics["best_objective"]
    files = {file.path for file in client(uri).list_artifacts(found["study"][0].info.run_id)}
    assert files == {"recommendation.json", "report.html", "snippet.py"}


def test_the_data_set(study: Path, uri: str) -> None:
    """Name, source, columns and our digest of every value are on the study's run, by MLflow's own reader too."""
    api.sync(study, mlflow=uri)
    import mlflow.data

    (given,) = runs(uri)["study"][0].inputs.dataset_inputs
    assert given.dataset.name == f"{NAME}.csv"
    fingerprint = next(e for e in read(study / "ledger.jsonl") if e["kind"] == "study")["fingerprint"]
    assert fingerprint["data"].startswith(given.dataset.digest)
    columns = {c["name"]: c["type"] for c in json.loads(given.dataset.schema)["mlflow_colspec"]}
    assert columns == {"size": "double", "rooms": "long", "city": "string", "new": "boolean", "rent": "double"}
    assert json.loads(given.dataset.profile)["num_rows"] == 120
    assert mlflow.data.get_source(given).uri.endswith(f"{NAME}.csv")


@pytest.mark.parametrize("store", ["sqlite", "server"])
def test_the_model(
    store: str, study: Path, finished: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registered once, it takes raw rows with their gaps and answers as `best.keras` does, from any store."""
    uri = request.getfixturevalue("uri" if store == "sqlite" else "server")
    (synced,) = api.sync(study, mlflow=uri, register="rents")
    assert synced.registered == "rents 1"
    assert api.sync(study)[0].written == 0
    import keras
    import mlflow

    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(uri)
    try:
        served = mlflow.pyfunc.load_model("models:/rents@candidate")
        loaded = mlflow.keras.load_model("models:/rents@candidate")
    finally:
        mlflow.set_tracking_uri(None)
    rows = pd.read_csv(finished.parents[1] / f"{NAME}.csv").drop(columns="rent").head(30)
    answers = served.predict(rows)
    from optselect.data.raw_rows import raw_columns

    kinds = [("size", "number", ""), ("rooms", "number", ""), ("city", "category", ""), ("new", "boolean", "")]
    best = keras.saving.load_model(study / "best.keras")
    for model in (best, loaded):
        np.testing.assert_array_equal(answers, model.predict(raw_columns(rows, kinds), verbose=0))
    assert served.metadata.signature.inputs.input_names() == ["size", "rooms", "city", "new"]
    assert "size" in str(served.metadata.signature)
    (version,) = client(uri).search_model_versions("name = 'rents'")
    assert version.tags["optselect.recommended"]
    assert client(uri).get_model_version_by_alias("rents", "candidate").version == version.version
    assert version.description


def test_a_second_sync_adds_nothing(study: Path, uri: str) -> None:
    """Not a byte of the database changes."""
    api.sync(study, mlflow=uri)
    before = dump(Path(uri.removeprefix("sqlite:///")))
    (again,) = api.sync(study)
    assert (again.trials, again.written) == (0, 0)
    assert dump(Path(uri.removeprefix("sqlite:///"))) == before


SYNC = "import sys; from optselect import api; print('go', flush=True); api.sync(sys.argv[1], mlflow=sys.argv[2])"


def test_sync_killed_at_any_moment(study: Path, template: Path, tmp_path: Path) -> None:
    """Killed again and again by SIGKILL, `sync` ends with what one that was left alone has delivered."""
    whole, hurt = (f"sqlite:///{shutil.copy(template, tmp_path / name)}" for name in ("whole.db", "hurt.db"))
    total = api.sync(study, mlflow=whole)[0].written
    (study / "mlflow.json").unlink()
    requests = "select (select count(*) from runs) + (select count(*) from tags) + (select count(*) from params)"
    expected = count(tmp_path / "whole.db", requests)
    for part in (0.1, 0.4, 0.8):
        with subprocess.Popen([sys.executable, "-c", SYNC, str(study), hurt]) as process:
            until = time.monotonic() + WEEK
            while count(tmp_path / "hurt.db", requests) < part * expected and time.monotonic() < until:
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
    (last,) = api.sync(study, mlflow=hurt)
    assert 0 < last.written < total, "some was there, some was missing"
    assert told(hurt) == told(whole)


def count(database: Path, query: str) -> int:
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        return int(connection.execute(query).fetchone()[0])


def test_a_killed_study_is_ended(study: Path, uri: str) -> None:
    """One that nobody resumed is RUNNING until `sync` finds that no process holds it; finished later it is FINISHED."""
    whole = shutil.copytree(study, study.with_name("kept"))
    unfinished(study, 5)
    api.sync(study, mlflow=uri)
    top = runs(uri)["study"][0]
    client(uri).update_run(top.info.run_id, status="RUNNING")
    (synced,) = api.sync(study)
    assert not synced.finished
    found = runs(uri)
    assert found["study"][0].info.status == "KILLED"
    assert {run.info.status for run in found["arm"]} == {"KILLED"}
    assert len(found["trial"]) == 5
    for name in ("ledger.jsonl", "recommendation.json"):
        shutil.copy(whole / name, study / name)
    assert api.sync(study)[0].finished
    found = runs(uri)
    assert {run.info.status for kind in ("study", "arm", "configuration") for run in found[kind]} == {"FINISHED"}


def test_a_study_that_is_being_run_is_left_alone(study: Path, uri: str) -> None:
    """A process that holds the study delivers it itself; named, that is an error, among all it is told."""
    with Ledger.open(study / "ledger.jsonl"):
        with pytest.raises(StudyConflict, match="is being run by process"):
            api.sync(study, mlflow=uri)
        (synced,) = api.sync(mlflow=uri, out=study.parent)
    assert "is being run by process" in synced.problem


class Proxy:
    """A way to a server that can be cut: after `lives` connections nobody answers."""

    def __init__(self, port: int, lives: float) -> None:
        self.port, self.lives = port, lives
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.socket.accept()
                other = socket.create_connection(("127.0.0.1", self.port))
                for source, sink in ((one, other), (other, one)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.lives -= 1
                if self.lives < 0:
                    break
                sink.sendall(data)
        for end in (source, sink):
            end.close()


def test_a_server_that_dies_in_the_middle(study: Path, server: str, tmp_path: Path) -> None:
    """`sync` says so and keeps what arrived; called again it delivers the rest, and nothing twice."""
    proxy = Proxy(int(server.rpartition(":")[2]), lives=400)
    # In a process of its own: MLflow keeps where files go by the run's id, whatever address is asked later.
    done = subprocess.run([sys.executable, "-c", SYNC, str(study), proxy.address], capture_output=True, text=True)
    assert "run the same command again" in done.stderr
    some = sum(_own(run, study) for run in runs(server)["trial"])
    assert some > 0
    (synced,) = api.sync(study, mlflow=server)
    assert synced.trials >= synced.total - some
    found = runs(server)
    numbers = Counter(run.data.tags["optselect.number"] for run in found["trial"] if _own(run, study))
    assert set(numbers.values()) == {1}
    assert len(numbers) == synced.total
    proxy.socket.close()


def _own(run: Any, study: Path) -> bool:
    kept = Remembered.of(study)
    return kept is not None and run.data.tags["optselect.key"] == kept.key


def test_two_studies_in_one_store_at_once(study: Path, uri: str) -> None:
    """Two processes that write to one database at the same time both deliver everything."""
    other = Path(shutil.copytree(study, study.with_name("other")))
    processes = [subprocess.Popen([sys.executable, "-c", SYNC, str(each), uri]) for each in (study, other)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    keys = Counter(run.data.tags["optselect.key"] for run in runs(uri)["trial"])
    assert len(keys) == 2
    assert len(set(keys.values())) == 1
    assert [synced.written for synced in api.sync(out=study.parent)] == [0, 0]


def test_a_data_set_that_another_study_enters_at_this_moment() -> None:
    """MLflow looks for it, finds none, and cannot add it any more: the second try finds it."""
    asked: list[str] = []

    def write(method: str, *arguments: Any) -> None:
        asked.append(method)
        if len(asked) == 1:
            raise MlflowException("UNIQUE constraint failed", error_code=BAD_REQUEST)

    half = SimpleNamespace(_calls=SimpleNamespace(write=write), _run="run")
    Delivery._describe_data(half, object())  # type: ignore[arg-type]
    assert asked == ["log_inputs"] * 2


def test_the_command(study: Path, uri: str, optselect: Any) -> None:
    """It delivers all studies of a folder, says what it did, and as JSON too."""
    done = optselect("sync", "--mlflow", uri, "--out", study.parent)
    assert (done.returncode, done.stderr) == (0, "")
    first, command, link = done.stdout.splitlines()
    assert first.startswith(f"{NAME} (finished): ")
    assert command.strip().startswith("mlflow ui --backend-store-uri")
    assert "viewStateShareKey=optselect" in link
    again = json.loads(optselect("sync", NAME, "--out", study.parent, "--json").stdout)
    assert [(synced["study"], synced["written"]) for synced in again] == [(NAME, 0)]


def test_a_password_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address in the folder has none; `sync` then asks for the whole one, and takes it from the environment."""
    from optselect.sinks.mlflow.uris import Store

    whole = "http://ada:s3cr3t@127.0.0.1:9"
    kept = Remembered.keep(tmp_path, Store.parse(whole), None)
    assert "s3cr3t" not in (tmp_path / "mlflow.json").read_text()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InvalidValue, match="MLFLOW_TRACKING_URI or by `mlflow="):
        kept.address()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", whole)
    assert kept.address() == whole


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "o'hara"])
def test_names_that_no_registry_takes(name: str) -> None:
    """They are refused before anything is trained."""
    with pytest.raises(InvalidValue, match="`register`"):
        api.tune(None, "sklearn:iris", tracking=Tracking(register=name))
