"""Populations beside their members run singly."""

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

from optselect.optim.clipping import CLIPPINGS  # noqa: E402
from optselect.optim.configuration import BASELINE, Configuration  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402
from optselect.optim.schedules import SCHEDULES  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.compiled import CompiledTrainer  # noqa: E402
from optselect.trainer.feeding import Feed  # noqa: E402
from optselect.trainer.messages import Job, Population, Probe  # noqa: E402
from optselect.trainer.population import Populations  # noqa: E402
from optselect.trainer.program import Program  # noqa: E402
from optselect.trainer.state import TrialState, load_state, save_state  # noqa: E402

BATCH = 36  # 96 training rows: the last batch is a smaller one
SCHEDULED = [kind for kind in SCHEDULES.values() if kind.name != "constant"]


def dense_of(seed: int) -> Any:
    """Dense layers with a seed of their own: setting Keras's global one makes TensorFlow prepare all graphs anew."""
    return functools.partial(keras.layers.Dense, kernel_initializer=keras.initializers.GlorotUniform(seed=seed))


def build_plain(seed: int) -> Any:
    dense = dense_of(seed)
    return keras.Sequential(
        [keras.Input((4,)), dense(6, "tanh", kernel_constraint="unit_norm"), dense(3, "softmax")],
    )


