"""The schedules that Keras has not: their formulas, their joints, and their Keras classes."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import optselect
from optselect.errors import InvalidValue, UnknownName
from optselect.optim.certify import altered
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.optim.schedule import Schedule
from optselect.optim.schedules import SCHEDULES
from optselect.optimizers import schedules

BEYOND = {name: kind for name, kind in SCHEDULES.items() if not (kind.twin or kind.plain)}
ANY_RULE = next(rule for rule in RULES.values() if rule.twin)

every = pytest.mark.parametrize("kind", BEYOND.values(), ids=list(BEYOND))
WATCHING = [kind for kind in SCHEDULES.values() if kind.watcher]
every_schedule = pytest.mark.parametrize("inner", [kind for kind in SCHEDULES.values() if not kind.watcher])

# -- the formulas once more, one number at a time, from the papers and the libraries ----------------------------


def linear_warmup(s: int, total: int, *, warmup: float, start: float) -> float:
    """optax.join_schedules([linear_schedule(start, 1, w), constant], [w])."""
    w = round(warmup * total)
    return start + (1 - start) * s / w if s < w else 1.0


def one_cycle(s: int, total: int, *, rise: float, start: float, end: float) -> float:
    """optax.cosine_onecycle_schedule(total, 1, rise, div_factor=1/start, final_div_factor=start/end)."""
    up = round(rise * total)
    if s < up:
        return start + (1 - start) * (1 - math.cos(math.pi * s / up)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (s - up) / (total - up))) / 2


def triangular(s: int, total: int, *, period: float, low: float, decay: float) -> float:
    """torch.optim.lr_scheduler.CyclicLR: x = |step / size - 2 cycle + 1| with the cycle counted from 1."""
    size = round(period / 2 * total)
    cycle = math.floor(1 + s / (2 * size))
    x = abs(s / size - 2 * cycle + 1)
    return low + (1 - low) * max(0.0, 1 - x) * decay ** (cycle - 1)


def wsd(s: int, total: int, *, warmup: float, decay: float, end: float, power: float) -> float:
    """Hägele et al. 2024, equation 1: a piece for each of the three phases."""
    rise, fall = round(warmup * total), round(decay * total)
    if s < rise:
        return s / rise
    if s < total - fall:
        return 1.0
    return end + (1 - end) * (1 - ((s - (total - fall)) / fall) ** power)


def inverse_sqrt(s: int, total: int, *, warmup: float, timescale: float) -> float:
    """Vaswani et al. 2017, equation 3, over its highest value; its 4000 steps are `warmup` and `timescale`."""
    w, tau = round(warmup * total), round(timescale * total)
    return s / w if s < w else 1 / math.sqrt(1 + (s - w) / tau)


@every
@pytest.mark.parametrize("form", ["default", "altered"])
def test_schedule_equals_its_formula(kind: type[Schedule], form: str) -> None:
    """At each of 400 steps a rate is what an independent formula gives, to a millionth of the highest."""
    made = altered(kind) if form == "altered" else kind()
    formula = globals().get(kind.name)
    assert formula, f"write `def {kind.name}(s, total, *, ...)` above, from the paper"
    wanted = [0.03 * formula(s, 400, **made.values()) for s in range(400)]
    np.testing.assert_allclose(made.rates(0.03, 400), wanted, rtol=1e-6, atol=3e-8)


def test_inverse_sqrt_is_the_transformers() -> None:
    """With one length for both, min(step^-1/2, step · warmup^-3/2), scaled to a highest rate of one."""
    s = np.arange(1, 400)
    wanted = np.minimum(s**-0.5, s * 20.0**-1.5) * 20.0**0.5
    made = BEYOND["inverse_sqrt"](warmup=0.05, timescale=0.05)
    np.testing.assert_allclose(made.rates(1.0, 400)[1:], wanted, rtol=1e-6)


# -- joints and ends ----------------------------------------------------------------------------------------------

# (schedule, at a share of training, rate over the highest): worked by hand
POINTS: list[tuple[str, dict[str, float], dict[float, float]]] = [
    ("linear_warmup", {"warmup": 0.2, "start": 0.1}, {0.0: 0.1, 0.1: 0.55, 0.2: 1.0, 1.0: 1.0}),
    ("one_cycle", {"rise": 0.25, "start": 0.1, "end": 0.01}, {0.0: 0.1, 0.125: 0.55, 0.25: 1.0, 0.625: 0.505, 1: 0.01}),
    ("triangular", {"period": 0.5, "low": 0.2, "decay": 0.5}, {0.0: 0.2, 0.25: 1.0, 0.5: 0.2, 0.75: 0.6, 1.0: 0.2}),
    ("wsd", {"warmup": 0.1, "decay": 0.4, "end": 0.2}, {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 0.6: 1.0, 0.8: 0.6, 1.0: 0.2}),
    ("inverse_sqrt", {"warmup": 0.1, "timescale": 0.3}, {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 1.0: 0.5}),
]


@pytest.mark.parametrize(("name", "fields", "points"), POINTS, ids=[name for name, *_ in POINTS])
def test_rate_at_start_joints_and_end(name: str, fields: dict[str, float], points: dict[float, float]) -> None:
    """At step 0, at each joint and just after the last step the rate is what the fields say."""
    timed = BEYOND[name](**fields).timed(1.0, 1000)
    got = {share: float(timed(tf.constant(round(share * 1000), "int64"))) for share in points}
    assert got == pytest.approx(points, abs=1e-6)


def test_every_schedule_beyond_keras_has_its_points() -> None:
    """A new schedule brings its values at the joints."""
    assert {name for name, *_ in POINTS} == set(BEYOND)


@every
@pytest.mark.parametrize("form", ["default", "altered"])
def test_rate_never_jumps(kind: type[Schedule], form: str) -> None:
    """From one step to the next of ten thousand the rate moves little: no joint is torn."""
    made = altered(kind) if form == "altered" else kind()
    assert np.abs(np.diff(made.rates(1.0, 10_000))).max() < 0.02


@every_schedule
def test_warmup_goes_before_any_schedule(inner: type[Schedule]) -> None:
    """It rises in equal steps to the inner schedule's first rate; from there on all is the inner's, on the rest."""
    made = BEYOND["linear_warmup"](warmup=0.2, schedule=altered(inner))
    rates, alone = made.rates(0.03, 100).numpy(), altered(inner).rates(0.03, 80).numpy()
    np.testing.assert_allclose(rates[:21], np.linspace(0, alone[0], 21), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(rates[20:], alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", WATCHING)
def test_a_schedule_that_watches_is_not_wrapped(kind: type[Schedule]) -> None:
    """Keras's callback refuses an optimizer whose rate is a schedule; it has Keras's names and defaults."""
    with pytest.raises(InvalidValue, match=f"LinearWarmup: cannot wrap {kind.__name__}"):
        BEYOND["linear_warmup"](schedule=kind())
    [callback] = kind().callbacks()
    theirs = inspect.signature(type(callback)).parameters
    assert {h.name: h.default for h in kind.hypers()} == {
        name: p.default for name, p in theirs.items() if name not in ("monitor", "mode", "verbose", "kwargs")
    }
    assert callback.monitor == "val_loss"


# -- round trips ----------------------------------------------------------------------------------------------------


def _nested() -> Schedule:
    warm = BEYOND["linear_warmup"]
    return warm(warmup=0.2, schedule=warm(warmup=0.5, start=0.25, schedule=SCHEDULES["cosine_decay"](alpha=0.1)))


@every_schedule
def test_wrapped_schedule_makes_every_round_trip(inner: type[Schedule]) -> None:
    """To JSON, to Keras and to code, and back: the schedule within comes along."""
    made = BEYOND["linear_warmup"](warmup=0.2, schedule=altered(inner))
    configuration = Configuration(rule=ANY_RULE(learning_rate=0.03), schedule=made)
    assert Configuration.from_json(configuration.to_json()) == configuration
    optimizer = configuration.optimizer(total_steps=1000)
    back = Configuration.from_optimizer(optimizer, total_steps=1000, batch_size=32)
    assert back.schedule.arguments(0.03, 1000) == made.arguments(0.03, 1000)
    shown = eval(configuration.code(total_steps=1000), {"keras": keras, "optselect": optselect})
    config = [{k: v for k, v in o.get_config().items() if k != "name"} for o in (shown, optimizer)]
    assert config[0] == config[1]
    assert f"linear_warmup({inner().key})" in str(configuration)


def test_wrappers_nest() -> None:
    """A warm-up before a warm-up is a schedule like any other."""
    made = _nested()
    assert made.key == "linear_warmup(linear_warmup(cosine_decay))"
    assert Schedule.from_dict(made.to_dict()) == made
    assert Schedule.from_keras(_serialized(made), 1000) == (0.03, made)
    rates = made.rates(1.0, 100)
    assert [float(rates[k]) for k in (0, 10, 20, 40, 60)] == pytest.approx([0.0, 0.125, 0.25, 0.625, 1.0])


def _serialized(schedule: Schedule) -> Any:
    return keras.saving.serialize_keras_object(schedule.timed(0.03, 1000).built())


@pytest.mark.parametrize("data", [{"name": "constant", "schedule": "constant"}, {"name": "linear_warmup", "inner": 1}])
def test_unknown_key_is_refused(data: dict[str, Any]) -> None:
    """Only a wrapper holds a schedule, and only under that name."""
    with pytest.raises(UnknownName, match=r"unknown hyperparameter '(schedule|inner)'"):
        Schedule.from_dict(data)


# -- the Keras classes ---------------------------------------------------------------------------------------------


@every
def test_keras_class_is_a_schedule_of_keras(kind: type[Schedule]) -> None:
    """It has the schedule's name and arguments, and any other argument is refused."""
    made = getattr(schedules, kind.__name__)
    assert issubclass(made, keras.optimizers.schedules.LearningRateSchedule)
    assert kind.__name__ in schedules.__all__
    assert made.__doc__
    assert list(inspect.signature(made).parameters) == list(inspect.signature(kind.rate).parameters)[1:]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        made(**kind().arguments(0.1, 100), staircase=True)


