"""Data larger than the memory that training may take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The file is sparse: it has the size of the data, but takes no room on the disk.
TRAIN = """
import copy, sys, threading, time
from pathlib import Path
import keras, numpy as np, psutil
from optselect.data import read
from optselect.task import make_spec
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.task.prepared import Task
from optselect.trainer.program import Program

folder, megabytes, room = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
width = 1000
rows = megabytes * 1_000_000 // (4 * width)
x = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype="float32", shape=(rows, width))
x[: rows // 100, 0] = 1.0
del x
y = np.lib.format.open_memmap(folder / "y.npy", mode="w+", dtype="int64", shape=(rows,))
y[: rows // 2] = 1
del y

def build(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(2, activation="softmax")])

small = read((np.zeros((50, width), "float32"), np.arange(50) % 2))
task = Task.from_spec(make_spec(small, model=lambda: build(0), epochs=1, seed=0))
task.build = build
whole, configuration = copy.copy(task), Configuration(rule=RULES["sgd"](), batch_size=256)
program = Program.of(task, [RULES["sgd"]()], [0])
program.train(program.start(configuration, 0), configuration, seed=0, epochs=1, total_epochs=1)
whole.x_train, whole.y_train = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "xy")
program = Program.of(whole, [RULES["sgd"]()], [0])
assert program.feed.on_disk

process, most, done = psutil.Process(), [0], threading.Event()
base = process.memory_info().rss

def watch():
    while not done.is_set():
        most[0] = max(most[0], process.memory_info().rss)
        time.sleep(0.005)

watcher = threading.Thread(target=watch)
watcher.start()
state, curves, _ = program.train(program.start(configuration, 0), configuration, seed=0, epochs=1, total_epochs=1)
done.set()
watcher.join()
assert state.finite and state.step == -(-rows // 256), state.step
grown = (most[0] - base) / 1e6
assert grown < room, f"grew by {grown:.0f} MB"
print(f"{megabytes} MB of data, {grown:.0f} MB more in memory")
"""


def trained(folder: Path, megabytes: int, room: int) -> None:
    """Train an epoch on a file of so many MB in a process whose memory may grow by `room` MB."""
    command = [sys.executable, "-c", TRAIN, str(folder), str(megabytes), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    sys.stdout.write(done.stdout)


def test_training_needs_less_memory_than_its_data(tmp_path: Path) -> None:
    """An epoch over a file of 600 MB leaves the process 300 MB larger at most: a chunk in work, one ahead."""
    trained(tmp_path, megabytes=600, room=300)


@pytest.mark.slow
def test_memory_does_not_follow_the_data(tmp_path: Path) -> None:
    """An epoch over a file of 2 GB takes no more room than one over 600 MB."""
    trained(tmp_path, megabytes=2000, room=300)