class Drawing(keras.layers.Layer):  # type: ignore[misc]
    """Draws random numbers in evaluation too, as recurrent layers with dropout do."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, x: Any, training: bool = False) -> Any:
        noise = 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        return x + noise if training else x


def build_random(seed: int) -> Any:
    """State beside the weights, and random numbers in the step and in evaluation."""
    dense = dense_of(seed)
    hidden = dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-3))
    norm, dropout = keras.layers.BatchNormalization(), keras.layers.Dropout(0.2, seed=seed)
    return keras.Sequential([keras.Input((4,)), Drawing(seed), hidden, norm, dropout, dense(3, "softmax")])


def having(iris: Any, build: Any) -> Task:
    task = Task.from_spec(iris)
    task.build = build  # type: ignore[method-assign]
    return task


@pytest.fixture(scope="module")
def plain(iris: Any) -> Task:
    return having(iris, build_plain)


@pytest.fixture(scope="module")
def random_program(iris: Any) -> Program:
    return Program.of(having(iris, build_random), [BASELINE.rule])


@pytest.fixture(scope="module")
def populations(random_program: Program) -> Populations:
    return Populations(random_program)


def singly(
    program: Program, configuration: Configuration, seed: int, epochs: int = 2, total: int = 2
) -> tuple[TrialState, dict[str, list[float]]]:
    state = program.start(configuration, seed)
    return program.train(state, configuration, seed=seed, epochs=epochs, total_epochs=total)[:2]


def assert_alike(ours: Any, theirs: Any, apart: float = 1e-5) -> None:
    """States and curves of one training: counts to the digit, figures to `apart`."""
    (state, curves), (other, others) = ours, theirs
    assert (state.step, state.epoch, state.finite) == (other.step, other.epoch, other.finite)
    assert curves.keys() == others.keys()
    for name in curves:
        np.testing.assert_allclose(curves[name], others[name], rtol=apart, atol=apart, err_msg=name)


def varied(rule: Any) -> list[Configuration]:
    """The rule with two learning rates; the second with a schedule and a clipping."""
    rate = rule.rate
    clip = next(kind for kind in CLIPPINGS.values() if kind.hypers())
    other = rule.replaced(learning_rate=rate / 3)
    scheduled = Configuration(rule=other, batch_size=BATCH, schedule=SCHEDULED[0](), clipping=clip())
    return [Configuration(rule=rule, batch_size=BATCH), scheduled]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if rule.common else pytest.mark.slow) for n, rule in RULES.items()]
)
def test_a_population_equals_its_members(plain: Task, name: str) -> None:
    """Two configurations of a rule with seeds of their own train in one step as they do by themselves.

    As near to them as they are to themselves from a start that is 1e-7 off, where that is more than 1e-5 apart: an
    eigenvector of a matrix that has several of them is anywhere.
    """
    program = Program.of(plain, [RULES[name]()])
    configurations, seeds = varied(RULES[name]()), [7, 8]
    populations = Populations(program)
    found = populations.train(populations.start(configurations, seeds), epochs=2, total_epochs=3)
    for ours, configuration, seed in zip(found, configurations, seeds, strict=True):
        theirs = singly(program, configuration, seed, total=3)
        start = program.start(configuration, seed)
        nearby = start.carried._replace(parameters=start.carried.parameters * (1 + 1e-7))
        shaken = program.train(TrialState(nearby), configuration, seed=seed, epochs=2, total_epochs=3)[1]
        noise = max(np.abs(np.subtract(shaken[n], theirs[1][n])).max() for n in shaken)
        assert_alike(ours, theirs, max(1e-5, 3 * noise))


def test_every_schedule_and_clipping_in_one_step(random_program: Program, populations: Populations) -> None:
    """Members of one rule may differ in schedule, clipping and seed; dropout and batch norm are each member's own."""
    clips = [kind(**{h.name: 0.1 for h in kind.hypers()}) for kind in CLIPPINGS.values()]
    members = [
        Configuration(rule=BASELINE.rule, batch_size=BATCH, schedule=kind(), clipping=clips[i % len(clips)])
        for i, kind in enumerate(SCHEDULES.values())
    ]
    seeds = [i % 3 for i in range(len(members))]
    found = populations.train(populations.start(members, seeds), epochs=2, total_epochs=2)
    for ours, configuration, seed in zip(found, members, seeds, strict=True):
        theirs = singly(random_program, configuration, seed)
        assert_alike(ours, theirs)
        for a, b in zip(ours[0].carried.others, theirs[0].carried.others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    judged = [
        dataclasses.replace(member, state=state)
        for member, (state, _) in zip(populations.start(members, seeds), found, strict=True)
    ]
    for part in ("train", "test"):
        ours_judged = populations.evaluate(judged, part)
        for member, results in zip(judged, ours_judged, strict=True):
            theirs_judged = random_program.evaluate(member.state, member.configuration, part)
            assert results == pytest.approx(theirs_judged, abs=1e-5)


def test_one_trace_serves_any_number_of_members(populations: Populations) -> None:
    """Members, batch sizes and lengths are data: nothing is traced twice."""
    for count, size, epochs in ((2, 7, 1), (3, 32, 2), (5, 10_000, 3)):
        crew = populations.start([dataclasses.replace(BASELINE, batch_size=size)] * count, range(count))
        populations.train(crew, epochs=epochs, total_epochs=epochs)
    traced = [*populations._beside._steps.values(), *populations._beside._points.values()]
    assert {call.experimental_get_tracing_count() for call in traced} == {1}


def test_a_member_that_diverges_stands_still_alone(random_program: Program, populations: Populations) -> None:
    """A bad batch ends one member, as it would a single training, and touches no other; also when one is left."""
    good = dataclasses.replace(BASELINE, batch_size=BATCH)
    wild = dataclasses.replace(good, rule=BASELINE.rule.replaced(learning_rate=1e38))
    for members in ([good, wild, good], [wild, good], [wild, wild]):
        seeds = [7, 8, 9][: len(members)]
        found = populations.train(populations.start(members, seeds), epochs=3, total_epochs=3)
        for ours, configuration, seed in zip(found, members, seeds, strict=True):
            assert_alike(ours, singly(random_program, configuration, seed, epochs=3, total=3))
            assert ours[0].finite == (configuration is good)


def test_members_pause_and_go_on_in_either_form(
    random_program: Program, populations: Populations, tmp_path: Path
) -> None:
    """A member's state is a single training's: paused in one form, it goes on in the other, each at its own epoch."""
    members, seeds = [dataclasses.replace(BASELINE, batch_size=size) for size in (BATCH, BATCH, BATCH)], [7, 8, 9]
    whole = [singly(random_program, c, s, epochs=3, total=3) for c, s in zip(members, seeds, strict=True)]
    first = populations.train(populations.start(members, seeds), epochs=1, total_epochs=3)
    save_state(tmp_path / "paused.npz", first[0][0], {})
    state = load_state(tmp_path / "paused.npz", random_program.start(members[0], 7), {})
    after, curves, _ = random_program.train(state, members[0], seed=7, epochs=2, total_epochs=3)
    assert_alike((after, {n: first[0][1][n] + curves[n] for n in curves}), whole[0])
    half = [
        dataclasses.replace(member, state=singly(random_program, member.configuration, member.seed, total=3)[0])
        for member in populations.start(members[1:], seeds[1:])
    ]
    one = dataclasses.replace(half[0], configuration=members[0], seed=7, state=first[0][0])
    found = populations.train([one, *half], epochs=3, total_epochs=3)
    assert [state.epoch for state, _ in found] == [3, 3, 3]
    for (_, ours), (_, theirs), epochs in zip(found, whole, (2, 1, 1), strict=True):
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name][-epochs:], atol=1e-5, err_msg=name)


