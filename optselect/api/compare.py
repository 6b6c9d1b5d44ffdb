"""Several studies together: which optimizers did better than Keras's default Adam, over all of their data sets."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optselect.api.studies import answer, folder
from optselect.errors import InvalidValue, NoResult
from optselect.optim.configuration import Configuration
from optselect.record import StudyLog
from optselect.record.entries import TrialRecord
from optselect.util.json_types import plain
from optselect.verdict.across import (
    Interval,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified,
)
from optselect.verdict.finals import score

__all__ = ["THRESHOLDS", "Across", "ComparedOptimizer", "compare"]

THRESHOLDS = (0.0, 1.0, 5.0, 10.0)  # per cent better than the default
RECOMMENDED = "recommended"

Runs = list[float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparedOptimizer:
    """One optimizer, or the recommended configuration, over all studies.

    Parameters
    ----------
    name : str
        Key of the optimizer, or "recommended".
    runs : int
        Runs per study.
    gain : Interval
        Interquartile mean of the improvement over the mean of the default, in percent of it, with its interval.
    better : Interval
        Probability that a run is better than a run of the default, with its interval.
    profile : tuple of float
        Fraction of the runs that are better than the default by more than each of `THRESHOLDS`.
    """

    name: str
    runs: int
    gain: Interval
    better: Interval
    profile: tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Across:
    """Optimizers compared over several studies.

    Parameters
    ----------
    studies : tuple of str
        Names of the studies.
    lines : tuple of ComparedOptimizer
        One line per optimizer, the largest gain first.
    left_out : tuple of str
        Optimizers that were not rerun on fresh seeds in every study.
    """

    studies: tuple[str, ...]
    lines: tuple[ComparedOptimizer, ...]
    left_out: tuple[str, ...]

    def text(self) -> str:
        """Format the comparison as a table.

        Returns
        -------
        str
            Several lines.
        """
        head = ["", "gain over the default", "beats it", *(f"> {t:g} %" for t in THRESHOLDS)]
        rows = [
            [
                line.name,
                f"{line.gain.value:+.1f} % ({line.gain.low:+.1f} to {line.gain.high:+.1f})",
                f"{line.better.value:.2f} ({line.better.low:.2f} to {line.better.high:.2f})",
                *(f"{share:.2f}" for share in line.profile),
            ]
            for line in self.lines
        ]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
        ]
        lines += [
            "",
            f"Over {len(self.studies)} studies: {', '.join(self.studies)}. Gain: interquartile mean of the objective's",
            "improvement over Keras's default Adam, in per cent of the default's; 95 % intervals speak of new seeds on",
            "these data sets, not of new data sets. Right: the share of runs that are better by so much.",
        ]
        if self.left_out:
            lines.append(f"Not in the race of every study, so left out: {', '.join(self.left_out)}.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Describe the comparison with JSON types.

        Returns
        -------
        dict
            Fields by name; None where a number is not finite.
        """
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"text": self.text(), "thresholds": list(THRESHOLDS), **plain(fields)}


def compare(studies: Sequence[str | Path], *, out: str | Path | None = None) -> Across:
    """Compare optimizers over finished studies, by their runs on fresh seeds.

    Of each optimizer the candidate that the search ranked first counts, with the seeds of the first round of reruns,
    which all candidates share and by which none of them was chosen. The recommended configuration counts with the seeds
    of its confirmation. Both are compared with the default under the same seeds. An optimizer counts if it was rerun in
    every study. A run that diverged is worse than any number.

    Parameters
    ----------
    studies : sequence of str or Path
        At least two studies, by name or folder.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.

    Returns
    -------
    Across
        The comparison.

    Raises
    ------
    InvalidValue
        If there are fewer than two studies.
    UnknownName
        If a study does not exist.
    NoResult
        If a study is not finished, or if its default diverged.

    Examples
    --------
    >>> from optselect import api
    >>> print(api.compare(["digits", "houses"]).text())  # doctest: +SKIP
    """
    if len(studies) < 2:
        raise InvalidValue(f"compare: at least two studies are needed, got {len(studies)}.")
    found = [_study(study, out) for study in studies]
    shared = [name for name in found[0] if all(name in study for study in found)]
    others = dict.fromkeys(name for study in found for name in study if name not in shared)
    lines = [_line(name, [study[name] for study in found]) for name in shared]
    return Across(
        studies=tuple(folder(study, out).name for study in studies),
        lines=tuple(sorted(lines, key=lambda line: -line.gain.value)),
        left_out=tuple(others),
    )


def _study(study: str | Path, out: str | Path | None) -> dict[str, tuple[Runs, Runs]]:
    """By name: gains of the runs over the mean of the default, and those of the default, in per cent."""
    verdict = answer(study, out).verdict
    place = folder(study, out)
    records = StudyLog.read(place / "ledger.jsonl").trials
    default = verdict.baseline
    sign = -1.0 if verdict.minimize else 1.0
    race = [r for r in records if r.stage == "race"]
    champions: dict[str, Configuration] = {}
    for r in sorted(race, key=lambda r: r.number):
        champions.setdefault(r.configuration.rule.key, r.configuration)
    among = collections.Counter(r.seed for r in race)
    first = {seed for seed, count in among.items() if count == max(among.values())}
    told = {
        name: _gains([r for r in race if r.seed in first], configuration, default, sign, place)
        for name, configuration in champions.items()
    }
    confirmed = [r for r in records if r.stage == "confirm"]
    if confirmed:
        told = {RECOMMENDED: _gains(confirmed, verdict.recommended.configuration, default, sign, place), **told}
    return told


def _gains(
    records: Iterable[TrialRecord], ours: Configuration, default: Configuration, sign: float, place: Path
) -> tuple[Runs, Runs]:
    values: Mapping[Configuration, list[float]] = collections.defaultdict(list)
    for r in records:
        values[r.configuration].append(score(r))
    base = float(np.mean(values[default]))
    if not np.isfinite(base) or base == 0:
        raise NoResult(f"{place}: Keras's default Adam broke down or its objective is 0: nothing to compare with.")
    mine, its = ([100 * sign * (v - base) / abs(base) for v in values[c]] for c in (ours, default))
    return mine, its


def _line(name: str, studies: Sequence[tuple[Runs, Runs]]) -> ComparedOptimizer:
    runs = min(len(side) for study in studies for side in study)
    ours, theirs = (np.array([study[i][:runs] for study in studies]).T for i in range(2))
    return ComparedOptimizer(
        name=name,
        runs=runs,
        gain=stratified(interquartile_mean, ours),
        better=stratified(probability_of_improvement, ours, theirs),
        profile=tuple(float(share) for share in performance_profile(ours, THRESHOLDS)),
    )
