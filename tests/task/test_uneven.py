"""What is said of a target with nearly all rows in one class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from optselect.cli.argument_names import in_options
from optselect.data import read
from optselect.task import make_spec


def told(share: float, objective: str = "val_loss") -> list[str]:
    """The lines of a task with such a share of one class that name the AUC."""
    labels = np.where(np.arange(100) < 100 * share, "no", "yes")
    frame = pd.DataFrame({"x": np.arange(100.0) ** 2 % 7.5, "y": labels})
    spec = make_spec(read(frame, target="y"), epochs=1, seed=0, objective=objective)
    return [line for line in spec.describe() if "val_auc" in line]


def test_one_line_proposes_the_auc() -> None:
    """From a share of 80 % on, unless another metric than loss or accuracy is the objective."""
    (line,) = told(0.9)
    assert "90%" in line
    assert "`--objective val_auc`" in in_options(line)
    assert told(0.9, "val_accuracy")
    assert told(0.75) == told(0.9, "val_f1") == []


def test_a_name_without_val_means_the_same() -> None:
    """As people write it."""
    frame = pd.DataFrame({"x": np.arange(30.0), "y": list("ab") * 15})
    specs = [make_spec(read(frame, target="y"), epochs=1, seed=0, objective=o) for o in ("auc", "val_auc")]
    assert specs[0].fingerprint() == specs[1].fingerprint()
