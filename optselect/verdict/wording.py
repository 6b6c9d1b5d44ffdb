"""The paragraph for people: every sentence follows by rule from numbers of the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optselect.util.intervals import Estimate
from optselect.verdict.context import beside, doubts
from optselect.verdict.numbers import number, seconds, signed
from optselect.verdict.statistics import PairedComparison

if TYPE_CHECKING:
    from optselect.verdict.ranking import Verdict
    from optselect.verdict.standing import Standing

__all__ = ["difference", "paragraph"]

_ARMS = 3  # that lost and are named; the table has the others
_TO_ACT_ON = ("diverged in", "failed in", "widen it")
_STAGES = {"race": "in the race", "confirm": "to confirm", "basin": "at other learning rates"}


def paragraph(verdict: Verdict) -> str:
    """The verdict in a few sentences, each of them true by the numbers or left out."""
    sentences = [
        *doubts(verdict),
        *_headline(verdict),
        *beside(verdict),
        *_against_default(verdict),
        *_against_others(verdict),
        *_chance(verdict),
        *_epochs(verdict),
        *_learning_rate(verdict),
        *_lost(verdict),
        *_count(verdict),
        *_check(verdict),
    ]
    return " ".join(sentences)


def difference(verdict: Verdict, gain: Estimate) -> str:
    """A paired difference in the metric's own direction, in points where it is a share, with its interval."""
    if gain.low == gain.high == 0:
        return "no difference under any seed"
    scale, digits = (100.0, 2) if verdict.share else (1.0, None)
    sign = scale if verdict.maximize else -scale
    low, high = sorted((sign * gain.low, sign * gain.high))
    unit = " points" if verdict.share else ""
    return f"{signed(sign * gain.mean, digits)}{unit} (interval {signed(low, digits)} to {signed(high, digits)})"


def _headline(v: Verdict) -> Iterator[str]:
    best, name = v.recommended, v.headline.replace("_", " ")
    held = best.held_out
    who = f"Keep Keras's default: {best.configuration}" if v.is_default else str(best.configuration)
    where = "held-out data" if v.confirmed else "validation data"
    if held.low == held.high:
        yield f"{who}: {name} {number(held.mean)} on {where}, the same under all {held.seeds} fresh seeds."
    else:
        yield (
            f"{who}: {name} {number(held.mean)} on {where}, 95 % interval {number(held.low)} to {number(held.high)} "
            f"over {held.seeds} fresh seeds{_splits(v)}."
        )
    if not v.confirmed:
        yield "Nothing was confirmed: these data have chosen it, so the number flatters."


def _splits(v: Verdict) -> str:
    """What the seeds of an interval stand for."""
    if v.context is not None and v.context.covers:
        return f"; it covers {v.context.covers}"
    return ", each with a split of its own" if v.redrawn else " of one split"


def _against_default(v: Verdict) -> Iterator[str]:
    rival = v.rival
    if rival is None:
        yield "Nothing else came through the search, so there is nothing to compare it with."
    elif rival.broken:
        yield f"{_named(rival)} broke down under {_of_seeds(rival)}."
    elif v.is_default:
        yield f"{_why_default(v)} Beside it {rival.configuration} comes to {_told(v, rival, reverse=True)}"
    else:
        yield f"Against Keras's default Adam: {_told(v, rival)}"


def _why_default(v: Verdict) -> str:
    if v.guarded:
        return "Nothing that was searched is likely to beat it."
    if v.ranking[v.best].is_default:
        return "Nothing that was searched did better on validation data."
    return "What was searched is not ahead by more than chance explains, and the default is simpler."


def _against_others(v: Verdict) -> Iterator[str]:
    raw = v.ranking[v.best]
    for place, other in enumerate(v.ranking):
        if place == v.chosen or other is v.rival:
            continue
        if other.broken:
            yield f"{other.configuration} broke down under {_of_seeds(other)}."
        elif other is raw:
            why = {"simplest": "simpler", "fastest": "faster", "cheapest": "cheaper", "best": "better"}[v.prefer]
            yield (
                f"{other.configuration} was best on validation data, by less than one standard error; the one above is "
                f"{why}. Against it: {_told(v, other)}"
            )
        elif not v.is_default:
            yield f"Against the other finalist, {other.configuration}: {_told(v, other)}"


def _told(v: Verdict, other: Standing, *, reverse: bool = False) -> str:
    """The lead of the recommended one and its word; `reverse`: as seen from the other."""
    assert other.lead is not None
    assert other.versus is not None
    lead, versus = other.lead, other.versus
    if reverse:
        lead = Estimate(-lead.mean, -lead.high, -lead.low, lead.seeds)
        versus = PairedComparison(better=versus.worse, equivalent=versus.equivalent, worse=versus.better)
    sign = 1 if v.minimize else -1
    surprise = v.confirmed and not reverse and sign * (other.objective.mean - v.recommended.objective.mean) > 0
    return f"{difference(v, lead)}, {_word(v, versus, surprise=surprise)}."


