"""Features larger than memory: where they stay, that nothing changes, and that memory does not follow them."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from optselect.data import read
from optselect.data.on_disk import DiskArray
from optselect.errors import InvalidData
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.task import make_spec
from optselect.trainer.messages import Job, Probe, Run
from optselect.util.machine import resident_memory
from optselect.workers.local import LocalExecutor

ROWS = 3000
LITTLE = 200_000  # bytes of memory in which the features below have no room, and their targets have
RANDOM = np.random.default_rng(0)
Y = RANDOM.integers(0, 3, ROWS)
X = (RANDOM.standard_normal((ROWS, 8)) + Y[:, None]).astype("float32")
X[::100] = X[1::100]  # repeated rows

FUNCTIONS = """
import numpy as np

def mapped():
    return np.load("{folder}/x.npy", mmap_mode="r"), np.load("{folder}/y.npy", mmap_mode="r")

def some_rows():
    x, y = mapped()
    return x[100:], y[100:]

def in_memory():
    x, y = mapped()
    return np.array(x), np.array(y)

def named():
    x, y = mapped()
    return {{"left": x[:, :4], "right": x[:, 4:]}}, y

def dataset():
    import tensorflow as tf
    return tf.data.Dataset.from_tensor_slices(tuple(np.array(part) for part in mapped()))

def batches():
    return dataset().batch(256)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows in every form."""
    home = tmp_path_factory.mktemp("forms")
    np.savez(home / "plain.npz", x=X, y=Y)
    np.savez(home / "plain_test.npz", x_train=X, y_train=Y, x_test=X)
    np.savez_compressed(home / "compressed.npz", x=X, y=Y)
    np.savez(home / "columns.npz", x=np.asfortranarray(X), y=Y)
    np.savez_compressed(home / "compressed_columns.npz", x=np.asfortranarray(X), y=Y)
    np.save(home / "x.npy", X)
    np.save(home / "y.npy", Y)
    (home / "data.py").write_text(FUNCTIONS.format(folder=home))
    return home


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where unpacked features go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


FORMS = {
    "plain.npz": 0,
    "plain_test.npz": 0,
    "compressed.npz": 1,
    "columns.npz": 1,
    "compressed_columns.npz": 2,
    "data.py:mapped": 0,
    "data.py:some_rows": 0,
    "data.py:in_memory": 1,
    "data.py:named": 2,
    "data.py:dataset": 1,
    "data.py:batches": 1,
}
"""What holds the rows, and how many files have to be written of it."""


@pytest.mark.parametrize("form", FORMS)
def test_large_features_stay_on_disk_and_are_the_same(form: str, folder: Path, spools: Path) -> None:
    """Whatever the data come as, features without room in memory stay on disk, unpacked if need be; digest, gaps,
    repeated rows and split are those of the features in memory; what was unpacked goes with the data."""
    large, small = (read(f"{folder}/{form}", memory=memory) for memory in (LITTLE, None))
    assert large.resident == 0 < small.resident
    assert large.digest() == small.digest()
    of_large, of_small = (make_spec(data, epochs=1, seed=0, model=lambda: None) for data in (large, small))
    assert of_large.fingerprint() == of_small.fingerprint()
    said = " ".join(of_large.notes)
    assert "stay on disk" in said
    assert [note for note in of_large.notes if "on disk" not in note] == list(of_small.notes)
    assert len(list(spools.glob("*/*.bin"))) == FORMS[form]
    assert ("unpacked to" in said) == bool(FORMS[form])
    del large, of_large
    gc.collect()
    assert not list(spools.iterdir())


@pytest.mark.parametrize("form", ["plain.npz", "compressed.npz"])
def test_a_task_travels_by_path(form: str, folder: Path) -> None:
    """A pickled task holds no features, and unpickled elsewhere it has the same data."""
    spec = make_spec(read(folder / form, memory=LITTLE), epochs=1, seed=0)
    pickled = pickle.dumps(spec.data.x)
    assert len(pickled) < 2000
    code = "import pickle, sys; sys.stdout.write(pickle.load(sys.stdin.buffer).data.digest())"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(spec), capture_output=True, check=True)
    assert done.stdout.decode() == spec.data.digest()


def test_a_killed_owner_leaves_nothing_for_long(folder: Path, spools: Path) -> None:
    """The folder of a process that was killed goes when the next one unpacks; that of a living process stays."""
    code = (
        "import os, signal; from optselect.data import read; from optselect.task import make_spec; "
        f"data = read({str(folder / 'compressed.npz')!r}, memory={LITTLE}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = spools.iterdir()
    first = read(folder / "compressed.npz", memory=LITTLE)
    assert not left.exists()
    second = read(folder / "compressed.npz", memory=LITTLE)
    assert len(list(spools.iterdir())) == 2
    assert first.digest() == second.digest()


def test_gaps_are_found_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is counted and placed alike, whether features lie on disk, in several pieces, or in memory."""
    monkeypatch.setattr("optselect.data.on_disk._PIECE", 1000)
    x = X.copy()
    x[7, 3], x[2990, 5] = np.nan, np.inf
    np.savez(tmp_path / "gaps.npz", x=x, y=Y)
    found = []
    for memory in (LITTLE, None):
        data = read(tmp_path / "gaps.npz", memory=memory)
        notes = make_spec(data, epochs=1, seed=0).notes
        found.append((data.digest(), [note for note in notes if "on disk" not in note]))
    assert found[0] == found[1]
    assert "2 of 24,000 values of `x`, in x[:, 3], x[:, 5]" in str(found)


