"""The compiled trainer beside `model.fit`."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

keras = pytest.importorskip("keras")

from optselect.errors import InvalidState  # noqa: E402
from optselect.optim.clipping import CLIPPINGS  # noqa: E402
from optselect.optim.configuration import BASELINE, Configuration  # noqa: E402
from optselect.optim.keras.derived import Derived  # noqa: E402
from optselect.optim.keras.swap import SwapEvaluated  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402
from optselect.optim.schedules import SCHEDULES  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.backend import choose  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.compiled import CompiledTrainer  # noqa: E402
from optselect.trainer.feeding import Feed, row_order  # noqa: E402
from optselect.trainer.messages import Job, Plan, Probe  # noqa: E402
from optselect.trainer.program import Program  # noqa: E402
from optselect.trainer.state import load_state, save_state  # noqa: E402
from optselect.trainer.trainer_choice import make_trainer  # noqa: E402

EPOCHS = 3
BATCH = 36  # 96 training rows: the last batch is a smaller one


def own_bound(weights: Any) -> Any:
    """A constraint of the user's own: every step makes the weights a little smaller."""
    return weights - 1e-3 * keras.ops.tanh(weights)


def seeded(seed: int) -> dict[str, Any]:
    """Weights from a seed of their own: setting Keras's global one makes TensorFlow prepare all its graphs anew."""
    return {"kernel_initializer": keras.initializers.GlorotUniform(seed=seed)}


@pytest.fixture(scope="module")
def task(iris: Any) -> Task:
    """Iris with a model that has dropout and batch norm: state beside the weights, random numbers in the step.

    Its weights have constraints, which every rule must heed.
    """

    def build(seed: int) -> Any:
        layers, bounded = keras.layers, {"bias_constraint": "non_neg", **seeded(seed)}
        return keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(8, "tanh", kernel_regularizer=keras.regularizers.L2(1e-3), **bounded),
                layers.BatchNormalization(),
                layers.Dropout(0.2, seed=seed),
                layers.Dense(3, "softmax", kernel_constraint=own_bound, **bounded),
            ]
        )

    made = Task.from_spec(iris)
    made.build = build  # type: ignore[method-assign]
    return made


@pytest.fixture(scope="module")
def program(task: Task) -> Program:
    return Program.of(task, [rule() for rule in RULES.values()])


def curves(program: Program, configuration: Configuration, seed: int = 7, epochs: int = EPOCHS) -> dict[str, Any]:
    state = program.start(configuration, seed)
    return program.train(state, configuration, seed=seed, epochs=epochs, total_epochs=epochs)[1]


def by_fit(task: Task, configuration: Configuration, seed: int = 7) -> dict[str, list[float]]:
    """The same training with the stock optimizer and `model.fit`, fed in the same order."""
    model = task.build(seed)
    rows = len(task.y_train)
    steps = configuration.steps_per_epoch(rows) * EPOCHS
    optimizer = configuration.optimizer(total_steps=steps)
    model.compile(optimizer, loss=task.loss, metrics=task.metrics())
    swap = [SwapEvaluated()] if isinstance(optimizer, Derived) else []
    found: dict[str, list[float]] = {}
    for epoch in range(EPOCHS):
        order = row_order(seed, epoch, rows)
        history = model.fit(
            task.x_train[order],
            task.y_train[order],
            batch_size=configuration.batch_size,
            shuffle=False,
            verbose=0,
            callbacks=swap,
            validation_data=(task.x_validation, task.y_validation),
        ).history
        for name, values in history.items():
            found.setdefault(name, []).extend(values)
    return found


