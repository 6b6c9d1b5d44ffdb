"""Animations are real files: Pillow reads the GIF, ffmpeg the MP4, and a browser plays the page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageColor

from optselect.demo.animation import FORMATS, film
from optselect.demo.animation.scene import INKS, MARKERS
from optselect.demo.descent import Descent
from optselect.demo.run import descend

SECONDS = 2.0


@pytest.fixture(scope="module")
def found() -> Descent:
    """A descent of three, one of which diverges, on a small number of steps."""
    return descend(["sgd", "adam", "sgd(learning_rate=0.001)"], on="rosenbrock", learning_rate=0.02, steps=50)


@pytest.fixture(scope="module")
def files(found: Descent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the animation in every format."""
    folder = tmp_path_factory.mktemp("demo")
    for suffix in FORMATS:
        found.save(folder / f"demo{suffix}", seconds=SECONDS)
    assert sorted(path.suffix for path in folder.iterdir()) == sorted(FORMATS)  # nothing unfinished is left
    return folder


def test_a_gif_moves_loops_and_shows_every_rule(files: Path, found: Descent) -> None:
    """Twenty frames a second and a rest at the end, endless; every rule's colour is there; the file is small."""
    with Image.open(files / "demo.gif") as image:
        frames, times = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
            times.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert len(frames) <= SECONDS * 20
    assert sum(times) / 1000 == pytest.approx(SECONDS + 1.6, abs=0.11)
    assert len(frames) > SECONDS * 15
    assert all((one != other).any() for one, other in itertools.pairwise(frames))
    for ink in INKS[: len(found.runners)]:
        near = np.abs(frames[-1] - ImageColor.getrgb(ink)).max(axis=2) <= 12
        assert near.sum() > 30, ink
    assert (files / "demo.gif").stat().st_size < 1_500_000


def test_an_mp4_is_read_by_ffmpeg(files: Path) -> None:
    """As long as it should be, and its last frame is not its first."""
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(files / "demo.mp4"))
    assert count == round((SECONDS + 1.6) * 20)
    assert seconds == pytest.approx(SECONDS + 1.6, abs=0.1)
    decode = ["-v", "error", "-i", str(files / "demo.mp4"), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *decode], capture_output=True, check=True)
    assert done.stderr == b""
    frames = np.frombuffer(done.stdout, "uint8").reshape(count, -1).astype(int)
    assert (np.abs(frames[-1] - frames[0]) > 40).mean() > 0.002


def test_two_files_of_a_descent_are_equal(found: Descent, files: Path, tmp_path: Path) -> None:
    """A gallery that is made again changes nothing."""
    for suffix in (".gif", ".html"):
        found.save(tmp_path / f"again{suffix}", seconds=SECONDS)
        assert (tmp_path / f"again{suffix}").read_bytes() == (files / f"demo{suffix}").read_bytes()


