"""Whether a study on disk is about the same question; if not, what changed, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optselect.errors import StudyConflict
from optselect.model.architecture import CONNECTED
from optselect.record import StudyLog
from optselect.record.entries import StudyRecord
from optselect.task import TaskDescription

__all__ = ["check_architecture", "check_conflict", "differences", "needs_architecture"]

_MOST = 6  # changes of a model that are listed
_BY_CONTENT = "content:"  # how a digest of the model begins since it is of its content


def check_conflict(record: StudyRecord, log: StudyLog) -> None:
    """Raise `StudyConflict`, naming what changed, if the log belongs to another question."""
    changed = differences(log.study.to_dict(), record.to_dict()) if log.study else []
    if changed:
        raise StudyConflict(_refusal(record.name, log.path.parent, changed))


def check_architecture(record: StudyRecord, log: StudyLog, now: TaskDescription) -> None:
    """Raise `StudyConflict` if the model that was built is not the one that the log tells of.

    now: the task as a worker has it.
    """
    if log.task is None or not record.description.get("model"):  # the default model is ours
        return
    known, built, changed = log.task, now.architecture, list[str]()
    before = known.architecture or {"parameters": known.parameters}
    parameters = built["parameters"] if built else now.parameters
    if before["parameters"] not in (None, 0, parameters):
        changed.append(f"{before['parameters']:,} parameters, now {parameters:,}")
    if built and "layers" in before:
        changed += _changes(before["layers"], built["layers"])
    if known.loss and known.loss != now.loss:
        changed.append(f"loss {known.loss}, now {now.loss}")
    if known.loss and known.metrics != now.metrics:
        changed.append(f"metrics {list(known.metrics)}, now {list(now.metrics)}")
    if changed:
        lines = [f"  the architecture: {line}" for line in changed]
        raise StudyConflict(_refusal(record.name, log.path.parent, lines))


def needs_architecture(record: StudyRecord, log: StudyLog) -> str:
    """Why content alone does not tell that the model is the same: a sentence, "" if it does."""
    now = record.description.get("model") or {}
    if log.study is None or not now:
        return ""
    before = log.study.description.get("model")
    if before is None:
        return "This study was recorded by an earlier version: the model's architecture is compared too."
    if before["python"] != now["python"]:
        return f"This study was started under Python {before['python']}: the model's architecture is compared."
    if now["unseen"]:
        shown = ", ".join(f"`{name}`" if name.isidentifier() else name for name in now["unseen"][:5])
        return f"The model depends on more than its code and values ({shown}): its architecture is compared too."
    return ""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two studies, a line each.

    before, now: `StudyRecord.to_dict()`; a fingerprint may have been recorded by an earlier version.
    """
    then, today = before["fingerprint"], now["fingerprint"]
    lines = []
    for key in sorted({*then, *today}):
        if key == "model":
            lines += [f"  the model: {line}" for line in _model(before, now)]
        elif then.get(key) != today.get(key):
            lines.append(f"  {key}: {_shown(then.get(key))} -> {_shown(today.get(key))}")
    return lines


def _model(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    then, today = before["fingerprint"].get("model"), now["fingerprint"].get("model")
    known, given = (side.get("description", {}).get("model") or {} for side in (before, now))
    if known and given:
        files = _files(known["files"], given["files"])
        if then == today or known["python"] != given["python"]:
            return files
        return [*_changes(known["parts"], given["parts"]), *files] or ["its content differs"]
    if then == today or (then and then == given.get("source")):
        return []
    return [f"{_named(then, known)}, now {_named(today, given)}"]


def _named(digest: str | None, about: Mapping[str, Any]) -> str:
    if digest == "default":
        return "the default model"
    return str(about.get("name") or f"another one (its source had the digest {_shown(digest)})")


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between parts: a digest and a short form by label."""
    values: list[str] = []
    others: list[str] = []
    for label in {**before, **now}:
        then, today = before.get(label, ("", "")), now.get(label, ("", ""))
        if label not in before or label not in now:
            shown = then[1] or today[1]
            others.append(f"{label} {'is new' if label in now else 'is gone'}{f' ({shown})' if shown else ''}")
        elif then[0] != today[0]:
            if then[1] and today[1] and then[1] != today[1]:
                old, new = _apart(then[1], today[1])
                values.append(f"{label} was {old}, is now {new}")
            else:
                others.append(f"{label} has changed")
    if len(values) + len(others) > 1:  # it holds the layers too
        others = [line for line in others if not line.startswith(CONNECTED)]
    found = [*values, *others]
    return found[:_MOST] + [f"and {len(found) - _MOST} more changes"] * (len(found) > _MOST)


def _apart(then: str, today: str) -> tuple[str, str]:
    """Of two lists of settings those that differ; of anything else all.

    >>> _apart("units=8, use_bias=True", "units=64, use_bias=True")
    ('units=8', 'units=64')
    """
    sides = then.split(", "), today.split(", ")
    if len(sides[0]) != len(sides[1]) or any("=" not in part for side in sides for part in side):
        return then, today
    pairs = [pair for pair in zip(*sides, strict=True) if pair[0] != pair[1]]
    return ", ".join(old for old, _ in pairs), ", ".join(new for _, new in pairs)


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Files that both name and that differ; one that only later is there may have been written by the model."""
    return [f"the file {name!r} has changed" for name in before if now.get(name, before[name]) != before[name]]


def _shown(value: Any) -> str:
    """A value of the fingerprint; of a digest its beginning."""
    text = "(not there)" if value is None else str(value)
    return f"{text[:8]}..." if re.fullmatch(r"[0-9a-f]{32,}", text) else text


def _refusal(name: str, folder: Path, lines: list[str]) -> str:
    return (
        f"Study {name!r} was started with something else:\n" + "\n".join(lines) + "\n"
        'Nothing was trained. Give the new question a name of its own (`RunOptions(study="NAME")`), '
        f"or remove {folder}."
    )
