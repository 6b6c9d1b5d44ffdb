"""The learning-rate range test: on curves whose truth is known, on noise, on the trainer, on the command line."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from optselect.api.lr_range import RangeTest, Sweep, lr_range
from optselect.errors import InvalidData, InvalidValue, UnknownName
from optselect.spaces import default_space, load_space
from optselect.study.range_test import RangeReading, bounds, rates, read
from optselect.trainer.messages import ProbeRun

RATES = rates(1e-5, 0.1)
STEP = RATES[1] / RATES[0] * 1.01


def probed(losses: Sequence[float], start: float = 1.0, tried: Sequence[float] = RATES) -> ProbeRun:
    return ProbeRun(rates=tuple(tried), start=start, losses=list(losses), val_losses=list(losses), seconds=0.0)


def basin(low: float, edge: float, tried: Sequence[float] = RATES, *, above: float = math.nan) -> np.ndarray:
    """1 below `low`, falling over log rates to 0.2 just below `edge`, `above` from there on."""
    x = np.log(np.asarray(tried))
    depth = np.clip((x - math.log(low)) / (math.log(edge) - math.log(low)), 0, 1)
    return np.where(np.asarray(tried) >= edge, above, 1 - 0.8 * depth)


@pytest.mark.parametrize("low", [3e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("decades", [1.5, 2.0])
@pytest.mark.parametrize("above", [math.nan, math.inf, 7.0, 1e30])
def test_a_known_basin_is_found(low: float, decades: float, above: float) -> None:
    """The edge is the first rate beyond the truth; learning starts within two rates of it; whatever divergence is."""
    edge = low * 10**decades
    reading = read(probed(basin(low, edge, above=above)))
    assert reading.edge == min(rate for rate in RATES if rate >= edge)
    assert reading.low is not None
    assert low <= reading.low <= low * STEP**2
    assert all(low <= rate < edge for rate in reading.suggested)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_loss_does_not_matter(scale: float) -> None:
    """A loss in other units is read the same."""
    losses = basin(1e-3, 0.1)
    one, other = read(probed(losses)), read(probed(losses * scale, start=scale))
    assert (one.low, one.edge, one.suggested, one.narrowed) == (other.low, other.edge, other.suggested, other.narrowed)


def test_noise_alone_seldom_learns() -> None:
    """Where losses only scatter around the start, fewer than one test in ten says that something learns."""
    random = np.random.default_rng(0)
    readings = [read(probed(1 + 0.05 * random.standard_normal(len(RATES)))) for _ in range(400)]
    assert np.mean([reading.low is not None for reading in readings]) < 0.1


def test_a_basin_shows_through_noise() -> None:
    """With noise of a fortieth of the fall, nine tests in ten find the edge, and the start within three rates."""
    random = np.random.default_rng(0)
    good = []
    for _ in range(200):
        losses = basin(1e-3, 0.1, above=5.0) + 0.02 * random.standard_normal(len(RATES))
        reading = read(probed(losses))
        good.append(
            reading.edge == min(rate for rate in RATES if rate >= 0.1)
            and reading.low is not None
            and 1e-3 / STEP <= reading.low <= 1e-3 * STEP**3
        )
    assert np.mean(good) > 0.9


@pytest.mark.parametrize("finite", [3, 4, 5, 8])
def test_a_curve_that_mostly_diverges_is_read(finite: int) -> None:
    """A few falling losses and then divergence: the bends of so short a curve do not pass for noise."""
    falling = [1.085, 0.963, 0.725, 0.694, 0.7, 0.71, 0.75, 0.84]
    losses = [*falling[:finite], *[math.nan] * (len(RATES) - finite)]
    reading = read(probed(losses, start=1.13))
    assert reading.low is not None
    assert reading.lowest in RATES[2:5]
    assert reading.edge == RATES[finite]


def test_one_lucky_rate_is_not_where_learning_starts() -> None:
    """A single low loss far below the basin does not count."""
    losses = basin(1e-2, 0.5)
    lucky = losses.copy()
    lucky[1] = 0.5
    assert read(probed(lucky)).low == read(probed(losses)).low


def test_what_is_suggested_lies_in_a_range_of_a_decade_or_more() -> None:
    """For any losses: narrowed is a range of at least a decade, holds what is suggested, and says no NaN."""
    random = np.random.default_rng(1)
    for _ in range(500):
        losses = random.choice([math.nan, math.inf, 0.1, 1.0, 1.5, -3.0, 1e9], size=len(RATES))
        losses = losses * (1 + 0.1 * random.standard_normal(len(RATES)))
        reading = read(probed(losses, start=float(random.choice([1.0, 0.0, -1.0, 5.0]))))
        low, high = reading.narrowed
        assert 0 < low < high
        assert high / low >= 9.9
        assert all(low <= rate <= high for rate in reading.suggested)
        assert (reading.low is None) == (not reading.suggested)
        assert reading.low is None or reading.edge is None or reading.low < reading.edge


def test_nothing_learns_is_said() -> None:
    """A flat curve has no start, no suggestion, and the range that was tried."""
    reading = read(probed([1.0] * len(RATES)))
    assert (reading.low, reading.edge, reading.suggested) == (None, None, ())
    assert reading.narrowed == (RATES[0], RATES[-1])
    assert "nothing learns" in reading.note


def test_nothing_learns_but_high_rates_diverge() -> None:
    """The range then ends at the edge."""
    reading = read(probed([1.0] * 9 + [math.nan] * 4))
    assert (reading.low, reading.edge) == (None, RATES[9])
    assert reading.narrowed == (RATES[0], RATES[9])


def test_everything_diverges() -> None:
    """The range to search lies below the lowest rate then."""
    reading = read(probed([math.nan] * len(RATES)))
    assert reading.edge == RATES[0]
    assert reading.narrowed == pytest.approx((RATES[0] / 10, RATES[0]))
    assert "the lowest rate tried" in reading.note


def test_nothing_diverges_is_said() -> None:
    """Without an edge the range goes up to the highest rate."""
    reading = read(probed(np.linspace(1.0, 0.1, len(RATES))))
    assert reading.edge is None
    assert reading.narrowed[1] == RATES[-1]
    assert "no rate tried diverges" in reading.note


def test_a_start_that_is_not_finite_says_nothing() -> None:
    """There is nothing to compare with."""
    reading = read(probed([0.5] * len(RATES), start=math.nan))
    assert reading.low is None
    assert "before the first step" in reading.note


def test_a_probe_that_failed_says_why() -> None:
    """Its error is the note."""
    nothing = [math.nan] * 4
    run = ProbeRun(rates=RATES[:4], start=math.nan, losses=nothing, val_losses=nothing, seconds=0, error="no memory")
    assert "no memory" in read(run).note


@pytest.mark.parametrize(("low", "high", "count"), [(0.0, 1.0, 13), (1.0, 0.1, 13), (1.0, math.inf, 13), (0.1, 1, 8)])
def test_rates_that_cannot_be_are_refused(low: float, high: float, count: int) -> None:
    """A range needs two positive finite ends and some rates."""
    with pytest.raises(InvalidValue, match="Range test"):
        rates(low, high, count)


@pytest.mark.parametrize("arm", default_space().optimizers)
def test_every_arm_has_rates_to_try(arm: str) -> None:
    """They rise from the bottom of its range to ten times the top, and hold the range."""
    found = bounds(load_space(None), arm)
    assert found is not None
    tried = rates(*found)
    assert list(tried) == sorted(set(tried))
    assert (tried[0], tried[-1]) == pytest.approx((found[0], 10 * found[1]), rel=5e-3)


@pytest.fixture(scope="module")
def found() -> RangeTest:
    """Two rules on iris, one of which diverges."""
    return lr_range(None, "sklearn:iris", optimizers=["sgd", "adam"], batch_size=16, steps=24, count=9)


def test_real_curves_are_read(found: RangeTest) -> None:
    """On iris both rules learn; SGD at ten times the top of its range does worse than at the best rate."""
    for sweep in found.sweeps:
        assert sweep.reading.low is not None
        best = min(v for v in sweep.run.val_losses if math.isfinite(v))
        assert best < 0.8 * sweep.run.start
        assert sweep.run.val_losses[0] > best
    assert [sweep.optimizer for sweep in found.sweeps] == ["sgd", "adam"]
    assert len(found.frame) == 18


def test_the_terminal_shows_all_in_eighty_columns(found: RangeTest) -> None:
    """Curves, marks, axis and table; a rule with a long name and one without a result too."""
    from optselect.cli.commands.cmd_lr_range import _drawing, _table

    nothing = [math.nan] * 9
    failed = ProbeRun(rates=RATES[:9], start=math.nan, losses=nothing, val_losses=nothing, seconds=0, error="x" * 20)
    long = "lookahead(schedule_free_adamw)"
    sweep = Sweep(optimizer=long, declared=None, default=1e-3, run=failed, reading=read(failed))
    lines = [*_drawing(RangeTest(data="iris", steps=24, batch_size=16, sweeps=(*found.sweeps, sweep)))]
    assert max(map(len, lines)) <= 80
    assert {"l", "*"} <= set("".join(lines[4:8:2]))
    table = _table(found)
    assert max(map(len, table)) <= 80
    assert len(table) == 1 + len(found.sweeps)


def test_the_picture_is_well_formed(found: RangeTest) -> None:
    """An SVG with a panel a rule, names escaped."""
    odd = [Sweep(**{**vars(sweep), "optimizer": f"<{sweep.optimizer}>"}) for sweep in found.sweeps]
    root = ElementTree.fromstring(RangeTest(data="a & b", steps=24, batch_size=16, sweeps=tuple(odd)).svg())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"<sgd>", "<adam>"} <= set(texts)
    assert len([g for g in root.iter("{http://www.w3.org/2000/svg}path") if g.get("class") == "loss"]) == 2


def test_json_holds_no_nan(found: RangeTest) -> None:
    """Where a rate diverged stands null."""
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"steps": 0}, InvalidValue),
        ({"count": 8}, InvalidValue),
        ({"batch_size": 0}, InvalidValue),
        ({"workers": 0}, InvalidValue),
        ({"optimizers": ["adma"]}, UnknownName),
        ({"data": "nowhere.csv"}, InvalidData),
    ],
)
def test_bad_input_is_refused_before_anything_trains(arguments: dict[str, Any], error: type[Exception]) -> None:
    """One message that names what is wrong."""
    data = arguments.pop("data", "sklearn:iris")
    with pytest.raises(error):
        lr_range(None, data, **arguments)


def test_the_command_refuses_another_picture(optselect: Any) -> None:
    """It says which suffix it writes, exits with 2 and shows no traceback."""
    done = optselect("lr-range", "sklearn:iris", "--plot", "rates.png")
    assert done.returncode == 2
    assert "rates.svg" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_finds_what_the_call_finds(optselect: Any, tmp_path: Any, found: RangeTest) -> None:
    """The same curves from the same seed, as JSON; the picture in its file."""
    options = ("--optimizers", "adam", "--batch-size", 16, "--steps", 24, "--count", 9)
    done = optselect("lr-range", "sklearn:iris", *options, "--json", "--plot", "rates.svg")
    assert done.returncode == 0, done.stderr
    [sweep] = json.loads(done.stdout)["sweeps"]
    assert sweep == json.loads(json.dumps(found.sweeps[1].to_dict())) | {"seconds": sweep["seconds"]}
    assert ElementTree.fromstring((tmp_path / "rates.svg").read_text()).tag.endswith("svg")


def test_a_reading_is_frozen() -> None:
    """It is a value."""
    reading: Any = read(probed([1.0] * len(RATES)))
    assert isinstance(reading, RangeReading)
    with pytest.raises(AttributeError):
        reading.low = 1.0
