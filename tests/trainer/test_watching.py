"""Early stopping and ReduceLROnPlateau inside the program beside Keras's callbacks."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from optselect.data import read  # noqa: E402
from optselect.optim.configuration import BASELINE, Configuration  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402
from optselect.optim.schedules import SCHEDULES  # noqa: E402
from optselect.task import EarlyStopping, make_spec  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.compiled import CompiledTrainer  # noqa: E402
from optselect.trainer.feeding import Feed  # noqa: E402
from optselect.trainer.messages import Job  # noqa: E402
from optselect.trainer.population import Populations  # noqa: E402
from optselect.trainer.program import Program  # noqa: E402
from optselect.trainer.state import TrialState, load_state, save_state  # noqa: E402
from optselect.trainer.watching import begun, terms, watched  # noqa: E402
from tests.helpers.watched_fit import fitted, played  # noqa: E402

EPOCHS, SEED = 8, 7
STOPPING = EarlyStopping(patience=2)
RATE = 0.03
CASE = Configuration(rule=BASELINE.rule.replaced(learning_rate=RATE), batch_size=20)
PLATEAU = next(kind for kind in SCHEDULES.values() if kind.watcher)
REDUCED = dataclasses.replace(CASE, schedule=PLATEAU(patience=1, factor=0.3, min_delta=1e-3, cooldown=1))


def build() -> Any:
    """Moving averages beside the weights, which are restored too."""
    hidden, norm = keras.layers.Dense(12, "tanh"), keras.layers.BatchNormalization(momentum=0.7)
    return keras.Sequential([keras.Input((4,)), hidden, norm, keras.layers.Dense(2, "softmax")])


def task_of(stopping: EarlyStopping | None) -> Task:
    """Labels that are half noise: soon learned by heart."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(100, 4)).astype("float32")
    y = (x[:, 0] + generator.normal(size=100) > 0).astype(int)
    return Task.from_spec(make_spec(read((x, y)), model=build, epochs=EPOCHS, seed=0, stopping=stopping))


@pytest.fixture(scope="module")
def program() -> Program:
    return Program.of(task_of(STOPPING), [BASELINE.rule], [SEED])


def trained(program: Program, configuration: Configuration = CASE, **given: Any) -> tuple[TrialState, Any]:
    state = given.pop("state", None) or program.start(configuration, SEED)
    given = {"epochs": EPOCHS, "total_epochs": EPOCHS, **given}
    return program.train(state, configuration, seed=SEED, **given)[:2]


def assert_equal_to_keras(
    program: Program, configuration: Configuration, stopping: EarlyStopping | None, *, eagerly: bool = True
) -> None:
    """Epochs, figures of each and those of the weights at the end."""
    state, curves = trained(program, configuration)
    theirs = fitted(program.task, configuration, EPOCHS, stopping, SEED, eagerly=eagerly)
    assert state.epoch == len(theirs.history["loss"])
    for name in {"loss", "val_loss", "val_accuracy", "learning_rate"} & theirs.history.keys():
        np.testing.assert_allclose(curves[name], theirs.history[name], atol=1e-5, err_msg=name)
    if stopping:
        assert state.stopped == (theirs.stopping.stopped_epoch > 0)
        restored = stopping.restore_best_weights and theirs.stopping.best_weights is not None
        assert program.best_epoch(state) == (theirs.stopping.best_epoch + 1 if restored else state.epoch)
    ours = program.evaluate(state, configuration, "validation")
    assert ours == pytest.approx(theirs.judged, abs=1e-5)
    assert program.judged(state) == pytest.approx({f"val_{n}": v for n, v in ours.items()}, abs=1e-6)


# -- the rules --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_rule() -> Program:
    return Program.of(task_of(STOPPING), [rule() for rule in RULES.values()], [SEED])


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_every_rule_stops_where_keras_stops(every_rule: Program, name: str) -> None:
    """Curves, the stopped epoch and the figures of the restored weights are those of `model.fit`, for every rule."""
    rule = RULES[name]()
    assert_equal_to_keras(every_rule, Configuration(rule=rule, batch_size=20), STOPPING, eagerly=False)


def test_a_rule_that_is_judged_elsewhere_is_restored_there() -> None:
    """The average of a rule that is judged at its average is what is kept."""
    rule = next(kind() for kind in RULES.values() if kind.wraps() and kind.common is False)
    assert_equal_to_keras(
        Program.of(task_of(STOPPING), [rule], [SEED]), Configuration(rule=rule, batch_size=20), STOPPING
    )


# -- the arguments ----------------------------------------------------------------------------------------------------

