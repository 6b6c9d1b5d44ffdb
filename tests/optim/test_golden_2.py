"""The rules against numbers from their authors' code, or from libraries that agree with it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.optim import stepping
from optselect.optim.rule import Rule, Variable
from optselect.optim.rules import RULES
from tests.helpers import RESOURCES

CASES = json.loads((RESOURCES / "golden_beyond_keras_2.json").read_text())
NAMES = [f"{case['rule']['name']}-{k}-{case['source']}" for k, case in enumerate(CASES)]


def _made(values: dict[str, Any]) -> Rule:
    inner = {"rule": _made(values["rule"])} if "rule" in values else {}
    return RULES[values["name"]](**{k: v for k, v in values.items() if k not in ("name", "rule")}, **inner)


def _near(got: Any, wanted: Any, start: Any, tolerance: float) -> None:
    """`tolerance` is a share of the largest way that an entry of the model went, beside the rounding of weights."""
    way = max(np.abs(np.subtract(w, s)).max() for w, s in zip(wanted, start, strict=True))
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-15, atol=tolerance * way)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_rule_goes_where_the_reference_goes(case: dict[str, Any]) -> None:
    """In float64 a rule steps a model of several variables to where the reference's code steps it."""
    rule = _made(case["rule"])
    params = [tf.constant(x, "float64") for x in case["start"]]
    variables = [Variable(f"layer_{k}/w", tuple(p.shape), embedding=case["embedding"]) for k, p in enumerate(params)]
    states = stepping.init(rule, params, variables)
    for step, grads in enumerate(case["gradients"], start=1):
        grads = [tf.constant(g, "float64") for g in grads]
        params, states = stepping.update(rule, grads, params, states, step, variables)
    _near(params, case["end"], case["start"], case["tolerance"])
    judged = stepping.evaluated(rule, params, states, variables)
    _near(judged, case["judged"], case["start"], case["tolerance"])
