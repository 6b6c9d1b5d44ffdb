"""What follows the search: race, confirmation, other learning rates, the check in plain Keras, the model to keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optselect.api.settings import Settings
from optselect.configuration import Configuration
from optselect.executors import LocalExecutor
from optselect.ledger import Ledger, read
from optselect.seeds import derive
from optselect.study.arm import Direction
from optselect.study.listener import Listener
from optselect.study.search import why_nothing
from optselect.study.study import Study
from optselect.trainer.jobs import Job
from optselect.verdict import Verdict, judge, seeds_around
from optselect.verdict.basin import FACTORS
from optselect.verdict.finals import Around, Contest, Rerun, fresh_seed, screen
from optselect.verdict.race import PRESETS, plan

__all__ = ["Closing", "fresh_seeds", "trainings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closing:
    """The part of a study after its search; all of it is restored from the ledger.

    direction, objective: of the study. rho: as in `Contest`. headline, maximize: the metric to report. workers:
    starts them if need be.
    """

    settings: Settings
    epochs: int
    baseline: Configuration
    direction: Direction
    objective: str
    rho: float
    headline: str
    maximize: bool
    ledger: Ledger
    listener: Listener
    workers: Callable[[], LocalExecutor]

    def contest(self, study: Study) -> Contest:
        """Who races. Raises `NoResult` where the search found nothing to re-run."""
        care = PRESETS[self.settings.care]
        search = study.of_stage("search")
        found = screen(search, baseline=self.baseline, direction=self.direction, size=care.candidates)
        if not found:
            raise why_nothing(search, self.objective)
        confirmations = self.settings.confirm if self.settings.confirm is not None else care.confirmations
        if len(found) == 1:
            confirmations = max(confirmations, 2)  # without a race there would be no number at all
        race = plan(self.settings.care, candidates=len(found), confirmations=confirmations)
        return Contest(
            candidates=found,
            plan=race,
            baseline=self.baseline,
            direction=self.direction,
            seed=self.settings.seed,
            rho=self.rho,
        )

    def stages(self, study: Study) -> Iterator[Rerun | Around]:
        """What is trained, stage after stage; each is known when those before it have ended."""
        contest = self.contest(study)
        for name in ("race", "confirm"):
            stage = Rerun(name, contest, study.records, epochs=self.epochs)
            yield stage
            if not stage.finished():
                return
        best = self.verdict(study).recommended.configuration
        seeds = seeds_around(contest, PRESETS[self.settings.care].around)
        yield Around(best, contest, study.records, seeds=seeds, epochs=self.epochs)

    def finished(self, study: Study) -> bool:
        """Whether nothing is left to train."""
        if not all(stage.finished() for stage in self.stages(study)):
            return False
        best = self.verdict(study).recommended.configuration
        return self._done("check", best) is not None and self._done("refit", best) is not None

    def verdict(self, study: Study) -> Verdict:
        """What race and confirmation say, without check, refit and importance."""
        reasons = {e["arm"]: _given_up(e) for e in read(self.ledger.path) if e["kind"] == "eliminated"}
        return judge(
            self.contest(study),
            study.records,
            objective_name=self.objective,
            headline=self.headline,
            maximize=self.maximize,
            width=self.settings.rope,
            prefer=self.settings.prefer,
            eliminated=reasons,
        )

    def completed(self, study: Study) -> Verdict:
        """The verdict with its check in plain Keras; trains that, and the model to keep, if they are not there.

        The check trains on the training part with `model.fit` and is judged on the test part. The model that is kept
        is trained once more, on the validation rows too, so that no row but the test rows is lost to it.
        """
        verdict = self.verdict(study)
        best = verdict.recommended.configuration
        job = Job(configuration=best, seed=derive(self.settings.seed, "check"), epochs=self.epochs, plain=True)
        kept = self.ledger.path.parent.resolve() / "best.keras"
        check = self._trained("check", dataclasses.replace(job, test=True))
        refit = self._trained("refit", dataclasses.replace(job, refit=True, save=kept))
        number = float(check["metrics"].get(f"test_{self.headline}", float("nan")))
        return dataclasses.replace(verdict, check=number, refit=not refit["error"])

    def _trained(self, kind: str, job: Job) -> Mapping[str, Any]:
        """A training of the recommended configuration with `model.fit`, once."""
        best = job.configuration
        done = self._done(kind, best)
        if done is None:
            self.listener.stage(kind, 0, 1)
            run = self.workers().run(job)
            error = run.error or ("" if run.finite else "it diverged")
            if error:
                self.listener.say(f"Warning: plain `model.fit` failed: {error}")
            done = {"configuration": best.to_dict(), "metrics": dict(run.metrics), "error": error}
            self.ledger.append(kind, done)
            self.ledger.entries.append({"kind": kind, **done})
        return done

    def _done(self, kind: str, best: Configuration) -> Mapping[str, Any] | None:
        """The last entry of a kind if it is of this configuration: the file that was saved is the last one's."""
        found = [e for e in self.ledger.entries if e["kind"] == kind]
        return found[-1] if found and found[-1]["configuration"] == best.to_dict() else None


def trainings(settings: Settings) -> int:
    """How many trainings follow the search at most."""
    care = PRESETS[settings.care]
    return plan(settings.care, confirmations=settings.confirm).cost + care.around * (len(FACTORS) - 1) + 2


def fresh_seeds(settings: Settings) -> list[int]:
    """The seeds of race and confirmation, whoever races."""
    sizes = range(1, PRESETS[settings.care].candidates + 1)
    plans = (plan(settings.care, candidates=size, confirmations=settings.confirm) for size in sizes)
    return [fresh_seed(settings.seed, k) for k in range(max(p.confirmation.stop for p in plans))]


def _given_up(entry: Mapping[str, Any]) -> str:
    return (
        f"given up after {entry['checkpoint']} trials: it could hope for {entry['bound']:.4g}, {entry['leader']} had "
        f"{entry['needed']:.4g}"
    )
