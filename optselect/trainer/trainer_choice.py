"""Which trainer a task gets: the compiled program where that trains the model as `model.fit` does, else `model.fit`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.errors import InvalidModel, OptselectError
from optselect.optim.rule import Rule
from optselect.task.prepared import Task
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.compilable import (
    CannotCompile,
    NoGradient,
    cannot_compile,
    check_fit,
    hidden_state,
    no_gradient,
    own_hooks,
    without_gradient,
)
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.failure import out_of_memory
from optselect.trainer.feeding import few_rows
from optselect.trainer.messages import Job
from optselect.trainer.program import Kept
from optselect.trainer.trial import Trainer
from optselect.user_code.functions import where_it_failed

__all__ = ["make_trainer"]

_EAGER = " A layer that works on numbers instead of tensors needs a model compiled with `run_eagerly=True`."


def make_trainer(
    task: Task, rules: Sequence[Rule], seeds: Sequence[int], probe: Job, before: Kept | None = None
) -> tuple[Trainer, str]:
    """The fastest trainer that can train this task, and what there is to say of it: where that is `model.fit`, why.

    rules: one of each kind that will be trained. seeds: with which. probe: a short job; it is run once, so that a
    model which does not trace is found here. before: of an earlier task, used again if it serves.
    """
    # In a model of the user's own any code may be: no two traces of it need be alike.
    if before is not None and task.spec.model is None and before.traced.serves(task, rules):
        return CompiledTrainer(task, rules, program=before.over(task, seeds)), ""
    model = task.build(0)
    check_fit(task, model)
    reason = cannot_compile(task, model)
    if not reason:
        try:
            trainer = CompiledTrainer(task, rules, seeds)
            return trainer, _try_out(trainer, model, probe)
        except CannotCompile as found:
            reason = str(found)
        except OptselectError:
            raise
        except Exception as error:  # whatever a user's layers raise while they are traced
            if out_of_memory(error):  # `model.fit` needs no less
                raise
            reason = f"it does not run as one traced program: {_where(task, error)}"
    return _by_fit(task, model, probe, reason)


def _try_out(trainer: CompiledTrainer, model: Any, probe: Job) -> str:
    """Run a short job; what there is to say of the gradients.

    model: a fresh one. Raises CannotCompile where the program would do something else than `model.fit`, InvalidModel
    where no gradient reaches any weight.
    """
    task, traced = trainer.task, trainer.program.traced
    with contextlib.suppress(NoGradient):
        trainer.run(probe)
    if hidden := hidden_state(traced.operations()):
        raise CannotCompile(hidden)
    if not traced.step.still:
        return ""
    paths = [v.path for v in model.trainable_variables]
    unreached = without_gradient(task, model, few_rows(task))
    if unreached != traced.step.still:
        raise CannotCompile("the gradients of some weights are lost in a traced program (a custom gradient does that)")
    if len(unreached) == len(paths):
        raise InvalidModel(no_gradient(task, model))
    named = ", ".join(f"`{paths[i]}`" for i in unreached[:5]) + ", ..." * (len(unreached) > 5)
    return f"No gradient reaches {len(unreached)} of {len(paths)} arrays of weights ({named}): they stay as they are."


def _by_fit(task: Task, model: Any, probe: Job, reason: str) -> tuple[Trainer, str]:
    """The trainer by `model.fit`, tried out, and why it is taken. model: a fresh one."""
    fallback = FitTrainer(task)
    try:
        run = fallback.run(probe)
    except Exception as error:
        if out_of_memory(error) or isinstance(error, OptselectError):
            raise
        if "No gradients provided for any variable" in str(error):
            raise InvalidModel(no_gradient(task, model)) from error
        raise InvalidModel(
            f"{task.who}: cannot be trained, since {reason}; nor by `model.fit`: {_where(task, error)}"
            + _EAGER * isinstance(error, (TypeError, AttributeError, NotImplementedError))
        ) from error
    if run.metrics["val_loss"] == 0.0 and "train_step" in own_hooks(model) and "test_step" not in own_hooks(model):
        raise InvalidModel(
            f"{task.who}: `val_loss` is 0 whatever the training does: the model has its own train_step and no "
            "test_step, and Keras's test_step knows nothing of its loss. Give it a test_step that returns its `loss`."
        )
    task.keep_metrics([name for name in task.metric_names if f"val_{name}" in run.metrics])
    return fallback, f"Trials use `model.fit`, since {reason}: correct, but slower by far."


def _where(task: Task, error: BaseException) -> str:
    """What failed, and at which line of the user's file."""
    return where_it_failed(getattr(task.spec.model, "path", Path(task.who)), error)
