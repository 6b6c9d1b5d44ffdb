"""Everything that the command line does, as one call each."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optselect import tasks
from optselect.configuration import BASELINE, Configuration
from optselect.errors import InvalidValue
from optselect.executors import LocalExecutor
from optselect.export import export
from optselect.ledger import Ledger, read
from optselect.records import StudyRecord, TrialRecord
from optselect.rules import parse
from optselect.seeds import derive
from optselect.spaces import Space, load_space
from optselect.study.listener import Listener, Silent
from optselect.study.study import Budget, Study, check_conflict, confirmation_seeds, search_seed
from optselect.tracking import MlflowTracker, NullTracker, Tracker, default_uri
from optselect.trainer.jobs import Job, Plan
from optselect.verdict import Verdict, judge

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result", "studies", "tune"]

STUDIES = Path("optselect-studies")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What a study found.

    verdict: the ranking with its evidence. total_steps: of one training with the best configuration, which
    `best.optimizer(total_steps=...)` takes. snippet: code to paste after `model = ...`. directory: the ledger,
    `recommendation.json`, `snippet.py`, `best.keras` (trained; takes raw columns), `study.db`, `worker.log`.
    spec: the task. dashboard: how to see the runs in MLflow, "" without it. resumed: trials that were there already.
    """

    name: str
    verdict: Verdict
    total_steps: int
    snippet: str
    directory: Path
    description: Mapping[str, Any]
    records: Sequence[TrialRecord]
    spec: tasks.TaskSpec = dataclasses.field(repr=False)
    dashboard: str = ""
    resumed: int = 0

    @property
    def best(self) -> Configuration:
        """The recommended configuration."""
        return self.verdict.recommended.configuration

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: number, stage, arm, seed, outcome, value, seconds, hyperparameters, final metrics."""
        import pandas as pd

        rows = [
            {
                "number": r.number,
                "stage": r.stage,
                "optimizer": r.arm,
                "seed": r.seed,
                "outcome": r.outcome,
                "value": r.value,
                "seconds": r.seconds,
                "schedule": r.configuration.schedule.name,
                "clipping": r.configuration.clipping.name,
                "batch_size": r.configuration.batch_size,
                "learning_rate": r.configuration.rule.base.values()["learning_rate"],
                **r.configuration.rule.named_numbers(),
                **r.metrics,
            }
            for r in sorted(self.records, key=lambda r: r.number)
        ]
        return pd.DataFrame(rows)

    def model(self) -> Any:
        """The trained Keras model that takes raw columns, loaded from `best.keras`."""
        import keras

        from optselect import optimizers

        optimizers.register()
        return keras.saving.load_model(self.directory / "best.keras")

    def predict(self, rows: Any) -> dict[str, Any]:
        """What `best.keras` says of raw rows, as they were given for training without the target.

        A dict of arrays of shape (rows,): "prediction" (a label, or a number in units of the target) and, in
        classification, its "probability". With several targets a dict of such dicts, by target.
        """
        inputs = rows if self.spec.schema is None else tasks.raw_inputs(rows, self.spec.schema)
        answers = self.model().predict(inputs, verbose=0)
        if len(self.spec.targets) == 1:
            return self.spec.targets[0].decoded(answers)
        return {target.name: target.decoded(answers[target.name]) for target in self.spec.targets}

    def to_dict(self) -> dict[str, Any]:
        """JSON types only: what `recommendation.json` holds."""
        return {
            "study": self.name,
            "verdict": self.verdict.to_dict(),
            "configuration": self.best.to_dict(),
            "total_steps": self.total_steps,
            "snippet": self.snippet,
            "directory": str(self.directory),
            "dashboard": self.dashboard,
            "data": dict(self.description),
        }


def tune(
    model: Any,
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    kind: str | Mapping[str, str] | None = None,
    sample_weight: Any = None,
    class_weight: tasks.ClassWeight | None = None,
    trials: int | None = None,
    time: float | None = None,
    epochs: int = 20,
    optimizers: Sequence[str] | None = None,
    space: str | Path | None = None,
    objective: str = "val_loss",
    seeds: int = 5,
    seed: int = 0,
    workers: int | None = None,
    mlflow: str | None = "default",
    study: str | None = None,
    out: str | Path | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    listener: Listener | None = None,
) -> Result:
    """Find the optimizer and settings for a data set and a Keras model; the same call goes on with a killed study.

    model: a function that builds a `keras.Model`, "FILE.py:FUNCTION", a saved ".keras" file, a `keras.Model`, or
    None for a default that suits the data. data: a file, "sklearn:NAME", "FILE.py:FUNCTION", a DataFrame with
    `target`, or `(x, y)` or `(x, y, sample_weight)`; several targets are a dict by the names of the model's outputs,
    or several columns. kind: "classification" or "regression", or that by target, inferred if None. sample_weight:
    what each row counts in the loss, or the column that says so. class_weight: what each class counts in training,
    by label, or "balanced". trials: in total, over all
    optimizers (60 if `time` is not given either). time: seconds for the whole study. epochs: of every training.
    optimizers: names of the arms; all of the space if None. space: a shipped space's name or a YAML file.
    objective: "val_loss" or "val_" and a metric. seeds: fresh seeds a finalist. seed: of the whole study.
    workers: training processes. mlflow: a tracking URI, "default" for `MLFLOW_TRACKING_URI` or a local SQLite
    file, None for no tracking. study: its name. out: where its folder goes.

    Raises a subclass of `OptselectError` for whatever is wrong with the input, before anything is trained where
    that is possible.

    >>> import optselect                                                     # doctest: +SKIP
    >>> result = optselect.tune(None, "sklearn:digits", trials=60, epochs=20)  # doctest: +SKIP
    >>> optimizer = result.best.optimizer(total_steps=result.total_steps)     # doctest: +SKIP
    """
    listener = listener or Silent()
    for name, value in (("trials", trials), ("time", time), ("epochs", epochs), ("seeds", seeds), ("workers", workers)):
        if value is not None and value < (2 if name == "seeds" else 1):
            raise InvalidValue(f"tune: `{name}` must be at least {2 if name == 'seeds' else 1}, got {value}.")
    chosen = load_space(space)
    if optimizers:
        chosen = chosen.only(optimizers)
    spec = tasks.make_spec(
        tasks.read(data, target=target, sample_weight=sample_weight, encoding=encoding, separator=separator),
        model=model,
        epochs=epochs,
        objective=objective,
        seed=seed,
        kind=kind,
        class_weight=class_weight,
    )
    name = study or _study_name(spec.data.name)
    directory = Path(out or STUDIES) / name
    record = StudyRecord(
        name=name,
        fingerprint={**spec.fingerprint(), "space": chosen.digest(), "seed": str(seed), "seeds": str(seeds)},
        description={"data": spec.data.name, "space": chosen.name},
    )
    for line in (*spec.describe(), *_batches(chosen, len(spec.split.train))):
        listener.say(line)
    budget = Budget(trials=trials or (None if time else 60), seconds=time)
    with Ledger.open(directory / "ledger.jsonl") as ledger:
        check_conflict(record, ledger)
        return _Session(record, spec, chosen, ledger, budget, seeds, seed, workers, mlflow, listener).run()


class _Session:
    """One call of `tune` with its ledger open: what needs a worker starts one, what does not does not."""

    def __init__(
        self,
        record: StudyRecord,
        spec: Any,
        space: Space,
        ledger: Ledger,
        budget: Budget,
        seeds: int,
        seed: int,
        workers: int | None,
        mlflow: str | None,
        listener: Listener,
    ) -> None:
        self.record, self.spec, self.space, self.ledger = record, spec, space, ledger
        self.budget, self.seeds, self.seed, self.mlflow, self.listener = budget, seeds, seed, mlflow, listener
        self.directory = ledger.path.parent
        cores = os.cpu_count() or 1
        self.workers = workers or min(cores, 4)
        self.threads = max(1, cores // self.workers)
        self._objective = spec.objective.rpartition(":")[2]  # "max:val_score" names the direction too
        self._executor: LocalExecutor | None = None

    def run(self) -> Result:
        try:
            return self._run()
        finally:
            if self._executor is not None:
                self._executor.close()

    def _run(self) -> Result:
        known = self._entry("task")
        description = known["description"] if known else self._describe()
        self.listener.ready(description)
        study = self._study(description)
        resumed = list(study.records)
        if study.searched() and study.confirmed() and self._entry("check"):
            self.listener.say(f"Study {self.record.name!r} is finished: nothing is left to train.")
            return self._result(study, description, len(resumed))
        if resumed:
            self.listener.restored(resumed)
        tracker = self._tracker(study)
        try:
            tracker.start(dataclasses.replace(self.record, description=description), resumed=resumed)
            executor = self._workers()
            study.search(executor, tracker, self.listener)
            study.confirm(executor, tracker, self.listener)
            result = self._result(study, description, len(resumed))
            self._write(result, study, tracker)
        finally:
            for warning in tracker.close(timeout=30.0):
                self.listener.say(f"Warning: {warning}")
        return dataclasses.replace(result, dashboard=tracker.where() or "")

    def _describe(self) -> dict[str, Any]:
        """Start the workers, hear what they say of the task, and only then begin the ledger."""
        description = self._workers_started()
        self.ledger.append("study", self.record.to_dict())
        self.ledger.append("task", {"description": description})
        return description

    def _workers(self) -> LocalExecutor:
        if self._executor is None:
            self._workers_started()
        assert self._executor is not None
        return self._executor

    def _workers_started(self) -> dict[str, Any]:
        self.listener.stage("start", 0, None)
        self._executor = LocalExecutor(
            self.spec,
            [parse(name) for name in self.space.optimizers],
            [search_seed(self.seed), *confirmation_seeds(self.seed, self.seeds)],
            workers=self.workers,
            threads=self.threads,
            log=self.directory / "worker.log",
            plan=self._plan(),
        )
        return self._executor.start()

    def _plan(self) -> Plan:
        """What one worker will have to do; the way of running the steps, once decided, holds for the whole study."""
        known = self._entry("task")
        trainings = (self.budget.trials or math.inf) + self.seeds * (len(self.space.optimizers) + 1)
        steps = trainings * self.spec.epochs * -(-len(self.spec.split.train) // BASELINE.batch_size)
        return Plan(
            steps=steps / self.workers,
            seconds=self.budget.seconds or math.inf,
            sizes=len({*self.space.batch_size.choices, BASELINE.batch_size}),
            way=known["description"].get("way") if known else None,
        )

    def _study(self, description: Mapping[str, Any]) -> Study:
        return Study(
            self.space,
            self.ledger,
            restored=[TrialRecord.from_dict(e) for e in self._entries("trial")],
            seed=self.seed,
            rows=len(self.spec.split.train),
            epochs=self.spec.epochs,
            objective=self._objective,
            direction="maximize" if description["objective_maximize"] else "minimize",
            budget=self.budget,
            confirmations=self.seeds,
        )

    def _tracker(self, study: Study) -> Tracker:
        if self.mlflow is None:
            return NullTracker()
        uri = default_uri() if self.mlflow == "default" else self.mlflow
        return MlflowTracker(
            uri,
            experiment=f"optselect/{self.record.name}",
            directory=self.directory,
            direction=study.direction,
        )

    def _result(self, study: Study, description: Mapping[str, Any], resumed: int) -> Result:
        headline = description["headline"]
        verdict = judge(
            study.finalists(),
            study.records,
            baseline=study.baseline,
            objective=self._objective,
            minimize=study.direction == "minimize",
            headline=headline,
            maximize=description["headline_maximize"],
        )
        best = verdict.recommended.configuration
        verdict = dataclasses.replace(verdict, check=self._check(best, headline))
        steps = -(-len(self.spec.split.train) // best.batch_size) * self.spec.epochs
        return Result(
            name=self.record.name,
            verdict=verdict,
            total_steps=steps,
            snippet=snippet(best, steps, self.spec.epochs, description),
            directory=self.directory,
            description=description,
            records=tuple(study.records),
            spec=self.spec,
            resumed=resumed,
        )

    def _check(self, best: Configuration, headline: str) -> float:
        """The recommended configuration trained once with `model.fit`, on a seed of its own; the model is kept."""
        done = next((e for e in self._entries("check") if e["configuration"] == best.to_dict()), None)
        if done is None:
            self.listener.stage("check", 0, 1)
            job = Job(
                configuration=best,
                seed=derive(self.seed, "check"),
                epochs=self.spec.epochs,
                test=True,
                plain=True,
                save=self.directory.resolve() / "best.keras",
            )
            run = self._workers().run(job)
            done = {"configuration": best.to_dict(), "metrics": dict(run.metrics), "error": run.error}
            if run.error:
                self.listener.say(f"Warning: plain `model.fit` failed: {run.error}")
            self.ledger.append("check", done)
            self.ledger.entries.append({"kind": "check", **done})
        return float(done["metrics"].get(f"test_{headline}", float("nan")))

    def _write(self, result: Result, study: Study, tracker: Tracker) -> None:
        recommendation = self.directory / "recommendation.json"
        recommendation.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
        code = self.directory / "snippet.py"
        code.write_text(result.snippet, encoding="utf-8")
        export(
            self.directory / "study.db",
            {f"{self.record.name}/{arm.name}": arm.study for arm in study.arms.values()},
        )
        text = result.verdict.text()
        summary = {
            "note": f"{text}\n\n```python\n{result.snippet}```\n",
            "recommended": str(result.best),
            f"held_out_{result.verdict.headline}": result.verdict.recommended.held_out.mean,
        }
        tracker.finish(summary, {p.name: p for p in (recommendation, code)})

    def _entries(self, kind: str) -> Iterator[dict[str, Any]]:
        for entry in self.ledger.entries:
            if entry["kind"] == kind:
                yield {k: v for k, v in entry.items() if k not in ("kind", "crc")}

    def _entry(self, kind: str) -> dict[str, Any] | None:
        return next(self._entries(kind), None)


def snippet(best: Configuration, total_steps: int, epochs: int, description: Mapping[str, Any]) -> str:
    """Code to paste where `model`, `x_train` and `y_train` are, and `w_train` where rows have weights.

    description: of the task.
    """
    weights = "sample_weight=w_train, " if description["weighted"] else ""
    imports = dict.fromkeys(["import keras", *best.imports])  # the loss is Keras's, whosever the optimizer is
    return (
        "\n".join(imports) + "\n\n" + f"optimizer = {best.code(total_steps=total_steps)}\n"
        f"model.compile(optimizer=optimizer, {description['compile_code']})\n"
        f"model.fit(x_train, y_train, {weights}batch_size={best.batch_size}, epochs={epochs})\n"
    )


def _batches(space: Space, rows: int) -> list[str]:
    """What to say of a space whose batches are all larger than the data; those that are larger are not offered."""
    smallest = min((rows if size == "full" else int(size) for size in space.batch_size.choices), default=rows)
    if smallest <= rows:
        return []
    return [f"The smallest batch of the space, {smallest:,}, is larger than the {rows:,} training rows: each step "
            "takes them all. Give the space smaller `batch_size`s."]  # fmt: skip


def studies(out: str | Path | None = None) -> list[dict[str, Any]]:
    """The studies in a folder: name, data, how many trials, whether finished, and what was recommended."""
    found = []
    for path in sorted(Path(out or STUDIES).glob("*/ledger.jsonl")):
        entries = read(path)
        started = next((e for e in entries if e["kind"] == "study"), None)
        if started is None:
            continue
        recommendation = path.with_name("recommendation.json")
        finished = any(e["kind"] == "check" for e in entries) and recommendation.exists()
        text = json.loads(recommendation.read_text())["verdict"]["text"] if finished else ""
        found.append(
            {
                "name": started["name"],
                "directory": str(path.parent),
                "data": started["description"].get("data", ""),
                "trials": sum(e["kind"] == "trial" and e["stage"] == "search" for e in entries),
                "finished": finished,
                "verdict": text,
            }
        )
    return found


def _study_name(data: str) -> str:
    stem = Path(data.split(":")[-1]).stem if "sklearn:" in data or ".py:" in data else Path(data).stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "study"
