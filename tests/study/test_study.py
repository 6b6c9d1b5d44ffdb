"""The search as a whole, on formulas: budgets, arms, rungs, elimination, and that being killed changes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from optselect.optim.configuration import Configuration
from optselect.optim.rules.adam import Adam
from optselect.record import StudyLog
from optselect.study.pruners import PRUNERS
from optselect.study.samplers import SAMPLERS
from tests.helpers.studying import Formulas, Killed, notes, run, space, trials

INSTALLED = sorted(name for name in SAMPLERS if name != "gp" or importlib.util.find_spec("torch"))
# sgd is best at its best, rmsprop never comes near; adam is in between.
UNEVEN = {"sgd": (0.1, 0.0), "adam": (1e-3, 0.2), "rmsprop": (1e-3, 5.0)}


def sequence(folder: Path) -> list[tuple[Any, ...]]:
    """Who was tried with what, where each ended and with which value, by number."""
    return [(t["number"], t["arm"], t["configuration"], t["outcome"], t["epochs"], t["value"]) for t in trials(folder)]


@pytest.mark.parametrize("count", [3, 7, 30, 61])
@pytest.mark.parametrize("elimination", [True, False])
def test_the_budget_is_exact(tmp_path: Path, count: int, elimination: bool) -> None:
    """As many trials as asked, numbered without a gap; without elimination every arm within one of every other."""
    run(tmp_path, Formulas(**UNEVEN), space(), trials=count, elimination=elimination)
    found = trials(tmp_path)
    assert [t["number"] for t in found] == list(range(count))
    counts = [sum(t["arm"] == arm for t in found) for arm in UNEVEN]
    assert elimination or max(counts) - min(counts) <= 1


def test_a_hopeless_arm_gives_its_trials_to_the_others(tmp_path: Path) -> None:
    """The arm that cannot come near stops at a checkpoint with a reason that adds up; the best one never does."""
    made = run(tmp_path, Formulas(**UNEVEN), space(), trials=90)
    [reason, *_] = notes(tmp_path, "eliminated")
    assert [gone.to_dict() for gone in made.eliminated] == notes(tmp_path, "eliminated")
    assert reason["arm"] == "rmsprop"
    mine = [t["value"] for t in trials(tmp_path) if t["arm"] == "rmsprop"]
    assert len(mine) == reason["checkpoint"]
    assert reason["best"] == min(v for v in mine if v is not None)
    assert reason["bound"] > reason["needed"]
    assert "sgd" not in [gone.arm for gone in made.eliminated]
    assert sum(t["arm"] == "sgd" for t in trials(tmp_path)) > 30


def test_arms_that_are_alike_all_stay(tmp_path: Path) -> None:
    """Where arms do equally well nobody is eliminated."""
    run(tmp_path, Formulas(**dict.fromkeys(UNEVEN, (1e-2, 0.1))), space(), trials=60)
    assert not notes(tmp_path, "eliminated")


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_and_their_speed_change_nothing(tmp_path: Path, workers: int) -> None:
    """Whoever is the faster: the same trials under the same numbers, with rungs, range tests and elimination."""
    options: dict[str, Any] = {"trials": 60, "pruner": "halving", "elimination": workers == 2}  # two arms always stay
    arms = space("adam", "sgd", "rmsprop", "nadam", "adagrad")
    run(tmp_path / "one", Formulas(1, **UNEVEN), arms, **options)
    for order in range(3):
        run(tmp_path / str(order), Formulas(workers, order=order, **UNEVEN), arms, **options)
        assert sequence(tmp_path / str(order)) == sequence(tmp_path / "one")


@pytest.mark.parametrize(
    ("sampler", "pruner"), [*((name, "halving") for name in INSTALLED), *(("random", name) for name in sorted(PRUNERS))]
)
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path, sampler: str, pruner: str) -> None:
    """Killed again and again, between rungs too: the sequence of the uninterrupted one, and every trial once."""
    options: dict[str, Any] = {"trials": 40, "sampler": sampler, "pruner": pruner}
    run(tmp_path / "whole", Formulas(**UNEVEN), space("adam", "sgd"), **options)
    for dies in [5, 0, 17, 1, 22]:
        with contextlib.suppress(Killed):
            run(tmp_path / "killed", Formulas(dies=dies, **UNEVEN), space("adam", "sgd"), **options)
    run(tmp_path / "killed", Formulas(**UNEVEN), space("adam", "sgd"), **options)
    assert sequence(tmp_path / "killed") == sequence(tmp_path / "whole")
    paused = tmp_path / "killed" / "paused"
    assert not paused.exists() or not list(paused.iterdir())


def test_a_kill_loses_at_most_the_rung_under_way(tmp_path: Path) -> None:
    """Over the two processes no rung is trained twice but the one that the kill hit, and the one that was waiting."""
    options: dict[str, Any] = {"trials": 40, "pruner": "halving"}
    whole, first, second = Formulas(**UNEVEN), Formulas(dies=45, **UNEVEN), Formulas(**UNEVEN)
    run(tmp_path / "whole", whole, space("adam", "sgd"), **options)
    with pytest.raises(Killed):
        run(tmp_path / "killed", first, space("adam", "sgd"), **options)
    run(tmp_path / "killed", second, space("adam", "sgd"), **options)
    assert len(first.asked) + len(second.asked) == len(whole.asked)


def test_a_joint_search_goes_on_too(tmp_path: Path) -> None:
    """One study over all optimizers: first every optimizer's default, then what is drawn; exact when killed."""
    options: dict[str, Any] = {"trials": 40, "strategy": "joint"}
    run(tmp_path / "whole", Formulas(**UNEVEN), space(), **options)
    assert [t["arm"] for t in trials(tmp_path / "whole")][:3] == ["adam", "sgd", "rmsprop"]
    with pytest.raises(Killed):
        run(tmp_path / "killed", Formulas(dies=25, **UNEVEN), space(), **options)
    made = run(tmp_path / "killed", Formulas(**UNEVEN), space(), **options)
    assert sequence(tmp_path / "killed") == sequence(tmp_path / "whole")
    [together] = made.arms.values()
    assert {t.params["optimizer"] for t in together.study.trials} == {"adam", "sgd", "rmsprop"}


