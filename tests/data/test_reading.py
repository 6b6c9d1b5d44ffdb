"""Reading data sets: what is wrong with a file is said in one message, what is right is read without damage."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from optselect.data import Data, read
from optselect.errors import InvalidData, InvalidValue, OptselectError, UnknownName
from optselect.task import make_spec

GOOD = "a,b,y\n" + "".join(f"{i % 7},{i % 5}.5,{'yes' if i % 3 else 'no'}\n" for i in range(30))

BROKEN: dict[str, tuple[str, bytes, dict[str, str], type[OptselectError], list[str]]] = {
    "empty": ("t.csv", b"", {}, InvalidData, ["t.csv: the file is empty"]),
    "blank": ("t.csv", b"\xef\xbb\xbf \n\n", {}, InvalidData, ["empty"]),
    "header only": ("t.csv", b"a,b,y\n", {}, InvalidData, ["header of 3 columns and no rows"]),
    "latin-1": (
        "t.csv",
        "a,ville,y\n1,Orléans,0\n".encode("latin-1"),
        {},
        InvalidData,
        ["byte 0xE9", "line 2", "column 6", 'encoding="latin-1"'],
    ),
    "utf-16": ("t.csv", GOOD.encode("utf-16"), {}, InvalidData, ['encoding="utf-16"']),
    "unknown encoding": ("t.csv", GOOD.encode(), {"encoding": "klingon"}, InvalidData, ["'klingon'", "latin-1"]),
    "wrong encoding": ("t.csv", "a,y\né,1\n".encode(), {"encoding": "ascii"}, InvalidData, ["not ascii", "line 2"]),
    "NUL": ("t.csv", b"a,b,y\n1,2,3\n1,\0,3\n", {}, InvalidData, ["line 3", "NUL"]),
    "ragged, long": ("t.csv", b"a,b,y\n1,2,3\n1,2,3,4\n", {}, InvalidData, ["line 3 has 4 fields", "the header has 3"]),
    "ragged, short": ("t.csv", b"a,b,y\n1,2,3\n\n1,2\n", {}, InvalidData, ["line 4 has 2 fields"]),
    "every row longer": ("t.csv", b"a,b\n1,2,3\n4,5,6\n", {}, InvalidData, ["line 2 has 3 fields"]),
    "ragged after a two-line field": (
        "t.csv",
        b'a,b,y\n"x\ny",2,3\n1,2\n',
        {},
        InvalidData,
        ["line 4 has 2 fields"],
    ),
    "open quote": ("t.csv", b'a,b,y\n1,2,3\n1,"2,3\n4,5,6\n', {}, InvalidData, ["line 3", "quoted field"]),
    "duplicate names": ("t.csv", b"a,b,a\n1,2,3\n", {}, InvalidData, ["'a' in columns 1, 3"]),
    "one column": ("t.csv", b"a:b:y\n1:2:3\n", {}, InvalidData, ["one column only", "separator="]),
    "long separator": ("t.csv", GOOD.encode(), {"separator": "::"}, InvalidData, ["one character", "'::'"]),
    "excel": ("t.csv", b"PK\x03\x04" + bytes(50), {}, InvalidData, ["zip archive", "Excel"]),
    "gzip": ("t.csv", b"\x1f\x8b" + bytes(50), {}, InvalidData, ["gzip"]),
    "parquet named csv": ("t.csv", b"PAR1" + bytes(50), {}, InvalidData, ["Parquet"]),
    "misspelt target": ("t.csv", GOOD.encode(), {"target": "yy"}, UnknownName, ["no column `yy`", "'y'"]),
    "spaces in target": (
        "t.csv",
        b"a, species \n1,x\n2,y\n",
        {"target": "species"},
        UnknownName,
        ["Did you mean ' species '?", "spaces"],
    ),
    "no target": ("t.csv", b"a,b,c\n1,2,3\n", {}, InvalidData, ["target=", "a, b, c"]),
    "two candidates": ("t.csv", b"label,class,c\n1,2,3\n", {}, InvalidData, ["which column is the target"]),
    "one of two targets misspelt": ("t.csv", GOOD.encode(), {"target": "y,bb"}, UnknownName, ["no column `bb`", "'b'"]),
    "misspelt weights": (
        "t.csv",
        GOOD.encode(),
        {"sample_weight": "aa"},
        UnknownName,
        ["`aa` of sample weights", "'a'"],
    ),
    "weights are all": (
        "t.csv",
        b"a,y\n1,2\n",
        {"target": "y", "sample_weight": "a"},
        InvalidData,
        ["nothing to learn"],
    ),
    "weights twice": (
        "t.py:load",
        b"def load(): return [1, 2], [0, 1], [1, 1]\n",
        {"sample_weight": "w"},
        InvalidData,
        ["brings sample weights", "drop one"],
    ),
    "broken parquet": ("t.parquet", b"PAR1 nonsense", {}, InvalidData, ["t.parquet", "not a readable Parquet"]),
    "broken feather": ("t.feather", b"nonsense", {}, InvalidData, ["not a readable Feather"]),
    "broken npz": ("t.npz", b"nonsense", {}, InvalidData, ["t.npz", "not a readable .npz"]),
    "truncated npz": ("t.npz", b"PK\x03\x04" + bytes(40), {}, InvalidData, ["not a readable .npz"]),
    "unknown ending": ("t.xyz", b"1", {}, InvalidData, ["cannot read .xyz", ".csv", "sklearn:NAME"]),
    "syntax error": ("t.py:load", b"def load(:\n", {}, InvalidData, ["t.py:1", "not valid Python"]),
    "no function": ("t.py:lode", b"def load(): pass\n", {}, InvalidData, ["no function `lode`", "'load'"]),
    "function left out": ("t.py", b"def load(): pass\n", {}, InvalidData, ["t.py:load"]),
    "function raises": (
        "t.py:load",
        b"def load():\n    print('noise')\n    return 1 / 0\n",
        {},
        InvalidData,
        ["t.py:3 in load", "ZeroDivisionError"],
    ),
    "import fails": ("t.py:load", b"import no_such_module\ndef load(): pass\n", {}, InvalidData, ["t.py:1", "no_such"]),
    "function exits": ("t.py:load", b"import os\ndef load(): os._exit(3)\n", {}, InvalidData, ["exit code 3"]),
    "function returns one": ("t.py:load", b"def load(): return 5\n", {}, InvalidData, ["(x, y)", "got int"]),
    "lengths differ": (
        "t.py:load",
        b"import numpy as np\ndef load(): return np.ones((4, 2)), np.ones(3)\n",
        {},
        InvalidData,
        ["x has 4 rows, y has 3"],
    ),
}


def write(folder: Path, name: str, contents: bytes | str) -> str:
    path = folder / name.split(":")[0]
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return f"{folder / name}"


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    """Every broken file gives one message that names the file, the place and the way out."""
    name, contents, options, error, said = BROKEN[case]
    with pytest.raises(error) as caught:
        read(write(tmp_path, name, contents), **options)
    message = str(caught.value)
    assert all(part in message for part in said), message
    assert name.split(":")[0] in message
    assert "\n" not in message


def targets(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"a": range(len(values)), "y": list(values)})


@pytest.mark.parametrize(
    ("frame", "kind", "said"),
    [
        (targets(*[0.5, None, 1.5, 2.5] * 5), None, ["5 missing", "20 values", "rows 2, 6, 10, 14, 18"]),
        (targets(*[0.5, float("inf")] * 10), None, ["10 missing or infinite"]),
        (targets(*["a", None] * 6), None, ["6 missing"]),
        (targets(*["a"] * 9), None, ["'a' in every row"]),
        (targets(*[1.5] * 12), None, ["1.5 in every row", "nothing to learn"]),
        (targets(*["a"] * 9, "b", "c", "c"), None, ["'b' has 1", "'c' has 2", "12 rows"]),
        (targets(*["a", "b"] * 6), "regression", ["needs numbers", "'a'"]),
        (targets(0.5, 1.5, 2.5), None, ["3 rows are too few"]),
        (targets(*[1e300, 1.5] * 6), None, ["1e+300", "logarithm"]),
        (pd.DataFrame({"a": [1] * 20, "b": [None] * 20, "y": [0, 1] * 10}), None, ["no column left", "`a` constant"]),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(frame: pd.DataFrame, kind: str | None, said: list[str]) -> None:
    """A target with gaps, without variety or with classes too small to split is refused, with the numbers."""
    with pytest.raises(InvalidData) as caught:
        make_spec(read(frame, target="y"), epochs=1, seed=0, kind=kind)
    assert all(part in str(caught.value) for part in said), str(caught.value)


def test_a_missing_target_value_in_a_file_is_missing_whatever_its_marker(tmp_path: Path) -> None:
    """`NA` in a target of words counts as missing, because nobody predicts it."""
    path = write(tmp_path, "t.csv", "a,y\n" + "1,yes\n2,no\n3,NA\n" * 5)
    with pytest.raises(InvalidData, match="5 missing"):
        make_spec(read(path), epochs=1, seed=0)


@pytest.mark.parametrize(
    ("text", "column", "values", "note"),
    [
        ("a;y\n1,5;0\n2,25;1\n", "a", [1.5, 2.25], "decimal comma"),
        ("a\ty\n1\t0\n2\t1\n", "a", [1, 2], "separated by a tab"),
        ("a|y\n1|0\n2|1\n", "a", [1, 2], "vertical bar"),
        ("a,b,y\n;,1,0\n;,2,1\n", "b", [1, 2], None),
        ("a,y\n01234,0\n00501,1\n", "a", ["01234", "00501"], "leading zeros"),
        ("a,y\n0,0\n0.5,1\n", "a", [0, 0.5], None),
        ("a,y\nDE,0\nNA,1\n", "a", ["DE", "NA"], None),
        ("a,y\n1,0\nNA,1\n", "a", [1, None], None),
        ("a,y\n12345678901234567890,0\n1,1\n", "a", ["12345678901234567890", "1"], "more digits"),
        ('a,y\n"1,234",0\n"12,345",1\n', "a", [1234, 12345], "thousands"),
        ("a,y\nTrue,0\nfalse,1\n", "a", [True, False], None),
        ('a,y\n"x, ""y""",0\n"two\nlines",1\n', "a", ['x, "y"', "two\nlines"], None),
        ("\ufeffa,y\n1,0\n2,1\n", "a", [1, 2], None),
        ("a,y\r\n1,0\r\n\r\n2,1\r\n", "a", [1, 2], None),
        (",y\n1,0\n2,1\n", "column 1", [1, 2], "without a name"),
        ("a,y\n" + "1,0\n" * 30 + "oops,1\n", "a", None, "numbers but for 1 of 31 rows, such as 'oops'"),
    ],
)
def test_a_column_keeps_its_meaning(
    text: str, column: str, values: list[object] | None, note: str | None, tmp_path: Path
) -> None:
    """Separators, decimal commas, ids, codes and markers of missing values are read for what they are, and said."""
    data = read(write(tmp_path, "t.csv", text))
    assert isinstance(data.x, pd.DataFrame)
    if values:
        assert [None if pd.isna(v) else v for v in data.x[column]] == values
    assert note is None or any(note in said for said in data.notes), data.notes


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    """One table read from CSV, TSV, Parquet and Feather is the same table."""
    frame = pd.DataFrame(
        {"n": [1.5, np.nan, 3.0], "s": ["a b", None, "ü,'\""], "b": [True, False, True], "y": [0, 1, 2]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_feather(tmp_path / "t.feather")
    for ending in ("csv", "tsv", "parquet", "feather"):
        data = read(tmp_path / f"t.{ending}")
        assert isinstance(data.x, pd.DataFrame)
        pd.testing.assert_frame_equal(data.x, frame.drop(columns="y"), check_dtype=False)
        assert data.y.tolist() == [0, 1, 2]


def test_npz_needs_x_and_y_and_refuses_objects(tmp_path: Path) -> None:
    """An archive gives its x and y, names what it leaves out, and never unpickles."""
    np.savez(tmp_path / "good.npz", x_train=np.ones((3, 2)), y_train=np.arange(3), x_test=np.ones((1, 2)))
    data = read(tmp_path / "good.npz")
    assert data.rows == 3
    assert "x_test" in " ".join(data.notes)
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(InvalidData, match=r"holds a \(3,\)"):
        read(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", x=np.array([{}, {}], dtype=object), y=np.ones(2))
    with pytest.raises(InvalidData, match="could run code"):
        read(tmp_path / "objects.npz")


def test_scikit_learn_data_sets_are_known_by_name() -> None:
    """sklearn:iris is iris, and a misspelt name is told the right one."""
    assert (
        make_spec(read("sklearn:iris"), epochs=1, seed=0).describe()[0].startswith("150 rows x 4 features, 3 classes")
    )
    with pytest.raises(UnknownName, match="Did you mean 'iris'"):
        read("sklearn:irys")


@pytest.mark.parametrize(
    "body",
    [
        "import numpy as np\ndef load(): return np.ones((6, 2)), [0, 1, 0, 1, 0, 1]",
        "import pandas as pd\ndef load(): return pd.DataFrame({'a': [1, 2], 'b': list('xy')}), pd.Series([0, 1])",
        "import numpy as np\nfrom helper import n\ndef load(): return {'p': np.ones((n, 2)), 'q': [1] * n}, np.eye(n)",
    ],
)
def test_a_users_function_gives_data(body: str, tmp_path: Path) -> None:
    """A function's arrays, frames, dicts and one-hot targets arrive, and it may import its neighbours."""
    (tmp_path / "helper.py").write_text("n = 4\n")
    data = read(write(tmp_path, "mine.py:load", body))
    assert data.rows in (2, 4, 6)
    assert set(data.y) <= {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((np.ones((3, 2)), 5), "first axis counts rows"),
        ((np.ones((3, 2)), np.full((3, 2), "a")), "y must hold numbers"),
        ((np.ones((3, 2)), {}), "y holds no target"),
        ((np.ones((3, 2)), {"a": np.ones(3), "b": np.ones(4)}), r"y\['b'\] has 4 rows, y\['a'\] has 3"),
        ((np.ones((3, 2)), np.ones(3), 1, 1), "length 4"),
        ((np.ones((3, 2)), np.ones(4)), "x has 3 rows, y has 4"),
        ((np.ones((0, 2)), np.ones(0)), "no rows"),
        ((np.ones((3, 0)), np.ones(3)), "no features"),
        ((np.ones((3, 2), dtype=complex), np.ones(3)), "complex numbers"),
        ((5, np.ones(3)), "first axis counts rows"),
        (7, "got int"),
    ],
)
def test_odd_objects_are_refused(pair: object, said: str) -> None:
    """Objects that are no data set are refused with what they are."""
    with pytest.raises(InvalidData, match=said):
        read(pair)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([True, False] * 5, "classification"),
        (["a", "b"] * 5, "classification"),
        ([0, 1, 2] * 5, "classification"),
        ([1.0, 2.0] * 5, "classification"),
        ([0.5, 1.5] * 5, "regression"),
        (list(range(30)), "regression"),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "regression"),
    ],
)
def test_the_kind_of_question_follows_from_the_target(y: list[object], kind: str) -> None:
    """Words, booleans and few whole numbers are classes; other numbers are quantities; the note says which."""
    spec = make_spec(read((np.arange(len(y)), y)), epochs=1, seed=0)
    assert spec.kind == kind
    assert any(kind in note for note in spec.notes)


