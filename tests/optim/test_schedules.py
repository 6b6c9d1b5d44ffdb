"""Laws that every schedule keeps. No schedule is named here: the suite walks `SCHEDULES`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.errors import InvalidValue
from optselect.optim.certify import altered
from optselect.optim.schedule import Timed
from optselect.optim.schedules import SCHEDULES, Schedule
from tests.helpers.strategies import members, values

FORMS = {"default": lambda schedule: schedule(), "altered": altered}

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


def _twin(schedule: Schedule, learning_rate: float, total_steps: int) -> Any:
    """The schedule as a Keras class; a plain number as a function of the step where Keras takes a number."""
    built = schedule.timed(learning_rate, total_steps).built()
    return built if callable(built) else lambda step: tf.constant(built)


@every_schedule
@every_form
@pytest.mark.parametrize("total_steps", [1, 2, 37, 64])
def test_rate_is_the_twins_to_the_bit(schedule: type[Schedule], form: Any, total_steps: int) -> None:
    """At every step of the training and for a while after it, a rate is the float32 that Keras computes."""
    made = form(schedule)
    twin, arguments = _twin(made, 0.03, total_steps), made.arguments(0.03, total_steps)
    steps = [tf.constant(s, "int64") for s in range(total_steps + 5)]
    ours = np.array([schedule.rate(s, **arguments).numpy() for s in steps])
    assert ours.dtype == np.float32
    assert np.isfinite(ours).all()
    np.testing.assert_array_equal(ours, np.array([twin(s).numpy() for s in steps]))


@every_schedule
@every_form
def test_rates_of_all_steps_are_the_rates_of_each(schedule: type[Schedule], form: Any) -> None:
    """All steps at once give each step's rate, but for the last bits of a vectorised cosine or power."""
    made = form(schedule)
    arguments = made.arguments(0.03, 50)
    each = [float(schedule.rate(tf.constant(s, "int64"), **arguments)) for s in range(50)]
    np.testing.assert_allclose(made.rates(0.03, 50), each, rtol=1e-6, atol=1e-6 * max(each))


@every_schedule
@every_form
def test_rates_grow_with_the_learning_rate(schedule: type[Schedule], form: Any) -> None:
    """Twice the learning rate is twice the rate at every step."""
    made = form(schedule)
    np.testing.assert_allclose(made.rates(0.06, 50), 2 * made.rates(0.03, 50).numpy(), rtol=1e-5, atol=1e-9)


@every_schedule
def test_default_schedule_reaches_the_learning_rate_and_never_exceeds_it(schedule: type[Schedule]) -> None:
    """By default the largest rate is the learning rate, and no rate is negative."""
    rates = schedule().rates(0.03, 200).numpy()
    assert rates.max() == np.float32(0.03)
    assert rates.min() >= 0


@every_schedule
@every_form
def test_schedule_does_not_depend_on_the_length_of_training(schedule: type[Schedule], form: Any) -> None:
    """Lengths are fractions: training ten times as long, the schedule looks the same from afar."""
    made = form(schedule)
    short, long = made.rates(1.0, 1000).numpy(), made.rates(1.0, 10_000).numpy()[::10]
    jumps = np.abs(np.diff(short)) > 0.05  # where a stair or a restart stands, a step too early or late is no fault
    smooth = ~np.convolve(jumps, np.ones(12), "same").astype(bool)
    np.testing.assert_allclose(short[:-1][smooth], long[:-1][smooth], atol=0.02)


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES.values() if "warmup" in {h.name for h in s.hypers()}])
@pytest.mark.parametrize("rising", [1, 2, 10, 49])
def test_warmup_rises_to_the_learning_rate(schedule: type[Schedule], rising: int) -> None:
    """A warm-up of so many steps rises at each of them, in equal steps from zero, and then stands at the rate."""
    rates = schedule(warmup=rising / 50).rates(0.03, 50).numpy()
    np.testing.assert_allclose(rates[: rising + 1], np.linspace(0, 0.03, rising + 1), rtol=1e-6)
    assert (rates[rising:] <= np.float32(0.03)).all()


@settings(deadline=None, max_examples=150)
@given(schedule=members(SCHEDULES), learning_rate=st.floats(1e-6, 10), total_steps=st.integers(1, 10**7))
def test_recover_is_the_inverse_of_arguments(schedule: Schedule, learning_rate: float, total_steps: int) -> None:
    """What is recovered from a twin's arguments gives the same arguments again, whole numbers and Python floats."""
    arguments = schedule.arguments(learning_rate, total_steps)
    assert all(type(v) in (int, float, bool, list, Timed) for v in arguments.values())
    assert all(type(v) is int and v >= 1 for k, v in arguments.items() if k.endswith("_steps"))
    assert all(type(v) is float for k, v in arguments.items() if k.endswith("_rate") or k == "warmup_target")
    rate, recovered = type(schedule).recover(_full(schedule, learning_rate, total_steps), total_steps)
    assert recovered.arguments(rate, total_steps) == arguments


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES.values() if not s.watcher])
@every_form
def test_nice_numbers_come_back(schedule: type[Schedule], form: Any) -> None:
    """A schedule in round numbers is recovered as it was, not a last bit beside."""
    made = schedule(**{k: v if isinstance(v, bool) else round(v, 2) for k, v in form(schedule).values().items()})
    assert schedule.recover(_full(made, 0.3, 10_000), 10_000) == (0.3, made)


def _full(schedule: Schedule, learning_rate: float, total_steps: int) -> dict[str, Any]:
    if schedule.plain:
        return schedule.arguments(learning_rate, total_steps)
    config = _twin(schedule, learning_rate, total_steps).get_config()
    return {k: v for k, v in config.items() if k != "name"}


@every_schedule
def test_fields_are_declared_in_full(schedule: type[Schedule]) -> None:
    """Every default is legal, every search lies in its domain, and what is outside is refused."""
    for declared in schedule.hypers():
        assert declared.domain.contains(declared.default)
        if (search := declared.search) is not None:
            ends = search.choices if search.scale == "choice" else (search.low, search.high)
            assert all(declared.domain.contains(end) for end in ends)
            assert search.from_trials in {0, 10, 25, 50}
        with pytest.raises(InvalidValue, match=rf"{schedule.__name__}: `{declared.name}` must lie in .*, got nan\."):
            schedule(**{declared.name: float("nan")})


@given(data=st.data())
def test_legal_values_are_taken(data: st.DataObject) -> None:
    """Whatever lies in its domain is accepted and kept."""
    member = data.draw(st.sampled_from([s for s in SCHEDULES.values() if s.hypers()]))
    drawn = {h.name: data.draw(values(h.domain)) for h in member.hypers()}
    assert member(**drawn).values() == drawn


def test_uneven_drops_are_refused() -> None:
    """Keras arguments that a schedule cannot hold are refused, not bent."""
    [(holder, arguments)] = [
        (s, a) for s in SCHEDULES.values() if s.twin and "boundaries" in (a := s().arguments(1.0, 10))
    ]
    for change in ({"values": [1.0, 0.1, 0.05]}, {"boundaries": [7, 3]}, {"boundaries": [3], "values": [1.0, 0.1]}):
        with pytest.raises(InvalidValue, match="must drop twice by one factor, got boundaries="):
            holder.recover({**arguments, **change}, 10)
