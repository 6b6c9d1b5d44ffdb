"""The verdict itself: the ranking of the finalists, in numbers and in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optselect.configuration import Configuration
from optselect.errors import NoResult
from optselect.records import TrialRecord
from optselect.verdict.statistics import Estimate, estimate

__all__ = ["Standing", "Verdict", "judge"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """One finalist after its fresh seeds.

    objective: on the validation part, by which finalists are ranked. held_out: the headline metric on the test
    part. gain: held_out minus that of Keras's default Adam, seed by seed, positive where the finalist is better;
    None for the default itself. seconds: of one training. broken: how many of its seeds diverged or failed.
    """

    arm: str
    configuration: Configuration
    objective: Estimate
    held_out: Estimate
    gain: Estimate | None
    seconds: float
    broken: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """The ranking of the finalists, best first, and what follows from it.

    headline: the metric of `held_out`, `maximize` its direction. lost: why an arm is no finalist, or what was
    against it, by arm. trials, confirmations: how many runs stand behind it. seconds: all their time together.
    check: the headline metric of the recommended configuration trained once with `model.fit`.
    """

    ranking: tuple[Standing, ...]
    baseline: Configuration
    headline: str
    maximize: bool
    objective: str
    lost: Mapping[str, str]
    trials: int
    confirmations: int
    seconds: float
    check: float | None = None

    @property
    def recommended(self) -> Standing:
        """The finalist with the best mean objective over the fresh seeds."""
        return self.ranking[0]

    @property
    def is_default(self) -> bool:
        """Whether the recommendation is Keras's default Adam itself."""
        return self.recommended.configuration == self.baseline

    @property
    def decided(self) -> bool:
        """Whether the seeds separate the recommendation from Keras's default Adam on held-out data."""
        gain = self.recommended.gain
        return gain is not None and (gain.low > 0 or gain.high < 0)

    def text(self) -> str:
        """The paragraph for people."""
        best = self.recommended
        held = best.held_out
        name = self.headline.replace("_", " ")
        sentences = [
            f"{best.configuration}: {name} {_number(held.mean)} on held-out data, "
            f"95 % interval {_number(held.low)} to {_number(held.high)} over {held.seeds} fresh seeds.",
            self._against_default(),
        ]
        near = [s.arm for s in self.ranking[1:] if self._overlaps(s)]
        if near:
            sentences.append(f"These seeds do not separate it from: {', '.join(dict.fromkeys(near))}.")
        sentences += [f"{arm}: {reason}." for arm, reason in self.lost.items()]
        sentences.append(
            f"{self.trials} trials and {self.confirmations} confirmations, {_seconds(self.seconds)} of training."
        )
        if self.check is not None:
            sentences.append(f"Trained once more with plain `model.fit`: {name} {_number(self.check)}.")
        return " ".join(sentences)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""

        def row(standing: Standing) -> dict[str, Any]:
            return {
                **dataclasses.asdict(standing),
                "configuration": standing.configuration.to_dict(),
                "label": str(standing.configuration),
            }

        return {
            "text": self.text(),
            "recommended": row(self.recommended),
            "is_default": self.is_default,
            "decided": self.decided,
            "headline": self.headline,
            "maximize": self.maximize,
            "objective": self.objective,
            "ranking": [row(s) for s in self.ranking],
            "baseline": self.baseline.to_dict(),
            "lost": dict(self.lost),
            "trials": self.trials,
            "confirmations": self.confirmations,
            "seconds": self.seconds,
            "plain_keras": self.check,
        }

    def _against_default(self) -> str:
        gain = self.recommended.gain
        if gain is None:
            return "That is Keras's default Adam: nothing that was searched did better on these seeds. Keep it."
        unit, scale, digits = (" points", 100.0, 2) if self.headline == "accuracy" else ("", 1.0, None)
        sign = 1.0 if self.maximize else -1.0  # say it in the metric's own direction
        low, high = sorted((sign * scale * gain.low, sign * scale * gain.high))
        difference = (
            f"Against Keras's default Adam: {_signed(sign * scale * gain.mean, digits)}{unit} "
            f"(interval {_signed(low, digits)} to {_signed(high, digits)})"
        )
        if self.decided:
            return f"{difference}{'' if gain.mean > 0 else ', worse on held-out data, though better on validation'}."
        return f"{difference}: undecided, the interval holds zero."

    def _overlaps(self, other: Standing) -> bool:
        best = self.recommended.objective
        if math.isnan(best.low):
            return True
        return other.objective.low <= best.high and best.low <= other.objective.high