def test_classes_are_sorted_and_numbered_by_place() -> None:
    """The number of a label is its place among the sorted labels."""
    spec = make_spec(read((np.arange(9.0), list("cabcabcab"))), epochs=1, seed=0)
    assert spec.classes == ("a", "b", "c")
    assert spec.y.tolist() == [2, 0, 1] * 3
    assert spec.y.dtype == np.int64


NUMBERED = np.arange(30.0)
WORDS = np.array(list("abc") * 10)
THREE = NUMBERED % 4 + 0.5


def several(folder: Path, form: str) -> Data:
    """One data set with two targets and sample weights, in any of the forms that hold them."""
    frame = pd.DataFrame({"f": NUMBERED, "a": WORDS, "b": NUMBERED * 1.5, "w": THREE})
    x, y = np.stack([NUMBERED, NUMBERED], axis=1), {"a": WORDS, "b": NUMBERED * 1.5}
    body = (
        "import numpy as np\ndef load():\n    n = np.arange(30.0)\n"
        "    return np.stack([n, n], 1), {'a': np.array(list('abc') * 10), 'b': n * 1.5}, n % 4 + 0.5\n"
    )
    if form == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        return read(folder / "t.csv", target="a,b", sample_weight="w")
    if form == "parquet":
        frame.to_parquet(folder / "t.parquet")
        return read(folder / "t.parquet", target=["a", "b"], sample_weight="w")
    if form == "npz":
        np.savez(folder / "t.npz", x=x, y_a=WORDS, y_b=NUMBERED * 1.5, sample_weight=THREE, x_test=x)
        return read(folder / "t.npz")
    if form == "npz, named":
        np.savez(folder / "t.npz", x_left=x, x_right=x, x_test=x, y_test=WORDS, y_a=WORDS, y_b=NUMBERED * 1.5, w=THREE)
        return read(folder / "t.npz", sample_weight="w")
    if form == "frame":
        return read(frame, target=" a, b", sample_weight=THREE)
    if form == "frames":
        return read((x, frame[["a", "b"]]), sample_weight=frame["w"])
    if form == "triple":
        return read((x, y, THREE))
    if form == "which of them":
        return read((x, {**y, "c": NUMBERED}, THREE), target="a,b")
    assert form == "function"
    return read(write(folder, "mine.py:load", body))


