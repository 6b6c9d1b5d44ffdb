"""Trainings outside a study: the same jobs in the same processes, and no record of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from optselect.task import TaskSpec
from optselect.trainer.messages import Job, Plan, Run
from optselect.workers.local import LocalExecutor

__all__ = ["run_all"]


def run_all(
    spec: TaskSpec,
    jobs: Sequence[Job],
    *,
    log: Path,
    workers: int | None = None,
    told: Callable[[int], None] = lambda done: None,
) -> list[Run]:
    """What came of each job, in their order. told: how many are done, after each."""
    rules = {job.configuration.rule.key: job.configuration.rule for job in jobs}
    seeds = list(dict.fromkeys(job.seed for job in jobs))
    sizes = len({job.configuration.batch_size for job in jobs})
    steps = sum(job.epochs * job.configuration.steps_per_epoch(len(spec.split.train)) for job in jobs)
    plan = Plan(steps=steps, sizes=sizes)
    found: dict[int, Run] = {}
    with LocalExecutor(spec, list(rules.values()), seeds, log=log, plan=plan, workers=workers) as executor:
        executor.start()
        for ticket, job in enumerate(jobs):
            executor.submit(ticket, job)
        while len(found) < len(jobs):
            for ticket, run in executor.results(timeout=1.0):
                found[ticket] = run
                told(len(found))
    return [found[ticket] for ticket in range(len(jobs))]
