"""How rows are parted: groups stay together, time goes one way, given rows stay where they are, folds are walked."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, PredefinedSplit, TimeSeriesSplit

from optselect.api.describe import describe_data
from optselect.data import Split, SplitOptions, read
from optselect.errors import InvalidData, InvalidValue, OptselectError, UnknownName
from optselect.options import Settings, command_line
from optselect.study.conflict import differences
from optselect.task import TaskSpec
from optselect.verdict.finals import fresh_seed

ROWS = 240
PARTS = ("train", "validation", "test")
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "patient": [f"p{number:02}" for number in np.repeat(np.arange(24), 10)],
    "day": RANDOM.permutation(pd.date_range("2020-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d")),
    "a": RANDOM.normal(size=ROWS),
    "part": np.resize(["train", "Train", "val", "holdout"], ROWS),
    "y": np.resize(["no", "yes", "no"], ROWS),
})  # fmt: skip


def spec(data: Any = FRAME, target: str | None = "y", **splits: Any) -> TaskSpec:
    return Settings(data=data, target=target, splits=SplitOptions(**splits)).spec()


def all_splits(task: TaskSpec) -> list[Split]:
    """The split of the search and those of some fresh seeds."""
    folds = task.partition.folds
    return [task.split, *(task.redrawn(fresh_seed(0, k, folds)) for k in range(7) if task.redraws)]


def check_parts(task: TaskSpec) -> None:
    """The parts have no row twice, every class trains, and the test rows are always the same."""
    for parts in all_splits(task):
        together = np.concatenate([parts.train, parts.validation, parts.test])
        assert len(np.unique(together)) == len(together)
        assert set(task.y[parts.train]) == {0, 1}
        assert np.array_equal(parts.test, task.split.test)
        assert all(len(getattr(parts, part)) for part in PARTS)


WAYS: list[dict[str, Any]] = [
    {"split": "random"}, {"split": "stratified"}, {"split": "group:patient"}, {"split": "time:day"}, {"split": "time"},
    {"split": "given:part"}, {"folds": 5}, {"split": "group:patient", "folds": 4}, {"split": "time:day", "folds": 4},
    {"test": 0.3, "validation": 0.1}, {"cv": TimeSeriesSplit(4)}, {"cv": 3}, {"groups": FRAME["patient"].to_numpy()},
    {"cv": GroupKFold(4), "groups": FRAME["patient"].to_numpy()}, {"cv": PredefinedSplit(np.arange(ROWS) % 4 - 1)},
    {"cv": [(np.arange(100), np.arange(100, 200)), (np.arange(120), np.arange(150, 240))]},
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(way))
def test_every_way_parts_the_rows(way: dict[str, Any]) -> None:
    """Whatever is asked: parts without overlap, the same by the same seed, told in words and in the fingerprint."""
    task = spec(**way)
    check_parts(task)
    again = spec(**way)
    assert all(np.array_equal(getattr(task.split, part), getattr(again.split, part)) for part in PARTS)
    assert task.fingerprint() == again.fingerprint()
    is_default = way == {"split": "stratified"}
    assert ("rows " in task.fingerprint()["split"]) != is_default
    assert (task.covers is None) == (task.parts is None) == is_default
    joined = task.joined(whole=True)
    assert not joined.redraws
    assert len(joined.split.train) == len(np.unique(np.concatenate([getattr(task.split, part) for part in PARTS])))


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=5, max_size=40),
    seed=st.integers(0, 2**31 - 1),
    folds=st.sampled_from([None, 2, 3]),
)
def test_a_group_is_in_one_part(sizes: list[int], seed: int, folds: int | None) -> None:
    """Whatever the sizes of the groups, under every seed and in every fold."""
    who = np.repeat(np.arange(len(sizes)), sizes)
    data = read((np.arange(float(len(who)))[:, None], np.linspace(0, 1, len(who))), splits=SplitOptions(groups=who))
    if len(who) < 10:
        return
    made = Settings(data=data, seed=seed, splits=SplitOptions(groups=who, folds=folds)).spec()
    for parts in all_splits(made):
        held = [set(who[getattr(parts, part)]) for part in PARTS]
        assert all(held)
        assert not any(one & other for one, other in itertools.combinations(held, 2))


def test_groups_keep_the_classes_in_equal_shares_where_they_can() -> None:
    """Groups of one class each: no part is without a class, and the shares are near those of all rows."""
    who = np.repeat(np.arange(60), 5)
    y = (np.arange(60) % 3 == 0).astype(int)[who]
    task = spec((np.zeros((300, 2)), y), None, groups=who)
    shares = [y[getattr(task.split, part)].mean() for part in PARTS]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.12)


@pytest.mark.parametrize("folds", [None, 4])
@pytest.mark.parametrize("same", [1, 7])
def test_time_goes_from_training_to_test(folds: int | None, same: int) -> None:
    """Also where moments repeat: no moment is on both sides."""
    frame = FRAME.assign(day=sorted(np.arange(ROWS) // same))
    task = spec(frame.sample(frac=1, random_state=0).reset_index(drop=True), split="time:day", folds=folds)
    day = task.data.aside["time"]
    for parts in all_splits(task):
        assert day[parts.train].max() < day[parts.validation].min()
        assert day[parts.validation].max() < day[parts.test].min()
    assert task.redraws == bool(folds)


def test_columns_that_part_the_rows_are_no_features_but_time_is() -> None:
    """A group or a given part would tell the model who it is; when it was may matter, unless it is dropped."""
    assert "patient" not in spec(split="group:patient").data.x
    assert "part" not in spec(split="given:part").data.x
    assert "day" in spec(split="time:day").data.x
    dropped = Settings.of(data=FRAME, target="y", split="time:day", drop="day").spec()
    assert "day" not in dropped.data.x
    assert dropped.split.test.tolist() == spec(split="time:day").split.test.tolist()


def test_given_rows_stay_where_they_are() -> None:
    """By a column, in the words that people use, and no seed draws them anew."""
    task = spec(split="given:part")
    assert not task.redraws
    assert set(FRAME["part"][task.split.train]) == {"train", "Train"}
    assert set(FRAME["part"][task.split.validation]) == {"val"}
    assert set(FRAME["part"][task.split.test]) == {"holdout"}


def test_fresh_seeds_walk_through_the_folds() -> None:
    """Seed after seed another fold, until each row but those of the test set has validated once."""
    task = spec(folds=5)
    seen = [task.redrawn(fresh_seed(3, k, 5)).validation for k in range(5)]
    together = np.concatenate(seen)
    assert len(np.unique(together)) == len(together) == ROWS - len(task.split.test)
    assert np.array_equal(task.redrawn(fresh_seed(3, 7, 5)).validation, seen[2])


def test_the_last_pair_of_a_splitter_tests() -> None:
    """And its rows are in no other pair."""
    task = spec(cv=TimeSeriesSplit(4))
    assert task.split.test.tolist() == list(range(192, 240))
    assert task.split.validation.tolist() == list(range(144, 192))
    assert task.partition.folds == 3


# Files and arrays of their own


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train.csv, val.csv, test.csv with rows of their own, and files that do not fit."""
    monkeypatch.chdir(tmp_path)
    plain = FRAME[["a", "patient", "y"]].assign(n=[f"{number},5" for number in range(ROWS)])
    for name, rows in (("train", slice(0, 160)), ("val", slice(160, 200)), ("test", slice(200, 240))):
        plain[rows].to_csv(f"{name}.csv", index=False, sep=";")
    plain[200:].drop(columns="y").to_csv("no_target.csv", index=False, sep=";")
    plain[200:].drop(columns="a").to_csv("no_a.csv", index=False, sep=";")
    plain[200:].assign(y="maybe").to_csv("other_class.csv", index=False, sep=";")
    plain[200:].assign(a="high").to_csv("words.csv", index=False, sep=";")
    plain[100:140].to_csv("overlap.csv", index=False, sep=";")
    return tmp_path