@pytest.mark.parametrize(
    "form", ["csv", "parquet", "npz", "npz, named", "frame", "frames", "triple", "which of them", "function"]
)
def test_several_targets_and_weights_come_in_every_form(form: str, tmp_path: Path) -> None:
    """Names, kinds, values and weights are the same wherever they come from; no target or weight is a feature."""
    data = several(tmp_path, form)
    spec = make_spec(data, epochs=1, seed=0, model=lambda: None)
    assert [(t.name, t.kind) for t in spec.targets] == [("a", "classification"), ("b", "regression")]
    assert spec.targets[0].values.tolist() == [0, 1, 2] * 10
    assert spec.targets[1].values.tolist() == (NUMBERED * 1.5).tolist()
    assert spec.sample_weight is not None
    assert (spec.sample_weight.dtype, spec.sample_weight.tolist()) == ("float32", THREE.tolist())
    if form == "npz, named":
        assert isinstance(data.x, dict)
        assert sorted(data.x) == ["left", "right"]
    if isinstance(data.x, pd.DataFrame):
        assert "a" not in data.x.columns
        assert len(data.x.columns) == (2 if form == "frame" else 1)  # there, the weights are no column's


def test_a_dataset_may_give_dicts_and_weights() -> None:
    """A tf.data.Dataset of (dict, dict, weights), row by row or in batches, is what it holds."""
    tf = pytest.importorskip("tensorflow")
    whole = tf.data.Dataset.from_tensor_slices(({"p": NUMBERED, "q": NUMBERED}, {"a": WORDS, "b": NUMBERED}, THREE))
    for dataset in (whole, whole.batch(7)):
        data = read(dataset)
        assert sorted(data.targets) == ["a", "b"]
        assert list(np.ravel(data.sample_weight)) == THREE.tolist()
        assert make_spec(data, epochs=1, seed=0, model=lambda: None).targets[0].classes == ("a", "b", "c")