VARIANTS = {
    "patience 0": EarlyStopping(patience=0),
    "min_delta": EarlyStopping(patience=2, min_delta=0.02),
    "baseline": EarlyStopping(patience=3, baseline=0.5),
    "start": EarlyStopping(patience=2, start_from_epoch=3),
    "larger is better": EarlyStopping(monitor="val_accuracy", patience=2),
    "mode": EarlyStopping(monitor="val_accuracy", patience=2, mode="min"),
    "training loss": EarlyStopping(monitor="loss", patience=2, min_delta=0.05),
    "never": EarlyStopping(patience=EPOCHS - 1),
    "last weights": EarlyStopping(patience=1, restore_best_weights=False),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_argument_means_what_it_means_in_keras(program: Program, name: str) -> None:
    """By what was traced for another one: the numbers are data."""
    other = program.kept.over(task_of(VARIANTS[name]), [SEED])
    assert_equal_to_keras(other, CASE, VARIANTS[name])


figures = st.lists(
    st.one_of(st.sampled_from([0.1, 0.2, 0.3, 0.30000001, float("nan")]), st.floats(-2, 2, width=32)),
    min_size=1, max_size=12,
)  # fmt: skip
numbers = st.sampled_from([0.0, 1e-4, 0.1, 0.5])


@settings(deadline=None, max_examples=60)
@given(
    values=figures, min_delta=numbers, patience=st.integers(0, 4), mode=st.sampled_from(["min", "max"]),
    baseline=st.one_of(st.none(), st.floats(-1, 1)), first=st.integers(0, 3),
)  # fmt: skip
def test_what_is_carried_is_what_keras_counts(
    values: list[float], min_delta: float, patience: int, mode: Any, baseline: float | None, first: int
) -> None:
    """Over any figures, NaN among them, training ends after the same epoch with the same best one."""
    stopping = EarlyStopping(
        monitor="val_score",
        min_delta=min_delta,
        patience=patience,
        mode=mode,
        baseline=baseline,
        start_from_epoch=first,
    )
    callback = stopping.callback()
    values = [float(np.float32(value)) for value in values]
    epochs, _ = played(callback, {"val_score": values})
    asked, watch = terms(stopping, CASE.schedule, ["loss", "score"]), begun((tf.constant(-1.0),), 2, None)
    for number, value in enumerate(values[:epochs]):
        assert not watch.stopped
        seen = tf.constant([0.0, 0.0, value])
        watch = watched(watch, asked, seen, (tf.constant(float(number)),))
    assert bool(watch.stopped) == callback.model.stop_training
    assert int(watch.wait) == callback.wait
    if callback.best is not None:
        assert int(watch.best_epoch) == callback.best_epoch + 1
        assert float(watch.kept[0]) == callback.best_epoch


@settings(deadline=None, max_examples=60)
@given(
    values=figures.filter(lambda some: np.isfinite(some).all()), factor=st.floats(0.1, 0.9), min_delta=numbers,
    patience=st.integers(0, 3), cooldown=st.integers(0, 3), min_lr=st.sampled_from([0.0, 1e-3, 0.01]),
)  # fmt: skip
def test_rates_are_those_of_keras(
    values: list[float], factor: float, min_delta: float, patience: int, cooldown: int, min_lr: float
) -> None:
    """Over any losses the rate of every epoch is that of `ReduceLROnPlateau`, to the bit."""
    schedule = PLATEAU(factor=factor, min_delta=min_delta, patience=patience, cooldown=cooldown, min_lr=min_lr)
    values = [float(np.float32(value)) for value in values]
    _, wanted = played(schedule.callbacks()[0], {"val_loss": values}, RATE)
    asked, watch, found = terms(None, schedule, ["loss"]), begun((), 1, RATE), []
    for value in values:
        found.append(float(watch.rate))
        watch = watched(watch, asked, tf.constant([0.0, value]), ())
    assert found == wanted
    assert not watch.stopped


# -- pauses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("configuration", [CASE, REDUCED], ids=["constant", "plateau"])
@pytest.mark.parametrize("way", ["graph", pytest.param("xla", marks=pytest.mark.slow)])
def test_pauses_after_every_epoch_change_nothing(
    program: Program, configuration: Configuration, way: Any, tmp_path: Path
) -> None:
    """Written, read and gone on with after each epoch, a training is to the bit the one that was not; and it ends."""
    program = program.kept.over(program.task)
    program.way = way
    whole, curves = trained(program, configuration)
    state, found, path = program.start(configuration, SEED), [], tmp_path / "paused.npz"
    for epoch in range(EPOCHS):
        state, more = trained(program, configuration, state=state, epochs=1)
        found.append(more)
        save_state(path, state, {})
        state = load_state(path, program.start(configuration, 8), {})
        assert state.epoch == min(epoch + 1, whole.epoch)
    assert {name: [value for part in found for value in part[name]] for name in curves} == curves
    assert (state.stopped, state.step, program.judged(state)) == (True, whole.step, program.judged(whole))
    for ours, theirs in zip(state.leaves, whole.leaves, strict=True):
        assert ours.numpy().tobytes() == theirs.numpy().tobytes()


def test_a_job_tells_of_the_weights_that_it_keeps(program: Program, tmp_path: Path) -> None:
    """Metrics are those of the best epoch, curves go on to the last; a stopped job that goes on is the same."""
    trainer = CompiledTrainer(program.task, [BASELINE.rule], program=program)
    job = Job(configuration=CASE, seed=SEED, epochs=EPOCHS, test=True, keep=tmp_path / "kept.npz")
    run = trainer.run(job)
    losses = run.curves["val_loss"]
    assert (run.stopped, run.epochs, run.best_epoch) == (True, len(losses), int(np.argmin(losses)) + 1)
    assert run.best_epoch < run.epochs < EPOCHS
    assert run.metrics["val_loss"] == losses[run.best_epoch - 1]
    again = trainer.run(dataclasses.replace(job, start=job.keep, keep=None))
    assert (again.metrics, again.epochs, again.best_epoch) == (run.metrics, run.epochs, run.best_epoch)
    assert again.curves["loss"] == []


# -- other ways -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_both_ways_stop_alike(program: Program) -> None:
    """XLA gives the epochs and the weights of the graph."""
    other = program.kept.over(program.task)
    other.way = "xla"
    for configuration in (CASE, REDUCED):
        (ours, curves), (theirs, wanted) = trained(other, configuration), trained(program, configuration)
        assert (ours.epoch, ours.stopped) == (theirs.epoch, theirs.stopped)
        for name in curves:
            np.testing.assert_allclose(curves[name], wanted[name], atol=1e-4, err_msg=name)
        assert other.judged(ours) == pytest.approx(other.judged(theirs), abs=1e-4)


def test_data_on_disk_stop_by_the_same_rules(program: Program, tmp_path: Path) -> None:
    """Epoch by epoch from the disk, Keras's callbacks over the curves say the same."""
    other = copy.copy(program.task)
    for part in ("train", "validation", "test"):
        for name in (f"x_{part}", f"y_{part}"):
            np.save(tmp_path / f"{name}.npy", getattr(other, name))
            setattr(other, name, np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    on_disk = Program.of(other, [BASELINE.rule], [SEED])
    on_disk.feed = Feed(other, chunk_bytes=1000)
    state, curves = trained(on_disk, REDUCED)
    callback = STOPPING.callback()
    assert state.epoch == played(callback, curves)[0]
    assert on_disk.best_epoch(state) == callback.best_epoch + 1
    _, rates = played(REDUCED.callbacks()[0], curves, RATE)
    assert curves["learning_rate"] == rates
    judged = on_disk.evaluate(state, REDUCED, "validation")["loss"]
    assert judged == pytest.approx(curves["val_loss"][callback.best_epoch], abs=1e-6)


def test_members_of_a_population_stop_one_by_one(program: Program) -> None:
    """Each after the epoch, at the rate and with the weights that it has by itself."""
    rates = [0.1, 0.003, RATE]
    some = [dataclasses.replace(c, rule=c.rule.replaced(learning_rate=r)) for c in (CASE, REDUCED) for r in rates]
    populations, seeds = Populations(program), [SEED] * len(some)
    found = populations.train(populations.start(some, seeds), epochs=EPOCHS, total_epochs=EPOCHS)
    for (ours, curves), configuration in zip(found, some, strict=True):
        theirs, wanted = trained(program, configuration)
        assert (ours.epoch, ours.step, ours.stopped) == (theirs.epoch, theirs.step, theirs.stopped)
        assert program.best_epoch(ours) == program.best_epoch(theirs)
        for name in wanted:
            np.testing.assert_allclose(curves[name], wanted[name], atol=1e-5, err_msg=name)
        judged = [program.evaluate(state, configuration, "test") for state in (ours, theirs)]
        assert judged[0] == pytest.approx(judged[1], abs=1e-5)
    assert len({state.epoch for state, _ in found}) > 1


# -- the rate ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("name", [n for n, rule in RULES.items() if rule.common and rule.twin][:3])
def test_a_rate_is_reduced_as_keras_reduces_it(name: str) -> None:
    """With and without early stopping beside it, and with optimizers of Keras."""
    rule = RULES[name]()
    for stopping in (STOPPING, None):
        program = Program.of(task_of(stopping), [rule], [SEED])
        assert_equal_to_keras(program, dataclasses.replace(REDUCED, rule=rule), stopping)


# -- without it -------------------------------------------------------------------------------------------------------


def test_a_task_without_it_carries_nothing_more(program: Program) -> None:
    """No tensor is carried, no figure is told; and the final model's training is that of a task that never had it."""
    task = task_of(None)
    plain = Program.of(task, [BASELINE.rule], [SEED])
    state, curves = trained(plain)
    assert (state.watch, state.epoch, state.stopped, plain.best_epoch(state)) == ((), EPOCHS, False, 0)
    assert list(plain.traced.functions) == [None]
    assert "best_epoch" not in str(curves)
    trained(program)
    functions = set(program.traced.functions)
    refit = program.kept.over(task, [SEED])
    refit.keeps = program.keeps
    again, found = trained(refit)
    assert set(program.traced.functions) == functions
    assert (again.epoch, again.stopped, refit.best_epoch(again)) == (EPOCHS, False, 0)
    for name in curves:
        np.testing.assert_allclose(found[name], curves[name], atol=1e-6, err_msg=name)
    assert refit.judged(again)["val_loss"] == found["val_loss"][-1]