@pytest.mark.parametrize("sampler", INSTALLED)
@pytest.mark.parametrize("strategy", ["arms", "joint"])
def test_no_configuration_is_drawn_twice(tmp_path: Path, sampler: str, strategy: str) -> None:
    """Every slot has a draw of its own, also of what only some trials have."""
    run(tmp_path, Formulas(), space("adam", "sgd"), trials=24, sampler=sampler, strategy=strategy)
    found = [json.dumps(t["configuration"]) for t in trials(tmp_path)]
    assert len(set(found)) == len(found)


def test_where_every_grid_is_through_the_search_ends(tmp_path: Path) -> None:
    """An arm whose grid is through leaves its trials to the others; with all through no trial is repeated."""
    default = space("adam", "sgd")
    rates = {arm: {"learning_rate": searches["learning_rate"]} for arm, searches in default.optimizers.items()}
    bare = {"schedules": {"constant": {}}, "clipping": {"none": {}}}
    one_size = dataclasses.replace(default.batch_size, choices=(32,))
    small = dataclasses.replace(default, optimizers=rates, batch_size=one_size, **bare)
    wide = dataclasses.replace(default, optimizers={"adam": rates["adam"], "sgd": default.optimizers["sgd"]})
    options: dict[str, Any] = {"sampler": "grid", "elimination": False}
    for k, trials_wanted in enumerate((30, 200)):
        run(tmp_path / str(k), Formulas(), small, trials=trials_wanted, **options)
        found = [json.dumps(t["configuration"]) for t in trials(tmp_path / str(k))]
        assert len(set(found)) == len(found) <= trials_wanted
        assert len(found) > 0.9 * trials_wanted  # as many points as trials, but for those that were given
    run(tmp_path / "wide", Formulas(), wide, trials=60, **options)
    assert len(trials(tmp_path / "wide")) == 60


def test_a_time_limit_fixes_the_share_once(tmp_path: Path) -> None:
    """By time: after a first trial of each arm it is written how many trials fit, and a killed study keeps to it."""
    options: dict[str, Any] = {"trials": None, "seconds": 50}
    run(tmp_path / "whole", Formulas(**UNEVEN), space(), **options)
    assert notes(tmp_path / "whole", "share") == [{"trials": 50}]
    assert len(trials(tmp_path / "whole")) == 50
    with pytest.raises(Killed):
        run(tmp_path / "killed", Formulas(dies=20, **UNEVEN), space(), **options)
    run(tmp_path / "killed", Formulas(**UNEVEN), space(), **options)
    assert notes(tmp_path / "killed", "share") == [{"trials": 50}]
    assert sequence(tmp_path / "killed") == sequence(tmp_path / "whole")


