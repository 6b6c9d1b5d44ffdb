"""The verdict: statistics with known answers, and words that follow from numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest

from optselect.configuration import BASELINE, Configuration
from optselect.errors import NoResult
from optselect.records import TrialRecord
from optselect.rules import RULES
from optselect.verdict import Verdict, estimate, judge

OTHER = next(Configuration(rule=rule()) for name, rule in RULES.items() if name != BASELINE.rule.name)
THIRD = dataclasses.replace(OTHER, batch_size=64)


def runs(configuration: Configuration, losses: Sequence[float], scores: Sequence[float]) -> list[TrialRecord]:
    return [
        TrialRecord(
            number=seed,
            stage="confirm",
            arm=configuration.rule.name,
            configuration=configuration,
            seed=seed,
            outcome="complete" if math.isfinite(loss) else "diverged",
            value=loss,
            metrics={"val_loss": loss, "test_accuracy": score},
            curves={},
            epochs=1,
            started=0.0,
            seconds=1.0,
        )
        for seed, (loss, score) in enumerate(zip(losses, scores, strict=True))
    ]


def verdict(records: list[TrialRecord], *configurations: Configuration) -> Verdict:
    return judge(
        [(c.rule.name, c) for c in configurations],
        records,
        baseline=BASELINE,
        objective="val_loss",
        minimize=True,
        headline="accuracy",
        maximize=True,
    )


def test_one_seed_has_no_interval() -> None:
    """A single number is not given an interval that it cannot have."""
    assert math.isnan(estimate([1.0]).low)


def test_the_best_mean_on_validation_is_recommended_and_test_data_choose_nothing() -> None:
    """The finalist with the better validation objective wins, though its held-out score is the worse one."""
    found = verdict(
        runs(OTHER, [0.1, 0.11, 0.09], [0.8, 0.81, 0.79]) + runs(BASELINE, [0.2, 0.21, 0.19], [0.9, 0.91, 0.89]),
        OTHER,
        BASELINE,
    )
    assert found.recommended.configuration == OTHER
    assert found.decided
    assert "worse on held-out data" in found.text()


def test_differences_are_taken_seed_by_seed() -> None:
    """A gain that is the same on every seed has no width, however much the seeds differ among themselves."""
    found = verdict(
        runs(OTHER, [0.1, 0.3, 0.5], [0.6, 0.7, 0.8]) + runs(BASELINE, [0.2, 0.4, 0.6], [0.5, 0.6, 0.7]),
        OTHER,
        BASELINE,
    )
    gain = found.recommended.gain
    assert gain is not None
    assert gain.mean == pytest.approx(0.1)
    assert gain.high - gain.low == pytest.approx(0.0, abs=1e-9)
    assert "+10.00 points" in found.text()


def test_undecided_is_said() -> None:
    """Where the interval of the gain holds zero the paragraph says so."""
    found = verdict(
        runs(OTHER, [0.1, 0.2, 0.1], [0.9, 0.8, 0.9]) + runs(BASELINE, [0.2, 0.1, 0.2], [0.8, 0.9, 0.85]),
        OTHER,
        BASELINE,
    )
    assert not found.decided
    assert "undecided" in found.text()


def test_keep_the_default_is_said() -> None:
    """Where nothing beats Keras's default Adam, that is the recommendation."""
    found = verdict(runs(OTHER, [0.3, 0.3], [0.8, 0.8]) + runs(BASELINE, [0.2, 0.2], [0.9, 0.9]), OTHER, BASELINE)
    assert found.is_default
    assert "Keep it." in found.text()


def test_a_finalist_that_breaks_down_is_out_and_named() -> None:
    """One diverged seed of a finalist takes it out of the ranking, with the reason."""
    found = verdict(runs(OTHER, [0.1, math.nan], [0.9, 0.9]) + runs(BASELINE, [0.2, 0.2], [0.8, 0.8]), OTHER, BASELINE)
    assert [s.configuration for s in found.ranking] == [BASELINE]
    assert "1 of 2 fresh seeds" in found.lost[OTHER.rule.name]


def test_nothing_left_is_an_error() -> None:
    """When every finalist diverges there is no verdict."""
    with pytest.raises(NoResult, match="all diverged"):
        verdict(runs(BASELINE, [math.nan], [0.0]), BASELINE)


def test_two_configurations_of_one_arm_are_kept_apart() -> None:
    """The default Adam stands beside the best Adam, each with its own runs."""
    found = verdict(
        runs(OTHER, [0.1, 0.1], [0.9, 0.9])
        + runs(THIRD, [0.3, 0.3], [0.7, 0.7])
        + runs(BASELINE, [0.2, 0.2], [0.8, 0.8]),
        OTHER,
        THIRD,
        BASELINE,
    )
    assert [s.configuration for s in found.ranking] == [OTHER, BASELINE, THIRD]
