"""The range tests of a study: every arm's learning rates are tried a little before its first trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from optselect.optim.configuration import Configuration
from optselect.record import StudyLog
from optselect.record.notes import RangeTestRecord
from optselect.spaces import Space
from optselect.spaces.coupling import factor
from optselect.study import range_test
from optselect.trainer.messages import Probe, ProbeRun
from optselect.util.json_types import plain
from optselect.workers.executor import Executor

__all__ = [
    "WORTHWHILE",
    "diverging",
    "missing",
    "narrowed",
    "probes",
    "readings",
    "seconds",
    "sound",
    "told",
]

WORTHWHILE = 4  # trials an arm, from which the news of a test is worth its price
_LOWEST = 1e-15  # rates below which no range test goes: a float32 weight would not move
_SHARE = 0.05  # of a training: the steps at each rate
_FEWEST, _MOST = 10, 100  # steps at each rate


def probes(space: Space, *, seed: int, batch_size: int, whole: int) -> dict[str, Probe]:
    """The range test of every arm whose learning rate is searched over a range: its rule at the space's defaults.

    seed: that of the search's trials. whole: steps of a trial.
    """
    steps = min(whole, max(_FEWEST, min(_MOST, round(_SHARE * whole))))
    found = {}
    for arm in space.optimizers:
        rule = space.defaults(arm)
        search = space.optimizers[arm].get(rule.rate_name)
        if search is not None and search.scale == "log":
            by = factor(search.per, rule.named_numbers())
            found[arm] = Probe(
                configuration=Configuration(rule=rule, batch_size=batch_size),
                seed=seed,
                rates=range_test.rates(search.low * by, search.high * by),
                steps=steps,
            )
    return found


def missing(wanted: Mapping[str, Probe], log: StudyLog) -> dict[str, Probe]:
    """Those that the ledger does not have."""
    done = {test.arm for test in log.range_tests}
    return {arm: probe for arm, probe in wanted.items() if arm not in done}


def sound(
    wanted: Mapping[str, Probe], log: StudyLog, executor: Executor, *, whole: int, tell: Callable[[str], None]
) -> None:
    """Run the range tests that the ledger does not have; nothing else may be under way.

    A test that sees nothing but divergence goes on at lower rates. whole: steps of a trial. tell: told a line each.
    """
    arms = dict(enumerate(missing(wanted, log)))
    upper: dict[str, ProbeRun] = {}
    for ticket, arm in arms.items():
        executor.submit(ticket, wanted[arm])
    while arms:
        for ticket, found in executor.results(timeout=1.0):
            arm = arms.pop(ticket)
            run = range_test.joined(found, upper[arm]) if arm in upper else found
            lower = range_test.rates_below(run)
            if lower and lower[0] >= _LOWEST and not found.error:
                upper[arm], again = run, 1 + max([ticket, *arms])
                arms[again] = arm
                executor.submit(again, dataclasses.replace(wanted[arm], rates=lower))
                continue
            log.append(RangeTestRecord(arm=arm, steps=wanted[arm].steps, whole=whole, run=run))
            tell(f"Range test of {arm}: {range_test.read(run).note}.")


def readings(log: StudyLog) -> dict[str, range_test.RangeReading]:
    """What the range tests of the ledger say, by arm."""
    return {test.arm: range_test.read(test.run) for test in log.range_tests}


def told(log: StudyLog) -> dict[str, dict[str, Any]]:
    """What the range tests of the ledger measured and say, by arm, JSON types; None for a loss that is not finite."""
    said = readings(log)
    return {test.arm: {**plain(test.run), **plain(said[test.arm])} for test in log.range_tests}


def seconds(log: StudyLog) -> float:
    """What the range tests of the ledger took, all workers together."""
    return sum((test.run.seconds for test in log.range_tests), 0.0)


def narrowed(space: Space, log: StudyLog) -> Space:
    """The space where every arm whose test found a rate that learns looks around there only.

    Upwards to where it diverges. Downwards beyond what the reading says, by the root of how many times a trial is
    longer than the test: with so many more steps lower rates learn too, and on small data they are often the best.
    Where all of an arm's range diverged and the test went on below it, the range is widened downwards.
    """
    found = readings(log)
    for test in log.range_tests:
        arm, run, reading = test.arm, test.run, found[test.arm]
        if arm not in space.optimizers:
            continue
        low, high = reading.narrowed
        diverges = range_test.diverges_from(run)
        if reading.suggested:
            low /= math.sqrt(test.whole / test.steps)
            space = space.narrowed(arm, low, high, floor=min(run.rates))
        elif min(run.rates) < diverges < math.inf:  # nothing learns yet, but where not to search is known
            space = space.narrowed(arm, min(run.rates), diverges, floor=min(run.rates))
    return space


def diverging(log: StudyLog) -> dict[str, float]:
    """From which learning rate on the range tests of the ledger diverged, by arm; infinite where none did."""
    return {test.arm: range_test.diverges_from(test.run) for test in log.range_tests}