CASES = {
    **{f"rule {name}": Configuration(rule=rule(), batch_size=BATCH) for name, rule in RULES.items()},
    **{
        f"schedule {name}": dataclasses.replace(BASELINE, schedule=schedule(), batch_size=BATCH)
        for name, schedule in SCHEDULES.items()
    },
    **{
        f"clipping {name}": dataclasses.replace(
            BASELINE, clipping=clip(**{h.name: 0.1 for h in clip.hypers()}), batch_size=BATCH
        )
        for name, clip in CLIPPINGS.items()
    },
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(name, marks=() if case.rule.twin else pytest.mark.slow) for name, case in CASES.items()],
)
def test_curves_equal_those_of_model_fit(task: Task, program: Program, case: str) -> None:
    """The same seed and order give the loss curves of `model.fit` to 1e-5, for every rule, schedule and clipping."""
    ours, theirs = curves(program, CASES[case]), by_fit(task, CASES[case])
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5, err_msg=name)


def test_one_trace_serves_everything(program: Program) -> None:
    """Rules, schedules, clippings, batch sizes and lengths are data: nothing is traced twice."""
    for size, epochs in ((1, 1), (7, 2), (10_000, 3)):
        for case in CASES.values():
            curves(program, dataclasses.replace(case, batch_size=size), epochs=epochs)
    assert {call.experimental_get_tracing_count() for call in program.traced.functions.values()} == {1}
    assert len(program.traced.functions) == 2  # schedules that go by the validation loss have one of their own


def test_a_training_in_two_parts_equals_one_in_one(program: Program) -> None:
    """Going on from a state gives, bit for bit, what going through gives."""
    for configuration in CASES.values():
        whole = curves(program, configuration)
        state = program.start(configuration, 7)
        state, first, _ = program.train(state, configuration, seed=7, epochs=1, total_epochs=EPOCHS)
        _, second, _ = program.train(state, configuration, seed=7, epochs=2, total_epochs=EPOCHS)
        assert {name: first[name] + second[name] for name in first} == whole


def test_a_training_paused_on_disk_equals_one_that_was_not(program: Program, tmp_path: Path) -> None:
    """A state that was written, read and gone on with gives, bit for bit, what going through gives."""
    for configuration in CASES.values():
        whole, _, _ = program.train(program.start(configuration, 7), configuration, seed=7, epochs=2, total_epochs=2)
        half, _, _ = program.train(program.start(configuration, 7), configuration, seed=7, epochs=1, total_epochs=2)
        save_state(tmp_path / "paused.npz", half, {"seed": 7})
        read = load_state(tmp_path / "paused.npz", program.start(configuration, 8), {"seed": 7})
        after, _, _ = program.train(read, configuration, seed=7, epochs=1, total_epochs=2)
        for ours, theirs in zip(tf.nest.flatten(after.carried), tf.nest.flatten(whole.carried), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert (after.step, after.epoch) == (whole.step, whole.epoch)


def test_a_paused_training_of_another_question_is_refused(program: Program, tmp_path: Path) -> None:
    """Another seed, a file that is cut short and one that is missing are each named."""
    path, state = tmp_path / "paused.npz", program.start(BASELINE, 7)
    save_state(path, state, {"seed": 7})
    with pytest.raises(InvalidState, match="another `seed`: 7, not 8"):
        load_state(path, state, {"seed": 8})
    path.write_bytes(path.read_bytes()[:100])
    for damaged in (path, tmp_path / "nowhere.npz"):
        with pytest.raises(InvalidState, match="cannot be read"):
            load_state(damaged, state, {"seed": 7})


@pytest.fixture(scope="module")
def plain(task: Task) -> Program:
    """A program without random numbers in its steps, and with one rule."""

    def build(seed: int) -> Any:
        dense, norm = functools.partial(keras.layers.Dense, **seeded(seed)), keras.layers.BatchNormalization()
        return keras.Sequential([keras.Input((4,)), dense(8, "tanh"), norm, dense(3, "softmax")])

    other = copy.copy(task)
    other.build = build  # type: ignore[method-assign]
    return Program.of(other, [BASELINE.rule])


def test_both_ways_train_alike(plain: Program) -> None:
    """XLA gives the curves of the graph, a smaller last batch included."""
    configuration = dataclasses.replace(BASELINE, batch_size=BATCH)
    found = []
    for way in ("graph", "xla"):
        plain.way = way  # type: ignore[assignment]
        found.append(curves(plain, configuration))
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], atol=1e-4, err_msg=name)


