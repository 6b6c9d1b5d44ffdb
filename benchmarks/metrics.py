"""The offered metrics beside scikit-learn's, on trained models, and what they cost a training.

python -m benchmarks.metrics
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn import metrics

from optselect.data import read
from optselect.model.offered_metrics import OFFERED
from optselect.optim.configuration import BASELINE
from optselect.task import make_spec
from optselect.task.prepared import Task
from optselect.trainer.program import Program

DATA = ("sklearn:breast_cancer", "sklearn:wine", "sklearn:digits", "sklearn:diabetes")
EPOCHS, REPEATS = 20, 15


class Everything(Task):
    """A task that computes all its metrics after every epoch."""

    @property
    def epoch_metrics(self) -> Any:
        """All of them."""
        return self.whole_metrics


def own_auc(y_true: Any, y_pred: Any) -> float:
    """Scikit-learn's own function as the objective."""
    return float(metrics.roc_auc_score(y_true, y_pred))


def trained(task: Task, epochs: int) -> tuple[Program, Any]:
    """A program and a state after so many epochs."""
    program = Program.of(task, [BASELINE.rule], [0])
    state, _, _ = program.train(program.start(BASELINE, 0), BASELINE, seed=0, epochs=epochs, total_epochs=epochs)
    return program, state


def by_sklearn(task: Task, model: Any) -> dict[str, float]:
    """Every offered metric of the test rows, by the call that documents it; regression in units of the deviation."""
    said = model.predict(task.x_test, verbose=0).astype("float64")
    classes = len(task.spec.classes)
    names: dict[str, Any] = {**vars(metrics), "w": None, "average": "binary" if classes == 2 else "macro"}
    names["y"] = np.asarray(task.y_test).reshape(-1)
    names["predicted"] = said.argmax(axis=1) if classes else said.reshape(-1)
    names["probabilities"] = said / said.sum(axis=1, keepdims=True)  # they are float32: one but for the last digits
    names["p"] = said[:, 1] if classes == 2 else names["probabilities"]
    return {one.name: float(eval(one.equal, names)) for one in OFFERED if one.kind == task.spec.kind}


def compare(name: str) -> None:
    """Print the metrics of one data set, ours and scikit-learn's."""
    task = Task.from_spec(make_spec(read(name), epochs=EPOCHS, seed=0))
    program, state = trained(task, EPOCHS)
    model = task.build(0)
    program.load(state, BASELINE, model)
    ours = program.evaluate(state, BASELINE, "test", further=True)
    for metric, value in by_sklearn(task, model).items():
        print(f"{name:24} {metric:18} {ours[metric]:.9f} {value:.9f}   {abs(ours[metric] - value):.1e}")


def cost(name: str) -> None:
    """Print the processor time of an epoch with various metrics after it, the least of turns that the variants take."""
    data, programs = read(name), dict[str, Program]()
    for label, kind, objective in (
        ("loss and accuracy", Task, "val_loss"),
        ("... and auc", Task, "val_auc"),
        ("... and all six", Everything, "val_loss"),
        ("... and a function", Task, own_auc),
    ):
        programs[label] = trained(kind.from_spec(make_spec(data, epochs=EPOCHS, seed=0, objective=objective)), 2)[0]
    taken = {label: list[float]() for label in programs}
    for _ in range(REPEATS):
        for label, program in programs.items():
            state, began = program.start(BASELINE, 0), time.process_time()
            program.train(state, BASELINE, seed=0, epochs=EPOCHS, total_epochs=EPOCHS)
            taken[label].append((time.process_time() - began) / EPOCHS)
    least = min(taken["loss and accuracy"])
    for label, seconds in taken.items():
        print(f"{name:24} {label:20} {1000 * min(seconds):8.3f} ms an epoch   {min(seconds) / least - 1:+.1%}")


if __name__ == "__main__":
    print(f"{'data':24} {'metric':18} {'ours':11} {'sklearn':11}   difference")
    for each in DATA:
        compare(each)
    cost("sklearn:breast_cancer")
