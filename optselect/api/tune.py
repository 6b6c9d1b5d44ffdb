"""The main call: find the optimizer and settings for a data set and a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from optselect.api.result import Result
from optselect.api.studies import STUDIES
from optselect.data import ClassWeight, Decimal, Labels, MissingTarget, Order
from optselect.errors import InvalidValue
from optselect.optim.configuration import Configuration
from optselect.record import Ledger, StudyLog
from optselect.record.entries import StudyRecord
from optselect.session.inputs import Question
from optselect.session.session import Session
from optselect.session.settings import Settings
from optselect.sinks.optuna_db import Database
from optselect.spaces import Space, load_space
from optselect.study.arm import Strategy
from optselect.study.conflict import check_conflict
from optselect.study.listener import Listener, Silent
from optselect.study.search_options import SearchOptions
from optselect.study.warm_start import known_good, left_out
from optselect.task import Precision
from optselect.util.whole_files import sweep
from optselect.verdict.ranking import Preference
from optselect.workers.local import Device

__all__ = ["tune"]


def tune(
    model: Any,
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    kind: str | Mapping[str, str] | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    precision: Precision | None = None,
    trials: int | None = None,
    time: float | None = None,
    epochs: int = 20,
    optimizers: Sequence[str] | None = None,
    space: str | Path | None = None,
    objective: str = "val_loss",
    care: str = "standard",
    confirm: int | None = None,
    rope: float | None = None,
    prefer: Preference = "simplest",
    strategy: Strategy = "arms",
    sampler: str | BaseSampler = "tpe",
    pruner: str | BasePruner = "none",
    range_test: bool = True,
    elimination: bool = True,
    start: Any = None,
    seed: int = 0,
    workers: int | None = None,
    device: Device = "auto",
    mlflow: str | None = "default",
    register: str | None = None,
    storage: str | None = "default",
    check: bool = True,
    whole: bool = False,
    report: bool = True,
    study: str | None = None,
    out: str | Path | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    decimal: Decimal | None = None,
    dates: Order | None = None,
    keep: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    missing_target: MissingTarget | None = None,
    labels: Labels | None = None,
    listener: Listener | None = None,
) -> Result:
    """Find the optimizer and settings for a data set and a Keras model; the same call goes on with a killed study.

    model: a function that builds a `keras.Model`, "FILE.py:FUNCTION", a saved ".keras" file, a `keras.Model`, or
    None for a default that suits the data. data: a file, "sklearn:NAME", "FILE.py:FUNCTION", a DataFrame with
    `target`, or `(x, y)` or `(x, y, sample_weight)`; several targets are a dict by the names of the model's outputs,
    or several columns. kind: "classification" or "regression", or that by target, inferred if None. sample_weight:
    what each row counts in the loss, or the column that says so. class_weight: what each class counts in training,
    by label, or "balanced". precision: what layers compute in, "float32", "mixed_bfloat16" or "mixed_float16" (with
    the loss scaled as Keras does it); what the model says itself if None. trials: in total, over all
    optimizers (60 if `time` is not given either). time: seconds for the whole study, from this call
    to its end; what follows the search shrinks if need be. epochs: of every training.
    optimizers: names of the arms; all of the space if None. space: a shipped space's name or a YAML file.
    objective: "val_loss" or "val_" and a metric. care: "quick", "standard" or "careful": how many candidates are re-run
    on how many fresh seeds. confirm: confirmations of a finalist, 0 for none, None for what `care` says. rope: the
    difference in the headline metric that does not matter, None for the larger of one standard error and half a point
    (of a share) or one per cent. prefer: what is recommended among those within one standard error of the best, the
    "simplest", "best", "fastest" or "cheapest" (in memory). strategy: "arms", an Optuna study an optimizer with a fair
    share of the budget each, or "joint", one study in which the optimizer is a parameter. sampler: "tpe", "gp" (needs
    PyTorch), "grid", "qmc", "random", or an Optuna sampler. pruner: who ends trials at a quarter and a half of their
    epochs: "none", "halving", "hyperband", "median", "patient", "percentile", "successive_halving", "wilcoxon", or an
    Optuna pruner. range_test: try learning rates a little before an arm's first trial, and search where they learn.
    elimination: arms that could not become the best any more give their trials to the others. start: what is known to
    be good and tried first: a `Configuration`, several, the name or folder of an earlier study, or a file (see
    docs/warm-start.md). seed: of the whole study. workers: training processes. device: "auto" (a process
    a GPU where there are some), "cpu" or "gpu". mlflow: a tracking URI, "default" for
    `MLFLOW_TRACKING_URI` or a local SQLite file, None for no tracking. register: the name under which the trained model
    becomes a version in MLflow's registry, with the alias "candidate". storage: the URL of a database that gets a copy
    of the study for Optuna and optuna-dashboard while it runs, "default" for `OPTSELECT_STORAGE`, None for none. check:
    train the recommended configuration once with `model.fit`, and so the model that is kept; without, that one comes
    from the compiled program, sooner. whole: train that model on the test rows too. report: write the page for people
    and Optuna's file. study: its name. out: where its folder goes. decimal: the decimal mark of a file in which every
    number could be read in two ways, "point" or "comma". dates: what comes first in dates of that sort, "day-first",
    "month-first" or "year-first". keep, drop: columns to use although they look like ids, and columns not to use.
    missing_target: "drop" leaves out all rows without a target, "refuse" none; None drops fewer than 5 %. labels:
    "merge" makes one class of labels that differ only in case or spaces, "distinct" keeps them apart.

    Raises a subclass of `OptselectError` for whatever is wrong with the input, before anything is trained where
    that is possible.

    >>> import optselect                                                     # doctest: +SKIP
    >>> result = optselect.tune(None, "sklearn:digits", trials=60, epochs=20)  # doctest: +SKIP
    >>> optimizer = result.best.optimizer(total_steps=result.total_steps)     # doctest: +SKIP
    """
    began, listener = monotonic(), listener or Silent()
    settings = Settings(
        trials=trials,
        seconds=time,
        care=care,
        confirm=confirm,
        rope=rope,
        prefer=prefer,
        seed=seed,
        workers=workers,
        device=device,
        mlflow=mlflow,
        register=register,
        storage=Database.find(storage),
        check=check,
        whole=whole,
        report=report,
        search=SearchOptions(
            strategy=strategy,
            sampler=sampler,
            pruner=pruner,
            range_test=range_test,
            elimination=elimination,
            start=known_good(start or (), studies=Path(out or STUDIES)),
        ),
    )
    if epochs < 1:
        raise InvalidValue(f"tune: `epochs` must be at least 1, got {epochs}.")
    chosen = load_space(space)
    if optimizers:
        chosen = chosen.only(optimizers)
    question = Question(
        model=model,
        data=data,
        target=target,
        kind=kind,
        sample_weight=sample_weight,
        class_weight=class_weight,
        precision=precision,
        epochs=epochs,
        objective=objective,
        seed=seed,
        encoding=encoding,
        separator=separator,
        decimal=decimal,
        dates=dates,
        keep=keep,
        drop=drop,
        missing_target=missing_target,
        labels=labels,
    )
    spec = question.spec(listener.say)
    name = study or _study_name(spec.data.name)
    directory = Path(out or STUDIES) / name
    record = StudyRecord(
        name=name,
        fingerprint={
            **spec.fingerprint(),
            "space": chosen.digest(),
            "seed": str(seed),
            "care": care,
            **settings.search.fingerprint(),
        },
        description={
            "data": spec.data.name,
            "space": chosen.name,
            "question": question.to_dict(),
            "model": None if spec.model is None else spec.model.to_dict(),
        },
    )
    for line in (
        *spec.describe(),
        *_strangers(settings.search.start, chosen),
        *_batches(chosen, len(spec.split.train)),
    ):
        listener.say(line)
    with Ledger.open(directory / "ledger.jsonl") as ledger:
        for place in (directory, directory / "paused"):
            sweep(place)
        StudyLog.of(ledger.entries, ledger.path)
        check_conflict(record, ledger)
        outcome = Session(record, spec, chosen, ledger, settings, listener, began=began).run()
    return Result(**vars(outcome))


def _strangers(start: Sequence[Configuration], space: Space) -> list[str]:
    """What to say of configurations to start with whose optimizer is not searched."""
    names = left_out(start, space.optimizers)
    return [f"`start`: nothing of {', '.join(names)} is tried, which the search does not have."] if names else []


def _batches(space: Space, rows: int) -> list[str]:
    """What to say of a space whose batches are all larger than the data; those that are larger are not offered."""
    smallest = min((rows if size == "full" else int(size) for size in space.batch_size.choices), default=rows)
    if smallest <= rows:
        return []
    return [f"The smallest batch of the space, {smallest:,}, is larger than the {rows:,} training rows: each step "
            "takes them all. Give the space smaller `batch_size`s."]  # fmt: skip


def _study_name(data: str) -> str:
    stem = Path(data.split(":")[-1]).stem if "sklearn:" in data or ".py:" in data else Path(data).stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "study"
