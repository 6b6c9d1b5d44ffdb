"""The main call: find the optimizer and settings for a data set and a model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from optselect.api.result import Result
from optselect.api.studies import STUDIES
from optselect.data import DataOptions, SplitOptions
from optselect.errors import InvalidValue
from optselect.model.own_metric import ObjectiveLike
from optselect.optim.configuration import Configuration
from optselect.options import Evaluation, RunOptions, Settings, Tracking
from optselect.record import StudyLog
from optselect.record.entries import StudyRecord
from optselect.session.session import Session
from optselect.spaces import Space, load_space
from optselect.study.conflict import check_conflict
from optselect.study.listener import Listener, Silent
from optselect.study.search_options import SearchOptions
from optselect.study.warm_start import left_out
from optselect.task import EarlyStopping
from optselect.util.option_fields import fill
from optselect.util.whole_files import sweep

__all__ = ["tune"]


@fill(Settings)
def tune(
    model: Any,
    data: Any,
    *,
    target: str | Sequence[str] | None = None,
    kind: str | Mapping[str, str] | None = None,
    objective: ObjectiveLike = "val_loss",
    trials: int | None = None,
    time_limit: float | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    early_stopping: EarlyStopping | Mapping[str, Any] | None = None,
    optimizers: Sequence[str] | None = None,
    space: str | Path | None = None,
    callbacks: Any = None,
    seed: int = 0,
    splits: SplitOptions | None = None,
    data_options: DataOptions | None = None,
    search: SearchOptions | None = None,
    evaluation: Evaluation | str = "standard",
    run: RunOptions | None = None,
    tracking: Tracking | None = None,
    validation_data: Any = None,
    listener: Listener | None = None,
) -> Result:
    """Find the optimizer and its settings for a data set and a Keras model.

    The same call resumes a study that was stopped, and reports one that is
    finished.

    Parameters
    ----------
    {model}
    {data}
    {target}
    {kind}
    {objective}
    {trials}
    {time_limit}
    {epochs}
    {patience}
    {early_stopping}
    {optimizers}
    {space}
    {callbacks}
    {seed}
    splits : SplitOptions, optional
        Which rows train, validate and test.
    data_options : DataOptions, optional
        How the data set is written, which columns are used, and what its
        rows and classes count.
    search : SearchOptions, optional
        How configurations are drawn, and which trials end early.
    evaluation : Evaluation or str, default "standard"
        How the best candidates are compared on fresh seeds: "quick",
        "standard", "careful", or an `Evaluation`.
    run : RunOptions, optional
        Processes, device, precision, and where the study is kept.
    tracking : Tracking, optional
        Copies of the study for MLflow and Optuna.
    validation_data : tuple, DataFrame or str, optional
        What `model.fit` calls so: short for `SplitOptions(validation=...)`.
    listener : Listener, optional
        Is told of every step while the study runs.

    Returns
    -------
    Result
        The recommended configuration, the verdict and all trials.

    Raises
    ------
    OptselectError
        One of its subclasses for whatever is wrong with the input, before
        anything is trained where that is possible.

    Examples
    --------
    >>> import optselect
    >>> result = optselect.tune(
    ...     None, "sklearn:digits", trials=60, epochs=20
    ... )  # doctest: +SKIP
    >>> optimizer = result.best.optimizer(
    ...     total_steps=result.total_steps
    ... )  # doctest: +SKIP
    """
    began = monotonic()
    splits = splits or SplitOptions()
    if validation_data is not None:
        if splits.validation is not None:
            raise InvalidValue("tune: `validation` and `validation_data` are both given: drop one.")
        splits = dataclasses.replace(splits, validation=validation_data)
    settings = Settings(
        model=model,
        data=data,
        target=target,
        kind=kind,
        objective=objective,
        trials=trials,
        time_limit=time_limit,
        epochs=epochs,
        patience=patience,
        early_stopping=early_stopping,
        optimizers=optimizers,
        space=space,
        callbacks=callbacks,
        seed=seed,
        splits=splits,
        data_options=data_options or DataOptions(),
        search=search or SearchOptions(),
        evaluation=Evaluation(care=evaluation) if isinstance(evaluation, str) else evaluation,
        run=run or RunOptions(),
        tracking=tracking or Tracking(),
    )
    return _run(settings, began=began, listener=listener or Silent())


def _run(settings: Settings, *, began: float, listener: Listener) -> Result:
    """Open the study's ledger and run what is left of it. began: when the call came."""
    studies = Path(settings.run.out or STUDIES)
    search = settings.search.resolved(studies)
    settings.tracking.database  # noqa: B018 — refused before anything is started
    chosen = load_space(settings.space)
    if settings.optimizers:
        chosen = chosen.only(settings.optimizers)
    spec = settings.spec(listener.say)
    name = settings.run.study or _study_name(spec.data.name)
    recorded = dataclasses.replace(settings, run=dataclasses.replace(settings.run, study=name)).to_record()
    record = StudyRecord(
        name=name,
        fingerprint={
            **spec.fingerprint(),
            "space": chosen.digest(),
            "seed": str(settings.seed),
            "care": settings.evaluation.care,
            **search.fingerprint(),
        },
        description={
            "data": spec.data.name,
            "space": chosen.name,
            "model": None if spec.model is None else spec.model.to_dict(),
        },
        settings=recorded,
    )
    for line in (
        *spec.describe(),
        *_strangers(search.configurations, chosen),
        *_batches(chosen, len(spec.split.train)),
    ):
        listener.say(line)
    with StudyLog.open(studies / name / "ledger.jsonl") as log:
        for place in (log.path.parent, log.path.parent / "paused"):
            sweep(place)
        check_conflict(record, log)
        settings = dataclasses.replace(settings, search=search)
        outcome = Session(record, spec, chosen, log, settings, listener, began=began).run()
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
