"""The verdict itself: what fresh seeds say of the finalists and of Keras's default Adam."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from optselect.configuration import Configuration
from optselect.records import TrialRecord
from optselect.verdict.basin import FACTORS, Basin, basin
from optselect.verdict.choosing import Choice, recommend, simplicity
from optselect.verdict.costs import Cost, costs, time_to
from optselect.verdict.diagnosis import Edge, Loss, edges, why_lost
from optselect.verdict.finals import Contest, objective
from optselect.verdict.numbers import plain
from optselect.verdict.scaling import around
from optselect.verdict.statistics import (
    Comparison,
    Estimate,
    Word,
    correlated_t_test,
    estimate,
    gains,
    odds,
    optimism,
    rope,
)

__all__ = ["Preference", "Standing", "Verdict", "judge", "seeds_around"]

Preference = Literal["simplest", "best", "fastest", "cheapest"]
Table = np.ndarray  # (seeds, confirmed), row i under one seed, NaN where a training broke down


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
    versus: Comparison | None
    p_best: float
    regret: float
    screened: float | None
    optimism: Estimate | None
    seconds: float
    step_seconds: float
    memory: int
    to_default: float
    broken: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, with the configuration in words as its `label`."""
        shallow = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"label": str(self.configuration), **plain(shallow)}


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
    configuration trained once with `model.fit`. refit: whether the saved model was then trained on the validation
    rows too.
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
    check: float | None = None
    refit: bool = False

    @property
    def recommended(self) -> Standing:
        """What to take."""
        return self.ranking[self.chosen]

    @property
    def default(self) -> Standing:
        """Keras's default Adam under the same seeds."""
        return next(s for s in self.ranking if s.configuration == self.baseline)

    @property
    def is_default(self) -> bool:
        """Whether the recommendation is Keras's default Adam itself."""
        return self.recommended.configuration == self.baseline

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
        return next((s for s in self.ranking if s.configuration != self.baseline), None)

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


def judge(
    contest: Contest,
    records: Sequence[TrialRecord],
    *,
    objective_name: str,
    headline: str,
    maximize: bool,
    width: float | None = None,
    prefer: Preference = "simplest",
    eliminated: Mapping[str, str] = MappingProxyType({}),
) -> Verdict:
    """The verdict over all records of a study: search, race, confirmation and other learning rates.

    The race chooses, by the objective on validation rows. The confirmation reports, by the headline metric on
    held-out rows under seeds that chose nothing; all it can change is to put out who broke down, and to send back to
    the default. Where nothing was confirmed the numbers are those of the race on validation rows.

    objective_name: "val_loss", say. headline: a metric's name. width: the half-width of practical equivalence, None
    for the usual. prefer: what decides among those within one standard error of the best. eliminated: as in
    `why_lost`. Raises `NoResult` if nobody came through the seeds.
    """
    who = contest.confirmed(records)
    runs = contest.runs(records)
    plan = contest.plan
    raced, confirming = range(plan.confirmation.start), plan.confirmation
    choice = _choice(contest, who, runs, prefer)
    confirmed = len(confirming) > 0
    seeds, metric = (confirming, f"test_{headline}") if confirmed else (raced, f"val_{headline}")
    scores = _table(who, seeds, runs, metric)
    best_scores = scores[:, choice.recommended]
    share = maximize and bool(((best_scores >= 0) & (best_scores <= 1)).all())
    half = rope(best_scores, share=share, width=width)
    standings = _standings(contest, who, runs, scores, choice, half, maximize, objective_name)
    search = [r for r in records if r.stage == "search"]
    winner = standings[choice.recommended]
    arm = winner.configuration.rule.key
    return Verdict(
        ranking=tuple(standings),
        chosen=choice.recommended,
        best=choice.best,
        tied=choice.tied,
        guarded=choice.guarded,
        prefer=prefer,
        baseline=contest.baseline,
        headline=headline,
        maximize=maximize,
        share=share,
        objective=objective_name,
        minimize=contest.minimize,
        confirmed=confirmed,
        redrawn=contest.redraw,
        rope=half,
        lost=tuple(why_lost(search, arm, objective=objective_name, minimize=contest.minimize, eliminated=eliminated)),
        edges=() if winner.configuration == contest.baseline else edges(search, arm, minimize=contest.minimize),
        basin=_basin(contest, winner.configuration, records),
        costs=tuple(costs(search)),
        runs={stage: sum(r.stage == stage for r in records) for stage in dict.fromkeys(r.stage for r in records)},
        seconds=sum(r.seconds for r in records),
    )


