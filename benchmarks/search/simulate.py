"""Every contender on every task of the table, many times, and how far from the best each ends."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.search import grid
from benchmarks.search.answering import Bought, Shop
from benchmarks.search.contenders import CONTENDERS
from benchmarks.search.table import Results, load

__all__ = ["bootstrap", "recommended", "simulate", "summary"]

_DRAWS = 2000
_SLOW_BUDGET = 32


def recommended(history: Sequence[Bought], epochs: float) -> grid.Key | None:
    """What a contender would recommend when `epochs` are paid: the lowest validation loss among whole trainings,
    among all where none is whole; None where nothing has a loss.
    """
    seen = [one for one in history if one.paid <= epochs + 1e-9 and np.isfinite(one.loss)]
    seen = [one for one in seen if one.whole] or seen
    return min(seen, key=lambda one: one.loss).key if seen else None


def simulate(
    contenders: Sequence[str], tasks: Sequence[str], budgets: Sequence[int], repetitions: int, workers: int
) -> pd.DataFrame:
    """A row for every contender, task, budget and repetition: regret, trainings, how many of them broke down.

    The repetition decides the seed of the table that the search sees, and the seed of the contender; the regret is
    that on the other seeds. A budget is counted in whole trainings, and paid in epochs.
    """
    jobs = [(contender, task, tuple(budgets), repetitions) for contender in contenders for task in tasks]
    rows: list[dict[str, Any]] = []
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        for done in concurrent.futures.as_completed([pool.submit(_contest, *job) for job in jobs]):
            rows += done.result()
            last = rows[-1]
            print(f"  {last['contender']} on {last['task']}: {last['took']:.0f} s", flush=True)
    return pd.DataFrame(rows).sort_values(["contender", "task", "budget", "repetition"], ignore_index=True)


@functools.cache
def _loaded() -> dict[str, Results]:
    return load()


def _contest(name: str, task: str, budgets: tuple[int, ...], repetitions: int) -> list[dict[str, Any]]:
    """All repetitions of one contender on one task."""
    began = time.perf_counter()
    contender, results = CONTENDERS[name], _loaded()[task]
    if contender.slow:
        budgets = tuple(budget for budget in budgets if budget <= _SLOW_BUDGET)
    rows: list[dict[str, Any]] = []
    for repetition in range(repetitions):
        seed = grid.SEEDS[repetition % len(grid.SEEDS)]
        others = [other for other in grid.SEEDS if other != seed]
        shop = Shop(results, seed)
        if contender.anytime:
            contender.search(shop, max(budgets), repetition)
        for budget in budgets:
            if not contender.anytime:
                shop = Shop(results, seed)
                contender.search(shop, budget, repetition)
            epochs = budget * results.task.epochs
            within = [one for one in shop.history if one.paid <= epochs + 1e-9]
            found = recommended(within, epochs)
            rows.append(
                {
                    "contender": name,
                    "task": task,
                    "budget": budget,
                    "repetition": repetition,
                    "regret": results.regret(found, others) if found else 2.0,
                    "rule": found[0] if found else "",
                    "trainings": len(within),
                    "diverged": sum(not np.isfinite(one.loss) for one in within),
                }
            )
    took = time.perf_counter() - began
    return [{**row, "took": took} for row in rows]


def bootstrap(regrets: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean of paired repetitions, which are resampled. regrets: (repetitions,)."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(regrets), (_DRAWS, len(regrets)))
    low, high = np.quantile(regrets[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def summary(found: pd.DataFrame, against: str = "optselect") -> pd.DataFrame:
    """A row for every contender and budget: the mean regret over tasks and repetitions with its interval, and its
    difference from that of `against`, paired by repetition.
    """
    means = found.groupby(["contender", "budget", "repetition"]).regret.mean().unstack("repetition")
    rows = []
    for (contender, budget), regrets in means.iterrows():
        low, high = bootstrap(regrets.to_numpy())
        apart = (regrets - means.loc[against, budget]).to_numpy()
        less, more = bootstrap(apart)
        rows.append(
            {
                "contender": contender,
                "budget": budget,
                "regret": regrets.mean(),
                "low": low,
                "high": high,
                "difference": apart.mean(),
                "difference_low": less,
                "difference_high": more,
            }
        )
    return pd.DataFrame(rows)