def test_several_values_a_row_are_one_target() -> None:
    """An array with more axes keeps its shape; whole numbers in it are classes that its places share."""
    tags = np.arange(120).reshape(20, 6) % 3
    x = np.arange(20.0)
    for y, kind in ((tags, "classification"), (tags * 0.5, "regression")):
        spec = make_spec(read((x, y)), epochs=1, seed=0, model=lambda: None)
        assert (spec.kind, spec.y.shape) == (kind, (20, 6))
        assert np.array_equal(spec.y, y)
    with pytest.raises(InvalidData, match=r"has 6 values a row.*model="):
        make_spec(read((x, tags)), epochs=1, seed=0)


def test_the_first_classes_decide_the_split() -> None:
    """Of several targets the first with classes is stratified; rare classes of another do not matter."""
    rare = np.array(["usual"] * 28 + ["rare"] * 2)
    y = {"n": NUMBERED, "a": WORDS, "r": rare}
    spec = make_spec(read((NUMBERED, y)), epochs=1, seed=0)
    assert "stratified by `a`" in spec.describe()[0]
    for rows in (spec.split.train, spec.split.validation, spec.split.test):
        assert set(spec.targets[1].values[rows]) == {0, 1, 2}
    with pytest.raises(InvalidData, match="'rare' has 2"):
        make_spec(read((NUMBERED, {"r": rare, "a": WORDS})), epochs=1, seed=0)


