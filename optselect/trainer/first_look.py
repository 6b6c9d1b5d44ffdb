"""What is found out about a task before its first trial: whether the program is right, and what is trivial to reach."""

from __future__ import annotations

import dataclasses
import sys
import traceback

from optselect.task.agreement import Agreement
from optselect.task.baselines import baselines
from optselect.task.description import TaskDescription
from optselect.task.prepared import Task
from optselect.task.suspects import suspects
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.comparison import Reference
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.messages import Plan
from optselect.trainer.program import Kept
from optselect.trainer.trial import Trainer

__all__ = ["FirstLook"]


class FirstLook:
    """A look at a task by one process for all; the others follow, and have nothing to tell.

    Make it before the program is traced, and then have the trainer `checked`. before: what stays of an earlier
    task: if it serves, and was compared then, it need not be compared again. notes: what a user should know.
    """

    def __init__(self, task: Task, seed: int, plan: Plan, before: Kept | None) -> None:
        self.task, self.notes = task, list[str]()
        self._seed, self._asked = seed, plan.compare
        known = before is not None and before.traced.agreement is not None and task.spec.model is None
        self._reference = Reference(task, seed) if plan.compare and not known else None
        self._agreement: Agreement | None = None

    def checked(self, trainer: Trainer, note: str) -> tuple[Trainer, str]:
        """The trainer and what is said of it; `model.fit` where the compiled program does not do the same."""
        if not self._asked or not isinstance(trainer, CompiledTrainer):
            return trainer, note
        if trainer.program.traced.agreement is None:
            reference = self._reference or Reference(self.task, self._seed)
            trainer.program.traced.agreement = reference.agreement(trainer.program)
        self._agreement = trainer.program.traced.agreement
        self.notes += self._agreement.notes(silent=bool(note))
        if self._agreement.equal:
            return trainer, note
        return (
            FitTrainer(self.task),
            f"Trials use `model.fit`, since {self._agreement.reason()}: correct, but slower by far.",
        )

    def described(self) -> TaskDescription:
        """The task with the comparison, baselines and suspects; without them where another process looks."""
        about = self.task.describe()
        if not self._asked:
            return about
        about = dataclasses.replace(about, comparison=self._agreement)
        model = self._reference.model if self._reference else None
        try:
            # What a model's own test_step returns is no loss that another answer could be scored by.
            scored = None if self.task.tests_itself else baselines(self.task)
            return dataclasses.replace(about, baselines=scored, suspects=tuple(suspects(self.task, model)))
        except Exception:  # a loss or a metric of the user's may refuse what no model answers; the study stands
            traceback.print_exc(file=sys.stderr)
        return about