def judge(
    finalists: Sequence[tuple[str, Configuration]],
    records: Sequence[TrialRecord],
    *,
    baseline: Configuration,
    objective: str,
    minimize: bool,
    headline: str,
    maximize: bool,
) -> Verdict:
    """The verdict over all records of a study, search and confirmation.

    headline: a metric's name; `test_<headline>` of the confirmations is what is reported. Raises `NoResult` if no
    finalist came through all its seeds.
    """
    confirmations = [r for r in records if r.stage == "confirm"]
    runs = {
        configuration: [r for r in confirmations if r.configuration == configuration] for _, configuration in finalists
    }
    reference = {r.seed: r.metrics[f"test_{headline}"] for r in runs.get(baseline, []) if r.outcome == "complete"}
    standings = []
    lost = _why_lost([r for r in records if r.stage == "search"])
    for arm, configuration in finalists:
        whole = [r for r in runs[configuration] if r.outcome == "complete"]
        broken = len(runs[configuration]) - len(whole)
        if broken or not whole:
            lost[arm] = f"its best configuration broke down under {broken} of {len(runs[configuration])} fresh seeds"
            continue
        scores = {r.seed: r.metrics[f"test_{headline}"] for r in whole}
        sign = 1.0 if maximize else -1.0
        gains = [sign * (scores[seed] - reference[seed]) for seed in scores if seed in reference]
        standings.append(
            Standing(
                arm=arm,
                configuration=configuration,
                objective=estimate(r.metrics[objective] for r in whole),
                held_out=estimate(scores.values()),
                gain=estimate(gains) if gains and configuration != baseline else None,
                seconds=float(np.median([r.seconds for r in whole])),
            )
        )
    if not standings:
        raise NoResult("No finalist came through its fresh seeds: all diverged. Search lower learning rates.")
    standings.sort(key=lambda s: s.objective.mean if minimize else -s.objective.mean)
    return Verdict(
        ranking=tuple(standings),
        baseline=baseline,
        headline=headline,
        maximize=maximize,
        objective=objective,
        lost=lost,
        trials=sum(r.stage == "search" for r in records),
        confirmations=len(confirmations),
        seconds=sum(r.seconds for r in records),
    )


def _why_lost(trials: Sequence[TrialRecord]) -> dict[str, str]:
    """What must be said of an arm: that it diverged, and from where on."""
    reasons: dict[str, str] = {}
    for arm in dict.fromkeys(r.arm for r in trials):
        own = [r for r in trials if r.arm == arm]
        bad = [r for r in own if r.outcome == "diverged"]
        if bad:
            lowest = min(r.configuration.rule.base.values()["learning_rate"] for r in bad)
            reasons[arm] = f"diverged in {len(bad)} of {len(own)} trials, at learning rates from {_number(lowest)}"
        if failed := [r for r in own if r.outcome == "failed"]:
            reasons[arm] = f"failed in {len(failed)} of {len(own)} trials: {failed[-1].message.splitlines()[0]}"
    return reasons


def _number(value: float) -> str:
    """Four significant digits, three decimals for shares.

    >>> _number(0.98134), _number(54.218), _number(0.00131), _number(123456.7)
    ('0.981', '54.22', '0.00131', '123,457')
    """
    if not math.isfinite(value):
        return str(value)
    if 0.1 <= abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _signed(value: float, digits: int | None = None) -> str:
    """With its sign; `digits` after the point, else two significant ones.

    >>> _signed(0.44, 2), _signed(-1e-6, 2), _signed(-0.0312), _signed(1234.5)
    ('+0.44', '+0.00', '-0.031', '+1,234')
    """
    if digits is not None:
        return f"{round(value, digits) + 0.0:+.{digits}f}"
    return f"{value:+.2g}" if abs(value) < 100 else f"{value:+,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
