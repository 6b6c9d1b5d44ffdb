"""Rules on surfaces: the surfaces are what they say, the compiled walk is the rule's, a descent says what happened."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.cli import main
from optselect.demo.animation.film import FORMATS, PACKAGES
from optselect.demo.descent import Runner
from optselect.demo.on_surface import POINT, Walker
from optselect.demo.run import CATALOG, descend
from optselect.demo.surfaces import CLASSICS, SURFACES, Surface
from optselect.errors import InvalidValue, OptselectError, UnknownName
from optselect.optim import stepping
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse_settings

STEPS = 4
every_surface = pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))
PAIRS = [(rule, list(SURFACES.values())[i % len(SURFACES)]) for i, rule in enumerate(RULES.values())]


@every_surface
def test_a_gradient_is_the_slope(surface: Surface) -> None:
    """At points all over the window, TensorFlow's gradient is that of finite differences."""
    rng = np.random.default_rng(0)
    left, right, bottom, top = surface.window
    walker, small = Walker(surface, steps=2, seed=0), 1e-5
    for x, y in zip(rng.uniform(left, right, 20), rng.uniform(bottom, top, 20), strict=True):
        f = surface.function
        slope = [(f(x + small, y) - f(x - small, y)) / 2e-5, (f(x, y + small) - f(x, y - small)) / 2e-5]
        found = walker.gradient(tf.constant([x, y], tf.float32))
        np.testing.assert_allclose(found, slope, rtol=2e-4, atol=2e-4 * (1 + np.abs(slope).max()))


@every_surface
def test_a_minimum_is_the_lowest_point(surface: Surface) -> None:
    """There the slope is nothing, all minima are equally low, and no place of the window is lower."""
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 301), np.linspace(bottom, top, 301))
    assert surface.lowest is not None
    assert surface.function(x, y).min() >= surface.lowest - 1e-12
    walker = Walker(surface, steps=2, seed=0)
    for point in surface.minima:
        assert surface.function(*point) == pytest.approx(surface.lowest, abs=1e-12)
        np.testing.assert_allclose(walker.gradient(tf.constant(point, tf.float32)), [0, 0], atol=1e-5)
    assert (surface.function.__doc__ or "").count("\n") >= 3  # equation and source


def stepped(rule: Rule, walker: Walker) -> np.ndarray:
    """The walk again, step by step without a graph."""
    params = [tf.constant(walker.surface.start, tf.float32)]
    states = stepping.init(rule, params, [POINT])
    path = [np.array(walker.surface.start)]
    for step in range(1, walker.steps + 1):
        grads = [walker.gradient(params[0]) + walker._noise[step - 1]]
        params, states = stepping.update(rule, grads, params, states, tf.constant(step, tf.int64), [POINT])
        path.append(np.array(stepping.evaluated(rule, params, states, [POINT])[0]))
    return np.array(path)