def test_what_has_to_be_in_memory_is_refused_with_numbers(tmp_path: Path, folder: Path) -> None:
    """A table or targets larger than memory are refused with their sizes and with what to do."""
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(8)]).assign(y=Y)
    frame.to_csv(tmp_path / "t.csv")
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(InvalidData, match=r"a table of 0\.0 GB.*numpy\.savez"):
            read(tmp_path / name, target="y", memory=20_000)
    for name in ("plain.npz", "data.py:mapped", "data.py:batches"):
        with pytest.raises(InvalidData, match="targets take"):
            read(f"{folder}/{name}", memory=20_000)


def test_nothing_takes_it_whole(folder: Path) -> None:
    """NumPy cannot turn features on disk into an array by the way."""
    x: Any = read(folder / "plain.npz", memory=LITTLE).x
    assert isinstance(x, DiskArray)
    with pytest.raises(TypeError, match="in pieces"):
        np.asarray(x)


# -- training ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def executors(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two workers: one has the features on disk, the other in memory."""
    log = tmp_path_factory.mktemp("workers") / "log"
    rule = RULES["adam"]()
    with contextlib.ExitStack() as stack:
        started = []
        for memory in (LITTLE, None):
            spec = make_spec(read(folder / "plain.npz", memory=memory), epochs=4, seed=0)
            executor = stack.enter_context(LocalExecutor(spec, [rule], [1], workers=1, threads=1, log=log))
            executor.start()
            started.append(executor)
        yield started


CONFIGURATION = Configuration(rule=RULES["adam"](learning_rate=1e-3), batch_size=64)
FULL = Configuration(rule=RULES["sgd"](learning_rate=0.05), batch_size=ROWS)
JOBS: dict[str, Callable[[], Job | Probe]] = {
    "every row in one batch": lambda: Job(configuration=FULL, seed=1, epochs=4, test=True),
    "the same by model.fit": lambda: Job(configuration=FULL, seed=1, epochs=4, test=True, plain=True),
    "another split": lambda: Job(configuration=FULL, seed=1, epochs=2, redraw=True),
    "another split by model.fit": lambda: Job(configuration=FULL, seed=1, epochs=2, redraw=True, plain=True),
    "range test": lambda: Probe(configuration=FULL, seed=1, rates=(1e-3, 1e-1), steps=4),
}


@pytest.mark.parametrize("job", JOBS)
def test_training_is_the_same_from_disk(job: str, executors: Any) -> None:
    """Where the order of rows does not matter, figures from disk are those from memory."""
    on_disk, in_memory = (executor.run(JOBS[job]()) for executor in executors)
    assert not on_disk.error
    if isinstance(on_disk, Run):
        assert dict(on_disk.metrics) == pytest.approx(dict(in_memory.metrics), rel=1e-4)
        curves = on_disk.curves, in_memory.curves
    else:
        curves = vars(on_disk), vars(in_memory)
    for name in ("loss", "val_loss", "val_accuracy", "losses", "val_losses"):
        assert curves[0].get(name, []) == pytest.approx(curves[1].get(name, []), rel=1e-4)


