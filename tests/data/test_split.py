"""Splits and schemas: drawn from a seed, decided on training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.data import Data, raw_inputs, read, split
from optselect.data.schema import Column, Schema, infer_schema
from optselect.errors import InvalidModel, InvalidValue, UnknownName
from optselect.task import make_spec


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(3, 60), min_size=2, max_size=8),
    seed=st.integers(0, 2**31 - 1),
    shares=st.tuples(st.floats(0.05, 0.5), st.floats(0.05, 0.5)),
)
def test_a_stratified_split_is_a_partition_with_every_class_in_every_part(
    counts: list[int], seed: int, shares: tuple[float, float]
) -> None:
    """Whatever the class sizes, from three rows on, the parts are disjoint, complete and hold every class."""
    y = np.repeat(np.arange(len(counts)), counts)
    parts = split(y, "classification", seed, validation=shares[0], test=shares[1])
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(len(y)))
    for rows in (parts.train, parts.validation, parts.test):
        assert set(y[rows]) == set(range(len(counts)))
        assert (np.diff(rows) > 0).all()


def test_the_seed_alone_decides_the_split() -> None:
    """The same seed gives the same rows, another seed gives others."""
    y = np.arange(100) % 3
    one, same, other = (split(y, "classification", seed) for seed in (1, 1, 2))
    assert np.array_equal(one.test, same.test)
    assert np.array_equal(one.train, same.train)
    assert not np.array_equal(one.test, other.test)


def test_parts_have_the_asked_sizes_and_shares() -> None:
    """Of 1,000 rows in shares 3:1, 200 are test, 160 validation, and each part keeps the shares."""
    y = np.repeat([0, 1], [750, 250])
    parts = split(y, "classification", 0)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [640, 160, 200]
    assert [int(y[rows].sum()) for rows in (parts.train, parts.validation, parts.test)] == [160, 40, 50]
    assert len(split(np.linspace(0, 1, 100), "regression", 0).test) == 20


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    """A part must leave something to the others."""
    with pytest.raises(InvalidValue, match="`test` must lie in"):
        split(np.arange(10), "regression", 0, test=share)


def test_rows_that_occur_in_several_parts_are_counted() -> None:
    """Repeated rows that the split tears apart are said with their number; distinct rows are not."""
    twice = make_spec(read((np.repeat(np.arange(50), 2), np.tile([0, 1], 50))), epochs=1, seed=0)
    assert any("same features as a row in another part" in line for line in twice.describe())
    once = make_spec(read((np.arange(100), np.tile([0, 1], 50))), epochs=1, seed=0)
    assert not any("same features" in line for line in once.describe())


N = 40
COLUMNS: dict[str, tuple[list[object], str]] = {
    "fractions": ([i * 0.5 for i in range(N)], "number"),
    "few integers": ([i % 5 for i in range(N)], "number"),
    "scattered integers": ([i * i * 7 for i in range(N)], "number"),
    "booleans": ([i % 2 == 0 for i in range(N)], "boolean"),
    "booleans with gaps": ([None if i == 3 else i % 2 == 0 for i in range(N)], "boolean"),
    "words": (["red", "blue"] * (N // 2), "category"),
    "codes": ([f"0{i % 9}" for i in range(N)], "category"),
    "days": ([f"2024-01-{i % 28 + 1:02d}" for i in range(N)], "date"),
    "moments": ([f"2024-01-{i % 28 + 1:02d} 10:{i}:00" if i > 9 else "2024-01-01T00:00:00Z" for i in range(N)], "date"),
    "German days": ([f"{i % 28 + 1}.1.2024" for i in range(N)], "date"),
    "American days": ([f"1/{i % 28 + 1}/2024" for i in range(N)], "date"),
    "timestamps": (list(pd.date_range("2024-01-01", periods=N)), "date"),
    "sentences": ([f"a sentence number {i}" for i in range(N)], "text"),
    "counter": (list(range(100, 100 + N)), "dropped: an id"),
    "names": ([f"user_{i}" for i in range(N)], "dropped: an id"),
    "constant": (["x"] * N, "dropped: constant"),
    "empty": ([None] * N, "dropped: empty"),
    "lists": ([[i] for i in range(N)], "dropped: holds list"),
    "constant with gaps": ([None if i % 4 else 1.0 for i in range(N)], "number"),
    "not quite dates": ([f"2024-02-{i % 31 + 1:02d}" for i in range(N)], "category"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_the_kind_of_its_values(name: str) -> None:
    """Each kind of column is recognised, and what is useless is left out with its reason."""
    values, kind = COLUMNS[name]
    schema = infer_schema(pd.DataFrame({"ok": [0.5, 1.5] * (N // 2), name: values}), "t")
    found = {c.name: c.kind for c in schema.columns} | {d.name: f"dropped: {d.reason}" for d in schema.dropped}
    assert found[name].startswith(kind)
    assert kind.startswith("dropped") == any(f"not used: `{name}`" in line for line in schema.describe())
    raw = raw_inputs(pd.DataFrame({"ok": [0.5, 1.5] * (N // 2), name: values}), schema)
    assert all(column.shape == (N,) for column in raw.values())


def test_dates_in_any_notation_become_iso_8601() -> None:
    """One day written in four ways, and as a timestamp, gives one text."""
    frame = pd.DataFrame(
        {
            "iso": ["2024-02-29", None],
            "slashes": ["2024/2/29", "x"],
            "german": ["29.2.2024", ""],
            "american": ["2/29/2024", None],
            "stamp": [pd.Timestamp("2024-02-29"), pd.NaT],
        }
    )
    formats = {"iso": "ISO8601", "slashes": "%Y/%m/%d", "german": "%d.%m.%Y", "american": "%m/%d/%Y", "stamp": ""}
    columns = tuple(Column(name=name, kind="date", date_format=form) for name, form in formats.items())
    raw = raw_inputs(frame, Schema(columns=columns, dropped=()))
    assert {column[0] for column in raw.values()} == {"2024-02-29T00:00:00"}
    assert {column[1] for column in raw.values()} == {""}


def test_test_rows_decide_nothing_about_the_schema() -> None:
    """Nonsense in test and validation rows leaves the schema as it was."""
    frame = pd.DataFrame({"n": np.arange(100) * 0.5, "c": ["a", "b"] * 50, "k": ["x"] * 100, "y": [0, 1] * 50})
    before = make_spec(read(frame, target="y"), epochs=1, seed=0)
    held_out = np.concatenate([before.split.validation, before.split.test])
    frame["k"] = frame["k"].where(~frame.index.isin(held_out), "other")
    frame["n"] = frame["n"].where(~frame.index.isin(held_out), np.nan)
    after = make_spec(read(frame, target="y"), epochs=1, seed=0)
    assert after.schema == before.schema


def data() -> Data:
    return read((np.arange(60.0).reshape(30, 2), np.arange(30) % 3))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"epochs": 0}, InvalidValue, "`epochs`"),
        ({"epochs": 2.5}, InvalidValue, "2.5"),
        ({"seed": -1}, InvalidValue, "`seed`"),
        ({"objective": "val_acc"}, UnknownName, "Did you mean 'val_accuracy'"),
        ({"objective": "val_rmse"}, UnknownName, "a target with numbers"),
        ({"kind": "ranking"}, InvalidValue, "'ranking'"),
        ({"model": "absent.py:build"}, InvalidModel, "no such file"),
        ({"model": "absent.keras"}, InvalidModel, "no such file"),
        ({"model": "old.h5"}, InvalidModel, "old format"),
        ({"model": "model.txt"}, InvalidModel, "FILE.py:FUNCTION"),
        ({"model": 5}, InvalidModel, "got int"),
    ],
)
def test_wrong_settings_are_refused_before_any_training(
    settings: dict[str, object], error: type[Exception], said: str
) -> None:
    """A wrong epoch count, seed, objective, kind or model is refused with its name and value."""
    given_settings: dict[str, object] = {"epochs": 1, "seed": 0, **settings}
    with pytest.raises(error, match=said):
        make_spec(data(), **given_settings)  # type: ignore[arg-type]


def test_the_fingerprint_names_what_changed() -> None:
    """A change of one setting changes its own entry of the fingerprint and no other."""
    base = make_spec(data(), epochs=2, seed=0).fingerprint()
    changes = {
        "epochs": make_spec(data(), epochs=3, seed=0),
        "split": make_spec(data(), epochs=2, seed=1),
        "objective": make_spec(data(), epochs=2, seed=0, objective="val_accuracy"),
        "model": make_spec(data(), epochs=2, seed=0, model=lambda: None),
    }
    for name, spec in changes.items():
        assert {key for key, value in spec.fingerprint().items() if value != base[key]} == {name}
    assert all(isinstance(value, str) for value in base.values())


def test_the_description_counts_rows_and_parts() -> None:
    """The first line says rows, features, classes and the three parts."""
    lines = make_spec(read("sklearn:digits"), epochs=1, seed=0).describe()
    assert lines[0] == "1,797 rows x 64 features, 10 classes; 1,149 train / 288 validation / 360 test, stratified"