def test_files_are_the_parts(files: Path) -> None:
    """The rows of each file are that part, read as the training rows are; the command has the files."""
    asked = Settings.of(data="train.csv", target="y", validation="val.csv", test="test.csv")
    task = asked.spec()
    numbers = task.data.x["n"].to_numpy()
    assert numbers[task.split.train].tolist() == [n + 0.5 for n in range(160)]
    assert numbers[task.split.validation].tolist() == [n + 0.5 for n in range(160, 200)]
    assert numbers[task.split.test].tolist() == [n + 0.5 for n in range(200, 240)]
    line = command_line(asked.to_record())
    assert line is not None
    assert line.endswith("--validation val.csv --test test.csv")
    check_parts(Settings.of(data="train.csv", target="y", test="test.csv", folds=3).spec())


def test_arrays_and_frames_are_the_parts() -> None:
    """As `model.fit` takes them, and as frames; weights that one part lacks are 1."""
    x, y = np.arange(80.0).reshape(40, 2), np.resize([0, 1], 40)
    task = spec((x, y, np.full(40, 2.0)), None, validation=(x[:10] + 0.5, y[:10]), test=(x[:6] + 0.25, y[:6]))
    assert [len(getattr(task.split, part)) for part in PARTS] == [40, 10, 6]
    assert task.sample_weight is not None
    assert task.sample_weight[task.split.train].tolist() == [2.0] * 40
    assert task.sample_weight[task.split.test].tolist() == [1.0] * 6
    framed = spec(FRAME[:200], test=FRAME[200:])
    assert framed.split.test.tolist() == list(range(200, 240))


