"""The metrics that every task offers, each over all rows of a part at once, as scikit-learn defines it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from optselect.data.target import Kind
from optselect.util.suggestion import suggestion

__all__ = ["OFFERED", "Offered", "offered", "unknown_metric"]


@dataclasses.dataclass(frozen=True)
class Offered:
    """A metric of scikit-learn's.

    takes: what it compares the target with: predicted classes, probabilities of the classes, or predicted numbers.
    equal: the call of `sklearn.metrics` that gives the same. In it y is the target, as class numbers where it has
    classes; probabilities those of all classes; p the same, or of the second class alone where there are two; w the
    weights of the rows, or None; average "binary" for two classes and "macro" for more.
    """

    name: str
    kind: Kind
    takes: Literal["classes", "probabilities", "numbers"]
    maximize: bool
    equal: str


OFFERED = (
    Offered("accuracy", "classification", "classes", True, "accuracy_score(y, predicted, sample_weight=w)"),
    Offered("auc", "classification", "probabilities", True, 'roc_auc_score(y, p, multi_class="ovr", sample_weight=w)'),
    Offered("balanced_accuracy", "classification", "classes", True,
            "balanced_accuracy_score(y, predicted, sample_weight=w)"),
    Offered("f1", "classification", "classes", True, "f1_score(y, predicted, average=average, sample_weight=w)"),
    Offered("log_loss", "classification", "probabilities", False, "log_loss(y, probabilities, sample_weight=w)"),
    Offered("r2", "regression", "numbers", True, "r2_score(y, predicted, sample_weight=w)"),
    Offered("rmse", "regression", "numbers", False, "root_mean_squared_error(y, predicted, sample_weight=w)"),
    Offered("mae", "regression", "numbers", False, "mean_absolute_error(y, predicted, sample_weight=w)"),
)  # fmt: skip
"""In the order in which they are shown."""


def offered(kind: Kind) -> tuple[Offered, ...]:
    """Those for a kind of target.

    >>> [metric.name for metric in offered("regression")]
    ['r2', 'rmse', 'mae']
    """
    return tuple(metric for metric in OFFERED if metric.kind == kind)


def unknown_metric(text: str, known: Sequence[str], kind: Kind, why: str = "") -> str:
    """What to say of an objective that a task does not have.

    known: those that it has. kind: of its target. why: this task has no such metric, if that is known.

    >>> unknown_metric("val_auc", ["val_loss", "val_r2"], "regression")
    'Task: `val_auc` needs a target with classes, and this one is a number to predict. Known: val_loss, val_r2.'
    """
    name = text.rpartition(":")[2].removeprefix("val_")
    other = next((metric.kind for metric in OFFERED if metric.name == name and metric.kind != kind), None)
    listed = f"Known: {', '.join(sorted(known))}."
    if other is not None:
        needs, has = ("classes", "a number to predict") if other == "classification" else ("numbers", "a class")
        return f"Task: `{text}` needs a target with {needs}, and this one is {has}. {listed}"
    if why:
        return f"Task: no `{text}`: {why}. {listed}"
    begun = next((one for one in known if one.startswith(text)), text)
    return f"Task: no figure `{text}`. {suggestion(begun, known)}"
