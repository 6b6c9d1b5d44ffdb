"""Which trainer a task gets: the compiled program where that trains the model as `model.fit` does, else `model.fit`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.errors import InvalidModel, OptselectError
from optselect.model.own_methods import is_own, lacks_test_step, own_compile
from optselect.optim.configuration import BASELINE
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
    without_gradient,
)
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.failure import out_of_memory
from optselect.trainer.feeding import few_rows
from optselect.trainer.fit_probe import Pace, ProbeWatch, check_watched, notes_of
from optselect.trainer.messages import Job, Plan
from optselect.trainer.program import Kept
from optselect.trainer.trial import Trainer
from optselect.user_code.functions import where_it_failed

__all__ = ["make_trainer"]

_EAGER = " A layer that works on numbers instead of tensors needs a model compiled with `run_eagerly=True`."


def make_trainer(
    task: Task,
    rules: Sequence[Rule],
    seeds: Sequence[int],
    probe: Job,
    before: Kept | None = None,
    plan: Plan | None = None,
) -> tuple[Trainer, str]:
    """The fastest trainer that can train this task, and what there is to say of it: where that is `model.fit`, why.

    rules: one of each kind that will be trained. seeds: with which. probe: a short job; it is run once, so that a
    model which does not trace is found here. before: of an earlier task, used again if it serves. plan: of the study,
    to estimate how long it takes.
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
    return _by_fit(task, model, probe, reason, plan)


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


def _by_fit(task: Task, model: Any, probe: Job, reason: str, plan: Plan | None) -> tuple[Trainer, str]:
    """The trainer by `model.fit`, tried out, and why it is taken. model: a fresh one."""
    fallback = FitTrainer(task)
    watch = ProbeWatch(lambda trained: fallback.evaluate(trained, "validation"))
    try:
        run = fallback.run(probe, watch=watch)
    except Exception as error:
        if out_of_memory(error) or isinstance(error, OptselectError):
            raise
        if "No gradients provided for any variable" in str(error):
            raise InvalidModel(no_gradient(task, model)) from error
        if "No loss to compute" in str(error) and lacks_test_step(model):
            raise InvalidModel(
                f"{task.who}: the model has its own train_step and no test_step, and is compiled with no loss: there "
                "is no `val_loss` to compare. Give it a test_step that returns its `loss`, as its train_step must."
            ) from error
        raise InvalidModel(
            f"{task.who}: cannot be trained, since {reason}; nor by `model.fit`: {_where(task, error)}"
            + _EAGER * isinstance(error, (TypeError, AttributeError, NotImplementedError))
        ) from error
    check_watched(task, model, watch, run.metrics["val_loss"])
    reported = [name.removeprefix("val_") for name in watch.names if name.startswith("val_")]
    known = [name for name in task.metric_names if name in reported]
    others = {"loss", *known, *(metric.name for metric in task.whole_metrics)}
    task.keep_metrics([*known, *(name for name in reported if name not in others)])
    task.figure(task.spec.objective)
    notes = [
        f"Trials use `model.fit`, since {reason}: {_slow(task, watch.pace(run.seconds), plan)}.{_remedy(task, model)}"
    ]
    return fallback, " ".join(notes + notes_of(task, model, watch))


def _slow(task: Task, pace: Pace, plan: Plan | None) -> str:
    """How long trainings take, and all of them, in words."""
    epochs = task.spec.epochs
    each = pace.training(epochs)
    text = f"correct, but slower by far, about {_time(each)} per training of {epochs} epochs"
    if pace.setup > pace.epoch * epochs:
        text += f", {_time(pace.setup)} of which build and trace the model, each time anew"
    steps = epochs * BASELINE.steps_per_epoch(len(task.spec.split.train))
    total = each * plan.steps / steps if plan else 0.0
    return text + f"; about {_time(total)} for the study" * (0 < total < math.inf)


def _remedy(task: Task, model: Any) -> str:
    """What would have to change for the compiled program."""
    if is_own(model, "train_step") and not own_compile(model):
        return (
            " A model that computes its loss in a `compute_loss` of its own (and `add_loss`), instead of a train_step "
            "and a test_step, is compiled."
        )
    if task.spec.callbacks:
        return " Without `callbacks` the model is compiled."
    return ""


def _time(seconds: float) -> str:
    """For people.

    >>> _time(2.34), _time(150.0), _time(9000.0)
    ('2.3 s', '2.5 min', '2.5 h')
    """
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"


def _where(task: Task, error: BaseException) -> str:
    """What failed, and at which line of the user's file."""
    return where_it_failed(getattr(task.spec.model, "path", Path(task.who)), error)
