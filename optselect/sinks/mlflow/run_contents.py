"""What a study and its trials look like in MLflow: plain names, values and points, cut to MLflow's limits."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from optselect.optim.configuration import Configuration
from optselect.record.entries import StudyRecord, TrialRecord

__all__ = [
    "Point",
    "arm_tags",
    "batches",
    "configuration_key",
    "configuration_params",
    "configuration_tags",
    "distinct",
    "finite",
    "key",
    "milliseconds",
    "number",
    "status",
    "study_params",
    "study_tags",
    "text",
    "trial_params",
    "trial_points",
    "trial_tags",
]

# mlflow/utils/validation.py of 3.17
KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
BATCH_PARAMS = 100
BATCH_ENTITIES = 1000


class Point(NamedTuple):
    """One value of a metric. milliseconds: since 1970. step: an epoch, from 1, or a trial's number."""

    name: str
    value: float
    milliseconds: int
    step: int


def key(name: str) -> str:
    """`name` with what MLflow refuses in the name of a metric, parameter or tag replaced.

    >>> key("val_loss"), key("top-5 (%)"), key("../up"), key("")
    ('val_loss', 'top-5 ___', 'up', '_')
    """
    clean = posixpath.normpath("/" + re.sub(r"[^\w.\- /]", "_", name)).strip("/").lstrip("./")
    return clean[:KEY_LENGTH].rstrip("/") or "_"


def text(value: Any, limit: int) -> str:
    """`value` as text that every store takes: no NUL, no lone surrogate, at most `limit` characters.

    >>> text("a" * 9, 5), text(True, 5)
    ('aa...', 'true')
    """
    plain = number(value) if isinstance(value, numbers.Real) else str(value)
    plain = plain.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def number(value: Any) -> str:
    """A number, short and without an exponent: MLflow sorts parameters as text, and 0.0004 < 0.00131 holds there.

    Four digits are kept, counted from 1 for what lies close below 1, as decay rates do.

    >>> number(0.00131248999), number(4e-7), number(0.99912345), number(64.0), number(True)
    ('0.001312', '0.0000004', '0.9991235', '64', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, numbers.Integral) or not math.isfinite(value):
        return str(value)
    value = float(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    size = min(abs(value), 1 - abs(value)) if 0.5 < abs(value) < 1 else abs(value)
    decimals = max(0, 3 - math.floor(math.log10(size)))
    shown = f"{value:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def configuration_key(arm: str, configuration: Configuration) -> str:
    """Twelve letters that all seeds of a configuration share, and no other's.

    >>> from optselect.optim.configuration import BASELINE
    >>> len(configuration_key("adam", BASELINE))
    12
    """
    whole = json.dumps([arm, configuration.to_dict()], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def configuration_params(configuration: Configuration) -> dict[str, str]:
    """Every setting under a flat name; `log10_learning_rate` too, since the axes of MLflow's charts are linear."""
    rate = configuration.learning_rate
    flat: dict[str, Any] = {"optimizer": configuration.rule.key, **configuration.rule.named_numbers()}
    flat |= {"learning_rate": rate, "log10_learning_rate": round(math.log10(rate), 4)}
    flat["schedule"] = configuration.schedule.name
    flat |= {f"schedule_{name}": value for name, value in configuration.schedule.values().items()}
    flat["clipping"] = configuration.clipping.name
    flat |= configuration.clipping.values()
    flat["batch_size"] = configuration.batch_size
    return {key(name): text(value, PARAM_LENGTH) for name, value in flat.items()}


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """The settings, and which training of them it is."""
    return {**configuration_params(trial.configuration), "seed": str(trial.seed), "stage": trial.stage}


def arm_tags(arm: str) -> dict[str, str]:
    """What an arm's run is found by."""
    return {"optselect.kind": "arm", "optselect.arm": text(arm, TAG_LENGTH)}


def distinct(once: bool) -> dict[str, str]:
    """The tag by which every configuration is found once: by its own run, or by its only training's.

    >>> distinct(True)
    {'optselect.distinct': 'yes'}
    """
    return {"optselect.distinct": "yes" if once else "no"}


def configuration_tags(arm: str, configuration: Configuration) -> dict[str, str]:
    """What the run of a configuration is found by."""
    tags = {
        **arm_tags(arm),
        "optselect.kind": "configuration",
        "optselect.optimizer": configuration.rule.key,
        "optselect.configuration": str(configuration),
        "optselect.configuration_key": configuration_key(arm, configuration),
    }
    return {name: text(value, TAG_LENGTH) for name, value in tags.items()}


