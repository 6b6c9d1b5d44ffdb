"""CPU milliseconds a member and step of populations beside single trainings, and of range tests either way.

    uv run python -m benchmarks.population
    uv run python -m benchmarks.population --only mlp --sizes 1,8

Every side trains the same configurations (Adam, learning rates from 1e-4 to 1e-1) on sklearn's digits in one process
of one thread, so that CPU time is the time that a core of its own would take, whatever else runs; the best of three
after a first one that traces. A population of one is trained as a single training. "probe": a learning-rate range
test of 13 rates, each by itself and all as one population.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_RATES, _STEPS = 13, 30


@click.command()
@click.option("--only", default="mlp,mlp_norm_dropout,lstm,cnn", show_default=True, help="Kinds of model, with commas.")
@click.option("--sizes", default="1,4,16,64", show_default=True, help="Members of the populations.")
@click.option("--epochs", default=2, show_default=True)
def main(only: str, sizes: str, epochs: int) -> None:
    """Compare populations with single trainings."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"CPU ms a member and step: a single training, then populations of {sizes}")
    for name in only.split(","):
        _compare(name, [int(size) for size in sizes.split(",")], epochs)


def _compare(name: str, sizes: list[int], epochs: int) -> None:
    from sklearn.datasets import load_digits

    from benchmarks.kinds import KINDS
    from optselect.data import read
    from optselect.optim.configuration import Configuration
    from optselect.optim.rules import RULES
    from optselect.task import make_spec
    from optselect.task.prepared import Task
    from optselect.trainer.population import Populations
    from optselect.trainer.program import Program

    kind, digits = KINDS[name], load_digits()
    spec = make_spec(read((kind.see(digits.data), digits.target)), model=kind.build, epochs=epochs, seed=0)
    rule = RULES["adam"]
    program = Program.of(Task.from_spec(spec), [rule()], [1])
    populations = Populations(program)
    rates = np.geomspace(1e-4, 1e-1, max(*sizes, _RATES))
    members = [Configuration(rule=rule(learning_rate=float(rate)), batch_size=kind.batch_size) for rate in rates]
    steps = epochs * program.steps(members[0])

    def single() -> None:
        program.train(program.start(members[0], 1), members[0], seed=1, epochs=epochs, total_epochs=epochs)

    found = [1e3 * _best(single) / steps]
    for size in sizes:
        crew = populations.start(members[:size], [1] * size)
        taken = _best(lambda crew=crew: populations.train(crew, epochs=epochs, total_epochs=epochs))  # type: ignore[misc]
        found.append(1e3 * taken / steps / size)
    print(f"{name:<17} " + "  ".join(f"{ms:.3f}" for ms in found), flush=True)
    state = program.start(members[0], 1)
    tried = rates[:: len(rates) // _RATES][:_RATES].tolist()

    def apart() -> Any:
        return [program.try_rate(state, members[0], seed=1, rate=rate, steps=_STEPS) for rate in tried]

    def together() -> Any:
        return populations.try_rates(state, members[0], seed=1, rates=tried, steps=_STEPS)

    best = [_best(apart), _best(together)]
    print(
        f"{'':<17} probe of {_RATES} rates x {_STEPS} steps: "
        f"one by one {best[0]:.3f} s, as a population {best[1]:.3f} s",
        flush=True,
    )


def _seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _best(run: Callable[[], object], repeats: int = 3) -> float:
    """CPU seconds, the best of some after a first one that traces."""
    run()
    return min(_seconds(run) for _ in range(repeats))


if __name__ == "__main__":
    main()