BAD_WEIGHTS = {
    "too few": (np.ones(29), "shape (29,), the data 30 rows"),
    "too many axes": (np.ones((30, 2)), "shape (30, 2)"),
    "negative": (THREE - 2, "16 of 30 sample weights are negative (rows 1, 2, 5, 6, 9, ...)"),
    "missing": (np.where(NUMBERED == 3, np.nan, 1), "1 of 30 sample weights are missing or infinite (rows 4)"),
    "infinite": (np.where(NUMBERED == 3, np.inf, 1), "missing or infinite (rows 4)"),
    "text": (WORDS, "must be numbers, got 'a'"),
    "nothing": (np.zeros(30), "all sample weights are 0"),
    "a name": ("w", "no table with such a column"),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_weights_that_cannot_be_are_refused(case: str) -> None:
    """Wrong length, sign or type: one message with what was got."""
    weights, said = BAD_WEIGHTS[case]
    with pytest.raises(InvalidData) as caught:
        make_spec(read((NUMBERED, WORDS), sample_weight=weights), epochs=1, seed=0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "error", "said"),
    [
        ({"d": 2.0}, UnknownName, "class 'd', which `y` has not. Known: a, b, c"),
        ({"a": -1}, InvalidValue, "of 'a' must be a number from 0, got -1"),
        ({"a": float("nan")}, InvalidValue, "got nan"),
        ({"a": "much"}, InvalidValue, "got 'much'"),
        ("balance", InvalidValue, "got 'balance'"),
    ],
)
def test_class_weights_that_cannot_be_are_refused(weights: Any, error: type[Exception], said: str) -> None:
    """An unknown class, a weight that is none."""
    with pytest.raises(error) as caught:
        make_spec(read((NUMBERED, WORDS)), epochs=1, seed=0, class_weight=weights)
    assert said in str(caught.value)