def _word(v: Verdict, versus: PairedComparison, *, surprise: bool) -> str:
    """surprise: whether validation data have it the other way round."""
    width = _amount(v, v.rope)
    if versus.word == "clearly best":
        return "clearly better"
    if versus.word == "equivalent":
        return f"equivalent: no more than {width} apart"
    if versus.word == "clearly worse":
        return "clearly worse" + (" on held-out data, though better on validation data" if surprise else "")
    return f"undecided: these seeds do not tell whether it is more than {width}"


def _chance(v: Verdict) -> Iterator[str]:
    best, top = v.recommended, max(v.ranking, key=lambda s: s.p_best)
    if len(v.ranking) > 1 and not math.isnan(best.p_best):
        among = f"best of these {_count_word(len(v.ranking))} with probability {top.p_best:.2f}"
        if top.p_best > best.p_best:
            little = ", less than what matters" if best.regret < v.rope else ""
            yield (
                f"By {v.headline.replace('_', ' ')} {top.configuration} is the {among}; not taking it costs "
                f"{_amount(v, best.regret)} on average{little}."
            )
        else:
            yield f"It is the {among}."
    flattered = v.recommended.optimism
    if flattered is not None and flattered.low > 0:
        screened = v.recommended.screened
        assert screened is not None
        fresh = screened + flattered.mean if v.minimize else screened - flattered.mean
        yield f"The search had seen {v.objective} {number(screened)}, fresh seeds {number(fresh)}: part of it was luck."


def _epochs(v: Verdict) -> Iterator[str]:
    """How long the trainings were with early stopping, and whether the number of epochs was wrong."""
    used, rival = v.recommended.epochs, v.rival.epochs if v.rival else None
    if used is not None:
        said = f"It trained {used.spread} epochs and kept the weights of epoch {used.best_epoch:g}"
        yield said + (f"; {_named(v.rival)} trained {rival.spread}." if v.rival and rival else ".")
    if v.misjudged:
        yield v.misjudged


def _learning_rate(v: Verdict) -> Iterator[str]:
    if v.edges:
        yield f"Its best trial has {v.edges[0]}: a wider range may hold a better one."
    if v.basin is None:
        return
    if math.isinf(v.basin.off_by_3):
        yield "With a learning rate three times off, training breaks down."
    elif not math.isnan(v.basin.off_by_3):
        yield f"With a learning rate three times off, {v.objective} worsens by {number(v.basin.off_by_3)}."
    if 1 <= v.basin.largest_stable < 3:
        yield "It has no room above: three times the rate breaks down."


def _lost(v: Verdict) -> Iterator[str]:
    """Of the others those with something to be said that can be acted on."""
    told = {loss.arm: [r for r in loss.reasons if any(word in r for word in _TO_ACT_ON)] for loss in v.lost}
    told = {arm: reasons for arm, reasons in told.items() if reasons}
    for arm in list(told)[:_ARMS]:
        yield f"{arm}: {'; '.join(told[arm])}."
    if len(told) > _ARMS:
        yield f"Of {len(told) - _ARMS} more the table tells."


def _count(v: Verdict) -> Iterator[str]:
    more = [f"{v.runs[stage]} {words}" for stage, words in _STAGES.items() if v.runs.get(stage)]
    every = sum(v.runs.values())
    yield (
        f"{v.runs.get('search', 0)} trials" + (f", then {', '.join(more)}" if more else "")
        + f": {every} trainings, {seconds(v.seconds)}."
    )  # fmt: skip


def _check(v: Verdict) -> Iterator[str]:
    if error := v.failures.get("check"):
        yield f"The recommended configuration could not be trained with plain `model.fit`: {error.rstrip('.')}."
    if error := v.failures.get("refit"):
        yield f"No model was saved, since its training failed: {error.rstrip('.')}."
    if not math.isnan(v.check):
        name = v.headline.replace("_", " ")
        yield f"Trained once more with plain `model.fit`: {name} {number(v.check)}."
    if v.refit:
        long = f", for {v.refit_epochs} epochs, the median that fresh seeds kept" if v.refit_epochs else ""
        yield f"The saved model was trained on the validation rows too{long}."


def _amount(v: Verdict, value: float) -> str:
    if not v.share:
        return number(value)
    shown = f"{100 * value:.2g}"
    return f"{shown} point{'' if shown == '1' else 's'}"


def _named(standing: Standing) -> str:
    return "Keras's default Adam" if standing.is_default else standing.label


def _of_seeds(standing: Standing) -> str:
    return f"{standing.broken} of {standing.objective.seeds} fresh seeds"


def _count_word(count: int) -> str:
    return {2: "two", 3: "three"}.get(count, str(count))
