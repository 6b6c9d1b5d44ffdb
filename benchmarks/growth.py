"""Time a trial and memory of the training process over thousands of trials.

uv run python -m benchmarks.growth --trials 5000
"""

from __future__ import annotations

import os
import statistics

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.command()
@click.option("--trials", default=5000, show_default=True)
def main(trials: int) -> None:
    """One process, sklearn's iris, the default model, one epoch a trial, all common rules in turn."""
    import psutil

    from optselect import tasks
    from optselect.configuration import Configuration
    from optselect.rules import RULES
    from optselect.tasks.task import Task
    from optselect.trainer.jobs import Job
    from optselect.trainer.run import CompiledTrainer

    task = Task.from_spec(tasks.make_spec(tasks.read("sklearn:iris"), epochs=1, seed=0))
    rules = [rule for rule in RULES.values() if rule.common]
    trainer = CompiledTrainer(task, [rule() for rule in rules], [1])
    process, seconds = psutil.Process(), []
    shown = {n for n in (10, 100, 1000, trials) if n <= trials}
    print(f"{'trial':>6}{'ms a trial':>12}{'MB':>8}")
    for number in range(1, trials + 1):
        rule = rules[number % len(rules)](learning_rate=10 ** -(1 + number % 4))
        job = Job(configuration=Configuration(rule=rule, batch_size=16 << number % 3), seed=1, epochs=1)
        seconds.append(trainer.run(job).seconds)
        if number in shown:
            recent = statistics.median(seconds[-min(number, 100) :])
            print(f"{number:>6}{1e3 * recent:>12.2f}{process.memory_info().rss / 1e6:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
