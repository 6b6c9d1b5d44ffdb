"""Elimination: an arm that could not become the best any more gives its trials to the others.

The bound of an arm is optimistic: its best value, less what it may still gain with all the trials that it could get,
less the noise. With each further doubling of its trials it is granted twice what the last doubling has gained, in the
mean over all orders of its trials. Of values that were drawn alike gains shrink with every doubling, so once would do;
but a sampler learns (`python -m benchmarks.halting` counts how many bounds real studies pass).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from optselect.model.objective import Objective
from optselect.record.entries import TrialRecord
from optselect.record.notes import Eliminated
from optselect.study.curve import expected_best

__all__ = ["OPTIMISM", "eliminated", "noise", "optimistic_bound"]

_FEWEST = 4  # trials with a value; fewer say too little about what an arm may gain
OPTIMISM = 2.0  # times the last doubling's gain
_LEFT = 2  # arms that stay, so that a verdict has something to compare


def optimistic_bound(
    values: Sequence[float], *, trials: int, further: int, noise: float, optimism: float = OPTIMISM
) -> float:
    """The lowest value that an arm could still reach; -inf if its trials say too little.

    values: of its trials that gave one, smaller is better. trials: that it had, further: that it could get. noise:
    of a value, one standard deviation. optimism: how often the last doubling's gain is granted with each doubling.

    >>> optimistic_bound([0.5, 0.4, 0.45, 0.42], trials=4, further=4, noise=0.0) < 0.4
    True
    """
    if len(values) < _FEWEST:
        return -math.inf
    half = expected_best(values, len(values) // 2)
    gain = optimism * max(0.0, half - min(values))  # rounding may make it negative
    return min(values) - gain * math.log2((trials + further) / trials) - 2 * noise


def eliminated(
    values: Mapping[str, Sequence[float]],
    *,
    checkpoint: int,
    further: int,
    noise: float,
    sign: float,
    optimism: float = OPTIMISM,
) -> list[Eliminated]:
    """The arms whose optimistic bound does not reach the best value of another, the worst half at most.

    values: by arm that is left, of its first `checkpoint` trials, smaller is better. further: trials that an arm
    could get if others went. sign: 1.0, or -1.0 where the objective is maximised and `values` are its negative.
    """
    best = {arm: min(found) for arm, found in values.items() if found}
    if not best:
        return []
    leader = min(best, key=lambda arm: best[arm])
    bounds = {
        arm: optimistic_bound(found, trials=checkpoint, further=further, noise=noise, optimism=optimism)
        for arm, found in values.items()
    }
    hopeless = sorted((arm for arm in best if bounds[arm] > best[leader]), key=lambda arm: -bounds[arm])
    most = min(len(values) // 2, len(values) - _LEFT)
    return [
        Eliminated(
            arm=arm,
            checkpoint=checkpoint,
            best=sign * best[arm],
            bound=sign * bounds[arm],
            needed=sign * best[leader],
            leader=leader,
        )
        for arm in hopeless[: max(0, most)]
    ]


def noise(records: Sequence[TrialRecord], objective: Objective) -> float:
    """How much a value owes to chance: the median over trials of its change in the last epoch, each beyond that.

    A stand-in: the search trains one seed each, so the spread over seeds is not known yet. Of the better half of the
    trials, as bad ones still move.
    """
    moves = sorted(
        (objective.sign * record.value, abs(curve[-1] - curve[-2]))
        for record in records
        if record.value is not None and len(curve := record.curves.get(objective.name, [])) > 1
    )
    return statistics.median(move for _, move in moves[: max(1, len(moves) // 2)]) if moves else 0.0
