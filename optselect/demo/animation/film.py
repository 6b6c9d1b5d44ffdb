"""Writes an animation: GIF by Pillow, MP4 by imageio-ffmpeg, HTML by a template."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from optselect.demo.animation.scene import CALM, INK, INKS, Scene
from optselect.errors import InvalidValue
from optselect.util.whole_files import draft

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "PACKAGES", "check_film", "film"]

_RATE = 20  # frames a second
_HOLD = 1.6  # seconds that the end stands still before a loop begins anew
_PALING = (0.85, 0.7, 0.55, 0.4, 0.27, 0.16)  # how much of an ink is seen where its trail pales
_SHADES = 24  # of the map, and of grey
PACKAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ".gif": ("demo", ("matplotlib", "PIL")),
    ".mp4": ("video", ("matplotlib", "imageio_ffmpeg")),
    ".html": ("demo", ("contourpy",)),
}
"""The extra that installs what a format needs, and the modules that it needs."""


def check_film(path: Path, seconds: float) -> None:
    """Check that an animation can be written.

    Parameters
    ----------
    path : Path
        A file that ends in .gif, .mp4 or .html.
    seconds : float
        Duration, in seconds.

    Raises
    ------
    InvalidValue
        If the suffix is another one, the folder does not exist, the duration is out of bounds, or a package of an extra
        is missing.

    Examples
    --------
    >>> check_film(Path("race.txt"), 7.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    optselect.errors.InvalidValue: demo: 'race.txt' is no animation: name it ...
    """
    if path.suffix.lower() not in FORMATS:
        raise InvalidValue(f"demo: {path.name!r} is no animation: name it {', '.join(f'*{s}' for s in FORMATS)}.")
    if not 1 <= seconds <= 60:
        raise InvalidValue(f"demo: `seconds` must lie in [1, 60], got {seconds!r}.")
    if not path.parent.is_dir():
        raise InvalidValue(f"demo: {path}: there is no folder {path.parent}.")
    extra, packages = PACKAGES[path.suffix.lower()]
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InvalidValue(
                f'demo: {path.name} needs {package}, which is not installed: pip install "optselect[{extra}]".'
            )


def film(scene: Scene, path: Path, *, seconds: float) -> Path:
    """Write a scene, in the form that the suffix of `path` says; the file is whole or not there.

    seconds: from the first step to the last. Raises `InvalidValue` as `check_film` does.
    """
    check_film(path, seconds)
    write = FORMATS[path.suffix.lower()]
    with draft(path) as unfinished:
        write(scene, unfinished, seconds)
    return path


def _frames(scene: Scene, seconds: float) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """Size, and pictures of equal distance in time from the first point to the last."""
    from optselect.demo.animation.frames import Drawing  # matplotlib: not before something is drawn

    drawing = Drawing(scene)
    times = np.linspace(0, len(scene.steps) - 1, max(2, round(seconds * _RATE)))
    return drawing.size, (drawing.frame(float(time)) for time in times)


def _gif(scene: Scene, path: Path, seconds: float) -> None:
    from PIL import Image

    _, frames = _frames(scene, seconds)
    palette = _palette(scene)
    pictures = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [1000 // _RATE] * (len(pictures) - 1) + [round(1000 * _HOLD)]
    # With `optimize` what did not change since the frame before is left out: a tenth of the bytes.
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0, optimize=True)


def _palette(scene: Scene) -> Image:
    """The colours of one scene: each ink as its trail pales over the map, the map, and the greys of text."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb
    from PIL import Image

    inks = [to_rgb(ink) for ink in INKS[: len(scene.lanes)]]
    grounds = [to_rgb(CALM[1]), to_rgb(CALM[-2])]
    paling = [_mixed(ink, ground, share) for ink in inks for ground in grounds for share in _PALING]
    map_ = LinearSegmentedColormap.from_list("calm", CALM)(np.linspace(0, 1, _SHADES))[:, :3]
    greys = [_mixed(to_rgb(INK), (1.0, 1.0, 1.0), share) for share in np.linspace(0, 1, _SHADES)]
    colours = np.round(255 * np.array([*inks, *paling, *map_, *greys])).astype("uint8")
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image


def _mixed(one: Sequence[float], other: Sequence[float], share: float) -> np.ndarray:
    return share * np.array(one) + (1 - share) * np.array(other)


def _mp4(scene: Scene, path: Path, seconds: float) -> None:
    import imageio_ffmpeg  # an extra

    size, frames = _frames(scene, seconds)
    options = ["-crf", "20", "-preset", "medium", "-movflags", "+faststart"]
    writer = imageio_ffmpeg.write_frames(
        str(path), size, fps=_RATE, codec="libx264", output_params=options, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    for _ in range(round(_HOLD * _RATE)):
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def _html(scene: Scene, path: Path, seconds: float) -> None:
    from optselect.demo.animation.player import page

    path.write_text(page(scene, seconds=seconds), encoding="utf-8")


FORMATS: Mapping[str, Callable[[Scene, Path, float], None]] = {".gif": _gif, ".mp4": _mp4, ".html": _html}
"""What an animation can be written as, by suffix."""
