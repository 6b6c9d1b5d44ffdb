"""Rules going down a surface side by side, as one call."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optselect.demo.animation import Lane, Scene, check_film, film
from optselect.demo.surfaces import CLASSICS, SURFACES, Surface, named, named_classic
from optselect.errors import InvalidValue
from optselect.optim.rule import Rule
from optselect.optim.rules import parse_settings
from optselect.user_code.functions import is_reference, load_function, split_reference, where_it_failed

__all__ = ["RACES", "Entry", "Race", "Runner", "best_walk", "check_film", "near", "race"]

RACES: Mapping[str, Mapping[str, str]] = {
    "surfaces": {name: surface.summary for name, surface in SURFACES.items()},
    "classics": {name: classic.summary for name, classic in CLASSICS.items()},
}
"""What there is to race on and the classic comparisons, each name with a line about it."""

_DEFAULT = ("sgd", "sgd(momentum=0.9)", "rmsprop", "adam", "lion")
_MOST = 12  # rules in one picture: more markers and colours nobody can tell apart
_WITHIN = 1e-3  # of the start's height above the lowest: who stays so near has arrived
_A_DECADE = 4  # learning rates that are tried
_CELLS = 141  # of a map, along each side


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A rule that is to run. text: as it was given. given: whether that said the learning rate."""

    text: str
    rule: Rule
    given: bool

    @property
    def label(self) -> str:
        """The rule and what differs from its defaults, without the learning rate: "sgd, momentum 0.9"."""
        plain = {type(part): {h.name: h.default for h in part.hypers()} for part in self.rule.parts}
        changed = [
            name if value is True else f"{name} {value:g}" if not isinstance(value, bool) else f"no {name}"
            for part in self.rule.parts
            for name, value in part.values().items()
            if name != "learning_rate" and value != plain[type(part)][name]
        ]
        return ", ".join([self.rule.key, *changed])

    def rates(self, beyond: float = 1.0) -> tuple[float, ...]:
        """Four learning rates a decade over the range that the rule declares, and so many times beyond both ends."""
        [declared] = [h for h in self.rule.base.hypers() if h.name == "learning_rate"]
        search = declared.search
        if search is None or search.scale != "log":
            return (self.rule.base.values()["learning_rate"],)
        low, high = (math.log10(end) for end in (search.low / beyond, search.high * beyond))
        powers = np.arange(math.ceil(low * _A_DECADE - 1e-9), math.floor(high * _A_DECADE + 1e-9) + 1) / _A_DECADE
        return tuple(float(f"{10**power:.3g}") for power in powers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runner:
    """How a rule went. rule: with the learning rate that it had. tried: the rates of which that was the best; empty if
    it was given. path: float32 (points, 2), where the rule would have the model judged; heights: (points,); both NaN
    after it diverged. held: the share of the squared distance from the start that a plane through weights holds, None
    on a surface."""

    label: str
    rule: Rule
    tried: tuple[float, ...]
    path: np.ndarray = dataclasses.field(repr=False)
    heights: np.ndarray = dataclasses.field(repr=False)
    held: float | None = None

    @property
    def learning_rate(self) -> float:
        """That it had."""
        return float(self.rule.base.values()["learning_rate"])

    @property
    def last(self) -> int:
        """The last point that is finite."""
        return int(np.flatnonzero(np.isfinite(self.heights))[-1])

    @property
    def diverged(self) -> bool:
        """Whether it did."""
        return self.last < len(self.heights) - 1

    @property
    def late(self) -> float | None:
        """The mean height over the last quarter of the points; None if it diverged."""
        return None if self.diverged else float(_late(self.heights).mean())

    def arrived(self, height: float) -> int | None:
        """The point from which on it is no higher; None if that is not so at least for the last tenth of the way."""
        return _arrived(self.heights, height)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Race:
    """Rules that went down a surface.

    on: its name. about: one line. steps: (points,), how many steps each point of a path has behind it. x, y, z: the
    map, z of shape (y, x). minima: where it is lowest, as far as that is known. lowest: the height there, or the lowest
    that was seen. within: who stays no higher has arrived. height_name: what is high or low. notes: what must be known
    to read the picture.
    """

    on: str
    about: str
    runners: tuple[Runner, ...]
    steps: np.ndarray = dataclasses.field(repr=False)
    x: np.ndarray = dataclasses.field(repr=False)
    y: np.ndarray = dataclasses.field(repr=False)
    z: np.ndarray = dataclasses.field(repr=False)
    minima: tuple[tuple[float, float], ...]
    lowest: float
    within: float
    height_name: str
    axis_names: tuple[str, str]
    notes: tuple[str, ...]

    def outcome(self, runner: Runner) -> str:
        """In words: "arrives at step 34", "diverges at step 7", "does not arrive"."""
        if runner.diverged:
            return f"diverges at step {self.steps[runner.last + 1]}"
        point = runner.arrived(self.within)
        return "does not arrive" if point is None else f"arrives at step {self.steps[point]}"

    def scene(self) -> Scene:
        """What is drawn."""
        lanes = [
            Lane(
                label=runner.label,
                rate=f"{runner.learning_rate:.3g}" + (f", best of {len(runner.tried)}" if runner.tried else ""),
                path=runner.path,
                heights=runner.heights,
                outcome=self.outcome(runner),
            )
            for runner in self.runners
        ]
        alike = [field.name for field in dataclasses.fields(Scene) if field.name not in ("title", "lanes")]
        return Scene(title=self.on, lanes=tuple(lanes), **{name: getattr(self, name) for name in alike})

    def save(self, path: str | Path, *, seconds: float = 7.0) -> Path:
        """Write the animation: .gif, .mp4 or .html. seconds: from the first step to the last.

        Raises `InvalidValue` for another suffix, or where nothing writes MP4.
        """
        return film(self.scene(), Path(path), seconds=seconds)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; of diverged rules no more than the finite points."""
        return {
            "on": self.on,
            "about": self.about,
            "steps": int(self.steps[-1]),
            "start": float(self.runners[0].heights[0]),
            "lowest": self.lowest,
            "lowest_is_known": bool(self.minima),
            "within": self.within,
            "notes": list(self.notes),
            "rules": [self._described(runner) for runner in self.runners],
        }

    def _described(self, runner: Runner) -> dict[str, Any]:
        point, end = runner.arrived(self.within), runner.last + 1
        return {
            "label": runner.label,
            "rule": runner.rule.to_dict(),
            "learning_rate": runner.learning_rate,
            "rates_tried": list(runner.tried),
            "end": None if runner.diverged else float(runner.heights[-1]),
            "mean_of_last_quarter": runner.late,
            "arrived_at_step": None if point is None else int(self.steps[point]),
            "diverged_at_step": int(self.steps[end]) if runner.diverged else None,
            "held_by_plane": runner.held,
            "steps": self.steps[:end].tolist(),
            "path": runner.path[:end].tolist(),
            "heights": runner.heights[:end].tolist(),
        }


def race(
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
) -> Race:
    """Let rules go down a surface side by side.

    rules: with settings if wanted, `"sgd(momentum=0.9)"`, `"lookahead(adam)"`; a few well-known ones else. on: a
    surface of `RACES`, "FILE.py:FUNCTION" or a function of x and y, whose gradient TensorFlow takes; or a data set as
    in `tune`: then the rules train the model and are drawn on a plane through its weights. classic: a comparison of
    `RACES`, which says rules and surface. learning_rate: of all rules that do not set it themselves; None: each gets
    its best on this surface, out of four a decade over the range that it declares and a decade beyond. start, window,
    noise: instead of the surface's own. seed: of the noise; of data also of split, weights and order of rows. of_data:
    what `race_on_model` takes besides.

    Raises a subclass of `OptselectError` for whatever is wrong with the input.

    >>> found = race(["sgd(momentum=0.9)"], on="valley")
    >>> found.runners[0].label, found.outcome(found.runners[0])  # doctest: +ELLIPSIS
    ('sgd, momentum 0.9', 'arrives at step ...')
    >>> found.save("valley.gif")  # doctest: +SKIP
    """
    if classic is not None:
        known = named_classic(classic)
        if rules or on:
            raise InvalidValue(f"race: the classic {classic!r} says rules and surface itself; leave them out, or it.")
        rules, on = known.rules, known.surface
        learning_rate = known.learning_rate if learning_rate is None else learning_rate
    entries = _entries(rules or _DEFAULT, learning_rate)
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= 20_000):
        raise InvalidValue(f"race: `steps` must be a whole number from 2 to 20,000, got {steps!r}.")
    if _is_data(on, of_data):
        changed = {"start": start, "window": window, "noise": noise}
        for name in (name for name, value in changed.items() if value is not None):
            raise InvalidValue(
                f"race: `{name}` is for surfaces; on data the rules start at the model's initial weights."
            )
        from optselect.demo.on_model import race_on_model

        return race_on_model(entries, on, steps=steps or 100, seed=seed, **of_data)
    if of_data:
        raise InvalidValue(f"race: {', '.join(f'`{name}`' for name in of_data)} are for data sets, not for surfaces.")
    return _on_surface(entries, _surface(on or "beale", start, window, noise), steps, seed)


def _is_data(on: Any, of_data: Mapping[str, Any]) -> bool:
    if not isinstance(on, str):
        return False
    known = is_reference(on) or on in SURFACES
    return "target" in of_data or "model" in of_data or (not known and (":" in on or "." in on))


def _entries(texts: Sequence[str], learning_rate: float | None) -> list[Entry]:
    if len(texts) > _MOST:
        raise InvalidValue(f"race: {len(texts)} rules are too many for one picture; no more than {_MOST}.")
    entries: list[Entry] = []
    for text in texts:
        rule, settings = parse_settings(text)
        given = "learning_rate" in settings
        if learning_rate is not None and not given:
            rule = rule.replaced(learning_rate=learning_rate)
        entry = Entry(text=text, rule=rule, given=given or learning_rate is not None)
        if any(entry.rule == other.rule for other in entries):
            raise InvalidValue(f"race: {text!r} runs twice; say it once, or set something else.")
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
        raise InvalidValue(f"race: `window` must be left < right, bottom < top, got {changed.window}.")
    if not (left <= changed.start[0] <= right and bottom <= changed.start[1] <= top):
        raise InvalidValue(f"race: `start` must lie in the window {changed.window}, got {changed.start}.")
    if not 0 <= changed.noise < math.inf:
        raise InvalidValue(f"race: `noise` must be zero or more, got {changed.noise}.")
    return changed


def _on_surface(entries: Sequence[Entry], surface: Surface, steps: int | None, seed: int) -> Race:
    x, y, z = _map(surface)
    from optselect.demo.on_surface import POINT, Walker

    walker = Walker(surface, steps=steps or surface.steps, seed=seed)
    runners, notes = [], []
    for entry in entries:
        tried = () if entry.given else entry.rates(beyond=10.0)
        paths, heights = walker.walk(entry.rule, tried or [entry.rule.base.values()["learning_rate"]])
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
    return Race(
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
        raise InvalidValue(f"race: {where} It gets arrays of x and of y, and returns an array of heights.") from problem
    if z.shape != (_CELLS, _CELLS):
        raise InvalidValue(
            f"race: {surface.name} must give a height for each x and y, got {z.shape} for {(_CELLS, _CELLS)}."
        )
    if not np.isfinite(z).any():
        raise InvalidValue(f"race: {surface.name} is nowhere finite in the window {surface.window}.")
    return x, y, z


def near(lowest: float, start: float, share: float = _WITHIN) -> float:
    """The height below which a rule has arrived: a share of the way from the lowest to the start."""
    return float(lowest + share * (start - lowest))


def best_walk(heights: np.ndarray, lowest: float | None) -> int:
    """The row of the best walk: that arrives first; where none does, the lowest on average over its last quarter.

    heights: (walks, points). lowest: of the surface, None if not known; then nobody arrives.
    """

    def key(row: np.ndarray) -> tuple[float, float]:
        arrived = None if lowest is None else _arrived(row, near(lowest, row[0]))
        mean = float(_late(row).mean())
        return math.inf if arrived is None else arrived, mean if math.isfinite(mean) else math.inf

    return min(range(len(heights)), key=lambda i: key(heights[i]))


def _arrived(heights: np.ndarray, within: float) -> int | None:
    high = np.flatnonzero(~(heights <= within))
    first = int(high[-1]) + 1 if len(high) else 0
    return first if first <= 0.9 * len(heights) else None


def _late(heights: np.ndarray) -> np.ndarray:
    return heights[len(heights) * 3 // 4 :]
