"""The verdict itself: the finalists and Keras's default Adam in numbers, and what follows from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from optselect.optim.configuration import Configuration
from optselect.util.intervals import Estimate
from optselect.util.json_types import LATE, Misread, fields_from, plain, written
from optselect.verdict.context import Context
from optselect.verdict.costs import Cost
from optselect.verdict.diagnosis import Edge, Loss
from optselect.verdict.epochs_used import EpochsUsed
from optselect.verdict.lr_sensitivity import Basin
from optselect.verdict.standing import Standing
from optselect.verdict.statistics import Word

__all__ = ["Preference", "Verdict"]

Preference = Literal["simplest", "best", "fastest", "cheapest"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a study: which configuration to take, and the evidence for it.

    The race on fresh seeds chooses among the finalists; the confirmation, on seeds that chose nothing, reports. The
    numbers in `ranking` are those of the confirmation, or of the race where nothing was confirmed.

    Parameters
    ----------
    ranking : tuple of Standing
        The finalists and Keras's default Adam, in the order of the race.
    chosen : int
        Index in `ranking` of the recommended configuration.
    best : int
        Index in `ranking` of the best one by the objective on the validation set.
    tied : tuple of int
        Indices of those within one standard error of the best.
    guarded : bool
        Whether the default is recommended because nothing is likely to be better.
    prefer : {"simplest", "best", "fastest", "cheapest"}
        What decided among those that are tied.
    baseline : Configuration
        Keras's default Adam.
    headline : str
        Name of the metric in `Standing.held_out`, e.g. "accuracy".
    maximize : bool
        Whether a larger `headline` is better.
    share : bool
        Whether `headline` is a share of 1, so that differences are given in percentage points.
    objective : str
        Name of the metric that the search improved, e.g. "val_loss".
    minimize : bool
        Whether a smaller `objective` is better.
    confirmed : bool
        Whether the numbers are from the test set; they are from the validation set otherwise.
    redrawn : bool
        Whether every seed had its own split of training and validation rows.
    rope : float
        Half-width of the region of practical equivalence, in the unit of `headline`.
    lost : tuple of Loss
        For every other optimizer, what stood against it.
    edges : tuple of Edge
        Hyperparameters of the recommended optimizer whose best value lies at the end of its range.
    basin : Basin or None
        Sensitivity to the learning rate; None if no other rate was tried.
    costs : tuple of Cost
        Time and memory of every optimizer.
    runs : mapping of str to int
        Number of trainings by stage.
    seconds : float
        Training time of all of them, in seconds.
    importance : mapping, optional
        Importance of the hyperparameters, by optimizer, between 0 and 1.
    check : float, default NaN
        `headline` of the recommended configuration trained once with `model.fit`; NaN if it was not.
    refit : bool, default False
        Whether the saved model was trained on the validation rows too.
    failures : mapping of str to str, optional
        The error of the check ("check") or of the training of the saved model ("refit"), where one failed.
    context : Context, optional
        Scores of answers that need no network; None in studies of earlier versions.
    epochs : tuple of EpochsUsed, default ()
        Epochs of the search's trainings of every optimizer; empty without early stopping.
    refit_epochs : int or None, default None
        Epochs for which the saved model was trained, where early stopping said how many.
    misjudged : str, default ""
        What the curves say against the number of epochs; empty where it was right.

    Examples
    --------
    >>> import optselect
    >>> verdict = optselect.tune(None, "sklearn:digits").verdict  # doctest: +SKIP
    >>> verdict.word, verdict.recommended.label  # doctest: +SKIP
    ('clearly best', 'Adam (learning_rate 0.0041, cosine_decay, batch 32)')
    """

    ranking: tuple[Standing, ...]
    chosen: int
    best: int
    tied: tuple[int, ...]
    guarded: bool
    prefer: Preference
    baseline: Configuration
    headline: str
    maximize: bool
    share: bool
    objective: str
    minimize: bool
    confirmed: bool
    redrawn: bool
    rope: float
    lost: tuple[Loss, ...]
    edges: tuple[Edge, ...]
    basin: Basin | None
    costs: tuple[Cost, ...]
    runs: Mapping[str, int]
    seconds: float
    importance: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    check: float = math.nan
    refit: bool = False
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    context: Context | None = None
    epochs: tuple[EpochsUsed, ...] = dataclasses.field(default=(), metadata=LATE)
    refit_epochs: int | None = dataclasses.field(default=None, metadata=LATE)
    misjudged: str = dataclasses.field(default="", metadata=LATE)

    @property
    def recommended(self) -> Standing:
        """The recommended configuration with its numbers."""
        return self.ranking[self.chosen]

    @property
    def default(self) -> Standing:
        """Keras's default Adam, trained under the same seeds."""
        return next(s for s in self.ranking if s.is_default)

    @property
    def is_default(self) -> bool:
        """Whether the recommendation is Keras's default Adam itself."""
        return self.recommended.is_default

    @property
    def word(self) -> Word:
        """The comparison of the recommended configuration with its `rival` in a word.

        "undecided" also where there is no rival.
        """
        versus = self.rival.versus if self.rival is not None else None
        return versus.word if versus is not None else "undecided"

    @property
    def rival(self) -> Standing | None:
        """The configuration that the recommended one is compared with: Keras's default Adam.

        If the default itself is recommended, the best of the others; None if there is no other.
        """
        if not self.is_default:
            return self.default
        return next((s for s in self.ranking if not s.is_default), None)

    @property
    def tunability(self) -> Estimate | None:
        """The gain of the best configuration on the validation set over the default, in `held_out`.

        None if the best is the default. It says whether tuning was worth it (Probst et al. 2019, JMLR 20:53).
        """
        return self.ranking[self.best].gain

    def text(self) -> str:
        """The verdict in a paragraph.

        Returns
        -------
        str
            Sentences, each of which follows from the numbers.
        """
        from optselect.verdict.wording import paragraph

        return paragraph(self)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain data, as in `recommendation.json`.

        Returns
        -------
        dict
            JSON types only; None stands for a number that is not finite.
        """
        own = written(self)
        more = ("word", "is_default", "recommended", "tunability")
        return {"text": self.text(), **plain({**own, **{name: getattr(self, name) for name in more}})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote, in this version or an earlier one.

        Parameters
        ----------
        data : mapping
            The verdict as plain data. Other keys are ignored.

        Returns
        -------
        Verdict
            Equal to the one that was written, also where a number is infinite or NaN.

        Raises
        ------
        InvalidValue
            If a value is missing or has another type; the message names its place.
        """
        found = cls(**fields_from(cls, data))
        if sum(standing.is_default for standing in found.ranking) != 1:
            raise Misread("ranking", "must hold the default once, without a `gain`")
        places = range(len(found.ranking))
        for name, values in (("chosen", [found.chosen]), ("best", [found.best]), ("tied", found.tied)):
            if not all(value in places for value in values):
                raise Misread(name, f"must be a place in the ranking, from 0 to {len(places) - 1}, got {values}")
        return found