@every
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, when it saves
def test_model_with_the_schedule_saves_and_goes_on(kind: type[Schedule], tmp_path: Path) -> None:
    """Compiled, trained, saved and loaded: the loaded optimizer has the same rate at the step where it stopped."""
    schedule = kind().timed(0.03, 10).built()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 4
    wanted = float(kind().rates(0.03, 10)[4])
    assert float(loaded.optimizer.learning_rate) == pytest.approx(wanted) == float(model.optimizer.learning_rate)


def test_warmup_class_takes_a_users_own_schedule() -> None:
    """Any Keras schedule, or a plain rate, stands behind the warm-up."""
    cosine = keras.optimizers.schedules.CosineDecay(0.4, decay_steps=10)
    warm = schedules.LinearWarmup(schedule=cosine, warmup_steps=4)
    assert [float(warm(s)) for s in (0, 1, 4, 9, 14)] == pytest.approx([0.0, 0.1, 0.4, 0.2, 0.0])
    plain = schedules.LinearWarmup(schedule=0.4, warmup_steps=4)
    assert [float(plain(s)) for s in (0, 2, 4, 99)] == pytest.approx([0.0, 0.2, 0.4, 0.4])


# -- weight decay ----------------------------------------------------------------------------------------------------


def _decaying(weight_decay: float | None) -> Any:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(1.0, weight_decay=weight_decay), "mse")
    return model


