"""scikit-learn's own conformance checks of both estimators: how many pass, and which are expected to fail and why.

The studies are as small as they can be, since the checks fit some hundred times.

uv run python -m benchmarks.check_estimator [Classifier | Regressor]
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from typing import Any

import sklearn
from sklearn.utils.estimator_checks import check_estimator

from optselect.sklearn import OptimizerSearchClassifier, OptimizerSearchRegressor

__all__ = ["EXPECTED", "estimators"]

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "inherent: a row of weight 2 is one row, and two rows are drawn into parts and batches each by itself"
    ),
}


def estimators() -> list[Any]:
    """Both, with studies of one trial."""
    tiny: dict[str, Any] = {"trials": 1, "epochs": 25, "optimizers": ["adam"], "care": "quick", "confirm": 0}
    return [OptimizerSearchClassifier(**tiny), OptimizerSearchRegressor(**tiny)]


def main() -> None:
    print(f"scikit-learn {sklearn.__version__}")
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    for estimator in (each for each in estimators() if type(each).__name__.endswith(asked)):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = check_estimator(estimator, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
        counts = Counter(each["status"] for each in found)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        print(f"{type(estimator).__name__}: {told}, {time.perf_counter() - began:.0f} s")
        for each in found:
            if each["status"] != "passed":
                why = each["expected_to_fail_reason"] or each["exception"]
                print(f"  {each['status']}: {each['check_name']}: {why}")


if __name__ == "__main__":
    main()
