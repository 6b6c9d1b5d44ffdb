"""The rules against numbers from their authors' code or from libraries that agree with it.

`examples/references/make_golden_1.py` made the file.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.optim.rules import RULES
from tests.helpers import RESOURCES

GOLDEN = json.loads((RESOURCES / "golden_beyond_keras_1.json").read_text())
CASES = [pytest.param(case, id=f"{case['rule']}-{k}-{case['by']}") for k, case in enumerate(GOLDEN["cases"])]


@pytest.mark.parametrize("case", CASES)
def test_rule_goes_where_the_library_goes(case: dict[str, Any]) -> None:
    """In float64 a rule is and is judged at every step where the library is, at a constant and at a falling rate."""
    param = tf.constant(GOLDEN["start"], "float64")
    state = RULES[case["rule"]](**case["values"]).init(param)
    points, evaluated = [], []
    for step, (grad, rate) in enumerate(zip(GOLDEN["gradients"], case["rates"], strict=True), start=1):
        rule = RULES[case["rule"]](**{**case["values"], "learning_rate": rate})
        param, state = rule.update(tf.constant(grad, "float64"), param, state, step)
        points.append(param.numpy())
        evaluated.append(rule.evaluated(param, state).numpy())
    for got, wanted in ((points, case["points"]), (evaluated, case.get("evaluated", case["points"]))):
        way = np.abs(np.subtract(wanted, GOLDEN["start"])).max()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * way)