def trial_tags(trial: TrialRecord) -> dict[str, str]:
    """What to filter by; `optselect.reason` says why a trial has no value."""
    tags = {
        **configuration_tags(trial.arm, trial.configuration),
        "optselect.kind": "trial",
        "optselect.stage": trial.stage,
        "optselect.outcome": trial.outcome,
        "optselect.number": str(trial.number),
        "optselect.seed": str(trial.seed),
    }
    if trial.message:
        tags["optselect.reason"] = trial.message
    return {name: text(value, TAG_LENGTH) for name, value in tags.items()}


def trial_points(trial: TrialRecord) -> list[Point]:
    """The curves by epoch, from 1, and what has one value: `objective`, `seconds`, the metrics without a curve.

    With early stopping `epochs` and `best_epoch` too, and the scores of the kept weights one step behind the curves.

    MLflow would store an infinity as 1.8e308: points that are not finite are left out, and `diverged_at_epoch`
    names the first.
    """
    end = milliseconds(trial.started + trial.seconds)
    points: list[Point] = []
    broken: list[int] = []
    for name, curve in trial.curves.items():
        for epoch, value in enumerate(curve, start=1):
            if finite(value):
                share = trial.seconds * epoch / max(len(curve), 1)
                points.append(Point(key(name), float(value), milliseconds(trial.started + share), epoch))
            else:
                broken.append(epoch)
    once: dict[str, Any] = {name: value for name, value in trial.metrics.items() if name not in trial.curves}
    once |= {"objective": trial.value, "seconds": trial.seconds}
    if trial.best_epoch:
        once |= {"epochs": trial.epochs, "best_epoch": trial.best_epoch}
        kept = {name: value for name, value in trial.metrics.items() if name in trial.curves and finite(value)}
        # As MLflow's autologging has it: what the restored weights score stands behind the last epoch.
        points += [Point(key(name), float(value), end, trial.epochs + 1) for name, value in kept.items()]
    if broken:
        once["diverged_at_epoch"] = min(broken)
    points += [Point(key(name), float(value), end, trial.epochs) for name, value in once.items() if finite(value)]
    return points


def study_params(study: StudyRecord) -> dict[str, str]:
    """The fingerprint and the scalars of the descriptions."""
    task = study.task.to_dict() if study.task else {}
    flat = {**study.description, **task, **study.fingerprint}
    return {key(str(n)): text(v, PARAM_LENGTH) for n, v in flat.items() if isinstance(v, str | numbers.Real)}


def study_tags(study: StudyRecord, versions: Mapping[str, str]) -> dict[str, str]:
    """What a study's run is found by. `versions`: of the packages that were used, by name."""
    tags = {"optselect.kind": "study"}
    tags |= {f"optselect.version.{name}": version for name, version in versions.items()}
    if "data" in study.fingerprint:
        tags["optselect.data"] = study.fingerprint["data"]
    return {name: text(value, TAG_LENGTH) for name, value in tags.items()}


def status(trial: TrialRecord) -> str:
    """MLflow's word for how a trial ended."""
    return {"complete": "FINISHED", "pruned": "KILLED", "diverged": "KILLED", "failed": "FAILED"}[trial.outcome]


def batches(params: Mapping[str, str], points: list[Point]) -> Iterator[tuple[dict[str, str], list[Point]]]:
    """Parameters and points in parts that MLflow takes in one request each.

    >>> [(len(p), len(m)) for p, m in batches({str(n): "" for n in range(120)}, [Point("loss", 0.0, 0, 1)] * 2500)]
    [(100, 900), (20, 980), (0, 620)]
    """
    left = list(params.items())
    while left or points:
        some, left = left[:BATCH_PARAMS], left[BATCH_PARAMS:]
        room = BATCH_ENTITIES - len(some)
        yield dict(some), points[:room]
        points = points[room:]


def milliseconds(seconds: float) -> int:
    """Seconds since 1970 as MLflow counts them."""
    return max(0, round(seconds * 1000))


def finite(value: Any) -> bool:
    """Whether `value` is a number that MLflow can hold; a flag is none."""
    if isinstance(value, bool):
        return False
    return isinstance(value, numbers.Real) and math.isfinite(value)
