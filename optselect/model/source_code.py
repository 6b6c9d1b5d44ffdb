"""Losses and metrics as the code that makes them, for the snippet that a user pastes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optselect.model.composing import Composed
from optselect.model.output_scoring import FunctionLoss
from optselect.model.self_judged import SelfJudged

__all__ = ["compile_code"]


def compile_code(judged: Composed | SelfJudged) -> str:
    """The arguments of `model.compile` beside the optimizer; what is of the user's own stands there by its name."""
    if isinstance(judged, SelfJudged):
        given = {word: value for word, value in vars(judged.compiled).items() if value is not None}
        return ", ".join(f"{word}={value!r}" if _is_plain(value) else f"{word}=..." for word, value in given.items())
    losses = [_loss(judging.loss) if judging else "None" for judging in judged.judgings]
    said = [f"loss={_arranged(judged, losses)}"]
    weights = [output.compiled.loss_weights for output in judged.outputs]
    if any(weight is not None for weight in weights):
        said.append(f"loss_weights={_arranged(judged, ['1.0' if w is None else repr(w) for w in weights])}")
    pairs = [judging.metrics() if judging else [] for judging in judged.judgings]
    for argument, asked in (("metrics", False), ("weighted_metrics", True)):
        codes = [", ".join(_metric(metric) for metric, weighted in found if weighted is asked) for found in pairs]
        if any(codes):
            said.append(f"{argument}={_arranged(judged, [f'[{code}]' for code in codes])}")
    return ", ".join(said)


def _arranged(judged: Composed, codes: Sequence[str]) -> str:
    return codes[0] if len(codes) == 1 else _written(judged.arranged(codes))


def _written(structure: Any) -> str:
    if isinstance(structure, dict):
        return f"{{{', '.join(f'{key!r}: {_written(part)}' for key, part in structure.items())}}}"
    if isinstance(structure, list | tuple):
        return f"[{', '.join(map(_written, structure))}]"
    return str(structure)


def _loss(loss: Any) -> str:
    return _code(loss, "keras.losses") or _own(loss.function if isinstance(loss, FunctionLoss) else loss)


def _metric(metric: Any) -> str:
    if metric.name in ("accuracy", "acc") and getattr(metric, "threshold", 0.5) == 0.5:
        return repr(metric.name)  # Keras chooses the kind of accuracy as we do, but not the threshold of logits
    return _code(metric, "keras.metrics") or _own(getattr(metric, "_fn", metric))


def _own(thing: Any) -> str:
    """How the user's code may call it: a function by its name, anything else as made without arguments."""
    name = getattr(thing, "__name__", None)
    if name is None:
        return f"{type(thing).__name__}()"
    return str(name) if name.isidentifier() else "your_function"


def _code(thing: Any, module: str) -> str:
    """The call that makes a thing of Keras, with what differs from its defaults; "" for another's."""
    kind = type(thing)
    if not kind.__module__.startswith("keras."):
        return ""
    try:
        defaults = kind().get_config()
    except TypeError:  # it has arguments without a default
        return ""
    changed = {k: v for k, v in thing.get_config().items() if k != "dtype" and v != defaults.get(k) and _is_plain(v)}
    return f"{module}.{kind.__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
