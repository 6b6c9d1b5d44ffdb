"""A user's program, as `mypy --strict` reads it; it is never run."""

from __future__ import annotations

from typing import assert_type

import optselect
from optselect import optimizers
from optselect.api import DataReport, RangeTest
from optselect.optim import POSITIVE, Rule, hyper, log
from optselect.optim.rules.radam import RAdam
from optselect.optimizers import schedules
from optselect.testing import check_rule


class Halving(Rule):
    """A rule of the user's own."""

    name = "halving"
    learning_rate: float = hyper(default=0.5, domain=POSITIVE, search=log(0.1, 1.0), doc="Step size.")


def study() -> None:
    """Ask, and read the answer."""
    described = optselect.describe_data("houses.csv", target="price")
    assert_type(described, DataReport)
    assert_type(described.columns[0].missing, int)

    ranges = optselect.lr_range(None, "houses.csv", target="price", optimizers=["adam"])
    assert_type(ranges, RangeTest)
    assert_type(ranges.sweeps[0].optimizer, str)

    result = optselect.tune(None, "houses.csv", target="price", trials=20)
    assert_type(result, optselect.Result)
    assert_type(result.best, optselect.Configuration)
    assert_type(result.best.batch_size, int)
    assert_type(result.best.to_json(), str)
    optselect.tune(None, "houses.csv", target="price", trial=20)  # type: ignore[call-arg]
    optselect.tune(None, "houses.csv", target=3)  # type: ignore[arg-type]


def classes() -> None:
    """Make optimizers."""
    made = optimizers.RAdam(learning_rate=0.002, clipnorm=1.0)
    assert_type(made, optimizers.RAdam)
    assert_type(made.rule, RAdam)
    assert_type(made.rule.beta_1, float)
    optimizers.RAdam(schedules.OneCycle(peak_learning_rate=0.1, rise_steps=10, fall_steps=90, start=0.04, end=0.0))
    optimizers.Lookahead("radam", k=5)
    optimizers.RAdam(lr=0.002)  # type: ignore[call-arg]
    optimizers.RAdam(learning_rate="fast")  # type: ignore[arg-type]
    optimizers.RAdm()  # type: ignore[attr-defined]
    schedules.WSD(peak=0.1)  # type: ignore[call-arg]


def rule() -> None:
    """Declare a rule and certify it."""
    own = Halving(learning_rate=0.25)
    assert_type(own, Halving)
    assert_type(own.learning_rate, float)
    Halving(rate=0.25)  # type: ignore[call-arg]
    check_rule(Halving)
    check_rule(own)  # type: ignore[arg-type]
