"""Rules going down a surface side by side, as one call."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optselect.demo.descent import Descent, Runner, best_walk, near
from optselect.demo.participant import Participant
from optselect.demo.surfaces import CLASSICS, SURFACES, Surface, named, named_classic
from optselect.errors import InvalidValue
from optselect.optim.rules import parse_settings
from optselect.user_code.functions import is_reference, load_function, split_reference, where_it_failed

__all__ = ["CATALOG", "descend"]

CATALOG: Mapping[str, Mapping[str, str]] = {
    "surfaces": {name: surface.summary for name, surface in SURFACES.items()},
    "classics": {name: classic.summary for name, classic in CLASSICS.items()},
}
"""The surfaces and the classic comparisons, each name with one line about it."""

_DEFAULT = ("sgd", "sgd(momentum=0.9)", "rmsprop", "adam", "lion")
_MOST = 12  # rules in one picture: more markers and colours nobody can tell apart
_CELLS = 141  # of a map, along each side


def descend(
    rules: Sequence[str] | None = None,
    *,
    on: str | Callable[[Any, Any], Any] | None = None,
    classic: str | None = None,
    learning_rate: float | None = None,
    steps: int | None = None,
    start: tuple[float, float] | None = None,
    window: tuple[float, float, float, float] | None = None,
    noise: float | None = None,
    seed: int = 0,
    **of_data: Any,
) -> Descent:
    """Let rules go down a surface, or train a model, side by side.

    Parameters
    ----------
    rules : sequence of str, optional
        Rules, with settings if wanted: `"sgd(momentum=0.9)"`, `"lookahead(adam)"`. Default: five well-known ones.
    on : str or callable, optional
        A surface of `CATALOG`, "FILE.py:FUNCTION", or a function of x and y, which TensorFlow differentiates; or a data
        set as in `tune`: the rules then train the model and are drawn on a plane through its weights. Default: "beale".
    classic : str, optional
        A comparison of `CATALOG`, which defines rules and surface.
    learning_rate : float, optional
        Learning rate of all rules that do not set it themselves. Default: each gets its best, out of four per decade
        over the range that it declares and a decade beyond.
    steps : int, optional
        Number of steps, from 2 to 20,000. Default: the surface's own; 100 on data.
    start : tuple of 2 float, optional
        Start on a surface. Default: the surface's own.
    window : tuple of 4 float, optional
        Left, right, bottom and top end of the map. Default: the surface's own.
    noise : float, optional
        Standard deviation of the noise of the gradients. Default: the surface's own.
    seed : int, default 0
        Random seed of the noise; on data also of the split, the weights and the order of the rows.
    **of_data : Any
        On data: `target`, `model` and `kind` as in `tune`, `batch_size`, and `plane`, which says how the plane is
        chosen.

    Returns
    -------
    Descent
        The paths, and the map below them.

    Raises
    ------
    OptselectError
        If anything about the input is wrong.

    Examples
    --------
    >>> found = descend(["sgd(momentum=0.9)"], on="valley")
    >>> found.runners[0].label, found.outcome(found.runners[0])  # doctest: +ELLIPSIS
    ('sgd, momentum 0.9', 'arrives at step ...')
    >>> found.save("valley.gif")  # doctest: +SKIP
    """
    if classic is not None:
        known = named_classic(classic)
        if rules or on:
            raise InvalidValue(f"demo: the classic {classic!r} says rules and surface itself; leave them out, or it.")
        rules, on = known.rules, known.surface
        learning_rate = known.learning_rate if learning_rate is None else learning_rate
    entries = _entries(rules or _DEFAULT, learning_rate)
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= 20_000):
        raise InvalidValue(f"demo: `steps` must be a whole number from 2 to 20,000, got {steps!r}.")
    if _is_data(on, of_data):
        changed = {"start": start, "window": window, "noise": noise}
        for name in (name for name, value in changed.items() if value is not None):
            raise InvalidValue(
                f"demo: `{name}` is for surfaces; on data the rules start at the model's initial weights."
            )
        from optselect.demo.on_model import descend_on_model

        return descend_on_model(entries, on, steps=steps or 100, seed=seed, **of_data)
    if of_data:
        raise InvalidValue(f"demo: {', '.join(f'`{name}`' for name in of_data)} are for data sets, not for surfaces.")
    return _on_surface(entries, _surface(on or "beale", start, window, noise), steps, seed)


def _is_data(on: Any, of_data: Mapping[str, Any]) -> bool:
    if not isinstance(on, str):
        return False
    known = is_reference(on) or on in SURFACES
    return "target" in of_data or "model" in of_data or (not known and (":" in on or "." in on))


def _entries(texts: Sequence[str], learning_rate: float | None) -> list[Participant]:
    if len(texts) > _MOST:
        raise InvalidValue(f"demo: {len(texts)} rules are too many for one picture; no more than {_MOST}.")
    entries: list[Participant] = []
    for text in texts:
        rule, settings = parse_settings(text)
        given = "learning_rate" in settings
        if learning_rate is not None and not given:
            rule = rule.replaced(learning_rate=learning_rate)
        entry = Participant(text=text, rule=rule, given=given or learning_rate is not None)
        if any(entry.rule == other.rule for other in entries):
            raise InvalidValue(f"demo: {text!r} runs twice; say it once, or set something else.")
        entries.append(entry)
    return entries


def _surface(
    on: str | Callable[[Any, Any], Any],
    start: tuple[float, float] | None,
    window: tuple[float, float, float, float] | None,
    noise: float | None,
) -> Surface:
    """The surface that is meant, changed as asked."""
    if isinstance(on, str) and not is_reference(on):
        found = named(on)
    else:
        function = load_function(*split_reference(on), InvalidValue) if isinstance(on, str) else on
        name, summary = getattr(function, "__name__", "surface"), (function.__doc__ or "").strip().partition("\n")[0]
        left, right, bottom, top = window or (-5.0, 5.0, -5.0, 5.0)
        corner = (left + 0.15 * (right - left), top - 0.15 * (top - bottom))
        found = Surface(name=name, function=function, summary=summary, start=corner, window=(left, right, bottom, top))
    changed = dataclasses.replace(
        found,
        start=found.start if start is None else start,
        window=found.window if window is None else window,
        noise=found.noise if noise is None else noise,
    )
    left, right, bottom, top = changed.window
    if not (left < right and bottom < top and all(map(math.isfinite, changed.window))):
        raise InvalidValue(f"demo: `window` must be left < right, bottom < top, got {changed.window}.")
    if not (left <= changed.start[0] <= right and bottom <= changed.start[1] <= top):
        raise InvalidValue(f"demo: `start` must lie in the window {changed.window}, got {changed.start}.")
    if not 0 <= changed.noise < math.inf:
        raise InvalidValue(f"demo: `noise` must be zero or more, got {changed.noise}.")
    return changed


def _on_surface(entries: Sequence[Participant], surface: Surface, steps: int | None, seed: int) -> Descent:
    x, y, z = _map(surface)
    from optselect.demo.on_surface import POINT, Walker

    walker = Walker(surface, steps=steps or surface.steps, seed=seed)
    runners, notes = [], []
    for entry in entries:
        tried = () if entry.given else entry.rates(beyond=10.0)
        paths, heights = walker.walk(entry.rule, tried or [entry.rule.rate])
        best = best_walk(heights, surface.lowest)
        rule = entry.rule.replaced(learning_rate=tried[best]) if tried else entry.rule
        if tried and best in (0, len(tried) - 1):
            notes.append(f"{entry.label}: its best rate is the {'highest' if best else 'lowest'} that was tried.")
        runners.append(Runner(label=entry.label, rule=rule, tried=tried, path=paths[best], heights=heights[best]))
        fitted = rule.for_variable(POINT).key
        if fitted != rule.key:
            notes.append(f"{entry.label}: a point is no matrix, so it steps as {fitted} here.")
    lowest = surface.lowest
    if lowest is None:
        lowest = float(min(np.nanmin(z), *(np.nanmin(runner.heights) for runner in runners)))
        notes.append("The lowest height is the lowest that was seen.")
    if surface.noise:
        notes.append(
            f"Gradients have noise of standard deviation {surface.noise:g}, the same for all; heights have none."
        )
    return Descent(
        on=surface.name,
        about=surface.summary,
        runners=tuple(runners),
        steps=np.arange(walker.steps + 1),
        x=x,
        y=y,
        z=z,
        minima=surface.minima,
        lowest=lowest,
        within=near(lowest, runners[0].heights[0]),
        height_name="height",
        axis_names=("x", "y"),
        notes=tuple(notes),
    )


def _map(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the window. Raises `InvalidValue` for a function that fails on arrays, or is nowhere finite."""
    left, right, bottom, top = surface.window
    # Float32, as keras.ops has it: in a user's function it meets these arrays.
    x, y = np.linspace(left, right, _CELLS, dtype="float32"), np.linspace(bottom, top, _CELLS, dtype="float32")
    try:
        with np.errstate(all="ignore"):
            z = np.asarray(surface.function(*np.meshgrid(x, y)), dtype="float64")
    except Exception as problem:  # whatever a user's function raises
        where = where_it_failed(Path(surface.function.__code__.co_filename), problem)
        raise InvalidValue(f"demo: {where} It gets arrays of x and of y, and returns an array of heights.") from problem
    if z.shape != (_CELLS, _CELLS):
        raise InvalidValue(
            f"demo: {surface.name} must give a height for each x and y, got {z.shape} for {(_CELLS, _CELLS)}."
        )
    if not np.isfinite(z).any():
        raise InvalidValue(f"demo: {surface.name} is nowhere finite in the window {surface.window}.")
    return x, y, z
