"""What is asked of a worker and what it answers: plain data that crosses the process border."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from optselect.configuration import Configuration

__all__ = ["Job", "Run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """Train one configuration from scratch with one seed.

    epochs: length of the training. test: also evaluate on the test part. plain: with the stock Keras optimizer
    and `model.fit` instead of the compiled program. save: where to write the trained model, in front of it
    the layers that take raw columns (plain only).
    """

    configuration: Configuration
    seed: int
    epochs: int
    test: bool = False
    plain: bool = False
    save: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What came of a job.

    curves: loss, val_loss, val_<metric> and learning_rate, one entry an epoch begun. metrics: val_* and, if
    asked, test_* after the last epoch. finite: whether the training stayed finite. error: why it gave no result.
    seconds: of training and evaluation.
    """

    curves: Mapping[str, list[float]]
    metrics: Mapping[str, float]
    epochs: int
    finite: bool
    seconds: float
    error: str = ""
