"""The figure that a study improves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.errors import InvalidValue
from optselect.model.objective import Objective

BOTH = pytest.mark.parametrize("objective", [Objective("val_loss"), Objective("val_score", maximize=True)])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("val_loss", Objective("val_loss")),
        ("val_rmse", Objective("val_rmse")),
        ("val_accuracy", Objective("val_accuracy", maximize=True)),
        ("max:val_mystery", Objective("val_mystery", maximize=True)),
        ("min:val_accuracy", Objective("val_accuracy")),
    ],
)
def test_the_direction_is_said_or_told_by_the_name(text: str, found: Objective) -> None:
    """A prefix says it; else the words in the name do."""
    assert Objective.parse(text) == found
    assert str(found) == found.name == f"val_{found.metric}"


def test_whoever_knows_the_metric_is_asked_for_its_direction() -> None:
    """By its bare name, and not where the text says it or for the loss."""
    asked: list[str] = []
    assert Objective.parse("val_rmse", lambda name: asked.append(name) or True).maximize
    assert not Objective.parse("min:val_rmse", lambda name: asked.append(name) or True).maximize
    assert not Objective.parse("val_loss", lambda name: asked.append(name) or True).maximize
    assert asked == ["rmse"]


def test_a_name_that_does_not_tell_is_refused() -> None:
    """With both ways to say it."""
    with pytest.raises(InvalidValue, match=r"max:val_mystery.*min:val_mystery"):
        Objective.parse("val_mystery")


@BOTH
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_better_is_smaller_times_the_sign(objective: Objective, a: float, b: float) -> None:
    """And the best of several is what no other is better than."""
    assert objective.better(a, b) == (objective.sign * a < objective.sign * b)
    assert not objective.better(b, objective.best([a, b, math.nan]))
    assert not objective.better(math.nan, a)


@BOTH
def test_nothing_has_no_best(objective: Objective) -> None:
    """NaN, as of values that are none."""
    assert math.isnan(objective.best([]))
    assert math.isnan(objective.best([math.nan]))
