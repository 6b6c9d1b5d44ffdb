"""A copy in a database of many studies: exactly once, beside others' studies, and never at the cost of the study."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from optselect.errors import InvalidValue
from optselect.sinks.mlflow.uris import Store
from optselect.sinks.optuna_db import Database, Mirror
from tests.sinks.test_optuna_db import plain, study_of

WEEK = 60.0  # seconds: longer than anything here takes


@pytest.fixture
def url(tmp_path) -> str:
    """Of a database that is not there yet."""
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def mirrored(url: str, studies: dict[str, optuna.Study], key: str = "1f2e3d4c", name: str = "digits") -> list[str]:
    """One run of a study; the warnings."""
    mirror = Mirror(Database.parse(url), key=key, name=name)
    mirror.start(studies)
    return mirror.close(WEEK)


def trials_in(url: str) -> int:
    """How many trials there are, also where there are no tables yet."""
    path = url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return int(connection.execute("select count(*) from trials").fetchone()[0])
    return 0


def there(url: str) -> dict[str, list[str]]:
    """All trials of all studies, by name."""
    names = optuna.get_all_study_names(url)
    return {name: [plain(t) for t in optuna.load_study(storage=url, study_name=name).trials] for name in names}


def test_optuna_reads_what_was_in_memory(url):
    """Every field of every finished trial comes back through Optuna's own storage; unfinished ones are not there."""
    studies = {"adam": study_of(9), "sgd": study_of(3, "maximize")}
    finished = {f"digits/{arm}": [plain(t) for t in study.trials] for arm, study in studies.items()}
    studies["adam"].ask()
    assert mirrored(url, studies) == []
    assert there(url) == finished
    assert optuna.load_study(storage=url, study_name="digits/sgd").direction == studies["sgd"].direction


def test_a_study_that_grows_arrives_once(url):
    """While a mirror runs, and again under later ones, each trial is there once and the study keeps its number."""
    study = study_of(3)
    mirror = Mirror(Database.parse(url), key="k", name="digits")
    mirror.start({"adam": study})
    while not trials_in(url):
        time.sleep(0.05)
    study.add_trial(create_trial(value=0.125))
    assert mirror.close(WEEK) == []
    number = optuna.load_study(storage=url, study_name="digits/adam")._study_id
    for _ in range(2):
        assert mirrored(url, {"adam": study}, key="k") == []
        assert there(url) == {"digits/adam": [plain(t) for t in study.trials]}
        assert optuna.load_study(storage=url, study_name="digits/adam")._study_id == number


def test_a_later_process_may_have_another_order(url):
    """What an earlier process left is replaced by what the study holds now."""
    assert mirrored(url, {"adam": study_of(5)}) == []
    other = study_of(2, "minimize")
    other.add_trial(create_trial(state=TrialState.FAIL))
    assert mirrored(url, {"adam": other}) == []
    assert there(url) == {"digits/adam": [plain(t) for t in other.trials]}


def test_others_studies_stay_as_they_are(url):
    """A study of plain Optuna and one of the same name by another user are untouched, and ours is there beside them."""
    optuna.create_study(storage=url, study_name="somebody's").add_trials(study_of(2).trials)
    assert mirrored(url, {"adam": study_of(4)}, key="aaaaaaaa") == []
    before = there(url)
    for _ in range(2):
        assert mirrored(url, {"adam": study_of(1), "sgd": study_of(1)}, key="bbbbbbbb") == []
    after = there(url)
    assert after.keys() - before.keys() == {"digits-bbbbbb/adam", "digits/sgd"}
    assert {name: after[name] for name in before} == before
    assert mirrored(url, {"adam": study_of(6)}, key="aaaaaaaa") == []
    assert len(there(url)["digits/adam"]) == 6
    assert len(there(url)["digits-bbbbbb/adam"]) == 1