def test_class_weights_need_one_target_with_classes() -> None:
    """As in Keras they belong to the classes of one output."""
    with pytest.raises(InvalidValue, match="needs a single target, the data has `a`, `b`"):
        make_spec(read((NUMBERED, {"a": WORDS, "b": NUMBERED})), epochs=1, seed=0, class_weight="balanced")
    with pytest.raises(InvalidValue, match="one class a row"):
        make_spec(read((NUMBERED, NUMBERED)), epochs=1, seed=0, class_weight="balanced")


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    """Counted in the training rows; labels that are numbers may be given as such or as text."""
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.repeat([3, 5, 8], [5, 10, 40])
    data = read((np.arange(55.0), labels))
    spec = make_spec(data, epochs=1, seed=0, class_weight="balanced")
    expected = compute_class_weight("balanced", classes=np.array([3, 5, 8]), y=labels[spec.split.train])
    assert spec.class_weight == pytest.approx(tuple(expected))
    for given in ({5: 2}, {"5": 2.0}):
        assert make_spec(data, epochs=1, seed=0, class_weight=given).class_weight == (1.0, 2.0, 1.0)
    assert "class weights in training: 3 " in " ".join(spec.describe())


def test_the_record_sees_weights() -> None:
    """Other weights make another study: the digest holds sample weights, the fingerprint class weights."""
    pair = (NUMBERED, WORDS)
    digests = {read(pair, sample_weight=w).digest() for w in (None, THREE, np.where(NUMBERED == 29, 9, THREE))}
    assert len(digests) == 3
    plain, weighted = (make_spec(read(pair), epochs=1, seed=0, class_weight=w) for w in (None, {"a": 2}))
    assert plain.fingerprint() != weighted.fingerprint()


