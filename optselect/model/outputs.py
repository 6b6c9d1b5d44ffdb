"""A model's outputs: how they are arranged and named, which target and which words of compile() belong to each."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from optselect.data.target import Target
from optselect.errors import InvalidModel
from optselect.util.suggestion import suggestion

__all__ = ["Compiled", "Output", "compiled_of", "find_outputs"]

_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiled:
    """What a user gave to `compile()`, as it was given."""

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """One output of a model.

    name: by which `model.fit` calls its metrics; "" for the only one. target: what it is to answer, None for an
    output without a loss. answers: to a few rows, shape (rows, ...). layer: that makes it, None if the model has
    no graph. compiled: what `compile()` got for this output alone.
    """

    name: str
    target: Target | None
    answers: np.ndarray
    layer: Any
    compiled: Compiled


def compiled_of(model: Any) -> Compiled:
    """What `model.compile` was called with."""
    if not model.compiled:
        return Compiled()
    loss, metrics = model._compile_loss, model._compile_metrics
    return Compiled(
        loss=model.loss,
        loss_weights=loss._user_loss_weights if loss else None,
        metrics=metrics._user_metrics if metrics else None,
        weighted_metrics=metrics._user_weighted_metrics if metrics else None,
    )


def find_outputs(
    model: Any, answers: Any, targets: Sequence[Target], who: str, *, by_place: bool = False
) -> list[Output]:
    """The outputs in the order of `keras.tree.flatten`.

    answers: of the model to a few rows, arrays as the model arranges them. by_place: whether targets have the order
    of the outputs, whatever their names. Raises InvalidModel if outputs and
    targets, or outputs and what compile() got, do not match.
    """
    paths, arrays = zip(*keras.tree.flatten_with_path(answers), strict=True)
    names, known = _names(model, paths)
    compiled = compiled_of(model)
    each = {word: _for_each(getattr(compiled, word), word, paths, names, who) for word in _ARGUMENTS}
    judged = [i for i in range(len(paths)) if compiled.loss is None or each["loss"][i] is not None]
    asked = [names[i] for i in judged]
    matched = list(targets) if by_place and len(asked) == len(targets) else _matched(asked, known, targets, who)
    found = dict(zip(judged, matched, strict=True))
    if not known:
        names = [found[i].name if i in found else name for i, name in enumerate(names)]
    return [
        Output(
            name=name if len(paths) > 1 else "",
            target=found.get(i),
            answers=arrays[i],
            layer=layer,
            compiled=Compiled(**{word: values[i] for word, values in each.items()}),
        )
        for i, (name, layer) in enumerate(zip(names, _layers(model, len(paths)), strict=True))
    ]


def _names(model: Any, paths: Sequence[tuple[Any, ...]]) -> tuple[list[str], bool]:
    """What Keras calls the outputs, and whether it has a name for each: keys of dicts, in lists the layers'."""
    layers = getattr(model, "output_names", None) or [None] * len(paths)
    names, known = [], True
    for i, (path, layer) in enumerate(zip(paths, layers, strict=True)):
        own = path[-1] if path and isinstance(path[-1], str) else layer
        known = known and own is not None
        names.append("/".join(map(str, (*path[:-1], own or f"output_{i}"))))
    return names, known


def _for_each(given: Any, word: str, paths: Sequence[tuple[Any, ...]], names: Sequence[str], who: str) -> list[Any]:
    """One argument of compile(), output by output, as Keras understands it."""
    if len(paths) == 1:
        return [_alone(given, word)]
    if given is None or (word == "loss" and not isinstance(given, dict | list | tuple)):
        return [given] * len(paths)
    if isinstance(given, dict) and set(given) <= set(names):
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple) and len(given) == len(paths):
        return list(given)
    if any(len(path) > 1 for path in paths):
        return [_along(given, path) for path in paths]
    unknown = [name for name in given if name not in names] if isinstance(given, dict) else []
    if unknown:
        raise InvalidModel(f"{who}: compiled with `{word}` for {unknown[0]!r}, which is no output of the model. "
                           f"{suggestion(str(unknown[0]), names)}")  # fmt: skip
    raise InvalidModel(
        f"{who}: compiled with `{word}={given!r}`; with the outputs {', '.join(names)} it must be a dict by output or "
        "a list with an entry for each."
    )


def _alone(given: Any, word: str) -> Any:
    """What a model with one output was given; its metrics may be listed under its name."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple) and word.startswith("loss"):
        return _alone(given[0], word) if len(given) == 1 else given
    return given


def _along(given: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        if isinstance(given, dict):
            given = given.get(key)
        elif isinstance(given, list | tuple) and isinstance(key, int) and key < len(given):
            given = given[key]
        else:
            return None
    return given


def _matched(names: Sequence[str], known: bool, targets: Sequence[Target], who: str) -> list[Target]:
    """The target of each output that has a loss: of its name, or, where there is no choice, the one in its place."""
    by_name = {target.name: target for target in targets}
    if len(names) == len(targets) == 1:
        return list(targets)
    if set(names) == set(by_name):
        return [by_name[name] for name in names]
    if not known and len(names) == len(targets):
        return list(targets)
    if len(names) == 1:
        raise InvalidModel(f"{who}: has one output, the data has the targets {', '.join(by_name)}.")
    lacking = [name for name in names if name not in by_name]
    how = f"No target for {', '.join(lacking)}: " if lacking else ""
    raise InvalidModel(
        f"{who}: has the outputs {', '.join(names)}, the data has {', '.join(by_name)}. {how}"
        "Name outputs and targets alike, and compile an output that needs no target with the loss None."
    )


def _layers(model: Any, count: int) -> list[Any]:
    """The layer that makes each output; a subclassed model has no graph to ask, but perhaps a last layer."""
    with contextlib.suppress(AttributeError, ValueError, TypeError):
        found = [tensor._keras_history.operation for tensor in model.outputs]
        if len(found) == count:
            return found
    return [model.layers[-1] if count == 1 and model.layers else None] * count