def _choice(
    contest: Contest, who: Sequence[int], runs: Mapping[tuple[int, int], TrialRecord], prefer: Preference
) -> Choice:
    """Chosen by the race; where there was none, by the confirmation."""
    plan = contest.plan
    raced = _objectives(who, range(plan.confirmation.start), runs)
    fresh = _objectives(who, plan.confirmation, runs)
    own = [[r for (number, _), r in runs.items() if number == i] for i in who]
    steps = [_median([r.step_seconds for r in found]) for found in own]
    least = min((s for s in steps if s > 0), default=0.0)
    configurations = [contest.candidates[i].configuration for i in who]
    order: dict[Preference, list[Any]] = {
        "simplest": [
            simplicity(c, step_seconds=s / least if least and s else 1.0)
            for c, s in zip(configurations, steps, strict=True)
        ],
        "best": [0] * len(who),
        "fastest": [_median([r.seconds for r in found]) for found in own],
        "cheapest": [_median([r.memory for r in found]) for found in own],
    }
    scores, further = (raced, fresh) if len(raced) else (fresh, None)
    return recommend(
        scores,
        order[prefer],
        baseline=who.index(contest.default),
        minimize=contest.minimize,
        rho=contest.rho,
        further=further,
    )


def _standings(
    contest: Contest,
    who: Sequence[int],
    runs: Mapping[tuple[int, int], TrialRecord],
    scores: Table,
    choice: Choice,
    half: float,
    maximize: bool,
    objective_name: str,
) -> list[Standing]:
    chances = odds(scores, minimize=not maximize)
    ours, default = scores[:, choice.recommended], scores[:, who.index(contest.default)]
    fresh = contest.plan.confirmation if len(contest.plan.confirmation) else range(contest.plan.confirmation.start)
    found = []
    for place, number in enumerate(who):
        candidate, column = contest.candidates[number], scores[:, place]
        own = {k: r for (i, k), r in runs.items() if i == number}
        lead = gains(ours, column, minimize=not maximize)
        is_default, is_recommended = number == contest.default, place == choice.recommended
        broken = sum(math.isnan(objective(r)) for r in own.values())
        flattered = candidate.screened is not None and not broken
        found.append(
            Standing(
                arm=candidate.arm,
                configuration=candidate.configuration,
                objective=estimate(objective(r) for r in own.values()),
                held_out=estimate(column),
                gain=None if is_default else estimate(gains(column, default, minimize=not maximize)),
                lead=None if is_recommended else estimate(lead),
                versus=None if is_recommended else correlated_t_test(lead, rope=half),
                p_best=float(chances.best[place]),
                regret=float(chances.regret[place]),
                screened=candidate.screened,
                optimism=optimism(candidate.screened, [objective(own[k]) for k in fresh], minimize=contest.minimize)
                if flattered and candidate.screened is not None
                else None,
                seconds=_median([r.seconds for r in own.values()]),
                step_seconds=_median([r.step_seconds for r in own.values()]),
                memory=int(max(r.memory for r in own.values())),
                to_default=time_to(
                    own.values(),
                    [r for (i, _), r in runs.items() if i == contest.default],
                    objective=objective_name,
                    minimize=contest.minimize,
                ),
                broken=broken,
            )
        )
    return found


def _basin(contest: Contest, configuration: Configuration, records: Sequence[TrialRecord]) -> Basin | None:
    """From the runs at other learning rates and those of the configuration itself under the same seeds."""
    factors = dict(zip(around(configuration, FACTORS), FACTORS, strict=True))
    moved = [r for r in records if r.stage == "basin" and r.configuration in factors]
    seeds = {r.seed for r in moved}
    itself = [r for r in contest.runs(records).values() if r.configuration == configuration and r.seed in seeds]
    if not moved or not itself:
        return None
    values = [objective(r) for r in (*itself, *moved)]
    own = values[: len(itself)]
    if not np.isfinite(own).all():
        return None
    every = [objective(r) for r in contest.runs(records).values() if r.configuration == configuration]
    return basin(
        [1.0] * len(itself) + [factors[r.configuration] for r in moved],
        values,
        tolerance=rope(every, share=False),
        minimize=contest.minimize,
    )


def seeds_around(contest: Contest, count: int) -> range:
    """Numbers of the seeds under which other learning rates are tried: the first that every candidate ran under."""
    return range(min(count, contest.plan.confirmation.stop))


def _objectives(who: Sequence[int], seeds: range, runs: Mapping[tuple[int, int], TrialRecord]) -> Table:
    return np.array([[objective(runs[i, k]) for i in who] for k in seeds]).reshape(len(seeds), len(who))


def _table(who: Sequence[int], seeds: range, runs: Mapping[tuple[int, int], TrialRecord], metric: str) -> Table:
    def score(record: TrialRecord) -> float:
        return math.nan if math.isnan(objective(record)) else record.metrics.get(metric, math.nan)

    return np.array([[score(runs[i, k]) for i in who] for k in seeds]).reshape(len(seeds), len(who))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan
