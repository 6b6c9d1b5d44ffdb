"""Where a program computes, and which process sees which GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from optselect.errors import InvalidValue, UnknownName
from optselect.util.machine import gpus
from optselect.workers.local import LocalExecutor
from optselect.workers.process import WorkerProcess

ON_THE_SECOND_DEVICE = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from optselect.data import read
from optselect.task import make_spec
from optselect.optim.configuration import BASELINE
from optselect.task.prepared import Task
from optselect.trainer.population import Populations
from optselect.trainer.program import Program
task = Task.from_spec(make_spec(read("sklearn:iris"), epochs=1, seed=0))
for device in ("CPU:0", "CPU:1"):
    program = Program.of(task, [BASELINE.rule], [0], device=f"/{device}")
    state, curves, _ = program.train(program.start(BASELINE, 0), BASELINE, seed=0, epochs=1, total_epochs=1)
    populations = Populations(program)
    members = populations.start([BASELINE] * 2, [0, 0])
    [(other, others), _] = populations.train(members, epochs=1, total_epochs=1)
    leaves = tf.nest.flatten((state.carried, other.carried))
    assert {leaf.device.rpartition("device:")[2] for leaf in leaves} == {device}, [leaf.device for leaf in leaves]
    assert abs(curves["loss"][0] - others["loss"][0]) < 1e-5
    assert abs(program.evaluate(state, BASELINE, "validation")["loss"] - curves["val_loss"][0]) < 1e-5
"""


def test_a_program_computes_where_it_is_told_to() -> None:
    """On the second of two devices, trainings and populations leave their states there."""
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_SECOND_DEVICE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def shown_to(worker: WorkerProcess) -> str:
    """The GPUs that a process may see. Its environment can be read a moment after it was started."""
    while True:
        if "CUDA_VISIBLE_DEVICES" in (environment := psutil.Process(worker.process.pid).environ()):
            return environment["CUDA_VISIBLE_DEVICES"]


def test_gpus_are_those_that_cuda_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA_VISIBLE_DEVICES decides, as CUDA reads it; without it, what the driver lists."""
    for given, seen in {"0,2": ["0", "2"], "GPU-8a,GPU-9b": ["GPU-8a", "GPU-9b"], "1,-1,2": ["1"], "": []}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert gpus() == seen
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert gpus(folder=tmp_path) == ["0", "1"]
    assert gpus(folder=tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("device", "workers", "seen"),
    [("auto", None, ["3", "5"]), ("gpu", 3, ["3", "3", "5"]), ("cpu", 2, ["-1", "-1"])],
)
def test_each_process_has_a_gpu_of_its_own(
    iris: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Any, workers: int | None, seen: list[str]
) -> None:
    """GPUs are shared out evenly, one process each unless more are asked for; without a GPU all see none."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with LocalExecutor(iris, [], [], workers=workers, log=tmp_path / "log", device=device) as executor:
        found = [shown_to(worker) for worker in executor._crew]
        executor._replace(executor._crew[0])
        replaced = shown_to(executor._crew[0])
    assert sorted(found) == seen
    assert replaced == found[0]


def test_a_gpu_that_is_not_there_is_said(iris: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a GPU where there is none, or for a device that is no word of ours, is refused."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(InvalidValue, match="no NVIDIA GPU"):
        LocalExecutor(iris, [], [], log=tmp_path / "log", device="gpu")
    with pytest.raises(UnknownName, match="tpu"):
        LocalExecutor(iris, [], [], log=tmp_path / "log", device="tpu")  # type: ignore[arg-type]


@pytest.mark.gpu
def test_memory_of_a_gpu_is_measured() -> None:
    """What an operation takes on a GPU is what its allocator says."""
    import tensorflow as tf

    from optselect.trainer import memory

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("needs a GPU that TensorFlow can see")

    def work() -> None:
        with tf.device("/GPU:0"):
            tf.reduce_sum(tf.ones((1000, 1000))).numpy()

    assert 4_000_000 <= memory.taken("/GPU:0", work) < 100_000_000
    assert memory.free("/GPU:0") > 0


PRECISIONS = """
import dataclasses, sys
import keras, numpy as np
from optselect.data import read
from optselect.task import make_spec
from optselect.optim.configuration import BASELINE
from optselect.optim.keras.derived import Derived
from optselect.task.prepared import Task
from optselect.trainer.feeding import row_order
from optselect.trainer.program import Program

for precision, width in (("mixed_bfloat16", 2e-2), ("mixed_float16", 2e-3)):
    spec = make_spec(read("sklearn:iris"), epochs=3, seed=0, precision=precision)
    assert spec.fingerprint()["precision"] == precision
    task = Task.from_spec(spec)
    program, start = Program.of(task, [BASELINE.rule]), None
    assert keras.config.dtype_policy().name == "float32"
    state, ours, _ = program.train(program.start(BASELINE, 7), BASELINE, seed=7, epochs=3, total_epochs=3)
    assert state.finite and {v.dtype for v in program.traced.model.variables} <= {"float32", "int64", "uint32"}
    computed = {layer.compute_dtype for layer in program.traced.model.layers if layer.trainable_weights}
    assert computed == {precision.removeprefix("mixed_"), "float32"}, computed  # the head in float32
    model = task.build(7)
    rows = len(task.y_train)
    optimizer = BASELINE.optimizer(total_steps=3 * BASELINE.steps_per_epoch(rows))
    task.compile(model, optimizer)
    scaling = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaling == (precision == "mixed_float16")
    theirs = []
    for epoch in range(3):
        order = row_order(7, epoch, rows)
        given = dict(batch_size=BASELINE.batch_size, shuffle=False, verbose=0)
        history = model.fit(task.x_train[order], task.y_train[order], **given,
                            validation_data=(task.x_validation, task.y_validation)).history
        theirs.append((history["loss"][0], history["val_loss"][0]))
    found = list(zip(ours["loss"], ours["val_loss"]))
    np.testing.assert_allclose(found, theirs, atol=width, err_msg=precision)
    assert abs(found[0][0] - found[-1][0]) > 10 * width  # it has learnt by more than it may differ
    if scaling:
        assert float(state.carried.scale[0]) == float(model.optimizer.dynamic_scale)
"""


def test_mixed_precision_trains_as_model_fit_does() -> None:
    """Under either mixed policy the curves are those of `model.fit` under it, with Keras's factor of the loss."""
    done = subprocess.run([sys.executable, "-c", PRECISIONS], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_precision_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    """An unknown precision, and one that the model's own layers overrule, are refused with the way out."""
    import keras

    from optselect.data import read
    from optselect.errors import InvalidModel
    from optselect.task import Task, make_spec

    data = read("sklearn:iris")
    with pytest.raises(UnknownName, match="mixed_float16"):
        make_spec(data, epochs=1, seed=0, precision="mixed_float8")

    def build() -> Any:
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax", dtype="float32")])

    with pytest.raises(InvalidModel, match="drop `precision`"):
        Task.from_spec(make_spec(data, model=build, epochs=1, seed=0, precision="mixed_bfloat16"))