def test_tables_hold_nothing_twice_and_nothing_without_an_owner(url, tmp_path):
    """Replaced trials leave no row behind in any table."""
    for trials in (6, 3):
        mirrored(url, {"adam": study_of(trials)})
    once = f"sqlite:///{tmp_path / 'once.db'}"
    mirrored(once, {"adam": study_of(3)})
    counts = []
    for path in (tmp_path / "optuna.db", tmp_path / "once.db"):
        connection = sqlite3.connect(path)
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        counts.append({name: connection.execute(f"select count(*) from {name}").fetchone() for name in names})
        connection.close()
    assert counts[0] == counts[1]


def test_the_study_does_not_wait_for_a_locked_database(url, tmp_path):
    """While somebody else has the database locked nothing is raised and closing ends in time; later all is there."""
    assert mirrored(url, {"adam": study_of(1)}) == []
    locker = sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)
    locker.execute("begin exclusive")
    mirror = Mirror(Database("sqlite:///" + str(tmp_path / "optuna.db"), Store(url, url, ())), key="1f2e3d4c", name="d")
    mirror.start({"adam": study_of(3)})
    (warning,) = mirror.close(0.2)
    assert "did not take everything within 0.2 s: 3 trials are in the ledger and will be delivered" in warning
    locker.execute("rollback")
    locker.close()
    for thread in threading.enumerate():
        if thread.name == "optselect-storage":
            thread.join(WEEK)  # it comes too late and writes nothing
    assert len(there(url)["digits/adam"]) == 1
    assert mirrored(url, {"adam": study_of(3)}) == []
    assert len(there(url)["digits/adam"]) == 3


def test_a_server_that_is_not_there_costs_a_warning():
    """Nobody answers: no error at the start, a warning without the password at the end and no word of where to look."""
    mirror = Mirror(Database.parse("postgresql://ada:s3cr3t@127.0.0.1:1/optuna"), key="1f2e3d4c", name="digits")
    mirror.start({"adam": study_of(2)})
    (warning,) = mirror.close(WEEK)
    assert mirror.where() is None
    assert "The database postgresql://ada:***@127.0.0.1:1/optuna could not be written to (" in warning
    assert "2 trials are in the ledger and will be delivered when the same command runs again." in warning
    assert "s3cr3t" not in warning


def test_mlflows_database_is_refused(tmp_path):
    """Optuna's tables in it would break both: refused before anything is trained, with what to do, and unchanged."""
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as connection:
        for table in ("experiments", "runs", "latest_metrics", "alembic_version"):
            connection.execute(f"create table {table} (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidValue, match=r"holds MLflow's tables.*`alembic_version`.*a database of its own"):
        Database.parse(f"sqlite:///{path}")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres.example", "must be the URL of a database"),
        ("sqlite://", "is gone with the process"),
        ("oracle://ada:s3cr3t@host/optuna", "needs a package that is not installed"),
        ("nonsense://ada:s3cr3t@host/optuna", "must be the URL of a database"),
    ],
)
def test_what_cannot_hold_a_study_is_refused(url, message):
    """One message with what to give instead, and no password in it."""
    with pytest.raises(InvalidValue, match=message) as caught:
        Database.parse(url)
    assert "s3cr3t" not in str(caught.value)


def test_where_the_address_comes_from(monkeypatch, url):
    """ "default" is the environment's; without it there is none; None is none in any case."""
    monkeypatch.delenv("OPTSELECT_STORAGE", raising=False)
    assert Database.find("default") is None
    monkeypatch.setenv("OPTSELECT_STORAGE", url)
    assert Database.find("default") == Database.parse(url)
    assert Database.find(None) is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_by_any_of_its_names(scheme):
    """What other tools call Postgres is opened with the driver that `optselect[postgres]` brings."""
    assert Database.parse(f"{scheme}://127.0.0.1:1/optuna").url == "postgresql+psycopg://127.0.0.1:1/optuna"


def test_it_is_fast(url):
    """500 trials with 20 epochs cost under 10 ms each where Optuna's own storage takes ten times that."""
    study, mirror = study_of(500), Mirror(Database.parse(url), key="k", name="digits")
    begin = time.perf_counter()
    mirror.start({"adam": study})
    assert mirror.close(WEEK) == []
    assert (time.perf_counter() - begin) / 500 < 1e-2
