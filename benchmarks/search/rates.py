"""What a learning-rate range test foretells of whole trainings, over the table.

    uv run --extra bench python -m benchmarks.search.rates

For every task, rule and seed of the table: the validation loss at the end of whole trainings at the rates that a test
could suggest (the rest at the rule's defaults), and the best one within ranges that it could leave. 0 is the rule's
best configuration of the table, 1 the median configuration of all, 2 the most that is counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.search import grid
from benchmarks.search.table import Results, load
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.study import range_test

__all__ = ["main"]


def _losses(results: Results) -> dict[grid.Key, float]:
    """The mean validation loss over seeds at the end of whole trainings, infinite where one broke down."""
    epochs = results.task.epochs

    def last(key: grid.Key, seed: int) -> float:
        curve = results.curve(key, seed, epochs)
        return float(curve[-1]) if len(curve) == epochs and math.isfinite(curve[-1]) else math.inf

    return {key: float(np.mean([last(key, seed) for seed in grid.SEEDS])) for key in results.tests}


def _candidates(rule: Rule, reading: Any, lowest: float) -> dict[str, float]:
    found = {
        "default": rule.rate,
        "lowest loss": lowest,
        "lowest / 3": lowest / 3,
        "lowest / 10": lowest / 10,
        "learns from": reading.low,
        "the middle": math.sqrt(reading.low * lowest),
    }
    return found | ({"edge / 3": reading.edge / 3} if reading.edge else {})


def _ranges(reading: Any, lowest: float, highest: float) -> dict[str, tuple[float, float]]:
    edge = reading.edge or highest
    return {
        "declared": (0.0, math.inf),
        "learns from / 3 to edge": (reading.low / 3, edge),
        "learns from to 3 x lowest": (reading.low, min(3 * lowest, edge)),
        "lowest / 30 to lowest": (lowest / 30, lowest),
        "as narrowed": reading.narrowed,
    }


def main() -> None:
    """Print what each would have been worth."""
    rates: dict[str, list[float]] = defaultdict(list)
    ranges: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    shifts = []
    for results in load().values():
        losses = _losses(results)
        median = float(np.median(list(losses.values())))
        for rule in (kind() for kind in grid.rules()):
            own = {key: loss for key, loss in losses.items() if key[0] == rule.name}
            best = min(own, key=lambda key: own[key])

            def regret(loss: float, least: float = own[best], median: float = median) -> float:
                return min(2.0, (loss - least) / (median - least))

            for seed in grid.SEEDS:
                run, _ = results.sweeps[rule.name, seed]
                reading = range_test.read(run)
                if reading.low is None:
                    continue
                lowest = reading.lowest
                shifts.append(math.log10(best[1] / lowest))
                for name, rate in _candidates(rule, reading, lowest).items():
                    configuration = Configuration(rule=rule.replaced(learning_rate=rate))
                    rates[name].append(regret(losses[grid.nearest(configuration)]))
                for name, (low, high) in _ranges(reading, lowest, run.rates[-1]).items():
                    within = [own[key] for key in own if low / 1.5 <= key[1] <= high * 1.5]  # half a step of the grid
                    searched = max(low, min(key[1] for key in own)), min(high, max(key[1] for key in own))
                    width = math.log10(searched[1] / searched[0])
                    bad = float(np.mean([loss > median for loss in within])) if within else 1.0
                    ranges[name].append((regret(min(within, default=math.inf)), width, bad))
    low, middle, high = np.quantile(shifts, [0.1, 0.5, 0.9])
    print(f"{len(shifts)} range tests. The best rate of a whole training over that of the lowest loss in the test:")
    print(f"median {10**middle:.2f}, eight in ten from {10**low:.3f} to {10**high:.2f}\n")
    print(f"{'a training at':<28}{'mean':>8}{'median':>8}")
    for name, found in rates.items():
        print(f"{name:<28}{np.mean(found):>8.3f}{np.median(found):>8.3f}")
    print(f"\n{'the best within':<28}{'mean':>8}{'decades':>9}{'worse than median':>19}")
    for name, triples in ranges.items():
        mean, width, bad = np.mean(triples, axis=0)
        print(f"{name:<28}{mean:>8.3f}{width:>9.2f}{bad:>19.2f}")


if __name__ == "__main__":
    main()
