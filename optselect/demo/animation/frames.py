"""Frames of an animation, drawn with matplotlib: what stands still once, what moves in every frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import Stroke, withStroke

from optselect.demo.animation.scene import CALM, INK, INKS, MARKERS, Scene

__all__ = ["Drawing"]

_SIZE = (9.2, 5.2)  # inches
_DPI = 100
_FAINT = "#77818b"
_FADE = 0.14  # the age of a trail, in shares of the film, after which it is much paler
_FAINTEST = 0.24  # and how pale it is at last
_RC: Any = {"font.family": "DejaVu Sans", "font.size": 9.5}


class Drawing:
    """Draws a scene at any time. size: pixels, (width, height)."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        with mpl.rc_context(_RC):
            self._figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white")
            canvas: Callable[[Figure], Any] = FigureCanvasAgg  # its methods have no types
            self._canvas = canvas(self._figure)
            self.size = self._canvas.get_width_height()
            self._map = self._figure.add_axes((0.072, 0.095, 0.541, 0.765))
            self._panel = self._figure.add_axes((0.70, 0.525, 0.285, 0.285))
            self._still()
            self._moving = [self._movers(i) for i in range(len(scene.lanes))]
            self._time = self._panel.axvline(0, color=_FAINT, linewidth=0.9, animated=True)
            self._count = self._map.text(
                0.985, 0.975, "", transform=self._map.transAxes, ha="right", va="top", color=INK, animated=True,
                fontsize=11, fontfamily="DejaVu Sans Mono", path_effects=[withStroke(linewidth=3, foreground="white")],
            )  # fmt: skip
            self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self._figure.bbox)

    def frame(self, time: float) -> np.ndarray:
        """The picture at a time, which counts points of the paths: uint8, (height, width, 3)."""
        self._canvas.restore_region(self._background)
        for number, movers in enumerate(self._moving):
            self._move(number, time, *movers)
        self._time.set_xdata([self._steps(time)] * 2)
        self._count.set_text(f"step {self._steps(time):.0f}")
        self._panel.draw_artist(self._time)
        self._map.draw_artist(self._count)
        return np.asarray(self._canvas.buffer_rgba())[:, :, :3].copy()

    def _steps(self, time: float) -> float:
        return float(np.interp(time, np.arange(len(self.scene.steps)), self.scene.steps))

    def _still(self) -> None:
        scene, axes = self.scene, self._map
        calm = LinearSegmentedColormap.from_list("calm", CALM)
        levels = scene.levels
        colours = calm(np.linspace(0, 1, len(levels) - 1))
        axes.contourf(scene.x, scene.y, scene.z, levels=levels, colors=colours)
        axes.contour(scene.x, scene.y, scene.z, levels=levels[1:], colors="white", linewidths=0.6, linestyles="solid",
                     alpha=0.75)  # fmt: skip
        axes.plot(*np.array(scene.minima).reshape(-1, 2).T, linestyle="", marker="*", markersize=13, color=INK,
                  markeredgecolor="white", zorder=3)  # fmt: skip
        axes.plot(*scene.lanes[0].path[0], marker="o", markersize=5, color="white", markeredgecolor=INK, zorder=3)
        axes.set_xlim(scene.x[0], scene.x[-1])
        axes.set_ylim(scene.y[0], scene.y[-1])
        axes.set_xlabel(scene.axis_names[0], color=INK, labelpad=2)
        axes.set_ylabel(scene.axis_names[1], color=INK, labelpad=2)
        self._figure.text(0.072, 0.945, scene.title, fontsize=14, fontweight="bold", color=INK)
        self._figure.text(0.072, 0.888, _shortened(scene.about, 118), fontsize=9, color=_FAINT)
        self._heights()
        self._legend()
        for drawn in (axes, self._panel):
            drawn.tick_params(colors=_FAINT, labelsize=8, length=3)
            for side in drawn.spines.values():
                side.set_color("#c9d0d6")

    def _heights(self) -> None:
        """The axes of the panel at the right."""
        scene, axes = self.scene, self._panel
        axes.set_yscale("log")
        axes.set_xlim(0, scene.steps[-1])
        axes.set_ylim(*scene.heights_shown)
        axes.axhline(scene.within - scene.lowest, color=_FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_title(f"{scene.height_name} above the lowest", fontsize=9, color=INK, loc="left", pad=5)
        axes.set_xlabel("step", color=INK, labelpad=1, fontsize=9)
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)

    def _legend(self) -> None:
        """A line a lane: marker, label, rate and outcome, below the panel."""
        lanes = self.scene.lanes
        top, height = 0.415, min(0.078, 0.40 / len(lanes))
        small = min(9.0, height * 180)
        axes = self._figure.add_axes((0.655, 0.0, 0.345, 1.0), facecolor="none")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.axis("off")
        for i, lane in enumerate(lanes):
            y = top - (i + 0.5) * height
            axes.plot([0.03], [y], marker=MARKERS[i], markersize=min(8, small * 0.85), color=INKS[i % len(INKS)],
                      markeredgecolor="white", clip_on=False)  # fmt: skip
            axes.text(0.075, y + height * 0.04, _shortened(lane.label, 44), fontsize=small, color=INK, va="bottom")
            said = f"rate {lane.rate}: {lane.outcome}"
            axes.text(0.075, y - height * 0.02, said, fontsize=small * 0.86, color=_FAINT, va="top")

    def _movers(self, number: int) -> tuple[Any, Any, Any, Any]:
        colour, casing = INKS[number % len(INKS)], [Stroke(linewidth=3.6, foreground="white", alpha=0.5)]
        trail = LineCollection([], linewidths=2.0, capstyle="butt", animated=True, zorder=4)
        self._map.add_collection(trail)
        (head,) = self._map.plot([], [], marker=MARKERS[number], markersize=8.5, color=colour, animated=True, zorder=6,
                                 markeredgecolor="white", linestyle="")  # fmt: skip
        (curve,) = self._panel.plot([], [], color=colour, linewidth=1.4, animated=True)
        (cross,) = self._map.plot([], [], marker="x", markersize=10, markeredgewidth=2.8, color=colour, animated=True,
                                  zorder=6, linestyle="", clip_on=False,
                                  path_effects=[*casing, withStroke(linewidth=0, foreground=colour)])  # fmt: skip
        return trail, head, curve, cross

    def _move(self, number: int, time: float, trail: Any, head: Any, curve: Any, cross: Any) -> None:
        scene, colour = self.scene, to_rgb(INKS[number % len(INKS)])
        lane = scene.lanes[number]
        points = lane.at(time)
        times = np.minimum(np.arange(len(points)), min(time, lane.last))
        age = (time - times[1:]) / (len(scene.steps) - 1)
        alpha = _FAINTEST + (1 - _FAINTEST) * np.exp(-age / _FADE)
        trail.set_segments(np.stack([points[:-1], points[1:]], axis=1))
        trail.set_color([(*colour, a) for a in alpha])
        place, diverged = scene.place(lane, time)
        shown, hidden = (cross, head) if diverged else (head, cross)
        shown.set_data([place[0]], [place[1]])
        hidden.set_data([], [])
        heights = scene.above[number]
        curve.set_data([*scene.steps[: len(times) - (time % 1 > 0)]], heights[: len(times) - (time % 1 > 0)])
        for artist in (trail, head, cross):
            self._map.draw_artist(artist)
        self._panel.draw_artist(curve)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
