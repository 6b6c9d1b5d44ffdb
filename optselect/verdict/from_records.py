"""From the records of a study to its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from optselect.errors import NoResult
from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.util.intervals import estimate, limits
from optselect.verdict.choosing import Choice, recommend, simplicity
from optselect.verdict.costs import costs, time_to
from optselect.verdict.diagnosis import edges, why_lost
from optselect.verdict.epochs_used import EpochsUsed, by_optimizer, misjudged
from optselect.verdict.finals import Contest, score
from optselect.verdict.further import scores_on_test
from optselect.verdict.lr_sensitivity import FACTORS, Basin, basin
from optselect.verdict.ranking import Preference, Verdict
from optselect.verdict.scaled import around
from optselect.verdict.standing import Standing
from optselect.verdict.statistics import correlated_t_test, gains, odds, optimism, rope

__all__ = ["judge", "seeds_around"]

Table = np.ndarray  # (seeds, confirmed), row i under one seed, NaN where a training broke down


def judge(
    contest: Contest,
    records: Sequence[TrialRecord],
    *,
    headline: Objective,
    width: float | None = None,
    prefer: Preference = "simplest",
    eliminated: Mapping[str, str] = MappingProxyType({}),
    loss: str = "",
) -> Verdict:
    """The verdict over all records of a study: search, race, confirmation and other learning rates.

    The race chooses, by the objective on validation rows. The confirmation reports, by the headline metric on
    held-out rows under seeds that chose nothing; all it can change is to put out who broke down, and to send back to
    the default. Where nothing was confirmed the numbers are those of the race on validation rows.

    headline: the metric to report. width: the half-width of practical equivalence, None
    for the usual. prefer: what decides among those within one standard error of the best. eliminated: as in
    `why_lost`. loss: the name of what is minimized, which tells between which numbers it lies. Raises `NoResult` if
    nobody came through the seeds.
    """
    who = contest.confirmed(records)
    runs = contest.runs(records)
    plan = contest.plan
    raced, confirming = range(plan.confirmation.start), plan.confirmation
    choice = _choice(contest, who, runs, prefer)
    confirmed = len(confirming) > 0
    seeds, prefix = (confirming, "test") if confirmed else (raced, "val")
    scores = _table(who, seeds, runs, f"{prefix}_{headline}")
    objective = contest.objective
    if np.isnan(scores[:, choice.recommended]).all():  # the model never answers it with a number
        headline = Objective(objective.metric, maximize=objective.maximize)
        scores = _table(who, seeds, runs, f"{prefix}_{headline}")
    if np.isnan(scores[:, choice.recommended]).all():
        raise NoResult(f"No training that was re-run gave a number for {headline} on the {prefix} rows.")
    best_scores = scores[:, choice.recommended]
    share = headline.maximize and bool(((best_scores >= 0) & (best_scores <= 1)).all())
    half = rope(best_scores, share=share, width=width)
    bounds = _limits(headline, loss), _limits(objective, loss)
    standings = _standings(contest, who, runs, scores, choice, half, headline, bounds)
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
        headline=headline.name,
        maximize=headline.maximize,
        share=share,
        objective=objective.name,
        minimize=not objective.maximize,
        confirmed=confirmed,
        redrawn=contest.redraw,
        rope=half,
        lost=tuple(
            why_lost(
                search,
                arm,
                objective=objective,
                eliminated=eliminated,
                raced=_raced(contest, who[choice.recommended], runs),
            )
        ),
        edges=() if winner.configuration == contest.baseline else edges(search, arm, objective),
        basin=_basin(contest, winner.configuration, records),
        costs=tuple(costs(search)),
        runs={stage: sum(r.stage == stage for r in records) for stage in dict.fromkeys(r.stage for r in records)},
        seconds=sum(r.seconds for r in records),
        epochs=by_optimizer(search),
        misjudged=misjudged(records, contest.baseline, objective),
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
        "simplest": [  # what everybody has already is the simplest of all
            (c != contest.baseline, simplicity(c, step_seconds=s / least if least and s else 1.0))
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
        objective=contest.objective,
        further=further,
    )


def _standings(
    contest: Contest,
    who: Sequence[int],
    runs: Mapping[tuple[int, int], TrialRecord],
    scores: Table,
    choice: Choice,
    half: float,
    headline: Objective,
    bounds: tuple[tuple[float, float], tuple[float, float]],
) -> list[Standing]:
    """bounds: between which numbers the headline metric and the objective lie."""
    chances = odds(scores, headline)
    ours, default = scores[:, choice.recommended], scores[:, who.index(contest.default)]
    fresh = contest.plan.confirmation if len(contest.plan.confirmation) else range(contest.plan.confirmation.start)
    found = []
    for place, number in enumerate(who):
        candidate, column = contest.candidates[number], scores[:, place]
        own = {k: r for (i, k), r in runs.items() if i == number}
        lead = gains(ours, column, headline)
        is_default, is_recommended = number == contest.default, place == choice.recommended
        broken = sum(math.isnan(score(r)) for r in own.values())
        flattered = candidate.screened is not None and not broken
        found.append(
            Standing(
                arm=candidate.arm,
                configuration=candidate.configuration,
                objective=estimate((score(r) for r in own.values()), within=bounds[1]),
                held_out=estimate(column, within=bounds[0]),
                gain=None if is_default else estimate(gains(column, default, headline)),
                lead=None if is_recommended else estimate(lead),
                versus=None if is_recommended else correlated_t_test(lead, rope=half),
                p_best=float(chances.best[place]),
                regret=float(chances.regret[place]),
                screened=candidate.screened,
                optimism=optimism(candidate.screened, [score(own[k]) for k in fresh], contest.objective)
                if flattered and candidate.screened is not None
                else None,
                seconds=_median([r.seconds for r in own.values()]),
                step_seconds=_median([r.step_seconds for r in own.values()]),
                memory=int(max(r.memory for r in own.values())),
                to_default=time_to(
                    own.values(),
                    [r for (i, _), r in runs.items() if i == contest.default],
                    contest.objective,
                ),
                broken=broken,
                epochs=EpochsUsed.of(candidate.configuration.rule.key, own.values()),
                metrics=scores_on_test([own[k] for k in contest.plan.confirmation if k in own], but=headline.metric),
            )
        )
    return found


def _limits(figure: Objective, loss: str) -> tuple[float, float]:
    """Between which numbers a figure lies. loss: what is minimized, the terms of several outputs in one name."""
    if figure.metric != "loss":
        return limits(figure.name)
    terms = [limits(term.split()[-1]) for term in loss.split(" + ") if term.split()]
    return min((low for low, _ in terms), default=-math.inf), math.inf


def _raced(contest: Contest, winner: int, runs: Mapping[tuple[int, int], TrialRecord]) -> dict[str, str]:
    """By optimizer, how its most promising candidate stood against the recommended one in the race."""
    found: dict[str, str] = {}
    for number, candidate in enumerate(contest.candidates):
        arm = candidate.configuration.rule.key
        shared = [k for k in range(contest.plan.confirmation.start) if {(number, k), (winner, k)} <= runs.keys()]
        if arm in found or not shared:
            continue
        ours, theirs = ([score(runs[i, k]) for k in shared] for i in (winner, number))
        lag = float(np.mean(gains(ours, theirs, contest.objective)))
        if math.isnan(lag):
            found[arm] = "it broke down in the race"
        else:
            how = f"{abs(lag):.2g} {'behind' if lag > 0 else 'ahead'}" if lag else "level"
            found[arm] = f"in the race {how} over {len(shared)} seeds"
    return found


def _basin(contest: Contest, configuration: Configuration, records: Sequence[TrialRecord]) -> Basin | None:
    """From the runs at other learning rates and those of the configuration itself under the same seeds."""
    factors = dict(zip(around(configuration, FACTORS), FACTORS, strict=True))
    moved = [r for r in records if r.stage == "basin" and r.configuration in factors]
    seeds = {r.seed for r in moved}
    itself = [r for r in contest.runs(records).values() if r.configuration == configuration and r.seed in seeds]
    if not moved or not itself:
        return None
    values = [score(r) for r in (*itself, *moved)]
    own = values[: len(itself)]
    if not np.isfinite(own).all():
        return None
    every = [score(r) for r in contest.runs(records).values() if r.configuration == configuration]
    return basin(
        [1.0] * len(itself) + [factors[r.configuration] for r in moved],
        values,
        tolerance=rope(every, share=False),
        objective=contest.objective,
    )


def seeds_around(contest: Contest, count: int) -> range:
    """Numbers of the seeds under which other learning rates are tried: the first that every candidate ran under."""
    return range(min(count, contest.plan.confirmation.stop))


def _objectives(who: Sequence[int], seeds: range, runs: Mapping[tuple[int, int], TrialRecord]) -> Table:
    return np.array([[score(runs[i, k]) for i in who] for k in seeds]).reshape(len(seeds), len(who))


def _table(who: Sequence[int], seeds: range, runs: Mapping[tuple[int, int], TrialRecord], metric: str) -> Table:
    def reported(record: TrialRecord) -> float:
        return math.nan if math.isnan(score(record)) else record.metrics.get(metric, math.nan)

    return np.array([[reported(runs[i, k]) for i in who] for k in seeds]).reshape(len(seeds), len(who))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan
