"""The metrics beside the one that is reported first."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.record.entries import TrialRecord
from optselect.verdict import Verdict, estimate
from optselect.verdict.further import further_metrics
from tests.helpers.played import contest, played, verdict

OTHER = Configuration(rule=RULES["sgd"](learning_rate=0.1))


def values(configuration: Configuration, seed: int) -> tuple[float, float]:
    luck = 0.01 * np.random.default_rng(seed).normal()
    accuracy = (0.9 if configuration == OTHER else 0.8) + luck
    return 1 - accuracy, accuracy


def with_auc(record: TrialRecord) -> TrialRecord:
    if record.stage != "confirm":
        return record
    return dataclasses.replace(record, metrics={**record.metrics, "test_auc": record.metrics["test_accuracy"] / 2})


def test_they_are_means_over_the_confirmation_of_both() -> None:
    """Of the recommended configuration and of Keras's default; and what is written is read as it was."""
    of = contest([OTHER])
    records = [with_auc(record) for record in played(of, values)]
    found = verdict(of, records)
    (auc,) = further_metrics(found)
    assert found.recommended.configuration == OTHER
    for configuration, told in ((OTHER, auc.recommended), (BASELINE, auc.default)):
        own = [r for r in records if r.stage == "confirm" and r.configuration == configuration]
        assert told == estimate((r.metrics["test_auc"] for r in own), within=(0.0, 1.0))
    again = Verdict.from_dict(found.to_dict())
    assert [m.name for m in further_metrics(again)] == ["auc"]
    assert again.recommended.metrics is not None
    assert again.recommended.metrics["auc"].mean == pytest.approx(auc.recommended.mean)


def test_without_them_nothing_is_written() -> None:
    """As in studies of earlier versions, and where nothing was confirmed."""
    for confirm in (None, 0):
        of = contest([OTHER], confirm=confirm)
        found = verdict(of, played(of, values))
        assert further_metrics(found) == ()
        assert "metrics" not in found.recommended.to_dict()
