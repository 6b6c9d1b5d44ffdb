"""Export: what is in memory is what plain Optuna reads from the file."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from optselect.errors import CannotWrite
from optselect.sinks.optuna_db import export
from tests.helpers import ROOT

NAN = float("nan")
SPACE = {
    "learning_rate": FloatDistribution(1e-5, 1.0, log=True),
    "units": IntDistribution(8, 64),
    "schedule": CategoricalDistribution(["constant", "cosine", None]),
}


def study_of(trials: int, direction: str = "minimize") -> optuna.Study:
    """Trials in memory: every fourth pruned, with NaN after its sixth epoch."""
    study = optuna.create_study(direction=direction)
    for number in range(trials):
        pruned = number % 4 == 3
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
                value=None if pruned else 1 / (number + 1),
                params={
                    "learning_rate": 0.1 / (number + 1),
                    "units": 8,
                    "schedule": ["constant", "cosine", None][number % 3],
                },
                distributions=SPACE,
                intermediate_values={epoch: NAN if pruned and epoch > 5 else 0.1 * epoch for epoch in range(20)},
                user_attrs={"number": number, "seeds": [1, 2]},
                system_attrs={"fixed_params": {"units": 8}},
            )
        )
    return study


def loaded(path: Path, name: str) -> optuna.Study:
    return optuna.load_study(storage=f"sqlite:///{path}", study_name=name)


def plain(trial: optuna.trial.FrozenTrial) -> str:
    """A trial as text, since NaN is not NaN; without the row number, which only a database has."""
    parts = (trial.number, trial.state, trial.values, trial.datetime_start, trial.datetime_complete, trial.params)
    attributes = (trial.distributions, trial.user_attrs, trial.system_attrs, sorted(trial.intermediate_values.items()))
    return repr((*parts, *attributes))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")  # names of metrics
def test_optuna_reads_what_was_in_memory(tmp_path):
    """Every field of every trial of every arm comes back through Optuna's own storage."""
    studies = {"digits/adam": study_of(9), "digits/sgd": study_of(3, "maximize"), "digits/empty": study_of(0)}
    studies["digits/adam"].set_user_attr("arm", "adam")
    studies["digits/adam"].set_metric_names(["val_loss"])
    export(tmp_path / "new" / "study.db", studies)
    for name, study in studies.items():
        back = loaded(tmp_path / "new" / "study.db", name)
        assert back.directions == study.directions
        assert back.user_attrs == study.user_attrs
        assert back.metric_names == study.metric_names
        assert [plain(t) for t in back.trials] == [plain(t) for t in study.trials]
    assert loaded(tmp_path / "new" / "study.db", "digits/adam").best_trial.number == 8
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["study.db"]


def test_every_state_and_every_float(tmp_path):
    """Running, waiting and failed trials, infinities, an objective that is infinite and two objectives come back."""
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.ask(SPACE)
    study.enqueue_trial({"units": 9})
    study.add_trial(create_trial(state=TrialState.FAIL, intermediate_values={0: math.inf, 1: -math.inf, 2: NAN}))
    study.add_trial(create_trial(values=[math.inf, -math.inf]))
    export(tmp_path / "study.db", {"two": study})
    assert [plain(t) for t in loaded(tmp_path / "study.db", "two").trials] == [plain(t) for t in study.trials]


def test_same_rows_as_optuna_writes(tmp_path):
    """Optuna's own way of filling a database gives the same rows, apart from the order of their numbers."""
    import sqlite3

    study = study_of(6)
    export(tmp_path / "ours.db", {"a": study})
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'theirs.db'}", study_name="a").add_trials(study.trials)
    tables: list[dict[str, list[str]]] = []
    for name in ("ours.db", "theirs.db"):
        connection = sqlite3.connect(tmp_path / name)
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        tables.append({t: sorted(repr(row[1:]) for row in connection.execute(f"select * from {t}")) for t in names})
        connection.close()
    assert tables[0] == tables[1]


def test_the_file_can_be_gone_on_with(tmp_path):
    """Plain Optuna takes the file up: it samples from the trials in it and adds its own."""
    export(tmp_path / "study.db", {"a": study_of(12)})
    study = loaded(tmp_path / "study.db", "a")
    trial = study.ask(SPACE)
    study.tell(trial, 0.01)
    assert trial.number == 12
    assert study.best_trial.number == 12


def test_a_second_export_replaces_the_first(tmp_path):
    """The file holds the last export only."""
    export(tmp_path / "study.db", {"a": study_of(2), "b": study_of(1)})
    export(tmp_path / "study.db", {"a": study_of(4)})
    summaries = optuna.get_all_study_summaries(storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [(s.study_name, s.n_trials) for s in summaries] == [("a", 4)]


def test_a_failed_export_leaves_the_old_file(tmp_path):
    """What cannot be written changes nothing and leaves no draft behind."""
    export(tmp_path / "study.db", {"a": study_of(2)})
    bad = study_of(1)
    bad.add_trial(create_trial(value=1.0, system_attrs={"bad": {1, 2}}))
    with pytest.raises(TypeError):
        export(tmp_path / "study.db", {"a": bad})
    assert len(loaded(tmp_path / "study.db", "a").trials) == 2
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(CannotWrite, match=r"folder\.db: cannot be written, is a directory"):
        export(tmp_path / "folder.db", {"a": study_of(1)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.db", "study.db"]


def test_times_are_the_same_in_any_zone(tmp_path):
    """Where local time is not UTC, a trial's times come back as they were."""
    code = (
        "import sys, tests.sinks.test_optuna_db as t\nfrom pathlib import Path\n"
        "study = t.study_of(1)\npath = Path(sys.argv[1]) / 'a.db'\n"
        "t.export(path, {'a': study})\nassert t.plain(t.loaded(path, 'a').trials[0]) == t.plain(study.trials[0])"
    )
    environment = {"TZ": "Asia/Kolkata", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_export_is_silent_and_fast(tmp_path, capfd):
    """500 trials with 20 epochs cost under 5 ms each, and nothing is printed."""
    study = study_of(500)
    capfd.readouterr()
    begin = time.perf_counter()
    export(tmp_path / "study.db", {"a": study})
    assert (time.perf_counter() - begin) / 500 < 5e-3
    assert capfd.readouterr() == ("", "")