def test_the_parts_of_an_npz_file_are_used(tmp_path: Path) -> None:
    """x_test and y_test test, unless something else is asked; arrays by name make groups."""
    x, y = np.arange(80.0).reshape(40, 2), np.resize([0, 1], 40)
    arrays = {"x_train": x, "y_train": y, "x_val": x[:8] + 0.5, "y_val": y[:8], "x_test": x[:9] + 0.25, "y_test": y[:9]}
    np.savez(tmp_path / "parts.npz", **arrays)
    task = spec(tmp_path / "parts.npz", None)
    assert [len(getattr(task.split, part)) for part in PARTS] == [40, 8, 9]
    assert len(spec(tmp_path / "parts.npz", None, test=0.5).split.test) == 20
    np.savez(tmp_path / "groups.npz", x=x, y=y, who=np.arange(40) // 4)
    grouped = spec(tmp_path / "groups.npz", None, split="group:who")
    assert not {*(grouped.split.train // 4)} & {*(grouped.split.test // 4)}


# What cannot be


TWO_GROUPS = FRAME.assign(patient=np.resize(["p", "q"], ROWS))
HOLES = FRAME.assign(patient=FRAME["patient"].where(FRAME.index > 3), day=FRAME["day"].where(FRAME.index > 3))
LATE = FRAME.assign(day=range(ROWS), y=["no"] * 200 + ["yes"] * 40)
PAIRS = (np.arange(100), np.arange(90, 200))
BAD: list[tuple[Any, dict[str, Any], type[OptselectError], str]] = [
    (FRAME, {"split": "group:nobody"}, UnknownName, "`nobody`"),
    (FRAME, {"split": "group:y"}, InvalidData, "`y`"),
    (TWO_GROUPS, {"split": "group:patient"}, InvalidData, "2 groups"),
    (FRAME, {"split": "group:patient", "folds": 40}, InvalidData, "40"),
    (HOLES, {"split": "group:patient"}, InvalidData, "4 of 240"),
    (FRAME, {"split": "time:when"}, UnknownName, "`when`"),
    (HOLES, {"split": "time:day"}, InvalidData, "4 of 240"),
    (FRAME.assign(day="2020-01-01"), {"split": "time:day"}, InvalidData, "one value"),
    (FRAME.assign(day=np.resize([1, 2], ROWS)), {"split": "time:day"}, InvalidData, "2"),
    (FRAME, {"split": "time:patient"}, InvalidData, "'p00'"),
    (LATE, {"split": "time:day"}, InvalidData, "'yes'"),
    (FRAME, {"split": "given:patient"}, InvalidData, "'p00'"),
    (FRAME.assign(part="train"), {"split": "given:part"}, InvalidData, "every row"),
    (FRAME.assign(y=["rare"] * 4 + ["no", "yes"] * 118), {"folds": 5}, InvalidData, "`folds` is 5"),
    (FRAME, {"validation": 1.5}, InvalidValue, "1.5"),
    (FRAME, {"test": "0"}, InvalidValue, "`test`"),
    (FRAME, {"folds": 3, "validation": 0.2}, InvalidValue, "`folds`"),
    (FRAME, {"cv": [PAIRS]}, InvalidValue, "10 rows"),
    (FRAME, {"cv": [(np.arange(9), np.array([999]))]}, InvalidValue, "999"),
    (FRAME, {"cv": object()}, InvalidValue, "object"),
    (FRAME, {"cv": GroupKFold(3)}, InvalidValue, "GroupKFold"),
    (FRAME, {"groups": np.arange(7)}, InvalidData, "7"),
    ("train.csv", {"test": "no_target.csv"}, InvalidData, "`y`"),
    ("train.csv", {"validation": "no_a.csv"}, InvalidData, "`a`"),
    ("train.csv", {"test": "other_class.csv"}, InvalidData, "'maybe'"),
    ("train.csv", {"test": "words.csv"}, InvalidData, "'high'"),
    ("train.csv", {"validation": "overlap.csv"}, InvalidData, "40 of 40"),
    ("train.csv", {"test": "nothing.csv"}, InvalidData, "nothing.csv"),
    ("train.csv", {"test": "test.csv", "split": "group:patient"}, InvalidData, "`patient`"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "asked", "error", "said"), BAD)
def test_what_cannot_be_split_so_is_refused(
    files: Path, data: Any, asked: dict[str, Any], error: type[OptselectError], said: str
) -> None:
    """One message each, which names what is wrong, before anything is trained."""
    if isinstance(data, str) and asked.get("split"):
        pd.read_csv(files / "train.csv", sep=";")[:40].assign(a=0.5).to_csv(files / "test.csv", sep=";", index=False)
    with pytest.raises(error) as caught:
        spec(data, **asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", ["groups:a", "group:", "group", "random:a", "chance", "time:"])
def test_a_way_that_is_none_is_refused_at_once(way: str) -> None:
    """Before anything is read."""
    with pytest.raises((UnknownName, InvalidValue)) as caught:
        SplitOptions(split=way)
    assert way.partition(":")[0] in str(caught.value)


def test_another_split_is_another_question() -> None:
    """What changed is said in words."""
    records = [
        {"fingerprint": task.fingerprint(), "description": {}} for task in (spec(folds=4), spec(folds=4, test=0.3))
    ]
    found = differences(*records)
    assert len(found) == 1
    assert found[0].startswith("  split: ")
    assert "4 folds" in found[0]


# What is told


def test_parts_are_told_with_their_groups_and_dates() -> None:
    """By `describe_data`, which trains nothing."""
    lines = describe_data(FRAME, target="y", splits=SplitOptions(split="group:patient")).lines
    assert any("train rows of" in line and "groups" in line for line in lines)
    dated = describe_data(FRAME, target="y", splits=SplitOptions(split="time:day")).lines
    assert any(line.endswith("to 2020-08-27") for line in dated)
    assert describe_data((np.eye(20), np.arange(20.0))).columns[-1].examples


WALK = np.cumsum(np.random.default_rng(0).normal(size=400))
MARK = np.repeat(np.random.default_rng(1).normal(size=(12, 4)), 30, axis=0)
OF_PATIENTS = (MARK + 0.1 * np.random.default_rng(2).normal(size=MARK.shape), MARK.sum(axis=1))
DOUBTFUL: list[tuple[Any, str]] = [
    (FRAME[["day", "a", "y"]], "time:day"),
    (FRAME[["patient", "a", "y"]], "group:patient"),
    (FRAME[["a", "y"]].assign(PatientID=np.arange(ROWS) // 10), "group:PatientID"),
    ((np.stack([WALK[i : i + 20] for i in range(380)]), WALK[20:]), 'split="time"'),
    ((np.stack([WALK[2 * i : 2 * i + 20] for i in range(190)])[..., None], WALK[20:400:2]), 'split="time"'),
    (OF_PATIENTS, "groups"),
]


@pytest.mark.parametrize(("data", "said"), DOUBTFUL)
def test_signs_against_a_random_split_are_told_with_the_option(data: Any, said: str) -> None:
    """In one line; a split that was asked for is not doubted."""
    target = "y" if isinstance(data, pd.DataFrame) else None
    lines = [line for line in spec(data, target).describe() if "split at random" in line]
    assert len(lines) == 1
    assert said in lines[0]
    assert not any("split at random" in line for line in spec(data, target, folds=3).describe())


def test_ordinary_data_raise_no_doubt() -> None:
    """Not the data sets of scikit-learn, sorted by class as some are, nor categories and small counts."""
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        x, y = (lambda d: (d.x, d.targets["target"].to_numpy()))(read(f"sklearn:{name}"))
        order = np.argsort(y, kind="stable")
        for rows in (np.arange(len(y)), order):
            task = spec((x[rows], y[rows]), None)
            assert not any("split at random" in line for line in task.describe()), name
    r = np.random.default_rng(0)
    frame = pd.DataFrame({"years_at_company": r.integers(0, 40, 300), "number_of_calls": r.integers(0, 9, 300),
                          "city": r.choice(list("abcdefghijkl"), 300), "y": r.normal(size=300)})  # fmt: skip
    assert not any("split at random" in line for line in spec(frame).describe())
