"""What comes first in a study: range tests, then the search over what they left of the space."""

from __future__ import annotations

import math

from optselect.session.study_context import StudyContext
from optselect.study import ranging
from optselect.study.runner import Study
from optselect.study.search import Course, StudySearch, search_seed
from optselect.workers.executor import Executor

__all__ = ["prepared", "search_of"]


def search_of(context: StudyContext, study: Study) -> StudySearch:
    """The search as far as the log has it; over where a later stage has begun."""
    settings, log = context.settings, context.log
    return StudySearch(
        context.space,
        study.records,
        Course(
            seed=settings.seed,
            rows=context.rows,
            epochs=context.epochs,
            objective=context.objective,
            folder=context.folder / "paused" if context.task.pausable else None,
            stopping=context.stopping,
        ),
        options=settings.search,
        budget=context.budget,
        clock=context.clock,
        log=log,
        closed=bool(log.care) or any(record.stage != "search" for record in study.records),
        say=context.listener.say,
    )


def prepared(context: StudyContext, search: StudySearch, study: Study, executor: Executor) -> StudySearch:
    """The search in the space that range tests narrow, after running those that are wanted and not there."""
    settings, baseline = context.settings, context.baseline
    share = (settings.trials or math.inf) / len(context.space.optimizers)
    if search.finished() or not settings.search.range_test or share < ranging.WORTHWHILE:
        return search
    whole, seed = context.steps(baseline), search_seed(settings.seed)
    wanted = ranging.probes(context.space, seed=seed, batch_size=baseline.batch_size, whole=whole)
    ranging.sound(wanted, context.log, executor, whole=whole, tell=context.listener.say)
    return search_of(context, study)
