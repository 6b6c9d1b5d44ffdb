"""Estimators whose studies are as small as they can be, and the rows that they share: one traced program serves all."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, load_iris

from optselect.sklearn import OptimizerSearchClassifier, OptimizerSearchRegressor

__all__ = ["NAMES", "TINY", "XR", "YR", "X", "Y", "classifier", "regressor"]

TINY: dict[str, Any] = {
    "trials": 1, "epochs": 8, "optimizers": ["adam"], "care": "quick", "confirm": 0, "random_state": 0,
}  # fmt: skip
NAMES = np.array(["setosa", "versicolor", "virginica"])
X, Y = load_iris(return_X_y=True)
XR, YR = load_diabetes(return_X_y=True)


def classifier(**options: Any) -> OptimizerSearchClassifier:
    return OptimizerSearchClassifier(**TINY | options)


def regressor(**options: Any) -> OptimizerSearchRegressor:
    return OptimizerSearchRegressor(**TINY | options)
