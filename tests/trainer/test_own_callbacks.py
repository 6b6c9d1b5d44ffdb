"""Callbacks of the user's own: fresh for every training, and what they leave of a model is what is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from optselect.data import read  # noqa: E402
from optselect.errors import InvalidValue  # noqa: E402
from optselect.optim.configuration import BASELINE  # noqa: E402
from optselect.task import make_spec  # noqa: E402
from optselect.task.own_callbacks import own_callbacks  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.messages import Job  # noqa: E402
from optselect.trainer.trainer_choice import make_trainer  # noqa: E402

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
DATA = (X, X[:, 0] + np.random.default_rng(1).normal(size=60).astype("float32"))
JOB = Job(configuration=BASELINE, seed=0, epochs=1)


class Rising(keras.callbacks.Callback):  # type: ignore[misc]
    """Ruins the weights after the second epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.model.set_weights([10 * w for w in self.model.get_weights()])


def stopping() -> list[Any]:
    return [keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True), Rising()]


def task_of(callbacks: Any) -> Task:
    return Task.from_spec(make_spec(read(DATA), epochs=8, seed=0, callbacks=callbacks))


@pytest.mark.parametrize("given", [stopping, stopping()])
def test_what_callbacks_leave_is_what_is_judged(given: Any) -> None:
    """The metrics are those of the restored weights, and two trainings know nothing of each other."""
    task = task_of(given)
    trainer, note = make_trainer(task, [BASELINE.rule], [0], JOB)
    assert isinstance(trainer, FitTrainer)
    assert "callbacks" in note
    job = Job(configuration=BASELINE, seed=0, epochs=8, test=True)
    runs = [trainer.run(job) for _ in range(2)]
    assert runs[0].curves == runs[1].curves
    for run in runs:
        assert run.stopped
        assert run.epochs == 4
        assert run.best_epoch == 2 == 1 + int(np.argmin(run.curves["val_loss"]))
        assert run.metrics["val_loss"] == pytest.approx(min(run.curves["val_loss"]), rel=1e-6)


def test_a_training_on_the_validation_rows_does_not_stop_by_them() -> None:
    """Early stopping is left out of the last training; other callbacks are not."""
    run = FitTrainer(task_of(stopping)).run(Job(configuration=BASELINE, seed=0, epochs=5, refit=True))
    assert run.epochs == 5
    assert not run.stopped


def test_the_file_of_a_user_gives_fresh_callbacks(tmp_path: Path) -> None:
    """FILE.py:FUNCTION is called once a training; a change of it is another study."""
    path = tmp_path / "watch.py"
    path.write_text("import keras\ndef watch():\n    return [keras.callbacks.EarlyStopping(patience=1)]\n")
    found = own_callbacks(f"{path}:watch")
    assert found is not None
    one, other = found.made(), found.made()
    assert one[0] is not other[0]
    path.write_text("import keras\ndef watch():\n    return [keras.callbacks.EarlyStopping(patience=2), 3]\n")
    changed = own_callbacks(f"{path}:watch")
    assert changed is not None
    assert changed.digest != found.digest
    with pytest.raises(InvalidValue, match=r"got int"):
        changed.made()
    with pytest.raises(InvalidValue, match=r"`nothing`"):
        own_callbacks(f"{path}:nothing")


def test_a_study_is_told_apart_by_its_callbacks() -> None:
    """The fingerprint has an entry only where there are some, and it goes by what they are set to."""
    plain, one, other = (
        make_spec(read(DATA), epochs=8, seed=0, callbacks=given).fingerprint()
        for given in (None, *([keras.callbacks.EarlyStopping(patience=n)] for n in (1, 2)))
    )
    assert "callbacks" not in plain
    assert one["callbacks"] != other["callbacks"]