def test_more_trials_go_on_where_fewer_ended(tmp_path: Path) -> None:
    """`--trials` is a total that may be raised: the first trials stay, nothing is numbered twice."""
    run(tmp_path, Formulas(**UNEVEN), space(), trials=20)
    before = sequence(tmp_path)
    run(tmp_path, Formulas(**UNEVEN), space(), trials=33)
    after = sequence(tmp_path)
    assert after[:20] == before
    assert [number for number, *_ in after] == list(range(33))


def test_what_is_tried_first(tmp_path: Path) -> None:
    """Keras's default, the paper's where it differs, what the user knows, what the range test suggests; none twice."""
    known = Configuration(rule=Adam(learning_rate=0.02, beta_1=0.3))  # outside the space: trained all the same
    run(tmp_path, Formulas(adadelta=(0.1, 0.1)), space("adam", "adadelta"), trials=40, start=(known,))
    first = {arm: [t["configuration"] for t in trials(tmp_path) if t["arm"] == arm] for arm in ("adam", "adadelta")}
    assert first["adam"][0] == Configuration(rule=Adam()).to_dict()
    assert first["adam"][1] == known.to_dict()
    assert first["adadelta"][1]["optimizer"]["learning_rate"] == 1.0  # the paper's
    assert first["adam"][2]["optimizer"]["beta_1"] == 0.9
    for arm, configurations in first.items():
        assert len({json.dumps(c) for c in configurations[:4]}) == 4, arm


def test_range_tests_narrow_what_is_searched(tmp_path: Path) -> None:
    """After the first points no rate lies where the test saw nothing learn or divergence; and no test, no narrowing."""
    for probe in (True, False):
        folder = tmp_path / str(probe)
        run(folder, Formulas(adam=(1e-4, 0.0)), space("adam"), trials=40, probe=probe, elimination=False)
        [*_, last] = [t["configuration"]["optimizer"]["learning_rate"] for t in trials(folder)]
        rates = [t["configuration"]["optimizer"]["learning_rate"] for t in trials(folder)][4:]
        assert last > 0
        assert bool(notes(folder, "probe")) == probe
        assert (max(rates) < 1e-2) == probe


@pytest.mark.parametrize("pruner", ["halving", "median"])
def test_rungs_end_trials_only_where_they_foretell_the_end(tmp_path: Path, pruner: str) -> None:
    """With ranks that hold, trials end early; where the rung says nothing of the end, none does."""

    class Fickle(Formulas):
        """A training whose first half says nothing."""

        def value(self, configuration: Configuration, epochs: int, total: int) -> float:
            settled = super().value(configuration, epochs, total)
            return settled if epochs == 8 else -settled

    run(tmp_path / "steady", Formulas(**UNEVEN), space("adam", "sgd"), trials=80, pruner=pruner)
    run(tmp_path / "fickle", Fickle(**UNEVEN), space("adam", "sgd"), trials=80, pruner=pruner)
    ended = {kind: sum(t["outcome"] == "pruned" for t in trials(tmp_path / kind)) for kind in ("steady", "fickle")}
    assert ended["steady"] > 15
    assert ended["fickle"] == 0


def test_a_changed_search_is_refused(tmp_path: Path) -> None:
    """What changes the sequence of trials is in the fingerprint, each by its name."""
    from optselect.errors import StudyConflict
    from optselect.record.entries import StudyRecord
    from optselect.study.conflict import check_conflict
    from optselect.study.search_options import SearchOptions

    def record(**options: Any) -> StudyRecord:
        return StudyRecord(name="s", fingerprint=SearchOptions(**options).fingerprint(), description={})

    changes: dict[str, dict[str, Any]] = {
        "strategy: arms -> joint": {"strategy": "joint"},
        "sampler: tpe -> random": {"sampler": "random"},
        "pruner: none -> median": {"pruner": "median"},
        "range test: yes -> no": {"range_test": False},
        "elimination: yes -> no": {"elimination": False},
        "start: none -> ": {"start": (Configuration(rule=Adam()),)},
    }
    with StudyLog.open(tmp_path / "ledger.jsonl") as log:
        log.append(record())
        check_conflict(record(), log)
        for said, options in changes.items():
            with pytest.raises(StudyConflict, match=said):
                check_conflict(record(**options), log)