def check_walk(kind: type[Rule], surface: Surface) -> None:
    rule = kind()
    rates = [rule.rate, 0.003]
    walker = Walker(surface, steps=STEPS, seed=0)
    paths, heights = walker.walk(rule, rates)
    for rate, path, height in zip(rates, paths, heights, strict=True):
        known = np.isfinite(height)
        assert known[0]
        assert not np.diff(known.astype(int)).clip(0).any()  # once diverged, for ever
        by_hand = stepped(rule.replaced(learning_rate=rate), walker)[known]
        np.testing.assert_allclose(path[known], by_hand, rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(
            height[known], surface.function(*path[known].astype("float64").T), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize(("rule", "surface"), PAIRS, ids=[f"{rule.name}-{surface.name}" for rule, surface in PAIRS])
def test_a_compiled_walk_is_the_rule_step_by_step(rule: type[Rule], surface: Surface) -> None:
    """Of every rule, on a surface each: the same points without a graph, and the heights that the surface has there."""
    check_walk(rule, surface)


@pytest.mark.slow
@every_surface
@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_on_every_surface(rule: type[Rule], surface: Surface) -> None:
    """The same, of all pairs."""
    check_walk(rule, surface)


@pytest.mark.parametrize("name", CLASSICS)
def test_a_classic_runs(name: str) -> None:
    """As declared: its rules in their order, its rate where it has one."""
    found, declared = descend(classic=name), CLASSICS[name]
    assert found.on == declared.surface
    assert [runner.rule for runner in found.runners if not runner.tried] == [
        parse_settings(text)[0].replaced(learning_rate=parse_settings(text)[1].get("learning_rate", rate))
        for text in declared.rules
        if (rate := declared.learning_rate) is not None
    ]
    assert not any(runner.diverged for runner in found.runners)
    json.dumps(found.to_dict(), allow_nan=False)


def test_momentum_pays_in_a_long_valley() -> None:
    """What the classic shows is so: with momentum it takes less than half of the steps, each at its best rate."""
    plain, heavy = descend(classic="momentum").runners
    found = descend(classic="momentum")
    slow, fast = plain.arrived(found.within), heavy.arrived(found.within)
    assert fast is not None
    assert slow is None or slow > 2 * fast


def test_the_best_rate_is_the_best() -> None:
    """None of the other rates of the grid arrives earlier; the grid reaches a decade beyond the declared range."""
    found = descend(["adam"], on="beale", steps=120)
    [runner] = found.runners
    [declared] = [h.search for h in RULES["adam"].hypers() if h.name == "learning_rate"]
    assert declared is not None
    assert runner.tried[0] == pytest.approx(declared.low / 10)
    assert runner.tried[-1] == pytest.approx(declared.high * 10)
    others = [descend([f"adam(learning_rate={rate})"], on="beale", steps=120).runners[0] for rate in runner.tried[::4]]
    best = runner.arrived(found.within)
    assert best is not None
    assert all((other.arrived(found.within) or 999) >= best for other in others)


def test_noise_is_the_same_for_all_and_comes_from_the_seed() -> None:
    """A rule goes the same way whoever runs beside it, and another under another seed."""
    alone = descend(["sgd"], on="noisy-bowl", learning_rate=0.05, steps=30)
    beside = descend(["adam", "sgd"], on="noisy-bowl", learning_rate=0.05, steps=30)
    other = descend(["sgd"], on="noisy-bowl", learning_rate=0.05, steps=30, seed=1)
    np.testing.assert_array_equal(alone.runners[0].path, beside.runners[1].path)
    assert np.abs(alone.runners[0].path - other.runners[0].path).max() > 0.1


def test_who_diverges_is_said_where_it_left() -> None:
    """The step is the first without a point; the cross stands on the edge of the picture."""
    found = descend(["sgd", "adam"], on="rosenbrock", learning_rate=0.05, steps=40)
    gone, there = found.runners
    assert gone.diverged
    assert not there.diverged
    assert found.outcome(gone) == f"diverges at step {gone.last + 1}"
    assert found.to_dict()["rules"][0]["diverged_at_step"] == gone.last + 1
    scene = found.scene()
    place, crossed = scene.place(scene.lanes[0], 40.0)
    assert crossed
    edges = [scene.x[0], scene.x[-1], scene.y[0], scene.y[-1]]
    assert min(abs(place[[0, 0, 1, 1]] - edges)) < 1e-6


def test_arrived_means_stays() -> None:
    """Who comes by and leaves again has not arrived, nor who comes in the last tenth of the way."""

    def arrived(heights: list[float]) -> int | None:
        path = np.zeros((len(heights), 2))
        made = Runner(label="", rule=RULES["sgd"](), tried=(), path=path, heights=np.array(heights))
        return made.arrived(1.0)

    assert arrived([5.0, 1.0, *[0.5] * 18]) == 1
    assert arrived([5.0, 0.5, *[2.0] * 8, *[0.5] * 10]) == 10
    assert arrived([*[5.0] * 19, 0.5]) is None
    assert arrived([0.5, 0.5, np.nan, np.nan]) is None


def test_a_surface_of_ones_own(tmp_path: Path) -> None:
    """A function in a file, with keras.ops; the lowest height is the lowest seen, and that is said."""
    path = tmp_path / "mine.py"
    path.write_text(
        'from keras import ops\n\ndef bumps(x, y):\n    """Bumps."""\n    return ops.sin(3 * x) + x**2 + y**2\n'
    )
    found = descend(["sgd"], on=f"{path}:bumps", window=(-2, 2, -2, 2), start=(-1.5, 1.0), steps=60)
    assert (found.on, found.about) == ("bumps", "Bumps.")
    x = np.linspace(-2, 2, 100_001)
    assert found.lowest == pytest.approx((np.sin(3 * x) + x**2).min(), abs=1e-3)
    assert any("lowest that was seen" in note for note in found.notes)
    assert found.runners[0].arrived(found.within) is not None


def test_a_rule_for_matrices_says_how_it_steps_a_point() -> None:
    """Where another rule steps the point, a note names it."""
    told = [rule for rule in RULES.values() if rule().for_variable(POINT).key != rule().key]
    assert told
    found = descend([rule.name for rule in told], on="valley", learning_rate=0.01, steps=5)
    assert all(any(rule.name in note for note in found.notes) for rule in told)


def numpy_only(x: Any, y: Any) -> Any:
    """A surface without a gradient."""
    return np.square(np.asarray(x)) + np.square(np.asarray(y))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"rules": ["adma"]}, UnknownName, "Did you mean .*'adam'"),
        ({"rules": ["sgd(momentun=0.9)"]}, UnknownName, "momentum"),
        ({"rules": ["sgd(momentum=1.9)"]}, InvalidValue, r"\[0, 1\)"),
        ({"rules": ["sgd(momentum=high)"]}, InvalidValue, "neither a number"),
        ({"rules": ["sgd("]}, InvalidValue, "not a rule with settings"),
        ({"rules": ["adam(sgd)"]}, InvalidValue, "wraps no other"),
        ({"rules": ["sgd", "sgd"]}, InvalidValue, "twice"),
        ({"rules": [f"sgd(momentum=0.{i}1)" for i in range(9)] + ["adam", "lion", "yogi", "ftrl"]}, InvalidValue, "12"),
        ({"on": "beal"}, UnknownName, "Did you mean 'beale'"),
        ({"classic": "sadle"}, UnknownName, "Did you mean 'saddle'"),
        ({"classic": "saddle", "rules": ["sgd"]}, InvalidValue, "leave them out"),
        ({"on": "nowhere.py:f"}, InvalidValue, "no such file"),
        ({"on": "nowhere.csv"}, OptselectError, "nowhere.csv"),
        ({"on": numpy_only}, InvalidValue, "no gradient"),
        ({"on": lambda x, y: x if x > y else y}, InvalidValue, "arrays of x and of y"),
        ({"on": lambda x, y: 1.0}, InvalidValue, "for each x and y"),
        ({"steps": 1}, InvalidValue, "`steps`"),
        ({"learning_rate": -1.0}, InvalidValue, "learning_rate"),
        ({"start": (99.0, 0.0)}, InvalidValue, "`start`"),
        ({"window": (1.0, 0.0, 0.0, 1.0)}, InvalidValue, "`window`"),
        ({"noise": -1.0}, InvalidValue, "`noise`"),
        ({"on": "beale", "batch_size": 8}, InvalidValue, "`batch_size`"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    """One message that names what is wrong."""
    with pytest.raises(error, match=said):
        descend(**arguments)


def test_the_command_lists_what_there_is(optselect: Any) -> None:
    """Every surface and every classic with its line, without loading TensorFlow."""
    done = optselect("demo", "--list", "--json")
    assert json.loads(done.stdout) == CATALOG
    assert set(CATALOG) == {"surfaces", "classics"}
    text = optselect("demo", "--list").stdout
    assert all(name in text and summary in text for names in CATALOG.values() for name, summary in names.items())


def test_the_command_writes_and_tells(optselect: Any, tmp_path: Path) -> None:
    """The table has a row a rule with where it ended, the file is there, and nothing else is printed."""
    options = ("--on", "valley", "--steps", 40, "--same-rate", 0.1, "--seconds", 1, "--out-file", "valley.html")
    done = optselect("demo", "sgd", "sgd(momentum=0.9)", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "sgd, momentum 0.9" in done.stdout
    assert "The animation: valley.html" in done.stdout
    assert (tmp_path / "valley.html").read_text().startswith("<!doctype html>")
    assert max(map(len, done.stdout.splitlines())) <= 110


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """The command in this process, where TensorFlow is loaded already, in a fresh folder; its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["optselect", "demo", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out-file", "demo.png"), "*.gif, *.mp4, *.html"),
        (("--out-file", "nowhere/demo.gif"), "no folder nowhere"),
        (("--seconds", "0.1"), "`seconds`"),
        (("adma",), "no member is called 'adma'"),
    ],
)
def test_the_command_refuses(
    run_command: Callable[..., Any], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, one message, no traceback, no file."""
    assert run_command(*arguments) == 2
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "extra", "package"),
    [(suffix, extra, package) for suffix, (extra, packages) in PACKAGES.items() for package in packages],
)
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
    run_command: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    suffix: str,
    extra: str,
    package: str,
) -> None:
    """Before anything runs: exit code 2 and the line that installs it; no file."""
    monkeypatch.setitem(sys.modules, package, None)
    film = tmp_path / f"valley{suffix}"
    assert run_command("sgd", "--on", "valley", "--out-file", str(film)) == 2
    assert f'pip install "optselect[{extra}]"' in capsys.readouterr().err
    assert not film.exists()


def test_every_format_says_what_it_needs() -> None:
    """And every extra that it names is one of the distribution's."""
    assert set(PACKAGES) == set(FORMATS)
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {extra for extra, _ in PACKAGES.values()} <= set(declared["optional-dependencies"])
