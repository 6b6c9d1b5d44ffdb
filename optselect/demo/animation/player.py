"""The animation as one HTML page that asks nothing of the network."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import contourpy
import jinja2
import numpy as np

from optselect.demo.animation.scene import CALM, CALM_DARK, INKS, INKS_DARK, MARKERS, Scene

__all__ = ["page"]

_TEMPLATE = Path(__file__).with_name("page.html")
_WIDE, _HIGH = 640, 480  # units of the map's drawing; the page scales it
_SHAPES = {
    "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "s": "M-4.6-4.6h9.2v9.2h-9.2z",
    "D": "M0-6.2L6.2 0 0 6.2-6.2 0z",
    "^": "M0-6L5.8 4.6H-5.8z",
    "v": "M0 6L5.8-4.6H-5.8z",
    "P": "M-2.1-5.8h4.2v3.7h3.7v4.2h-3.7v3.7h-4.2v-3.7h-3.7v-4.2h3.7z",
    "X": "M-5.5-3L-3-5.5 0-2.5 3-5.5 5.5-3 2.5 0 5.5 3 3 5.5 0 2.5-3 5.5-5.5 3-2.5 0z",
    "p": "M0-6L5.7-1.9 3.5 4.9H-3.5L-5.7-1.9z",
    "h": "M0-6L5.2-3V3L0 6-5.2 3V-3z",
    "<": "M-6 0L4.6-5.8V5.8z",
    ">": "M6 0L-4.6-5.8V5.8z",
    "*": "M0-6.5L1.6-2.2 6.2-2 2.6.8 3.9 5.3 0 2.7-3.9 5.3-2.6.8-6.2-2-1.6-2.2z",
}
"""Of the markers, around the origin, as SVG paths."""


def page(scene: Scene, *, seconds: float) -> str:
    """The page. seconds: from the first step to the last, at speed 1."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    bands = _bands(scene)
    return template.render(
        scene=scene,
        width=_WIDE,
        height=_HIGH,
        bands=bands,
        light=_shades(CALM, len(bands)),
        dark=_shades(CALM_DARK, len(bands)),
        inks=[INKS[i % len(INKS)] for i in range(len(scene.lanes))],
        inks_dark=[INKS_DARK[i % len(INKS_DARK)] for i in range(len(scene.lanes))],
        shapes=[_SHAPES[MARKERS[i]] for i in range(len(scene.lanes))],
        star=_SHAPES["*"],
        minima=_pixels(scene, np.array(scene.minima).reshape(-1, 2)),
        start=_pixels(scene, scene.lanes[0].path[:1])[0],
        ticks_x=_ticks(scene.x[0], scene.x[-1]),
        ticks_y=_ticks(scene.y[0], scene.y[-1]),
        data=_data(scene, seconds),
    )


def _data(scene: Scene, seconds: float) -> str:
    """What the script moves, as JSON that may stand in a script element."""
    low, high = scene.heights_shown
    lanes = []
    for lane, above in zip(scene.lanes, scene.above, strict=True):
        place, _ = scene.place(lane, len(scene.steps))
        lanes.append(
            {
                "label": lane.label,
                "outcome": lane.outcome,
                "points": _pixels(scene, lane.path[: lane.last + 1]),
                "cross": _pixels(scene, place[None])[0],
                "heights": [float(f"{value:.4g}") for value in lane.heights[: lane.last + 1]],
                "above": [round(math.log10(value), 4) for value in above[: lane.last + 1]],
            }
        )
    found = {
        "seconds": seconds,
        "steps": scene.steps.tolist(),
        "lanes": lanes,
        "low": math.log10(low),
        "high": math.log10(high),
        "within": math.log10(max(scene.within - scene.lowest, low)),
    }
    return json.dumps(found, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _pixels(scene: Scene, points: np.ndarray) -> list[list[float]]:
    """Points of the map in units of the drawing, y downwards."""
    x = (points[:, 0] - scene.x[0]) / (scene.x[-1] - scene.x[0]) * _WIDE
    y = (scene.y[-1] - points[:, 1]) / (scene.y[-1] - scene.y[0]) * _HIGH
    far = 20.0 * _WIDE  # farther out nothing is seen, and digits are saved
    return [[round(float(a), 1), round(float(b), 1)] for a, b in np.clip(np.stack([x, y], axis=1), -far, far)]


def _bands(scene: Scene) -> list[str]:
    """The areas between two heights from low to high, each as an SVG path."""
    x = np.linspace(0, _WIDE, len(scene.x))
    y = np.linspace(_HIGH, 0, len(scene.y))
    z = np.ma.masked_invalid(scene.z)
    found = contourpy.contour_generator(x, y, z, fill_type=contourpy.FillType.OuterOffset)
    paths = []
    for low, high in itertools.pairwise(scene.levels):
        polygons: Any = found.filled(low, high)
        parts = [
            _outline(points[begin:end])
            for points, offsets in zip(*polygons, strict=True)
            for begin, end in itertools.pairwise(offsets)
        ]
        paths.append("".join(parts))
    return paths


def _outline(points: np.ndarray) -> str:
    return "M" + "L".join(f"{a:g} {b:g}" for a, b in np.round(points[:-1], 1)) + "z"


def _shades(ends: Sequence[str], count: int) -> list[str]:
    """So many colours from the first of `ends` through all to the last."""
    table = np.array([[int(end[i : i + 2], 16) for i in (1, 3, 5)] for end in ends])
    places = np.linspace(0, len(ends) - 1, count)
    channels = [np.interp(places, range(len(ends)), table[:, i]) for i in range(3)]
    return ["#" + "".join(f"{round(c):02x}" for c in colour) for colour in zip(*channels, strict=True)]


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Some round numbers between two, each with its share of the way."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    values = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    return [(float((v - low) / (high - low)), f"{0.0 if abs(v) < step / 2 else v:.6g}") for v in values]
