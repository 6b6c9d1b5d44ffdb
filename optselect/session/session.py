"""One call of `tune`: the stages of a study one after the other, with workers where they are needed."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Sequence
from typing import Any

from optselect.model.objective import Objective
from optselect.options import Settings
from optselect.record import StudyLog
from optselect.record.entries import SettingsRecord, StorageRecord, StudyRecord, TaskRecord, TrialRecord
from optselect.report.environment import environment
from optselect.session.answer_files import AnswerFiles
from optselect.session.closing import Closing, trainings
from optselect.session.mlflow_copy import ending, with_data
from optselect.session.opening import prepared, search_of
from optselect.session.outcome import Outcome
from optselect.session.snippet import snippet
from optselect.session.study_context import StudyContext
from optselect.session.study_workers import StudyWorkers
from optselect.sinks.mlflow import ALIAS, Ending, MlflowTracker, NullTracker, Tracker
from optselect.sinks.optuna_db import Mirror
from optselect.spaces import Space
from optselect.study import ranging
from optselect.study.budget import Budget, Clock
from optselect.study.conflict import needs_architecture
from optselect.study.importance import importance
from optselect.study.listener import Listener, Outlook
from optselect.study.runner import Study
from optselect.study.search import StudySearch
from optselect.task import TaskDescription, TaskSpec
from optselect.verdict.answer import Answer
from optselect.verdict.statistics import overlap

__all__ = ["Session"]

_LEAST_DELIVERY, _MOST_DELIVERY = 2.0, 30.0  # seconds that a tracker may take in the end, by what is left of the time


class Session:
    """One call of `tune` with its log open: what needs a worker starts one, what does not does not.

    began: when the call came, on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        record: StudyRecord,
        spec: TaskSpec,
        space: Space,
        log: StudyLog,
        settings: Settings,
        listener: Listener,
        *,
        began: float,
    ) -> None:
        self.record, self.spec, self.space, self.log = record, spec, space, log
        self.settings, self.listener = settings, listener
        self.directory = log.path.parent
        self._workers = StudyWorkers(record, spec, space, log, settings, listener)
        self._began = began

    def run(self) -> Outcome:
        try:
            return self._run()
        finally:
            self._workers.close()

    def _run(self) -> Outcome:
        known = self.log.task
        task = known or self._describe()
        if known and (why := needs_architecture(self.record, self.log)):
            self.listener.say(why)
            self._workers.ready()
        restored = self._restored()
        study = Study(self.log, objective=task.objective.name)
        context = self._context(task, restored)
        self.listener.ready(task, Outlook(after=context.budget.reserve, left=context.clock.left))
        search = search_of(context, study)
        closing = Closing(context=context, workers=self._workers.ready)
        mirror = self._mirror()
        if search.finished() and closing.finished(study):
            if Settings.from_record(self.log.settings).evaluation != self.settings.evaluation:
                # The answer is written anew, to another question about the same trainings.
                self._note_settings(*(field.name for field in dataclasses.fields(self.settings.evaluation)))
            self.listener.say(f"Study {self.record.name!r} is finished: nothing is left to train.")
            mirror.start(_optuna(search))
            self._close(_MOST_DELIVERY, mirror)
            result = self._result(study, closing, search, len(restored))
            files = self._files(result, search)
            if stale := files.stale():  # killed after its last training, a power cut, a copy in part
                self.listener.say(f"Written again, since missing, torn or of other trainings: {', '.join(stale)}.")
                files.write()
            return self._registered_late(result)
        if restored:
            self.listener.restored(restored)
        tracker, patience = self._tracker(task.objective), _MOST_DELIVERY
        self._note_settings()
        try:
            tracker.start(dataclasses.replace(self.record, task=task), resumed=restored)
            executor = self._workers.ready()
            context.clock.setup = self._workers.setup
            search = prepared(context, search, study, executor)
            mirror.start(_optuna(search))
            study.drive(search, executor, tracker, self.listener)
            for stage in closing.stages(study, begin=True):
                study.drive(stage, executor, tracker, self.listener)
            result = self._result(study, closing, search, len(restored))
            self._files(result, search).write()
            tracker.finish(self._ending(result))
        except BaseException:  # whoever stops a study does not want to wait
            patience = _LEAST_DELIVERY
            raise
        finally:
            self._close(max(_LEAST_DELIVERY, min(patience, context.clock.left())), tracker, mirror)
        if where := mirror.where():
            self.listener.say(f"Optuna: {where}")
        return dataclasses.replace(result, dashboard=tracker.where() or "", registered=self._registered(tracker))

    def _note_settings(self, *only: str) -> None:
        """Record settings that are not those of the last time: another budget, other workers. only: some of them."""
        asked, before = self.record.settings or {}, self.log.settings
        now = {**before, **{name: asked[name] for name in only}} if only else asked
        if now and now != before:
            self.log.append(SettingsRecord(settings=now))

    def _restored(self) -> list[TrialRecord]:
        """The trials that are in the ledger, after a word on what was lost since the study ended."""
        if self.log.torn:
            self.listener.say(
                f"The last line of {self.log.path} was cut short: its {self.log.torn} bytes are in "
                f"{self.log.path.name}.torn, and what it held is trained again."
            )
        answer = Answer.read(self.log)
        if answer.state == "other":
            self.listener.say(f"{answer.path}: {answer.why}. What is missing is trained again, and the answer written.")
        return list(self.log.trials)

    def _context(self, task: TaskDescription, restored: Sequence[TrialRecord]) -> StudyContext:
        """What the stages share; its clock counts what earlier processes spent on trainings."""
        settings, workers, spec = self.settings, task.workers or 1, self.spec
        rows = len(spec.split.train)
        budget = Budget(trials=settings.trials, seconds=settings.time_limit, reserve=trainings(settings))
        before = ranging.seconds(self.log) + sum(r.seconds for r in restored)
        return StudyContext(
            task=task,
            settings=settings,
            space=self.space,
            epochs=spec.epochs,
            stopping=spec.stopping,
            rows=rows,
            rho=overlap(rows, len(spec.split.validation)) if spec.redraws else 0.0,
            folds=spec.partition.folds if spec.redraws else 0,
            log=self.log,
            listener=self.listener,
            budget=budget,
            clock=Clock(budget, workers=workers, since=self._began - before / workers, setup=self._workers.setup),
        )

    def _describe(self) -> TaskDescription:
        """Start the workers, hear what they say of the task, and only then begin the ledger."""
        task = dataclasses.replace(with_data(self._workers.start(), self.spec), environment=environment())
        self.log.append(self.record)
        self.log.append(TaskRecord(description=task))
        return task

    def _tracker(self, objective: Objective) -> Tracker:
        uri = self.settings.tracking.tracking_uri
        if uri is None:
            return NullTracker()
        return MlflowTracker(
            uri,
            experiment=f"optselect/{self.record.name}",
            directory=self.directory,
            objective=objective,
            register=self.settings.tracking.register,
        )

    def _mirror(self) -> Mirror:
        """The study's copy in a database, under a key that no other study has."""
        known = self.log.storage
        key = known or uuid.uuid4().hex
        if self.settings.tracking.database is not None and not known:
            self.log.append(StorageRecord(key=key))
        return Mirror(self.settings.tracking.database, key=key, name=self.record.name)

    def _close(self, patience: float, *mirrors: Tracker | Mirror) -> None:
        """Let each deliver the rest, all of them within `patience` seconds and half a second for the later ones."""
        until = time.monotonic() + patience
        for mirror in mirrors:
            for warning in mirror.close(timeout=max(0.5, until - time.monotonic())):
                self.listener.say(f"Warning: {warning}")

    def _result(self, study: Study, closing: Closing, search: StudySearch, resumed: int) -> Outcome:
        mattered = {name: importance(arm.study) for name, arm in search.arms.items()}
        verdict = dataclasses.replace(
            closing.completed(study), importance={name: found for name, found in mattered.items() if found}
        )
        best = verdict.recommended.configuration
        context = closing.context
        steps = context.steps(best)
        return Outcome(
            name=self.record.name,
            verdict=verdict,
            total_steps=steps,
            snippet=snippet(best, steps, context.epochs, context.task, context.stopping),
            directory=self.directory,
            description=context.task,
            records=tuple(study.records),
            search=search.findings(),
            spec=self.spec,
            resumed=resumed,
        )

    def _files(self, result: Outcome, search: StudySearch) -> AnswerFiles:
        """What the study leaves behind beside its model."""
        return AnswerFiles(
            result=result,
            stamp=self.log.stamp(),
            studies={f"{self.record.name}/{arm}": study for arm, study in _optuna(search).items()},
            pages=self.settings.run.report,
            say=self.listener.say,
        )

    def _registered_late(self, result: Outcome) -> Outcome:
        """A finished study whose model is asked for only now."""
        if self.settings.tracking.register is None:
            return result
        task = result.description
        tracker = self._tracker(task.objective)
        tracker.start(dataclasses.replace(self.record, task=task), resumed=result.records)
        tracker.finish(self._ending(result))
        for warning in tracker.close(timeout=_MOST_DELIVERY):
            self.listener.say(f"Warning: {warning}")
        return dataclasses.replace(result, registered=self._registered(tracker))

    def _ending(self, result: Outcome) -> Ending:
        return ending(result.recommendation(), self.directory, result.records, self.settings.tracking.register)

    def _registered(self, tracker: Tracker) -> str:
        """Name and version of the model in MLflow's registry, "" for none; said if it was asked for."""
        name, version = self.settings.tracking.register, tracker.version()
        if not name or version is None:
            return ""
        self.listener.say(f"Registered in MLflow: model {name!r}, version {version}, alias {ALIAS!r}.")
        return f"{name} {version}"


def _optuna(search: StudySearch) -> dict[str, Any]:
    """The Optuna study of every arm."""
    return {name: arm.study for name, arm in search.arms.items()}
