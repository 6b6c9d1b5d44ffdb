"""The learning-rate range test: which rates to try, and what their losses say.

A configuration is trained a little from the same start at each of some constant rates (`Probe`). Smith 2017 (Cyclical
Learning Rates, arXiv:1506.01186, section 3.3) reads two rates off such a curve: where the loss starts to fall, and
where it falls no more. fastai's finder (`fastai.callback.schedule`: minimum, steep, valley, slide; Gugger 2018) raises
the rate within one training and must smooth; here every rate has a training of its own, so that a point of the curve
does not depend on the rates before it.

The rate with the lowest loss after few steps lies above the best one for a long training: short trainings favour
large steps (Wu et al. 2018, Understanding Short-Horizon Bias, arXiv:1803.02021; fastai divides it by ten). So what is
suggested lies below it, and the narrowed range reaches far down and little up: docs/decisions/0016.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from optselect.errors import InvalidValue
from optselect.spaces import Space
from optselect.spaces.coupling import factor
from optselect.trainer.messages import ProbeRun

__all__ = ["RangeReading", "bounds", "diverges_from", "joined", "rates", "rates_below", "read"]

_STANDS_OUT = 4.0  # standard deviations of the noise, by which a fall of the loss must exceed it
_TENTH = 0.1  # of the deepest fall: where learning starts
_VISIBLE = 1e-3  # of the loss before any step; a smaller fall is none
# Where to search, as factors of the rate with the lowest loss. In `benchmarks.search.rates`, with tests of a twentieth
# of a training, eight in ten of the rules' best rates lay from 0.02 to 1.2 times it, and the best configuration in this
# range was as good as the best anywhere.
_BELOW, _ABOVE = 30.0, 3.0
_FEWEST = 9  # rates; with fewer the curve's own bends cannot be told from noise
_DECADES_BELOW = 4  # of rates that are tried below a test that saw nothing but divergence
_BLOWN_UP = 100.0  # times the loss before any step
_SAME = 1.5  # suggestions nearer to each other than this factor are one


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangeReading:
    """What a range test says.

    low: the lowest rate that learns, part of an unbroken run of rates up to `lowest`, that with the lowest loss; both
    None if none learns. edge: the first rate that diverges, or leaves the loss above its start; None if none does.
    suggested: rates to try first: the middle between `low` and `lowest`, and `low` itself; empty if nothing learns.
    narrowed: (low, high), where to search; spans a decade at least and holds what is suggested. noise: standard
    deviation of a loss around the curve. note: the same in words.
    """

    low: float | None
    lowest: float | None
    edge: float | None
    suggested: tuple[float, ...]
    narrowed: tuple[float, float]
    noise: float
    note: str


def bounds(space: Space, arm: str) -> tuple[float, float] | None:
    """Between which learning rates an arm of a space is searched; None if its rate is fixed.

    Of a quotient: where the rest of the arm has its defaults. Raises `UnknownName` for an arm that is not there.

    >>> from optselect.spaces import default_space
    >>> bounds(default_space(), "adam")
    (1e-05, 0.1)
    """
    rule = space.defaults(arm)
    search = space.optimizers[arm].get(rule.rate_name)
    if search is None or len(search.choices) == 1:
        return None
    if search.choices:
        return float(min(search.choices)), float(max(search.choices))
    by = factor(search.per, rule.named_numbers())
    return search.low * by, search.high * by


def rates(low: float, high: float, count: int = 13) -> tuple[float, ...]:
    """The learning rates to try where a search declares [low, high]: equal ratios, a decade beyond the top.

    The decade shows where divergence begins, also for ranges that end before it. Three digits each. Raises
    `InvalidValue`.

    >>> rates(1e-3, 1.0, count=9)
    (0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0)
    """
    if not (0 < low <= high < math.inf):
        raise InvalidValue(f"Range test: rates need 0 < `low` <= `high`, got {low!r} and {high!r}.")
    if count < _FEWEST:
        raise InvalidValue(f"Range test: `count` must be at least {_FEWEST} rates, got {count!r}.")
    return tuple(_tidy(rate) for rate in np.geomspace(low, 10 * high, count))


def rates_below(run: ProbeRun) -> tuple[float, ...]:
    """Where to go on if a range test saw nothing but divergence: the four decades below its lowest rate.

    Empty if it saw anything else. Three digits each.

    >>> bad = ProbeRun(rates=(0.1, 1.0), start=1.0, losses=[5.0, math.nan], val_losses=[5.0, math.nan], seconds=0)
    >>> rates_below(bad)[0], len(rates_below(bad))
    (1e-05, 12)
    """
    if run.error or not run.rates or not math.isfinite(run.start):
        return ()
    losses, lowest = _finite_or_inf(run.val_losses, run.losses), min(run.rates)
    if not (losses > run.start + _VISIBLE * abs(run.start)).all():
        return ()
    return tuple(_tidy(rate) for rate in np.geomspace(lowest * 10.0**-_DECADES_BELOW, lowest, 13)[:-1])


def joined(lower: ProbeRun, upper: ProbeRun) -> ProbeRun:
    """Two range tests from the same start as one, the rates of the first all below those of the second."""
    if lower.error:
        return upper
    return dataclasses.replace(
        upper,
        rates=(*lower.rates, *upper.rates),
        losses=[*lower.losses, *upper.losses],
        val_losses=[*lower.val_losses, *upper.val_losses],
        seconds=lower.seconds + upper.seconds,
    )


def diverges_from(run: ProbeRun) -> float:
    """The lowest rate from which on every loss of a range test was not finite or a hundred times the start.

    Infinite if there is none. Unlike `RangeReading.edge` it leaves out rates at which the loss had merely risen: a
    longer training may learn there.

    >>> losses = [0.9, 0.5, 2.0, 900.0, math.nan]
    >>> diverges_from(ProbeRun(rates=(0.1, 0.2, 0.4, 0.8, 1.6), start=1.0, losses=losses, val_losses=losses, seconds=0))
    0.8
    """
    if run.error or not math.isfinite(run.start):
        return math.inf
    worst = np.nan_to_num(np.asarray([run.losses, run.val_losses], float), nan=np.inf).max(axis=0)
    blown = worst > _BLOWN_UP * abs(run.start)
    good = np.flatnonzero(~blown)
    first = int(good[-1]) + 1 if good.size else 0
    return float(run.rates[first]) if first < len(blown) else math.inf


def read(run: ProbeRun) -> RangeReading:
    """What the losses of a range test say; rates in rising order, three digits each in what is suggested.

    The curve is that of the validation loss, which before and after the steps means the same rows. A loss counts as
    fallen where the running median of three lies below the start by four standard deviations of the noise and by
    0.1 % of the start; the noise is taken from second differences, so that the curve's own slope is none.

    >>> losses = [1.0, 0.99, 0.7, 0.4, 0.5, math.nan]
    >>> run = ProbeRun(rates=(1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0), start=1.0, losses=losses, val_losses=losses, seconds=0)
    >>> reading = read(run)
    >>> reading.low, reading.edge, reading.suggested, reading.narrowed
    (0.01, 10.0, (0.0316, 0.01), (0.00333, 0.3))
    """
    if run.error or not run.rates or len(run.val_losses) != len(run.rates):
        whole = (min(run.rates), max(run.rates)) if run.rates else (math.nan, math.nan)
        return _nothing(run.rates, None, 0.0, f"the range test failed: {run.error or 'it has no losses'}", whole)
    tried = np.asarray(run.rates)
    losses = _finite_or_inf(run.val_losses, run.losses)
    if not math.isfinite(run.start):
        return _nothing(run.rates, None, 0.0, "the loss is not finite before the first step")
    smooth, noise = _median_of_three(losses), _noise(losses, run.start)
    margin = max(_STANDS_OUT * noise, _VISIBLE * abs(run.start))
    below = np.where(losses < run.start, smooth, np.inf)  # a bad rate between two good ones is none to go by
    best = int(np.lexsort((losses, below))[0])
    fall = run.start - below[best]
    if not fall > margin:
        bad = losses > run.start + margin
        first = len(bad) if not bad[-1] else len(bad) - int(np.argmin(bad[::-1])) if not bad.all() else 0
        edge = float(tried[first]) if first < len(bad) else None
        note = "nothing learns within the steps of the test"
        return _nothing(run.rates, edge, noise, note)
    learns = below < run.start - max(margin, _TENTH * fall)
    bottom = best - int(np.argmin(learns[best::-1])) + 1 if not learns[: best + 1].all() else 0
    above = np.flatnonzero(losses[best:] > run.start)
    edge = float(tried[best + above[0]]) if above.size else None
    return _reading(tried, float(tried[bottom]), float(tried[best]), edge, noise)


def _reading(tried: np.ndarray, low: float, best: float, edge: float | None, noise: float) -> RangeReading:
    suggested = _apart([_tidy(math.sqrt(low * best)), low])
    top = min(_ABOVE * best, tried[-1] if edge is None else edge)
    narrowed = _decade(min(best / _BELOW, *suggested), max(top, *suggested))
    words = [f"learns from {low:.3g}", f"lowest loss at {best:.3g}"]
    words.append("no rate tried diverges" if edge is None else f"diverges from {edge:.3g}")
    if low == tried[0]:
        words[0] += " or below: the lowest rate tried"
    return RangeReading(
        low=low,
        lowest=best,
        edge=edge,
        suggested=tuple(suggested),
        narrowed=narrowed,
        noise=noise,
        note=", ".join(words),
    )


def _apart(found: Sequence[float]) -> list[float]:
    """Those that are not nearly the same as one before."""
    kept: list[float] = []
    for rate in found:
        if all(max(rate / other, other / rate) > _SAME for other in kept):
            kept.append(rate)
    return kept


def _nothing(
    tried: Sequence[float], edge: float | None, noise: float, note: str, whole: tuple[float, float] | None = None
) -> RangeReading:
    """Nothing learns, or nothing can be said."""
    if whole is None:
        whole = (min(tried), max(tried))
        if edge is not None:
            note += f"; diverges from {edge:.3g}" + (", the lowest rate tried" if edge == whole[0] else "")
            whole = (min(whole[0], edge / 10), edge)
    narrowed = _decade(*whole) if math.isfinite(whole[0]) else whole
    return RangeReading(low=None, lowest=None, edge=edge, suggested=(), narrowed=narrowed, noise=noise, note=note)


def _finite_or_inf(val_losses: Sequence[float], losses: Sequence[float]) -> np.ndarray:
    """The validation losses; infinite where either loss is not finite."""
    both = np.asarray([val_losses, losses], float)
    return np.where(np.isfinite(both).all(axis=0), both[0], np.inf)


def _median_of_three(losses: np.ndarray) -> np.ndarray:
    """Each with its neighbours; an end twice, so that a lucky last point does not stand alone."""
    padded = np.concatenate([losses[:1], losses, losses[-1:]])
    return np.asarray(np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0))


def _noise(losses: np.ndarray, start: float) -> float:
    """Standard deviation of a loss around a smooth curve, from the lower quartile of its absolute second differences.

    Of independent errors of deviation s a second difference has the deviation s·√6, and a quarter of a normal
    variable's absolute values lie below 0.3186 deviations. Not the median: the curve itself bends where it learns and
    where it blows up, which can be half of it. Of few finite losses these bends are nearly all; the noise is then what
    lies above the start at rates up to the lowest loss. Blown-up losses are cut at as much above the start as the
    lowest lies below.
    """
    finite = losses[np.isfinite(losses)]
    if finite.size < _FEWEST:
        return max(0.0, float(np.max(losses[: np.argmin(losses) + 1] - start))) if finite.size else 0.0
    cut = np.minimum(finite, start + max(start - finite.min(), 0.0))
    quartile = np.quantile(np.abs(np.diff(cut, 2)), 0.25, method="lower")
    return float(quartile / (0.3186 * math.sqrt(6)))


def _decade(low: float, high: float) -> tuple[float, float]:
    """The range, widened evenly to a decade where it is narrower."""
    missing = max(1.0, 10 * low / high)
    return _tidy(low / math.sqrt(missing)), _tidy(high * math.sqrt(missing))


def _tidy(rate: float) -> float:
    return float(f"{rate:.3g}")
