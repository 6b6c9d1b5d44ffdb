"""Losses and metrics as the code that makes them, for the snippet that a user pastes."""

from __future__ import annotations

from typing import Any

__all__ = ["loss_code", "metrics_code"]


def loss_code(loss: Any) -> str:
    """`keras.losses.X(...)` with what differs from its defaults; a user's own loss by its name."""
    return _code(loss, "keras.losses") or f"loss_fn  # your {loss.name}"


def metrics_code(metrics: list[Any]) -> str:
    """A list expression for `model.compile(metrics=...)`."""
    found = [
        repr(metric.name) if metric.name in ("accuracy", "acc") else _code(metric, "keras.metrics")
        for metric in metrics
    ]
    return f"[{', '.join(code for code in found if code)}]"


def _code(thing: Any, module: str) -> str:
    kind = type(thing)
    if not kind.__module__.startswith("keras."):
        return ""
    try:
        defaults = kind().get_config()
    except TypeError:  # it has arguments without a default
        return ""
    hidden = {"reduction", "dtype"}
    changed = {k: v for k, v in thing.get_config().items() if k not in hidden and v != defaults.get(k) and _is_plain(v)}
    return f"{module}.{kind.__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
