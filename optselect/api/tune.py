"""The main call: find the optimizer and settings for a data set and a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect import tasks
from optselect.api.result import Result
from optselect.api.session import Session
from optselect.api.settings import Settings
from optselect.api.studies import STUDIES
from optselect.errors import InvalidValue
from optselect.ledger import Ledger
from optselect.records import StudyRecord
from optselect.spaces import Space, load_space
from optselect.study.listener import Listener, Silent
from optselect.study.study import check_conflict
from optselect.verdict.ranking import Preference

__all__ = ["tune"]


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
    care: str = "standard",
    confirm: int | None = None,
    rope: float | None = None,
    prefer: Preference = "simplest",
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
    objective: "val_loss" or "val_" and a metric. care: "quick", "standard" or "careful": how many candidates are re-run
    on how many fresh seeds. confirm: confirmations of a finalist, 0 for none, None for what `care` says. rope: the
    difference in the headline metric that does not matter, None for the larger of one standard error and half a point
    (of a share) or one per cent. prefer: what is recommended among those within one standard error of the best, the
    "simplest", "best", "fastest" or "cheapest" (in memory). seed: of the whole study.
    workers: training processes. mlflow: a tracking URI, "default" for `MLFLOW_TRACKING_URI` or a local SQLite
    file, None for no tracking. study: its name. out: where its folder goes.

    Raises a subclass of `OptselectError` for whatever is wrong with the input, before anything is trained where
    that is possible.

    >>> import optselect                                                     # doctest: +SKIP
    >>> result = optselect.tune(None, "sklearn:digits", trials=60, epochs=20)  # doctest: +SKIP
    >>> optimizer = result.best.optimizer(total_steps=result.total_steps)     # doctest: +SKIP
    """
    listener = listener or Silent()
    settings = Settings(
        trials=trials,
        seconds=time,
        care=care,
        confirm=confirm,
        rope=rope,
        prefer=prefer,
        seed=seed,
        workers=workers,
        mlflow=mlflow,
    )
    if epochs < 1:
        raise InvalidValue(f"tune: `epochs` must be at least 1, got {epochs}.")
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
        fingerprint={**spec.fingerprint(), "space": chosen.digest(), "seed": str(seed), "care": care},
        description={"data": spec.data.name, "space": chosen.name},
    )
    for line in (*spec.describe(), *_batches(chosen, len(spec.split.train))):
        listener.say(line)
    with Ledger.open(directory / "ledger.jsonl") as ledger:
        check_conflict(record, ledger)
        return Session(record, spec, chosen, ledger, settings, listener).run()


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
