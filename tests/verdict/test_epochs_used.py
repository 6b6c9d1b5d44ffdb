"""Epochs in a verdict: those that early stopping took and kept, and whether fixed ones were too many or too few."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from optselect.model.objective import Objective
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.record.entries import TrialRecord
from optselect.verdict.epochs_used import EpochsUsed, kept, misjudged
from tests.helpers.played import contest, played, record, verdict

LOSS = Objective("val_loss")
RICH = Configuration(rule=RULES["adamw"](learning_rate=0.0041))


def world(configuration: Configuration, seed: int) -> tuple[float, float]:
    good = 0.9 if configuration.rule.key == "adamw" else 0.8
    return 1 - good, good


def stopping(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The same trainings with early stopping: 10, 11, 12 ... epochs, of which the last two were not better."""
    return [dataclasses.replace(r, epochs=10 + k, best_epoch=8 + k, stopped=k > 0) for k, r in enumerate(records)]


def searched(curve: Sequence[float], count: int = 6, **more: Any) -> list[TrialRecord]:
    """Trials of a search with one curve."""
    one = record(0, "search", RICH, 7, curve[-1], 0.5)
    return [dataclasses.replace(one, number=k, curves={"val_loss": list(curve)}, **more) for k in range(count)]


def defaults(curve: Sequence[float]) -> list[TrialRecord]:
    return [dataclasses.replace(r, stage="confirm", configuration=BASELINE) for r in searched(curve)]


def test_the_verdict_tells_the_epochs_of_each() -> None:
    """Of every finalist over its fresh seeds and of every optimizer over the search, in JSON and in the paragraph."""
    records = stopping([*searched([0.9, 0.5]), *played(contest([RICH], care="quick"), world)])
    found = verdict(contest([RICH], care="quick"), records)
    own = [r for r in records if r.configuration == RICH and r.stage in ("race", "confirm")]
    used = found.recommended.epochs
    assert used is not None
    assert (used.fewest, used.most, used.trainings) == (own[0].epochs, own[-1].epochs, len(own))
    assert used.best_epoch == used.median - 2
    assert found.default.epochs is not None
    assert found.epochs == (
        EpochsUsed(
            arm="adamw", median=12.5, fewest=10, most=15, best_epoch=10.5, first_best=8, last_best=13, stopped=5,
            trainings=6,
        ),
    )  # fmt: skip
    assert found.to_dict()["ranking"][found.chosen]["epochs"]["median"] == used.median
    assert f"epoch {used.best_epoch:g}" in found.text()
    assert not found.misjudged


def test_without_early_stopping_a_verdict_is_as_before() -> None:
    """No entry of it is new."""
    found = verdict(contest([RICH], care="quick"), played(contest([RICH], care="quick"), world)).to_dict()
    assert not {"epochs", "refit_epochs", "misjudged"} & {*found}
    assert not any("epochs" in standing for standing in found["ranking"])


def test_the_model_to_keep_trains_for_what_the_confirmation_kept() -> None:
    """The median, one of the numbers that were kept; of the race without a confirmation."""
    records = stopping(played(contest([RICH], care="quick"), world))
    for stage in ("confirm", "race"):
        best = sorted(r.best_epoch for r in records if r.configuration == RICH and r.stage == stage)
        assert kept(records, RICH) == best[(len(best) - 1) // 2]
        records = [r for r in records if r.stage != "confirm"]
    assert kept(played(contest([RICH], care="quick"), world), RICH) is None


@pytest.mark.parametrize(
    ("curve", "wrong"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], True),
        ([0.3, 0.1, 0.3, 0.4, 0.5, 0.6], True),
        ([0.3, 0.2, 0.1, 0.4, 0.5, 0.6], False),
        ([0.1, 0.2, 0.3], False),  # too short to tell
    ],
)
def test_too_many_epochs_are_noticed(curve: list[float], wrong: bool) -> None:
    """Where the objective was best in the first third of most trials."""
    found = misjudged(searched(curve), BASELINE, LOSS)
    assert ("6 of 6" in found) == wrong
    mixed = [*searched(curve, 3), *searched([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 3)]
    assert not misjudged(mixed, BASELINE, LOSS)
    assert not misjudged(stopping(searched(curve)), BASELINE, LOSS)


def test_a_limit_that_stops_trainings_is_noticed() -> None:
    """With early stopping the most epochs are too few where most trainings reach them."""
    records = stopping(searched([0.9, 0.5]))
    assert not misjudged(records, BASELINE, LOSS)
    late = [dataclasses.replace(r, stopped=k < 2) for k, r in enumerate(records)]
    assert misjudged(late, BASELINE, LOSS).startswith("4 of 6 ")


@pytest.mark.parametrize(
    ("curve", "fell"),
    [([1.0, 0.9, 0.8, 0.7], "13%"), ([1.0, 0.5, 0.4, 0.399], ""), ([1.0, 0.9, 0.8, 1.2], ""), ([9.0, 1.0], "")],
)
def test_too_few_epochs_are_noticed(curve: list[float], fell: str) -> None:
    """Where the loss of Keras's default still fell in the last quarter."""
    found = misjudged(defaults(curve), BASELINE, LOSS)
    assert fell in found
    assert bool(found) == bool(fell)