def test_fit_takes_the_order_of_the_program(executors: Any) -> None:
    """From disk `model.fit` has the compiled program's order of rows, so the two give one curve in small batches."""
    plain, compiled = (
        executors[0].run(Job(configuration=CONFIGURATION, seed=1, epochs=4, plain=plain)) for plain in (True, False)
    )
    assert isinstance(plain, Run)
    for name in ("loss", "val_loss", "val_accuracy"):
        assert plain.curves[name] == pytest.approx(compiled.curves[name], rel=1e-4)


def test_shuffling_blocks_learns_as_much(executors: Any) -> None:
    """In small batches, where the orders differ, the validation loss after four epochs does not."""
    job = Job(configuration=CONFIGURATION, seed=1, epochs=4)
    on_disk, in_memory = (executor.run(job) for executor in executors)
    assert on_disk.curves["val_loss"][-1] == pytest.approx(in_memory.curves["val_loss"][-1], abs=0.02)


# -- whole studies ----------------------------------------------------------------------------------------------

STUDY = """
import sys
import optselect
from optselect.data import read
from optselect.task import make_spec

data = read(sys.argv[1], memory={memory})
result = optselect.tune(
    None, data, trials=4, epochs=4, optimizers=["sgd", "adam"], search=optselect.SearchOptions(range_test=False),
    evaluation=optselect.Evaluation(care="quick", confirm=0), tracking=optselect.Tracking(mlflow=None),
    run=optselect.RunOptions(workers=1, study="s", out=sys.argv[2]),
)
print(len(result.trials))
"""


@pytest.mark.slow
def test_a_killed_study_goes_on_with_data_on_disk(folder: Path, tmp_path: Path) -> None:
    """A study on unpacked features that is killed goes on to its end, and then no file of theirs is left."""
    command = [sys.executable, "-c", STUDY.format(memory=LITTLE), str(folder / "compressed.npz"), str(tmp_path / "out")]
    ledger = tmp_path / "out" / "s" / "ledger.jsonl"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (ledger.exists() and ledger.read_text().count("val_loss")):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.05)
        process.kill()
    assert list(tmp_path.glob("optselect-spool-*"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.glob("optselect-spool-*"))
    assert (tmp_path / "out" / "s" / "best.keras").exists()


def rows_in_a_file(path: Path, rows: int, width: int) -> Path:
    """An .npz of float32 features and two classes, written in pieces: the test itself must not hold it."""
    y = np.arange(rows) % 2
    piece = RANDOM.standard_normal((1000, width)).astype("float32")
    piece[:, 0] = y[:1000]
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(rows // 1000):
                file.write(piece.tobytes())
        with archive.open("y.npy", "w") as file:
            np.lib.format.write_array(file, y)
    return path


def highest_memory(path: Path, log: Path) -> tuple[int, int]:
    """Bytes that the worker held at most while it trained, by both trainers, and how many our process grew by."""
    most, done = [0, 0], threading.Event()
    before = psutil.Process().memory_info().rss

    def watch(pid: int) -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], resident_memory(pid))
            most[1] = max(most[1], resident_memory(os.getpid()) - before)

    spec = make_spec(read(path, memory=400_000_000), epochs=1, seed=0)
    with LocalExecutor(spec, [RULES["sgd"]()], [0], workers=1, threads=1, log=log) as executor:
        watcher = threading.Thread(target=watch, args=(executor._crew[0].process.pid,))
        watcher.start()
        try:
            executor.start()
            sgd = Configuration(rule=RULES["sgd"](), batch_size=256)
            for plain in (False, True):
                run = executor.run(Job(configuration=sgd, seed=0, epochs=1, test=True, plain=plain))
                assert not run.error
                assert run.finite
        finally:
            done.set()
            watcher.join()
    return most[0], most[1]


@pytest.mark.slow
def test_memory_does_not_follow_the_data(tmp_path: Path) -> None:
    """A study's worker on a file of 600 MB holds less than 300 MB more than on one of 40 MB, its parent less too."""
    width = 10_000
    small, _ = highest_memory(rows_in_a_file(tmp_path / "small.npz", 1000, width), tmp_path / "log")
    large, ours = highest_memory(rows_in_a_file(tmp_path / "large.npz", 15_000, width), tmp_path / "log")
    sys.stdout.write(f"{(large - small) / 1e6:.0f} MB more in the worker, {ours / 1e6:.0f} MB in its parent\n")
    assert large < small + 300_000_000
    assert ours < 300_000_000
