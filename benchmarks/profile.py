"""Where a trial's time goes: products of matrices, the rest of a step, evaluation, and what is outside the program.

    uv run python -m benchmarks.profile
    uv run python -m benchmarks.profile --only mlp,lstm --epochs 20

Every line is the difference of two loops, the second of which does one thing more. All are seconds of CPU of one
thread, the best of several runs, so other work on the machine counts little, though it still slows memory. Data are
sklearn's digits. Products: of dense layers as numpy does products of just these shapes, of other models the counted
operations at the speed of a large product.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import arithmetic
from benchmarks.kinds import KINDS, spec
from benchmarks.rooms import fresh_process

__all__ = ["ladder", "main"]

_RUNS = 25
PARTS = (
    "products of matrices alone",
    "the rest of forward and backward",
    "clipping, chosen by data",
    "update rule, chosen by data; norm",
    "gathering rows, the loop, the last batch",
    "evaluation",
    "outside the program",
)


def ladder(name: str, way: str, optimizer: str, epochs: int) -> list[float]:
    """Seconds of a trial's `PARTS`, and after them those until the way was ready."""
    import tensorflow as tf

    from optselect.optim.configuration import Configuration
    from optselect.optim.rules import RULES
    from optselect.task.prepared import Task
    from optselect.trainer.program import Program

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rules = [rule() for rule in RULES.values() if rule.common or rule.name == optimizer]
    program = Program.of(Task.from_spec(spec(name, epochs)), rules, [1])
    program.way = way  # type: ignore[assignment]
    configuration = Configuration(rule=RULES[optimizer](), batch_size=KINDS[name].batch_size)

    def trial(count: int) -> Any:
        state = program.start(configuration, 1)
        return program.train(state, configuration, seed=1, epochs=count, total_epochs=count)

    began = time.process_time()
    trial(1)
    ready = time.process_time() - began
    given = _given(program, configuration)
    taken = _best(
        [
            *(_in_a_loop(rung, way, given, epochs) for rung in _rungs(program)),
            _loop(program, given, way, epochs),
            _one_call(program, configuration, way, epochs),
            lambda: trial(epochs),
        ]
    )
    batches = program.steps(configuration) / given["whole"]  # as if the last were a whole one
    levels = [_products(name, epochs), *(batches * seconds for seconds in taken[:3]), *taken[3:]]
    return [levels[0], *(after - before for before, after in itertools.pairwise(levels)), ready]


def _given(program: Any, configuration: Any) -> dict[str, Any]:
    """An epoch's whole batches, stacked, and all that a step takes."""
    import tensorflow as tf

    data, size = next(program.feed.chunks("train")), configuration.batch_size
    whole = program.feed.rows // size
    return {
        "whole": whole,
        "batches": tf.nest.map_structure(lambda a: tf.reshape(a[: whole * size], (whole, size, *a.shape[1:])), data),
        "rates": tf.convert_to_tensor(program.rates(configuration, 1)),
        "selection": program.traced.step.selection(configuration),
        "carried": program.start(configuration, 1).carried,
        "size": size,
    }


def _rungs(program: Any) -> list[Callable[..., Any]]:
    """A step up to its gradient, up to clipping, and whole: each gives what is carried and a vector to keep."""
    import tensorflow as tf

    step = program.traced.step

    def gradient(carried: Any, batch: Any, rate: Any, selection: Any, size: int) -> Any:
        loss, grad, (_, others) = step.gradient(carried.parameters, carried.others, batch, carried.scale)
        return carried._replace(others=tuple(others)), grad, loss

    def clipped(carried: Any, batch: Any, rate: Any, selection: Any, size: int) -> Any:
        carried, grad, loss = gradient(carried, batch, rate, selection, size)
        return carried, step.clip(grad, selection)[0], loss

    def whole(carried: Any, batch: Any, rate: Any, selection: Any, size: int) -> Any:
        carried, figures, _ = step(carried, batch, tf.constant(size), rate, selection)
        return carried, carried.parameters, figures[0]

    return [gradient, clipped, whole]


def _in_a_loop(rung: Callable[..., Any], way: str, given: dict[str, Any], epochs: int) -> Callable[[], Any]:
    """All epochs, but of whole batches alone, always in the same order."""
    import tensorflow as tf

    whole = given["whole"]

    def run(carried: Any, batches: Any, rates: Any, selection: Any) -> Any:
        def body(i: Any, total: Any, vector: Any, carried: Any) -> Any:
            batch = tf.nest.map_structure(lambda a: a[i % whole], batches)
            carried, vector, loss = rung(carried, batch, tf.gather(rates, i % whole), selection, given["size"])
            return i + 1, total + tf.cast(loss, tf.float32), vector, carried

        start = (tf.constant(0), tf.constant(0.0), tf.zeros_like(carried.parameters), carried)
        return tf.while_loop(lambda i, *_: i < epochs * whole, body, start)[1:]

    function = tf.function(run, autograph=False, jit_compile=way == "xla")
    arguments = (given["carried"], given["batches"], given["rates"], given["selection"])
    return lambda: function(*arguments)[0].numpy()


