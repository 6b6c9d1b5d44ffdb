"""The range tests of a study: every arm's learning rates are tried a little before its first trial."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from optselect.optim.configuration import Configuration
from optselect.spaces import Space
from optselect.spaces.coupling import factor
from optselect.study import range_test
from optselect.study.notes import Notes
from optselect.trainer.messages import Probe, ProbeRun
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


def missing(wanted: Mapping[str, Probe], notes: Notes) -> dict[str, Probe]:
    """Those that the ledger does not have."""
    done = {entry["arm"] for entry in notes.of("probe")}
    return {arm: probe for arm, probe in wanted.items() if arm not in done}


def sound(
    wanted: Mapping[str, Probe], notes: Notes, executor: Executor, *, whole: int, tell: Callable[[str], None]
) -> None:
    """Run the range tests that the ledger does not have; nothing else may be under way.

    A test that sees nothing but divergence goes on at lower rates. whole: steps of a trial. tell: told a line each.
    """
    arms = dict(enumerate(missing(wanted, notes)))
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
            about = {"arm": arm, "steps": wanted[arm].steps, "whole": whole}
            notes.write("probe", {**about, "run": dataclasses.asdict(run)})
            tell(f"Range test of {arm}: {range_test.read(run).note}.")


def readings(notes: Notes) -> dict[str, range_test.RangeReading]:
    """What the range tests of the ledger say, by arm."""
    return {entry["arm"]: range_test.read(_run(entry["run"])) for entry in notes.of("probe")}


def told(notes: Notes) -> dict[str, dict[str, Any]]:
    """What the range tests of the ledger measured and say, by arm, JSON types; None for a loss that is not finite."""
    said = readings(notes)
    return {
        entry["arm"]: {
            name: _plain(value) for name, value in (entry["run"] | dataclasses.asdict(said[entry["arm"]])).items()
        }
        for entry in notes.of("probe")
    }


def seconds(notes: Notes) -> float:
    """What the range tests of the ledger took, all workers together."""
    return sum((float(entry["run"]["seconds"]) for entry in notes.of("probe")), 0.0)


def narrowed(space: Space, notes: Notes) -> Space:
    """The space where every arm whose test found a rate that learns looks around there only.

    Upwards to where it diverges. Downwards beyond what the reading says, by the root of how many times a trial is
    longer than the test: with so many more steps lower rates learn too, and on small data they are often the best.
    Where all of an arm's range diverged and the test went on below it, the range is widened downwards.
    """
    found = readings(notes)
    for entry in notes.of("probe"):
        reading = found[entry["arm"]]
        arm, run = entry["arm"], _run(entry["run"])
        if arm not in space.optimizers:
            continue
        low, high = reading.narrowed
        diverges = range_test.diverges_from(run)
        if reading.suggested:
            low /= math.sqrt(entry["whole"] / entry["steps"])
            space = space.narrowed(arm, low, high, floor=min(run.rates))
        elif min(run.rates) < diverges < math.inf:  # nothing learns yet, but where not to search is known
            space = space.narrowed(arm, min(run.rates), diverges, floor=min(run.rates))
    return space


def diverging(notes: Notes) -> dict[str, float]:
    """From which learning rate on the range tests of the ledger diverged, by arm; infinite where none did."""
    return {entry["arm"]: range_test.diverges_from(_run(entry["run"])) for entry in notes.of("probe")}


def _run(entry: Mapping[str, Any]) -> ProbeRun:
    return ProbeRun(**{**entry, "rates": tuple(entry["rates"])})


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
