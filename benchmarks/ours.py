"""optselect as the benchmark runs it: the study loop over a given list of trials."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from benchmarks.kinds import KINDS, spec
from benchmarks.rooms import SEED, Block, Setup, Trained

__all__ = ["Clock", "Optselect"]


class Optselect:
    """The study loop with its ledger and its worker processes, without MLflow, over a given list of trials."""

    def __init__(self, setup: Setup) -> None:
        from optselect.record import StudyLog
        from optselect.study.runner import Study
        from optselect.trainer.messages import Plan
        from optselect.workers.local import LocalExecutor

        self._setup, self._folder = setup, tempfile.TemporaryDirectory()
        task, folder = spec(setup.kind, setup.epochs, setup.patience), Path(self._folder.name)
        rules = {c.rule.key: c.rule for c in setup.configurations}
        batches = -(-len(task.split.train) // KINDS[setup.kind].batch_size)
        steps = len(setup.configurations) * setup.epochs * batches
        self._executor = LocalExecutor(
            task,
            list(rules.values()),
            [SEED],
            workers=setup.workers,
            threads=setup.threads,
            log=folder / "worker.log",
            plan=Plan(steps=steps, way=setup.way),
        )
        self._way = self._executor.start().way or "fit"
        self._log = StudyLog.open(folder / "ledger.jsonl")
        self._study = Study(self._log, objective="val_loss")

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """As `Side.block`; the list is never cut short: it is what the others are compared with."""
        from optselect.sinks.mlflow import NullTracker

        clock, alone = Clock(), self._setup.workers == 1
        began = time.perf_counter()
        self._study.drive(_Listed(self._setup, numbers), self._executor, NullTracker(), clock)
        whole = time.perf_counter() - began
        starts = [began, *(moment for moment, _ in clock.trials)]
        trials = [
            Trained(
                number=record.attributes["number"],
                seconds=moment - start if alone else math.nan,
                val_loss=record.metrics.get("val_loss", math.nan),
                step_seconds=record.step_seconds,
            )
            for start, (moment, record) in zip(starts, clock.trials, strict=False)
        ]
        return Block(trials=sorted(trials, key=lambda t: t.number), seconds=whole, way=self._way)

    def close(self) -> None:
        self._executor.close()
        self._log.close()
        self._folder.cleanup()


class Clock:
    """A listener that notes when stages began and trials ended."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.workers = 1
        self.trials: list[tuple[float, Any]] = []

    def say(self, text: str) -> None: ...

    def ready(self, description: Any, outlook: Any) -> None:
        self.workers = int(description.workers)

    def stage(self, name: str, done: int, total: int | None) -> None:
        self.began.setdefault(name, time.perf_counter())

    def restored(self, records: Any) -> None: ...

    def trial(self, record: Any) -> None:
        self.trials.append((time.perf_counter(), record))


class _Listed:
    """A stage of a study that trains given configurations in their order."""

    def __init__(self, setup: Setup, numbers: Sequence[int]) -> None:
        self.name: Any = "search"
        self._setup, self._waiting, self._total, self._done = setup, list(numbers), len(numbers), 0

    def total(self) -> int | None:
        return self._total

    def done(self) -> int:
        return self._done

    def next(self, idle: int, running: Collection[Any]) -> Any:
        from optselect.study.stage import Planned
        from optselect.trainer.messages import Job

        if not self._waiting:
            return None
        number = self._waiting.pop(0)
        configuration = self._setup.configurations[number]
        return Planned(
            stage=self.name,
            arm=configuration.rule.key,
            job=Job(configuration=configuration, seed=SEED, epochs=self._setup.epochs),
            attributes={"number": number},
        )

    def goes_on(self, planned: Any, runs: Sequence[Any]) -> None:
        return None

    def learn(self, record: Any) -> None:
        self._done += 1
