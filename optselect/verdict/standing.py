"""A finalist of a study, or the default, in numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

from optselect.optim.configuration import Configuration
from optselect.util.intervals import Estimate
from optselect.util.json_types import LATE, NULL, fields_from, plain, written
from optselect.verdict.epochs_used import EpochsUsed
from optselect.verdict.statistics import PairedComparison

__all__ = ["Standing"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """A finalist, or Keras's default Adam, with its scores on fresh seeds.

    Parameters
    ----------
    arm : str
        The arm of the search that it came from.
    configuration : Configuration
        The optimizer with its settings.
    objective : Estimate
        The objective on the validation set, over the seeds of race and confirmation. It was chosen by this.
    held_out : Estimate
        `Verdict.headline` on the test set, over the seeds of the confirmation. All NaN but `seeds` if a training
        diverged.
    gain : Estimate or None
        Lead over Keras's default Adam in `held_out`, paired by seed; None for the default itself.
    lead : Estimate or None
        Lead of the recommended configuration over this one, paired by seed; None for the recommended one.
    versus : PairedComparison or None
        Probabilities that the recommended configuration is better, equivalent or worse; None for itself.
    p_best : float
        Probability that it is the best of those confirmed; NaN for a single seed.
    regret : float
        Expected loss from choosing it, in the unit of `held_out`; infinite if a training diverged.
    screened : float or None
        Its objective in the search; None if the search did not try it.
    optimism : Estimate or None
        By how much `screened` was too good, in the unit of the objective.
    seconds : float
        Median time of a training, in seconds.
    step_seconds : float
        Median time of a training step, in seconds.
    memory : int
        Bytes of the parameters and of the optimizer's state.
    to_default : float
        Seconds of training until its objective is as good as the default's at the end; infinite if it never is.
    broken : int, default 0
        Number of fresh seeds under which training diverged.
    epochs : EpochsUsed, optional
        Epochs of its trainings on fresh seeds; None without early stopping.
    metrics : mapping of str to Estimate, optional
        All other metrics on the test set, by name, over the seeds of the confirmation; None if nothing was confirmed.
    """

    arm: str
    configuration: Configuration
    objective: Estimate
    held_out: Estimate
    gain: Estimate | None
    lead: Estimate | None
    versus: PairedComparison | None
    p_best: float
    regret: float = dataclasses.field(metadata={NULL: math.inf})
    screened: float | None
    optimism: Estimate | None
    seconds: float
    step_seconds: float
    memory: int
    to_default: float = dataclasses.field(metadata={NULL: math.inf})
    broken: int = 0
    epochs: EpochsUsed | None = dataclasses.field(default=None, metadata=LATE)
    metrics: Mapping[str, Estimate] | None = dataclasses.field(default=None, metadata=LATE)

    @property
    def is_default(self) -> bool:
        """Whether it is Keras's default Adam, which has no gain over itself."""
        return self.gain is None

    @property
    def label(self) -> str:
        """The configuration in words."""
        return str(self.configuration)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain data, with the configuration in words as `label`.

        Returns
        -------
        dict
            JSON types only; None stands for a number that is not finite.
        """
        return {"label": self.label, **plain(written(self))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Parameters
        ----------
        data : mapping
            The numbers as plain data. Other keys are ignored.

        Returns
        -------
        Standing
            Equal to the one that was written; None is read as infinity or NaN, whichever the number can be.

        Raises
        ------
        InvalidValue
            If a value is missing or has another type; the message names its place.
        """
        found = fields_from(cls, data)
        if math.isnan(found["p_best"]):  # of a single seed, which says nothing of regret either
            found["regret"] = math.nan
        return cls(**found)
