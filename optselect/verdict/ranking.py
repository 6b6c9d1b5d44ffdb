"""The verdict itself: the finalists and Keras's default Adam in numbers, and what follows from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from optselect.optim.configuration import Configuration
from optselect.util.intervals import Estimate
from optselect.util.json_types import NULL, Misread, fields_from, plain
from optselect.verdict.context import Context
from optselect.verdict.costs import Cost
from optselect.verdict.diagnosis import Edge, Loss
from optselect.verdict.lr_sensitivity import Basin
from optselect.verdict.statistics import PairedComparison, Word

__all__ = ["Preference", "Standing", "Verdict"]

Preference = Literal["simplest", "best", "fastest", "cheapest"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """A finalist, or Keras's default Adam, after its fresh seeds.

    objective: on the validation part over the seeds of race and confirmation, by which it was chosen. held_out: the
    headline metric on the test part over those of the confirmation; all NaN but `seeds` if it broke down under one.
    gain: how far it is ahead of Keras's default Adam, lead: how far the recommended one is ahead of it, seed by seed
    in `held_out`; None for themselves. versus: the odds of that lead. p_best: the probability that it is the best of
    those confirmed; regret: what choosing it costs on average, in the unit of `held_out`. optimism: how much the
    search had flattered it, in the unit of the objective. seconds: of one training. step_seconds, memory: as in
    `TrialRecord`. to_default: seconds to the objective that the default ends with. broken: how many fresh seeds it
    broke down under.
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

    @property
    def is_default(self) -> bool:
        """Whether it is Keras's default Adam: nothing is ahead of itself."""
        return self.gain is None

    @property
    def label(self) -> str:
        """The configuration in words."""
        return str(self.configuration)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, with the configuration in words as its `label`; None where a number is not finite."""
        shallow = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"label": self.label, **plain(shallow)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`: None is infinity or NaN, whichever that number can be. Raises `InvalidValue`."""
        found = fields_from(cls, data)
        if math.isnan(found["p_best"]):  # of a single seed, which says nothing of regret either
            found["regret"] = math.nan
        return cls(**found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was confirmed, in the order of the race, and what follows from it.

    chosen: the place of the recommended one in `ranking`; best: that of the best by validation; tied: those within
    one standard error of it; guarded: whether the default is recommended since nothing is likely to beat it. prefer:
    what decided among the tied. headline: the metric of `held_out`, `maximize` its direction, `share` whether it is
    one, so that differences are told in points. confirmed: whether there are numbers from held-out rows; without
    confirmation they are from validation rows. redrawn: whether every seed had its own split of training and
    validation rows. rope: half-width of practical equivalence, in the unit of `held_out`.
    lost: what stood against the other arms. edges: ends of the recommended arm's ranges. basin: how forgiving its
    learning rate is, None if that was not tried. costs: of every arm. importance: of hyperparameters, by arm.
    runs: how many of each stage. seconds: all their time together. check: the headline metric of the recommended
    configuration trained once with `model.fit`, NaN if it was not. refit: whether the saved model was then trained on
    the validation rows too. failures: why one of these two gave nothing, by "check" and "refit". context: what the
    numbers are measured by, None in a study of an earlier version.
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

    @property
    def recommended(self) -> Standing:
        """What to take."""
        return self.ranking[self.chosen]

    @property
    def default(self) -> Standing:
        """Keras's default Adam under the same seeds."""
        return next(s for s in self.ranking if s.is_default)

    @property
    def is_default(self) -> bool:
        """Whether the recommendation is Keras's default Adam itself."""
        return self.recommended.is_default

    @property
    def word(self) -> Word:
        """What may be said of the recommended one against Keras's default Adam; of the default itself, against the
        best that was found. "undecided" also where there is nothing to compare it with."""
        versus = self.rival.versus if self.rival is not None else None
        return versus.word if versus is not None else "undecided"

    @property
    def rival(self) -> Standing | None:
        """Whom the recommended one is measured against: Keras's default Adam; the default itself, against the best of
        the others, if there is one."""
        if not self.is_default:
            return self.default
        return next((s for s in self.ranking if not s.is_default), None)

    @property
    def tunability(self) -> Estimate | None:
        """Was tuning worth it? How far the best of the validation part is ahead of the default in `held_out`; None
        if it is the default (Probst et al. 2019, JMLR 20:53)."""
        return self.ranking[self.best].gain

    def text(self) -> str:
        """The paragraph for people."""
        from optselect.verdict.wording import paragraph

        return paragraph(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; None where a number is not finite."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        more = ("word", "is_default", "recommended", "tunability")
        return {"text": self.text(), **plain({**own, **{name: getattr(self, name) for name in more}})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also of what earlier versions wrote. Raises `InvalidValue`, with the place."""
        found = cls(**fields_from(cls, data))
        if sum(standing.is_default for standing in found.ranking) != 1:
            raise Misread("ranking", "must hold the default once, without a `gain`")
        places = range(len(found.ranking))
        for name, values in (("chosen", [found.chosen]), ("best", [found.best]), ("tied", found.tied)):
            if not all(value in places for value in values):
                raise Misread(name, f"must be a place in the ranking, from 0 to {len(places) - 1}, got {values}")
        return found
