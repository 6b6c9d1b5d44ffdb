"""A metric of your own as the objective: what mistakes cost, where one kind is far worse than the other.

uv run python examples/own_metric.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import optselect

MISSED, FALSE_ALARM = 10.0, 1.0  # a malignant tumour taken for benign, and the other way round


def cost(y_true: Any, y_pred: Any) -> float:
    """The mean cost of a patient.

    y_true: class numbers in the order of the sorted labels, 0 malignant and 1 benign. y_pred: the probability of the
    second. Both have the shape (rows,).
    """
    benign = y_pred > MISSED / (MISSED + FALSE_ALARM)  # where that is the cheaper bet
    missed, alarms = (y_true == 0) & benign, (y_true == 1) & ~benign
    return float(np.mean(MISSED * missed + FALSE_ALARM * alarms))


def main(trials: int = 40, epochs: int = 20) -> None:
    """Find the optimizer that makes the cheapest mistakes; show the usual metrics of it too."""
    result = optselect.tune(
        None,
        "sklearn:breast_cancer",
        objective=("min", cost),  # or in a shell: --objective min:own_metric.py:cost
        trials=trials,
        epochs=epochs,
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())
    for name, score in result.metrics.items():
        print(f"{name:20} {score}")


if __name__ == "__main__":
    main()