def test_a_small_budget_splits_a_population(populations: Populations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that do not fit in the memory at once are trained in goes, to the same end."""
    crew = populations.start([dataclasses.replace(BASELINE, batch_size=BATCH)] * 5, range(5))
    assert [len(group) for group in populations._groups(crew, 1)] == [5]
    whole = populations.train(crew, epochs=1, total_epochs=1)
    need = populations._needs[BASELINE.rule.key, BATCH]
    for budget, sizes in ((1, [1, 1, 1, 1, 1]), (2 * need, [2, 2, 1])):
        monkeypatch.setattr(populations, "budget", budget)
        assert [len(group) for group in populations._groups(crew, 1)] == sizes
        for ours, theirs in zip(populations.train(crew, epochs=1, total_epochs=1), whole, strict=True):
            assert_alike(ours, theirs)


def test_what_a_member_takes_grows_with_the_model(iris: Any) -> None:
    """The memory that a member needs is measured: at least its state three times over, more where layers are wide."""

    def wide(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        dense = keras.layers.Dense
        return keras.Sequential([keras.Input((4,)), dense(1000, "relu"), dense(1000, "relu"), dense(3, "softmax")])

    populations = Populations(Program.of(having(iris, wide), [BASELINE.rule]))
    sample = populations.start([dataclasses.replace(BASELINE, batch_size=BATCH)], [0])
    need = populations._need(sample, 1, 10**10)
    state = sum(leaf.dtype.size * math.prod(leaf.shape) for leaf in tf.nest.flatten(sample[0].state.carried))
    assert 3 * state <= need < 30 * state


def test_rates_side_by_side_tell_what_each_tells_alone(random_program: Program, populations: Populations) -> None:
    """A range test as a population gives the losses of one rate after the other, NaN where one diverges."""
    configuration, rates = dataclasses.replace(BASELINE, batch_size=BATCH), [1e-4, 1e-2, 1e38, 1e-1]
    state = random_program.start(configuration, 3)
    ours = populations.try_rates(state, configuration, seed=3, rates=rates, steps=6)
    theirs = [random_program.try_rate(state, configuration, seed=3, rate=rate, steps=6) for rate in rates]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert math.isnan(ours[2][0])


def test_members_read_chunks_from_disk(random_program: Program, tmp_path: Path) -> None:
    """Of data on disk, members with one order of rows share what is read; the others train after them."""
    other = copy.copy(random_program.task)
    for part in ("train", "validation", "test"):
        for name in ("x", "y"):
            np.save(tmp_path / f"{name}_{part}.npy", getattr(other, f"{name}_{part}"))
            setattr(other, f"{name}_{part}", np.load(tmp_path / f"{name}_{part}.npy", mmap_mode="r"))
    on_disk = Program.of(other, [BASELINE.rule])
    on_disk.feed = Feed(other, chunk_bytes=1000)
    populations = Populations(on_disk)
    members, seeds = [dataclasses.replace(BASELINE, batch_size=16)] * 3, [1, 2, 1]
    assert [len(g) for g in populations._groups(populations.start(members, seeds), 1)] == [2, 1]
    found = populations.train(populations.start(members, seeds), epochs=1, total_epochs=1)
    for ours, configuration, seed in zip(found, members, seeds, strict=True):
        assert_alike(ours, singly(on_disk, configuration, seed, epochs=1, total=1))


def test_both_trainers_answer_a_population(random_program: Program, tmp_path: Path) -> None:
    """A population of jobs, paused ones among them, is answered with the run of each job."""
    task = random_program.task
    other = next(rule for rule in RULES.values() if rule.common and rule.name != BASELINE.rule.name)
    trainer = CompiledTrainer(task, [BASELINE.rule, other()])
    configuration = dataclasses.replace(BASELINE, batch_size=BATCH)
    paused = tmp_path / "paused.npz"
    trainer.run(Job(configuration=configuration, seed=1, epochs=1, total_epochs=2, keep=paused))
    jobs = (
        Job(configuration=configuration, seed=1, epochs=2, total_epochs=2, start=paused, test=True),
        Job(configuration=configuration, seed=2, epochs=2, test=True),
        Job(configuration=dataclasses.replace(configuration, rule=other()), seed=3, epochs=1, keep=tmp_path / "a.npz"),
        Job(configuration=configuration, seed=4, epochs=2),
    )
    runs = trainer.population(Population(jobs=jobs))
    for job, run in zip(jobs, runs, strict=True):
        alone = trainer.run(job)
        assert (run.epochs, run.finite, run.memory) == (alone.epochs, alone.finite, alone.memory)
        assert run.metrics == pytest.approx(alone.metrics, abs=1e-5)
        assert {name: len(values) for name, values in run.curves.items()} == {
            name: len(values) for name, values in alone.curves.items()
        }
    assert (tmp_path / "a.npz").exists()
    plain = FitTrainer(task).population(Population(jobs=jobs[1:2]))
    assert [run.epochs for run in plain] == [2]


@pytest.mark.gpu
@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="needs a GPU that TensorFlow can see")
def test_on_a_gpu_probes_run_side_by_side(random_program: Program) -> None:
    """Where a step leaves a GPU idle, all rates of a range test are one population."""
    trainer = CompiledTrainer(random_program.task, [BASELINE.rule], device="/GPU:0")
    trainer.probe(Probe(configuration=BASELINE, seed=1, rates=(1e-4, 1e-2), steps=6))
    assert trainer._beside is not None
    assert trainer._beside._needs


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convolution", "recurrent", "attention", "embedding"])
def test_layers_of_all_kinds_train_side_by_side(iris: Any, name: str) -> None:
    """Convolutions, recurrence, attention and embeddings equal their single trainings."""
    layers = keras.layers
    bodies = {
        "convolution": [layers.Reshape((2, 2, 1)), layers.Conv2D(4, 2, padding="same"), layers.MaxPooling2D()],
        "recurrent": [layers.Reshape((4, 1)), layers.LSTM(4)],
        "attention": [layers.Reshape((4, 1)), layers.Dense(4)],
        "embedding": [layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0]), layers.Embedding(4, 3)],
    }

    def build(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        x = inputs = keras.Input((4,))
        for layer in bodies[name]:
            x = type(layer).from_config(layer.get_config())(x)
        if name == "attention":
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 2)(x, x))
        return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))

    program = Program.of(having(iris, build), [BASELINE.rule])
    populations, members = Populations(program), [dataclasses.replace(BASELINE, batch_size=BATCH)] * 2
    found = populations.train(populations.start(members, [1, 2]), epochs=2, total_epochs=2)
    for ours, configuration, seed in zip(found, members, [1, 2], strict=True):
        assert_alike(ours, singly(program, configuration, seed))
