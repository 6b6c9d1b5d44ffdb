"""What a user knows to be good before the search: configurations, an earlier study, or a list of them in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.errors import InvalidValue, OptselectError, UnknownName
from optselect.optim.configuration import BASELINE, Configuration
from optselect.record import StudyLog
from optselect.util.suggestion import suggestion

__all__ = ["is_json", "known_good", "left_out"]

_KEYS = ["configuration", "source", "weight"]


def known_good(start: Any, *, studies: Path) -> tuple[Configuration, ...]:
    """The configurations that `start` names, the most promising of each optimizer first.

    start: a `Configuration`, several, an optimizer as a Keras model is compiled with, or where they are: a file (JSON
    or YAML), or an earlier study, by its folder or its name in the folder `studies`, of which the best of each
    optimizer is taken; or the text of such a JSON file. A file holds one configuration as `Configuration.to_dict`
    writes it, a `recommendation.json`, or a portfolio: a list whose entries are configurations or
    `{"configuration": ..., "weight": 0.7, "source": "digits"}`; the larger weight goes first, 1 where none is given.

    Raises `InvalidValue` or `UnknownName`, with the place.

    >>> from optselect.optim.configuration import BASELINE
    >>> known_good(BASELINE, studies=Path()) == (BASELINE,)
    True
    """
    if isinstance(start, Configuration):
        return (start,)
    if hasattr(start, "get_config"):
        return (_of_optimizer(start),)
    if not isinstance(start, (str, Path)):
        return _all(start)
    if is_json(start):
        return _listed(_json(str(start)), "tune: `start`")
    path = Path(start)
    if not path.is_file():
        return _of_study(path if (path / "ledger.jsonl").exists() else studies / path, start)
    return _listed(_parsed(path), str(path))


def is_json(start: Any) -> bool:
    """Whether `start` is the text of configurations, not the name of a place where they are."""
    return isinstance(start, str) and start.lstrip().startswith(("{", "["))


def left_out(start: Sequence[Configuration], arms: Iterable[str]) -> list[str]:
    """The optimizers of `start` that are no arm of the search, so that nothing of theirs is tried."""
    known = set(arms)
    return list(dict.fromkeys(c.rule.key for c in start if c.rule.key not in known))


def _of_optimizer(optimizer: Any) -> Configuration:
    """What an optimizer of Keras or of ours does, with the default batch size: it knows of none."""
    if isinstance(optimizer.get_config()["learning_rate"], Mapping):
        raise InvalidValue(
            "tune: `start`: the optimizer has a schedule, and how long a training it is meant for is not known: "
            "pass optselect.Configuration.from_optimizer(optimizer, total_steps=..., batch_size=...)."
        )
    return Configuration.from_optimizer(optimizer, total_steps=1, batch_size=BASELINE.batch_size)


def _all(start: Iterable[Any]) -> tuple[Configuration, ...]:
    found = tuple(start)
    for one in found:
        if not isinstance(one, Configuration):
            raise InvalidValue(f"tune: `start` takes configurations, a file or a study, got {one!r}.")
    return found


def _of_study(folder: Path, given: Any) -> tuple[Configuration, ...]:
    if not (folder / "ledger.jsonl").exists():
        known = sorted(path.parent.name for path in folder.parent.glob("*/ledger.jsonl"))
        raise UnknownName(
            f"tune: `start` {str(given)!r} is neither a file nor a study. {suggestion(str(given), known)}"
        )
    log = StudyLog.read(folder / "ledger.jsonl")
    sign = log.task.objective.sign if log.task else 1.0
    trials = [r for r in log.trials if r.stage == "search"]
    good = sorted((r for r in trials if r.value is not None), key=lambda r: (sign * (r.value or 0.0), r.number))
    best: dict[str, Configuration] = {}
    for record in good:
        best.setdefault(record.arm, record.configuration)
    if not best:
        raise InvalidValue(f"tune: `start`: the study in {folder} has no trial that gave a value.")
    return tuple(best.values())


def _listed(content: Any, where: str) -> tuple[Configuration, ...]:
    if isinstance(content, Mapping):
        content = [content["configuration"]] if "configuration" in content else [content]
    if not isinstance(content, list) or not content:
        raise InvalidValue(f"{where}: a configuration or a list of them is wanted, got {type(content).__name__}.")
    weighted = [_entry(one, f"{where}, entry {number}") for number, one in enumerate(content, start=1)]
    return tuple(c for _, c in sorted(weighted, key=lambda pair: -pair[0]))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidValue(f"tune: `start` is not JSON: {error}.") from None


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        from ruamel.yaml import YAML

        return YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # whatever the parsers raise tells the place
        raise InvalidValue(f"{path}: cannot be read ({' '.join(str(error).split())}).") from error


def _entry(one: Any, where: str) -> tuple[float, Configuration]:
    """The weight and the configuration of an entry."""
    if not isinstance(one, Mapping):
        raise InvalidValue(f"{where}: a configuration is wanted, got {one!r}.")
    portfolio = "configuration" in one
    for key in one if portfolio else ():
        if key not in _KEYS:
            raise UnknownName(f"{where}: unknown key {key!r}. {suggestion(str(key), _KEYS)}")
    weight = one.get("weight", 1.0) if portfolio else 1.0
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight >= 0:
        raise InvalidValue(f"{where}: `weight` must be a number from 0, got {weight!r}.")
    content = one["configuration"] if portfolio else one
    if not isinstance(content, Mapping) or "optimizer" not in content:
        raise InvalidValue(f"{where}: a configuration with its `optimizer` is wanted, got {content!r}.")
    try:
        return float(weight), Configuration.from_dict(content)
    except (OptselectError, TypeError, AttributeError) as error:
        raise InvalidValue(f"{where}: {error}") from error
