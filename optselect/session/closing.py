"""What follows the search: race, confirmation, other learning rates, the check in plain Keras, the model to keep."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from optselect.optim.configuration import Configuration
from optselect.options import Settings
from optselect.record.entries import StageName
from optselect.record.notes import CareRecord, Eliminated, FinalKind, FinalTraining, Preset
from optselect.session import time_budget
from optselect.session.saved_model import digests, model_problem, put_aside
from optselect.session.study_context import StudyContext
from optselect.study.runner import Study
from optselect.study.search import why_nothing
from optselect.trainer.messages import Job
from optselect.util.seeds import derive
from optselect.verdict import Verdict, judge, seeds_around
from optselect.verdict.context import Context
from optselect.verdict.epochs_used import kept
from optselect.verdict.finals import Around, Contest, Rerun, fresh_seed, screen
from optselect.verdict.race import PRESETS, plan
from optselect.workers.executor import Executor

__all__ = ["Closing", "fresh_seeds", "trainings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closing:
    """The part of a study after its search; all of it is restored from the ledger.

    workers: starts them if need be.

    With a limit of time each stage is fitted into what is left of it when it begins. What was decided is in the ledger
    and stands, however much time a later call gives.
    """

    context: StudyContext
    workers: Callable[[], Executor]

    def contest(self, study: Study) -> Contest:
        """Who races. Raises `NoResult` where the search found nothing to re-run."""
        care = self.care()
        search = study.of_stage("search")
        found = screen(search, baseline=self.context.baseline, objective=self.context.objective, size=care.candidates)
        if not found:
            raise why_nothing(search, self.context.objective)
        # Without a race there would be no number at all.
        confirmations = max(care.confirmations, 2) if len(found) == 1 else care.confirmations
        race = plan(care, candidates=len(found), confirmations=confirmations)
        return Contest(
            candidates=found,
            plan=race,
            baseline=self.context.baseline,
            objective=self.context.objective,
            seed=self.context.settings.seed,
            rho=self.context.rho,
            folds=self.context.folds,
        )

    def care(self) -> Preset:
        """How much there is of each stage: as asked for, or as little as time left."""
        return self.context.log.care[-1].care if self.context.log.care else _asked(self.context.settings)

    def stages(self, study: Study, *, begin: bool = False) -> Iterator[Rerun | Around]:
        """What is trained, stage after stage; each is known when those before it have ended.

        begin: they are about to be trained, so that each is to be fitted into the time.
        """
        fit = self._fit if begin else lambda name, study: None
        for name in ("race", "confirm"):
            fit(name, study)
            stage = Rerun(name, self.contest(study), study.records, epochs=self.context.epochs)
            yield stage
            if not stage.finished():
                return
        fit("basin", study)
        contest, best = self.contest(study), self.verdict(study).recommended.configuration
        seeds = seeds_around(contest, self.care().around)
        yield Around(best, contest, study.records, seeds=seeds, epochs=self.context.epochs)

    def finished(self, study: Study) -> bool:
        """Whether nothing is left to train."""
        if not all(stage.finished() for stage in self.stages(study)):
            return False
        best = self.verdict(study).recommended.configuration
        return all(self._done(kind, best) is not None for kind in self._finals())

    def _finals(self) -> tuple[FinalKind, ...]:
        return ("refit", "check") if self.context.settings.evaluation.check else ("refit",)

    def verdict(self, study: Study) -> Verdict:
        """What race and confirmation say, without check, refit and importance."""
        reasons = {gone.arm: _given_up(gone) for gone in self.context.log.eliminated}
        found = judge(
            self.contest(study),
            study.records,
            headline=self.context.task.headline,
            width=self.context.settings.evaluation.rope,
            prefer=self.context.settings.evaluation.prefer,
            eliminated=reasons,
            loss=self.context.task.loss,
        )
        return dataclasses.replace(found, context=Context.of(self.context.task, study.records))

    def completed(self, study: Study) -> Verdict:
        """The verdict with its check in plain Keras; trains that, and the model to keep, if they are not there.

        The check trains on the training part with `model.fit` and is judged on the test part. The model that is kept
        is trained once more, on the validation rows too, so that no row but the test rows is lost to it; with early
        stopping for as many epochs as fresh seeds kept in the median. Without a check it comes from the compiled
        program, if the model can.
        """
        verdict = self.verdict(study)
        best = verdict.recommended.configuration
        settings, number, failures = self.context.settings, float("nan"), dict[str, str]()
        plain, seed = settings.evaluation.check, derive(settings.seed, "check")
        job = Job(configuration=best, seed=seed, epochs=self.context.epochs, plain=plain)
        saved = self._folder / "best.keras"
        if plain:
            check = self._trained("check", dataclasses.replace(job, test=True))
            number = float(check.metrics.get(f"test_{verdict.headline}", number))
            failures["check"] = check.error
        whole = settings.evaluation.whole
        last = dataclasses.replace(job, refit=True, whole=whole, save=saved)
        if epochs := kept(study.records, best):  # early stopping, ours or a user's: no rows are left to watch
            last = dataclasses.replace(last, epochs=epochs, total_epochs=self.context.epochs)
        refit = self._trained("refit", last)
        failures["refit"] = refit.error
        named = {kind: error for kind, error in failures.items() if error}
        return dataclasses.replace(
            verdict, check=number, refit=not refit.error, failures=named, refit_epochs=refit.epochs
        )

    def _fit(self, name: StageName, study: Study) -> None:
        """Decide once how much of a stage there is time for."""
        before = self.care()
        decided = {record.stage for record in self.context.log.care} | {r.stage for r in study.records}
        if math.isinf(self.context.clock.left()) or name in decided:
            return
        after = self._fitting(name, before, study)
        self.context.log.append(CareRecord(stage=name, care=after))
        if line := time_budget.told(before, after):
            self.context.listener.say(line)

    def _fitting(self, name: StageName, care: Preset, study: Study) -> Preset:
        contest = self.contest(study)
        if name == "basin":
            who = {self.verdict(study).recommended.configuration}
        elif name == "confirm":
            who = {contest.candidates[i].configuration for i in contest.confirmed(study.records)}
        else:
            who = {candidate.configuration for candidate in contest.candidates}
        fit = self.context.clock.trainings(study.records, [r for r in study.records if r.configuration in who])
        if name == "basin":
            return time_budget.fewer_seeds_around(care, fit)
        return time_budget.within(care, fit) if name == "race" else time_budget.fewer_confirmations(care, fit, len(who))

    def _trained(self, kind: FinalKind, job: Job) -> FinalTraining:
        """A training of the recommended configuration with `model.fit`, once."""
        best = job.configuration
        done = self._done(kind, best)
        if done is None:
            if kind == "refit":
                self._make_room(best)
            self.context.listener.stage(kind, 0, 1)
            run = self.workers().run(job)
            error = run.error or ("" if run.finite else "it diverged")
            if error:
                self.context.listener.say(
                    f"Warning: {'plain `model.fit`' if job.plain else 'the last one'} failed: {error}"
                )
            files = digests(job.save.parent) if job.save and not error else None
            long = job.epochs if job.total_epochs else None
            done = FinalTraining(
                kind=kind, configuration=best, metrics=run.metrics, error=error, files=files, epochs=long
            )
            self.context.log.append(done)
        return done

    def _done(self, kind: FinalKind, best: Configuration) -> FinalTraining | None:
        """The last entry of a kind if it is of this configuration, and if the model that it saved is whole."""
        last = self._last(kind, best)
        lost = kind == "refit" and last is not None and model_problem(self._folder, last)
        return None if lost else last

    def _last(self, kind: FinalKind, best: Configuration) -> FinalTraining | None:
        """The last entry of a kind if it is of this configuration: the file that was saved is the last one's."""
        found = self.context.log.final(kind)
        return found if found is not None and found.configuration == best else None

    def _make_room(self, best: Configuration) -> None:
        """Say why the model is trained again, if it is; a whole one that somebody put in its place is kept."""
        last = self._last("refit", best)
        if last is None:
            return
        aside = put_aside(self._folder)
        kept = f" The file that was there is {aside.name} now." if aside else ""
        self.context.listener.say(f"{model_problem(self._folder, last)}{kept}")

    @property
    def _folder(self) -> Path:
        return self.context.folder.resolve()


def trainings(settings: Settings) -> int:
    """How many trainings follow the search at most, those of `model.fit` aside."""
    return time_budget.cost(_asked(settings))


def fresh_seeds(settings: Settings, folds: int = 0) -> list[int]:
    """The seeds of race and confirmation, whoever races. folds: that they walk through."""
    care = _asked(settings)
    plans = (plan(care, candidates=size) for size in range(1, care.candidates + 1))
    return [fresh_seed(settings.seed, k, folds) for k in range(max(p.confirmation.stop for p in plans))]


def _asked(settings: Settings) -> Preset:
    care = PRESETS[settings.evaluation.care]
    confirmations = settings.evaluation.confirm
    return care if confirmations is None else dataclasses.replace(care, confirmations=confirmations)


def _given_up(gone: Eliminated) -> str:
    return (
        f"given up after {gone.checkpoint} trials: it could hope for {gone.bound:.4g}, {gone.leader} had "
        f"{gone.needed:.4g}"
    )
