"""Two search spaces for one optimizer, compared by random draws: which one holds more good configurations?

    uv run python -m benchmarks.spaces uncoupled.yaml coupled.yaml --arm sgd

From each space the same number of configurations is drawn at random and trained with one seed on every data set. Shown
are the share that broke down, and where the best of 3, 10 and 30 draws lies on average (exact, from the order of all
draws) among the draws of both spaces by validation loss: 5 % is better than all but the best twentieth.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import click
import numpy as np
import optuna
from scipy.stats import rankdata

from optselect.data import read
from optselect.optim.configuration import Configuration
from optselect.optim.rules import parse
from optselect.spaces import Space, load_space
from optselect.task import TaskSpec, make_spec
from optselect.trainer.messages import Job
from optselect.workers.local import LocalExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_BUDGETS = (3, 10, 30)


@click.command()
@click.argument("references", nargs=2)
@click.option("--arm", default="sgd", show_default=True)
@click.option("--only", default="iris,wine,breast_cancer,diabetes,digits", show_default=True, help="Of scikit-learn's.")
@click.option("--draws", default=60, show_default=True)
@click.option("--share", default=9, show_default=True, help="Trials that the arm would have: decides what is searched.")
@click.option("--epochs", default=15, show_default=True)
def main(references: tuple[str, str], arm: str, only: str, draws: int, share: int, epochs: int) -> None:
    """Compare two spaces by random draws."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spaces = [load_space(reference).only([arm]) for reference in references]
    heads = "".join(f"  best of {k:<2}" for k in _BUDGETS)
    print(f"{'data':<14}  {'space':<14}  broke down{heads}", flush=True)
    for name in only.split(","):
        spec = make_spec(read(f"sklearn:{name}"), epochs=epochs, seed=0)
        drawn = [draw(space, arm, draws, share, rows=500) for space in spaces]
        losses = np.array(train(spec, arm, [c for some in drawn for c in some], epochs)).reshape(2, draws)
        places = rankdata(losses, axis=None).reshape(losses.shape) / losses.size
        for space, broke, found in zip(spaces, np.isinf(losses).mean(axis=1), places, strict=True):
            expected = "".join(f"  {expected_best(found, k):>10.1%}" for k in _BUDGETS)
            print(f"{name:<14}  {space.name:<14}  {broke:>10.0%}{expected}", flush=True)


def draw(space: Space, arm: str, count: int, share: int, rows: int) -> list[Configuration]:
    """Configurations at random, the same ones at every call."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.suggest(study.ask(), arm, share=share, rows=rows) for _ in range(count)]


def train(spec: TaskSpec, arm: str, configurations: list[Configuration], epochs: int) -> list[float]:
    """The validation loss of each at the end; infinite if it broke down."""
    found: dict[int, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalExecutor(spec, [parse(arm)], [0], workers=1, threads=1, log=Path(folder) / "log") as executor,
    ):
        executor.start()
        for ticket, configuration in enumerate(configurations):
            executor.submit(ticket, Job(configuration=configuration, seed=0, epochs=epochs))
        while len(found) < len(configurations):
            for ticket, run in executor.results(timeout=5.0):
                value = run.metrics.get("val_loss", math.nan)
                found[ticket] = value if run.finite and math.isfinite(value) else math.inf
    return [found[ticket] for ticket in range(len(configurations))]


def expected_best(places: np.ndarray, count: int) -> float:
    """The mean over all ways to take `count` of the places of the least among them.

    >>> expected_best(np.array([1.0, 2.0, 3.0]), 2)     # {1, 2}, {1, 3}, {2, 3}
    1.3333333333333333
    """
    ordered, n = np.sort(places), len(places)
    ways = [math.comb(n - 1 - i, count - 1) for i in range(n)]  # in which the i-th is the least
    return float(np.dot(ordered, ways) / math.comb(n, count))


if __name__ == "__main__":
    main()