def test_gaps_of_an_array_are_said() -> None:
    """Where the default model puts the mean for NaN, the user hears where and how often."""
    x = np.stack([NUMBERED, np.where(NUMBERED < 2, np.nan, 1.0)], axis=1)
    lines = make_spec(read((x, WORDS)), epochs=1, seed=0).describe()
    assert any("2 of 60 values of `x`, in x[:, 1]" in line for line in lines)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": [1.0, np.nan, 3.0] * 5,
            "s": ["a", None, "b"] * 5,
            "t": pd.date_range("2024-01-01", periods=15),
            "b": [True, False, True] * 5,
            "y": [0, 1, 2] * 5,
        }
    )


@pytest.mark.parametrize("column", ["n", "s", "t", "b", "y"])
@pytest.mark.parametrize("row", [0, 1, 14])
def test_the_digest_sees_every_cell(column: str, row: int) -> None:
    """Changing any one cell changes the digest; changing none does not."""
    before, frame = table(), table()
    frame.loc[row, column] = {"n": 9.0, "s": "z", "t": pd.Timestamp("1999-01-01"), "b": bool(row % 2), "y": 7}[column]
    digest = read(before, target="y").digest()
    assert digest == read(table(), target="y").digest()
    assert digest != read(frame, target="y").digest()
    assert digest != read(before.rename(columns={"n": "m"}), target="y").digest()


def test_the_digest_sees_every_number_of_an_array() -> None:
    """One number in a million, and the type, change an array's digest."""
    x, y = np.zeros((1000, 1000)), np.zeros(1000)
    other = x.copy()
    other[999, 999] = 1e-300
    digests = {read((v, y)).digest() for v in (x, other, x.astype("float32"), x.reshape(1000, 500, 2))}
    assert len(digests) == 4


def test_the_parent_loads_no_tensorflow_and_refuses_fast(tmp_path: Path) -> None:
    """Reading, checking and refusing load neither TensorFlow nor Keras, and a refusal takes under 3 seconds."""
    path = write(tmp_path, "t.csv", GOOD + "1,2\n")
    good = write(tmp_path, "good.csv", GOOD)
    code = f"""
        import sys
        import optselect.data, optselect.task
        spec = optselect.task.make_spec(optselect.data.read({good!r}), epochs=2, seed=0)
        spec.describe(), spec.fingerprint()
        try:
            optselect.data.read({path!r})
        except ValueError as problem:
            print(problem)
        heavy = {{"tensorflow", "keras", "sklearn", "mlflow", "optuna"}} & set(sys.modules)
        print("heavy:", *heavy)
    """
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "line 32 has 2 fields" in done.stdout
    assert done.stdout.strip().endswith("heavy:")
    assert time.monotonic() - started < 15  # 3 s on a free machine; a loaded one is given more
