"""Which way of running the steps is the fastest on this model: measured, where a study is long enough to gain by it."""

from __future__ import annotations

import time

import tensorflow as tf

from optselect.configuration import BASELINE
from optselect.trainer.jobs import Plan
from optselect.trainer.program import Program

__all__ = ["SLOW_IN_XLA", "choose"]

_WORTH_TRYING = 60.0  # seconds of steps in one process; compiling takes 2 to 40
SLOW_IN_XLA = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")  # on the CPU, many times slower than the graph's


def choose(program: Program, plan: Plan, seed: int) -> str:
    """Set `program.way` to the fastest for the plan; what was found, in words, or "" where there was nothing to weigh.

    The answer depends on the clock, and the last bits of every result depend on the answer: a study decides once.
    """
    if plan.way:
        program.way = plan.way
        return ""
    graph = _step_seconds(program, seed)
    expected = min(plan.steps * graph, plan.seconds)
    if expected < _WORTH_TRYING:
        return ""
    if found := program.operations() & set(SLOW_IN_XLA):
        return (
            f"Steps run in TensorFlow's graph ({1e3 * graph:.2f} ms each): XLA is slow at {', '.join(sorted(found))}."
        )
    program.way = "xla"
    began = time.perf_counter()
    try:
        _step_seconds(program, seed, repeats=0)
    except tf.errors.OpError:  # an operation without an XLA form, such as a Python function, or no memory for both
        program.way = "graph"
        return f"Steps run in TensorFlow's graph ({1e3 * graph:.2f} ms each): XLA cannot compile this model."
    compiling = time.perf_counter() - began
    xla = _step_seconds(program, seed)
    gain = expected * (1 - xla / graph)
    if gain < compiling * plan.sizes:
        program.way = "graph"
    rest = f"graph {1e3 * graph:.2f} ms, XLA {1e3 * xla:.2f} ms, {compiling:.0f} s to compile a batch size"
    return f"Steps run {'by XLA' if program.way == 'xla' else 'in the graph'}, the faster for this study ({rest})."


def _step_seconds(program: Program, seed: int, repeats: int = 2) -> float:
    """Seconds of a step, the best of some epochs after a first one that is not counted."""
    state = program.start(BASELINE, seed)
    taken = [program.train(state, BASELINE, seed=seed, epochs=1, total_epochs=1)[2] for _ in range(1 + repeats)]
    return min(taken[1:], default=taken[0])