def _fit(model: Any, *callbacks: Any) -> float:
    """The weight after four batches without any gradient: what the decay alone has left of one."""
    model.set_weights([np.ones((1, 1))])
    model.fit(np.zeros((4, 1)), np.zeros((4, 1)), batch_size=1, verbose=0, callbacks=list(callbacks))
    return float(model.get_weights()[0][0, 0])


def test_weight_decay_follows_its_schedule() -> None:
    """Each batch decays by its own number, in a compiled step too, and afterwards the plain number holds again."""
    model = _decaying(0.5)
    assert _fit(model) == pytest.approx(0.5**4)
    schedule = schedules.Triangular(peak_learning_rate=0.8, half_steps=2, low=0.5, decay=1.0)
    model.optimizer.iterations.assign(0)
    wanted = (1 - 0.4) * (1 - 0.6) * (1 - 0.8) * (1 - 0.6)
    assert _fit(model, schedules.WeightDecaySchedule(schedule)) == pytest.approx(wanted)
    assert model.optimizer.weight_decay == 0.5
    assert _fit(model) == pytest.approx(0.5**4)


def test_weight_decay_must_be_there() -> None:
    """An optimizer without weight decay has none to schedule, and it says so."""
    with pytest.raises(InvalidValue, match="`SGD` has no weight decay"):
        _fit(_decaying(None), schedules.WeightDecaySchedule(lambda step: 0.1))
