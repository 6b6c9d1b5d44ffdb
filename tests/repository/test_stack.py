"""The services of docker-compose.yml as processes, and a study in them: Postgres, MLflow, Optuna's dashboard.

MLflow's pages are looked at here too, so that one server is started for all of it.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from optselect.errors import InvalidValue
from optselect.sinks.optuna_db import Database, Mirror
from tests.helpers.browsing import Pages, lines
from tests.helpers.stack import PASSWORD, Stack, postgres_programs, running
from tests.sinks.test_optuna_db import plain, study_of

ARMS = ["adam", "sgd"]
TUNE = [
    *("tune", "sklearn:iris", "--trials", "8", "--epochs", "3", "--optimizers", ",".join(ARMS)),
    *("--care", "quick", "--confirm", "0", "--workers", "1"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All services. Where Postgres is not installed the tests are skipped; in CI they fail."""
    if postgres_programs() is None:
        assert not os.environ.get("CI"), "CI needs Postgres: apt-get install postgresql"
        pytest.skip("needs Postgres: apt-get install postgresql")
    with running(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command runs."""
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def tuned(stack: Stack, folder: Path) -> subprocess.CompletedProcess[str]:
    """A study by the command line, in the environment of a worker."""
    return tune(stack, folder)


@pytest.fixture
def url(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> sa.URL:
    """The address of Optuna's database, which needs the password of the environment."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return sa.make_url(stack.worker["OPTSELECT_STORAGE"]).set(drivername="postgresql+psycopg")


@pytest.fixture
def database(url: sa.URL) -> optuna.storages.RDBStorage:
    """Optuna's own storage on it; no connection stays open."""
    return optuna.storages.RDBStorage(str(url), {"poolclass": sa.NullPool})


@pytest.fixture(scope="module")
def runs(stack: Stack, tuned: Any) -> dict[str, list[Any]]:
    """The runs in MLflow by their kind, the best first."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(stack.mlflow)
    experiment = client.get_experiment_by_name("optselect/iris").experiment_id
    kinds: dict[str, list[Any]] = {}
    for run in client.search_runs([experiment], max_results=1000, order_by=["metrics.objective ASC"]):
        kinds.setdefault(run.data.tags["optselect.kind"], []).append(run)
    return kinds


@pytest.fixture
def pages(chromium: Any, stack: Stack, runs: dict[str, list[Any]]) -> Iterator[Pages]:
    """A new visitor's window on MLflow."""
    page = chromium.new_page(viewport={"width": 1500, "height": 1000})
    yield Pages(page, stack.mlflow, runs["study"][0].info.experiment_id)
    page.close()


def tune(stack: Stack, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a worker does."""
    command = [sys.executable, "-m", "optselect", *TUNE]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **stack.worker},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def answer(address: str, host: str | None = None) -> Any:
    """What a server says, as JSON."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The trials of the ledger."""
    lines = (folder / "optselect-studies" / "iris" / "ledger.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "trial"]


def test_the_study_warns_of_nothing_and_shows_no_password(stack, tuned):
    """Both servers took everything in time; the link is the one for a browser; the password is nowhere."""
    assert "Warning" not in tuned.stderr
    assert "optuna-dashboard postgresql://optuna@127.0.0.1" in tuned.stderr
    assert f"MLflow: {stack.worker['OPTSELECT_MLFLOW_UI']}/#/experiments/" in tuned.stdout
    assert PASSWORD not in tuned.stderr + tuned.stdout


def test_mlflow_has_every_trial(stack, runs, folder):
    """MLflow's own client finds each trial of the ledger once, and the answer beside them as an artifact."""
    from mlflow.tracking import MlflowClient

    numbers = [int(run.data.tags["optselect.number"]) for run in runs["trial"]]
    assert sorted(numbers) == sorted(entry["number"] for entry in recorded(folder))
    (study,) = runs["study"]
    assert study.info.status == "FINISHED"
    assert "recommendation.json" in [file.path for file in MlflowClient(stack.mlflow).list_artifacts(study.info.run_id)]


def asked(trial):
    """What a later process finds in the ledger again; times are those at which a process told Optuna."""
    return trial.number, trial.state, trial.values, trial.params, trial.distributions


def test_optuna_has_every_trial_of_the_search(tuned, folder, database):
    """Plain Optuna loads from Postgres what it loads from the file in the study's folder."""
    file = f"sqlite:///{folder / 'optselect-studies' / 'iris' / 'study.db'}"
    for arm in ARMS:
        found, copy = (optuna.load_study(storage=storage, study_name=f"iris/{arm}") for storage in (database, file))
        assert found.trials
        assert [asked(trial) for trial in found.trials] == [asked(trial) for trial in copy.trials]
        assert found.best_params == copy.best_params


def test_the_dashboard_lists_the_study(stack, tuned):
    """Optuna's dashboard shows each arm as a study, with its trials."""
    studies = {
        study["study_name"]: study["study_id"] for study in answer(f"{stack.dashboard}/api/studies")["study_summaries"]
    }
    for arm in ARMS:
        trials = answer(f"{stack.dashboard}/api/studies/{studies[f'iris/{arm}']}?after=0")["trials"]
        assert len(trials) >= 3


def test_a_finished_study_goes_to_a_database_that_has_lost_it(stack, tuned, folder, database):
    """The same command trains nothing and delivers what is missing, beside what is there."""
    optuna.delete_study(storage=database, study_name="iris/sgd")
    assert "nothing is left to train" in tune(stack, folder).stderr
    names = [name for name in optuna.get_all_study_names(database) if name.startswith("iris")]
    assert sorted(names) == ["iris/adam", "iris/sgd"]
    assert optuna.load_study(storage=database, study_name="iris/sgd").trials


def test_postgres_holds_what_was_in_memory(url, database):
    """Every field of every trial, beside a study of somebody else; a second time changes nothing but is not twice."""
    optuna.create_study(storage=database, study_name="somebody's").add_trials(study_of(2).trials)
    study = study_of(9)
    for _ in range(2):
        mirror = Mirror(Database.parse(str(url)), key="1f2e3d4c", name="digits")
        mirror.start({"adam": study})
        assert mirror.close(60) == []
        found = optuna.load_study(storage=database, study_name="digits/adam")
        assert [plain(trial) for trial in found.trials] == [plain(trial) for trial in study.trials]
    assert len(optuna.load_study(storage=database, study_name="somebody's").trials) == 2


def test_mlflows_database_is_refused(url):
    """A storage that points to MLflow's own database is refused before anything is written."""
    with pytest.raises(InvalidValue, match="holds MLflow's tables"):
        Database.parse(str(url.set(username="mlflow", database="mlflow")))


@pytest.mark.parametrize("wrong", [{"username": "mlflow"}, {"database": "mlflow"}])
def test_each_database_is_closed_to_the_other_role(url, wrong):
    """By the wrong role the server refuses the connection: a slip cannot mix the two."""
    engine = sa.create_engine(url.set(**wrong), poolclass=sa.NullPool)
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        engine.connect()


def test_mlflow_answers_to_its_own_names_only(stack):
    """A page that gives the server another name (DNS rebinding) gets nothing; a worker's name for it is allowed."""
    address = f"{stack.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    assert "experiments" in answer(address, host="mlflow:5000")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        answer(address, host="attacker.example")


# -- MLflow's pages --------------------------------------------------------------------------------------------------


def test_the_printed_link_shows_the_study(pages, tuned, runs):
    """It opens every configuration once, the best first, with charts over them and their curves."""
    (link,) = re.findall(r"http\S+/#/experiments/\S+", tuned.stdout)
    pages.visit(link)
    distinct = [run for kind in runs.values() for run in kind if run.data.tags.get("optselect.distinct") == "yes"]
    pages.page.get_by_text(f"{len(distinct)} matching runs").wait_for()
    best = min(distinct, key=lambda run: run.data.metrics.get("objective", math.inf))
    assert pages.page.locator(".ag-row a").first.inner_text() == best.info.run_name
    for section in ("What matters", "Curves"):
        pages.page.get_by_text(section).first.wait_for()
    pages.page.locator(".scatterlayer .points path").first.wait_for(state="attached")


def test_the_tree_unfolds(pages, runs):
    """The study unfolds to its optimizers, one of them to its configurations, and one of these to its seeds."""
    (study,), best = runs["study"], runs["configuration"][0]
    arm = best.data.tags["optselect.arm"]
    seeds = [run for run in runs["trial"] if run.data.tags["mlflow.parentRunId"] == best.info.run_id]
    assert len(seeds) > 1
    pages.tree()
    pages.row(study.info.run_name).wait_for()
    assert not any(pages.row(name).count() for name in ARMS)
    for above, below in (
        (study.info.run_name, ARMS),
        (arm, [best.info.run_name]),
        (best.info.run_name, [run.info.run_name for run in seeds]),
    ):
        pages.expand(above)
        for name in below:
            pages.row(name).wait_for(state="attached")


def test_a_training_has_its_curves(pages, runs):
    """The page of a run draws its metrics by the epoch."""
    pages.curves(runs["trial"][0].info.run_id)
    for name in ("learning_rate", "loss", "val_loss"):
        pages.chart(name).scroll_into_view_if_needed()
        assert min(lines(pages.chart(name))) >= 2, name  # a straight line has no corners between its ends


def test_the_learning_rate_has_its_page(pages, runs):
    """One metric of several trainings, a line each."""
    pages.metric("learning_rate", [run.info.run_id for run in runs["trial"][:2]])
    assert len(lines(pages.page)) >= 2
    assert min(lines(pages.page)) >= 2


def test_configurations_are_compared(pages, runs):
    """Side by side, with parallel coordinates and every setting."""
    compared = runs["configuration"][:2]
    pages.compare(run.info.run_id for run in compared)
    pages.page.get_by_text(f"Comparing {len(compared)} Runs").first.wait_for()
    pages.page.get_by_text("log10_learning_rate", exact=True).last.wait_for(state="attached")
    pages.page.locator(".js-plotly-plot").first.wait_for(state="attached")


def test_the_report_opens_in_mlflow(pages, runs):
    """The page for people is shown in MLflow's viewer, pictures included."""
    report = pages.artifact(runs["study"][0].info.run_id, "report.html")
    report.get_by_role("heading", name="Which optimizer for iris?").wait_for()
    assert report.locator("svg").count() > 3