def _loop(program: Any, given: dict[str, Any], way: str, epochs: int) -> Callable[[], Any]:
    """All epochs' steps as the program takes them, without evaluation."""
    import tensorflow as tf

    data, rows, size = next(program.feed.chunks("train")), program.feed.rows, given["size"]
    order = tf.random.shuffle(tf.range(rows), seed=1)

    def run(carried: Any, data: Any, order: Any, rates: Any, selection: Any) -> Any:
        def body(epoch: Any, carried: Any) -> Any:
            now = carried._replace(updates=given["carried"].updates)  # rates are those of one epoch
            if way == "xla":
                return epoch + 1, program.traced.loops.xla(now, data, order, size, rows, rates, selection)[0]
            return epoch + 1, program.traced.loops.graph(now, data, order, tf.constant(size), rates, selection)[0]

        return tf.while_loop(lambda epoch, _: epoch < epochs, body, (tf.constant(0), carried))[1].updates

    function = tf.function(run, autograph=False)
    return lambda: function(given["carried"], data, order, given["rates"], given["selection"]).numpy()


def _one_call(program: Any, configuration: Any, way: str, epochs: int) -> Callable[[], Any]:
    """A training's one call of the traced function, its arguments at hand."""
    import numpy as np
    import tensorflow as tf

    from optselect.trainer.feeding import row_order

    rows, size = program.feed.rows, configuration.batch_size
    function = program.traced.functions[(size, rows) if way == "xla" else None]
    arguments = (
        program.start(configuration, 1).carried,
        next(program.feed.chunks("train")),
        tf.convert_to_tensor(np.stack([row_order(1, epoch, rows) for epoch in range(epochs)])),
        tf.constant(size),
        tf.convert_to_tensor(program.rates(configuration, epochs)),
        program.traced.step.selection(configuration),
        next(program.feed.chunks("validation")),
    )
    return lambda: function(*arguments)[1].numpy()


def _products(name: str, epochs: int) -> float:
    """Of the training part; those of the validation part belong to the evaluation."""
    work = {**arithmetic.flops([name])[name], "validation": 0}
    if work["dense"]:
        return arithmetic.seconds_of_matmuls({**work, "validation": 1}, KINDS[name].batch_size, epochs)
    return arithmetic.operations(work, epochs) / arithmetic.matmul_rate()


def _best(functions: list[Callable[[], Any]]) -> list[float]:
    """Seconds of CPU of each, in turns, so that what else goes on meets all alike."""
    taken: list[list[float]] = [[] for _ in functions]
    for _ in range(_RUNS):
        for function, seconds in zip(functions, taken, strict=True):
            began = time.process_time()
            function()
            seconds.append(time.process_time() - began)
    return [min(seconds) for seconds in taken]


@click.command()
@click.option("--only", default="mlp,text", show_default=True, help="Kinds of model, separated by commas.")
@click.option("--ways", default="graph,xla", show_default=True, help="Ways of running the steps.")
@click.option("--optimizer", default="adam", show_default=True, help="The rule that is trained with.")
@click.option("--epochs", default=10, show_default=True, help="Of a trial.")
@click.option("--out", type=click.Path(path_type=Path), help="A file for what is printed.")
def main(only: str, ways: str, optimizer: str, epochs: int, out: Path | None) -> None:
    """Tell where the time of a trial goes."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # processes that are started from here heed them
        os.environ[variable] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    lines: list[str] = []
    for name in only.split(","):
        found = {}
        for way in ways.split(","):
            with fresh_process() as bench:
                found[way] = bench.submit(ladder, name, way, optimizer, epochs).result()
        for line in _table(name, optimizer, epochs, found):
            print(line, flush=True)
            lines.append(line)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(lines) + "\n")


def _table(name: str, optimizer: str, epochs: int, found: dict[str, list[float]]) -> list[str]:
    lines = [f"{KINDS[name].title}, {optimizer}, {epochs} epochs of batches of {KINDS[name].batch_size}"]
    lines.append(f"{'ms of CPU':<44}" + "".join(f"{way:>10}{'':>7}" for way in found))
    sums = {way: sum(parts[:-1]) for way, parts in found.items()}
    for i, part in enumerate(PARTS):
        shares = "".join(f"{1e3 * parts[i]:>10.1f}{parts[i] / sums[way]:>7.0%}" for way, parts in found.items())
        lines.append(f"{part:<44}{shares}")
    lines.append(f"{'a trial':<44}" + "".join(f"{1e3 * total:>10.1f}{'':>7}" for total in sums.values()))
    against = "".join(f"{total / found[way][0]:>10.1f}{'':>7}" for way, total in sums.items())
    lines.append(f"{'times its products of matrices':<44}{against}")
    lines.append(f"{'until the way was ready':<44}" + "".join(f"{1e3 * p[-1]:>10.0f}{'':>7}" for p in found.values()))
    return [*lines, ""]


if __name__ == "__main__":
    main()