def test_a_pause_changes_nothing_under_xla(plain: Program) -> None:
    """Compiled by XLA too, a training in two parts equals one in one, bit for bit."""
    plain.way = "xla"
    configuration = dataclasses.replace(BASELINE, batch_size=BATCH)
    whole, found, _ = plain.train(plain.start(configuration, 7), configuration, seed=7, epochs=4, total_epochs=4)
    half, first, _ = plain.train(plain.start(configuration, 7), configuration, seed=7, epochs=1, total_epochs=4)
    after, second, _ = plain.train(half, configuration, seed=7, epochs=3, total_epochs=4)
    assert {name: first[name] + second[name] for name in first} == found
    for a, b in zip(tf.nest.flatten(after.carried), tf.nest.flatten(whole.carried), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_programs_of_two_tasks_share_what_is_traced(plain: Program) -> None:
    """Used by turns, each gives to the bit what it gives by itself, and neither is traced anew."""
    task = copy.copy(plain.task)
    task.x_train, task.y_train = task.x_train[::-1], task.y_train[::-1]
    task.x_validation = task.x_validation * 2
    wanted = [curves(Program.of(one, [BASELINE.rule]), BASELINE) for one in (plain.task, task)]
    assert wanted[0]["val_loss"] != wanted[1]["val_loss"]
    both = plain, plain.kept.over(task, [7])
    for program in both:
        program.way = "graph"
    curves(plain, BASELINE)
    functions = dict(plain.traced.functions)
    assert [curves(program, BASELINE) for program in both * 2] == wanted * 2
    assert plain.traced.functions == functions
    assert functions[None].experimental_get_tracing_count() == 1


def test_a_way_is_weighed_only_where_it_can_pay(plain: Program) -> None:
    """A short study stays in the graph, one that has decided keeps to that, a long one measures and says so."""
    for way in ("xla", "graph"):
        assert choose(plain, Plan(steps=1e12, way=way), 7) == ""  # type: ignore[arg-type]
        assert plain.way == way
    curves(plain, BASELINE, epochs=1)
    assert choose(plain, Plan(steps=10), 7) == ""
    assert plain.way == "graph"
    plain.traced.first_seconds = 1e-9  # as if compiling cost nothing
    found = choose(plain, Plan(steps=1e9), 7)
    assert ("by XLA" if plain.way == "xla" else "in the graph") in found
    assert "ms" in found


def test_rows_on_disk_are_all_used_once_an_epoch(task: Task, tmp_path: Path) -> None:
    """Arrays on disk come in chunks of whole batches, every row once an epoch, and are judged alike."""
    other = copy.copy(task)
    for part in ("train", "validation", "test"):
        for name in ("x", "y"):
            array = getattr(task, f"{name}_{part}")
            np.save(tmp_path / "a.npy", array)
            path = (tmp_path / "a.npy").rename(tmp_path / f"{name}_{part}.npy")
            setattr(other, f"{name}_{part}", np.load(path, mmap_mode="r"))
    feed = Feed(other, chunk_bytes=1000)
    pieces = [(np.asarray(data[0])[order], last) for data, order, last in feed.epoch(1, 0, 16)]
    assert len(pieces) > 1
    assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(len(rows) % 16 == 0 for rows, _ in pieces[:-1])
    seen = np.concatenate([rows for rows, _ in pieces])
    np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(task.x_train, axis=0))
    assert (seen != task.x_train).any()
    program, whole = Program.of(other, [BASELINE.rule]), Program.of(task, [BASELINE.rule])
    program.feed = feed
    state = program.start(BASELINE, 3)
    assert program.evaluate(state, BASELINE, "train") == pytest.approx(whole.evaluate(state, BASELINE, "train"))
    after, found, _ = program.train(state, BASELINE, seed=3, epochs=2, total_epochs=2)
    assert after.step == 2 * -(-feed.rows // 32)
    assert found["val_loss"][1] == pytest.approx(program.evaluate(after, BASELINE, "validation")["loss"], abs=1e-5)


def test_a_probe_tells_rates_apart(task: Task) -> None:
    """At a tiny rate the loss stays, at a fit one it falls, at a wild one there is none; in both trainers."""
    rates = (1e-9, 1e-2, 1e38)
    probe = Probe(configuration=dataclasses.replace(BASELINE, batch_size=BATCH), seed=1, rates=rates, steps=12)
    for trainer in (CompiledTrainer(task, [BASELINE.rule]), FitTrainer(task)):
        found = trainer.probe(probe)
        assert found.val_losses[0] == pytest.approx(found.start, rel=0.05)
        assert found.losses[1] < found.losses[0]
        assert math.isnan(found.val_losses[2])


def test_seeds_decide_everything(program: Program) -> None:
    """A seed repeats itself to the bit, and another seed gives something else."""
    assert curves(program, BASELINE, seed=1) == curves(program, BASELINE, seed=1)
    assert curves(program, BASELINE, seed=1)["loss"] != curves(program, BASELINE, seed=2)["loss"]


def test_divergence_ends_a_trial_at_the_first_bad_batch(program: Program) -> None:
    """After a loss that is not finite no further step is taken, and the curves end there."""
    wild = Configuration(rule=RULES[BASELINE.rule.name](learning_rate=1e38), batch_size=BATCH)
    state = program.start(wild, 0)
    state, found, _ = program.train(state, wild, seed=0, epochs=EPOCHS, total_epochs=EPOCHS)
    assert not state.finite
    assert state.step < EPOCHS * 3
    assert state.epoch == len(found["loss"]) == 1
    assert not math.isfinite(found["loss"][-1] + found["val_loss"][-1])


def test_evaluation_equals_keras(task: Task, program: Program) -> None:
    """`evaluate` on every part gives what `model.evaluate` gives, and `load` puts the weights there."""
    state = program.start(BASELINE, 3)
    state, _, _ = program.train(state, BASELINE, seed=3, epochs=2, total_epochs=2)
    model = task.build(0)
    program.load(state, BASELINE, model)
    model.compile(loss=task.loss, metrics=task.metrics())
    for part in ("train", "validation", "test"):
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        theirs = model.evaluate(x, y, verbose=0, return_dict=True)
        ours = program.evaluate(state, BASELINE, part)
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_both_trainers_answer_alike(task: Task) -> None:
    """The fallback gives the names and lengths of the compiled trainer, but for what it cannot see of the gradients."""
    job = Job(configuration=BASELINE, seed=0, epochs=2, test=True)
    ours, theirs = CompiledTrainer(task, [BASELINE.rule]).run(job), FitTrainer(task).run(job)
    assert ours.metrics.keys() == theirs.metrics.keys()
    lengths = {name: len(values) for name, values in ours.curves.items() if name != "gradient_norm"}
    assert lengths == {name: len(values) for name, values in theirs.curves.items()}
    assert ours.curves["learning_rate"] == theirs.curves["learning_rate"]


def test_a_model_with_its_own_train_step_falls_back_and_says_so(task: Task) -> None:
    """What cannot run as one program trains with `model.fit`, with the reason in words."""

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    def build(seed: int) -> Any:
        model = Own()
        model(np.zeros((1, 4), "float32"))
        return model

    other = copy.copy(task)
    other.build = build
    trainer, note = make_trainer(other, [BASELINE.rule], [0], Job(configuration=BASELINE, seed=0, epochs=1))
    assert isinstance(trainer, FitTrainer)
    assert "train_step" in note
    assert "model.fit" in note