@pytest.fixture
def page(files: Path, chromium: Any) -> Any:
    """The page in a browser that has no network; it must ask for nothing and complain of nothing."""
    context = chromium.new_context(offline=True, reduced_motion="reduce", viewport={"width": 1200, "height": 900})
    opened, asked, said = context.new_page(), [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    address = (files / "demo.html").as_uri()
    opened.goto(address)
    yield opened
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert said == []
    context.close()


def test_the_page_plays_and_pauses(page: Any) -> None:
    """Play moves it on, pause stops it, at the end it says the result; with reduced motion it waits to be asked."""
    assert page.inner_text("#step") == "step 0"
    page.select_option("#speed", "0.25")  # eight seconds: it must not end before it is stopped, on a busy machine too
    page.click("#play")
    page.wait_for_function("document.getElementById('step').textContent !== 'step 0'")
    page.click("#play")
    stopped = page.inner_text("#step")
    page.wait_for_timeout(120)
    assert page.inner_text("#step") == stopped
    page.select_option("#speed", "4")
    page.keyboard.press("Control+a")  # not a key of ours
    page.locator("#play").blur()
    page.keyboard.press(" ")
    page.wait_for_function("document.getElementById('step').textContent === 'step 50'")
    page.wait_for_function("document.getElementById('said').textContent.startsWith('End.')")
    assert "diverges at step" in page.inner_text("#said")


def test_the_page_is_scrubbed_and_shows_where_rules_are(page: Any, found: Descent) -> None:
    """At every step a marker stands where the path is; a cross stands for who diverged."""
    scene = found.scene()
    for step in (0, 3, 50):
        page.evaluate(f"document.getElementById('scrub').value = {step}")
        page.dispatch_event("#scrub", "input")
        for number, lane in enumerate(scene.lanes):
            place, crossed = scene.place(lane, step)
            x = (place[0] - scene.x[0]) / (scene.x[-1] - scene.x[0]) * 640
            y = (scene.y[-1] - place[1]) / (scene.y[-1] - scene.y[0]) * 480
            kind = "cross" if crossed else "head"
            at = page.get_attribute(f".{kind}.lane-{number}", "transform")
            shown = [float(part) for part in at.removeprefix("translate(").removesuffix(")").split()]
            assert math.dist(shown, (x, y)) < 0.2
            if 0 <= x <= 640 and 0 <= y <= 480:
                assert page.get_attribute(f".{kind}.lane-{number}", "visibility") == "visible"


def test_the_page_obeys_keys_boxes_and_theme(page: Any) -> None:
    """Arrows step, Home and End go to the ends, a number hides a rule as its box does, the theme turns."""
    page.keyboard.press("End")
    assert page.inner_text("#step") == "step 50"
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#step") == "step 49"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#step") == "step 1"
    page.keyboard.press("2")
    assert not page.is_checked('[data-lane="1"]')
    assert page.locator(".head.lane-1").is_hidden()
    page.check('[data-lane="1"]')
    assert page.locator(".head.lane-1").is_visible()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_the_page_tells_the_result_without_the_picture(page: Any, found: Descent) -> None:
    """A row a rule, as text, with label, rate and outcome; controls have names."""
    rows = page.locator("#results tbody tr").all_inner_texts()
    assert len(rows) == len(found.runners)
    for row, runner in zip(rows, found.runners, strict=True):
        assert runner.label in row
        assert found.outcome(runner) in row
    assert page.get_by_role("slider", name="Step").count() == 1
    assert page.get_by_role("button", name="Play").count() == 1
    assert page.get_by_role("checkbox").count() == len(found.runners)


def test_text_from_outside_stays_text(tmp_path: Path, chromium: Any) -> None:
    """A surface's name and line and a rule's label are escaped, in the page and in its data."""

    def height(x: Any, y: Any) -> Any:
        """</script><script>document.title = "broken"</script>"""
        return x**2 + y**2

    height.__name__ = "<b>&amp;"
    scene = descend(["sgd"], on=height, learning_rate=0.1, steps=3).scene()
    scene = dataclasses.replace(scene, lanes=(dataclasses.replace(scene.lanes[0], label="</script><i>"),))
    film(scene, tmp_path / "odd.html", seconds=1)
    page = chromium.new_page()
    page.goto((tmp_path / "odd.html").as_uri())
    assert page.inner_text("h1") == "<b>&amp;"
    assert page.title().startswith("<b>&amp;")
    assert json.loads(page.text_content("#data"))["lanes"][0]["label"] == "</script><i>"
    assert page.locator("#results tbody th").inner_text() == "</script><i>"
    page.close()


def test_markers_are_enough_for_the_largest_demo(tmp_path: Path) -> None:
    """Twelve rules are drawn, each with a marker of its own."""
    made = descend([f"sgd(momentum=0.{i:02}1)" for i in range(12)], on="valley", learning_rate=0.1, steps=3)
    assert len(set(MARKERS)) >= len(made.runners) == 12
    for suffix in (".gif", ".html"):
        assert made.save(tmp_path / f"many{suffix}", seconds=1).stat().st_size > 10_000
