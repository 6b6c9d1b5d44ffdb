"""Which way of running the steps is the fastest on this model: measured, where a study is long enough to gain by it."""

from __future__ import annotations

from optselect.optim.configuration import BASELINE
from optselect.trainer.messages import Plan
from optselect.trainer.program import Program

__all__ = ["SLOW_IN_XLA", "choose"]

_COMPILING = (
    4e-3  # by XLA, over tracing for the graph, an operation of the graph: between 2.5e-3 and 6e-3 on six models
)
_HOPE = 0.5  # of the time of the steps, that XLA may save
SLOW_IN_XLA = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")  # on the CPU, many times slower than the graph's


def choose(program: Program, plan: Plan, seed: int) -> str:
    """Set `program.way` to the fastest for the plan; what was found, in words, or "" where there was nothing to weigh.

    To try XLA costs its compilation, so it is tried where it could pay for compiling every batch size. The answer
    depends on the clock, and the last bits of every result depend on the answer: a study decides once. The program
    must have been traced.
    """
    if plan.way:
        program.way = plan.way
        return ""
    first = program.traced.first_seconds
    graph, epoch = _step_seconds(program, seed), program.steps(BASELINE)
    expected = min(plan.steps * graph, plan.seconds)
    operations = program.traced.operations()
    if _HOPE * expected < (first - epoch * graph) * _COMPILING * operations.total() * plan.sizes:
        return ""
    if found := operations.keys() & set(SLOW_IN_XLA):
        return (
            f"Steps run in TensorFlow's graph ({1e3 * graph:.2f} ms each): XLA is slow at {', '.join(sorted(found))}."
        )
    program.way = "xla"
    xla = _step_seconds(program, seed)
    compiling = program.traced.first_seconds - epoch * xla
    if expected * (1 - xla / graph) < compiling * plan.sizes:
        program.way = "graph"
    rest = f"graph {1e3 * graph:.2f} ms, XLA {1e3 * xla:.2f} ms, {compiling:.0f} s to compile a batch size"
    return f"Steps run {'by XLA' if program.way == 'xla' else 'in the graph'}, the faster for this study ({rest})."


def _step_seconds(program: Program, seed: int, repeats: int = 2) -> float:
    """Seconds of a step, the best of some epochs after a first one that is not counted."""
    state = program.start(BASELINE, seed)
    taken = [program.train(state, BASELINE, seed=seed, epochs=1, total_epochs=1)[2] for _ in range(1 + repeats)]
    return min(taken[1:])
