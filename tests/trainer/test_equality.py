"""The compiled trainer beside `model.fit`, over layers and hooks of Keras: equal, or not compiled and said so."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

keras = pytest.importorskip("keras")

from benchmarks.equality import BATCH, RULE, compared  # noqa: E402
from benchmarks.equality_models import MODELS, own_version  # noqa: E402
from optselect.data import read  # noqa: E402
from optselect.errors import InvalidModel  # noqa: E402
from optselect.optim.configuration import BASELINE  # noqa: E402
from optselect.task import make_spec  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.compilable import own_hooks, own_loss  # noqa: E402
from optselect.trainer.messages import Job  # noqa: E402
from optselect.trainer.population import Populations  # noqa: E402
from optselect.trainer.program import Program  # noqa: E402
from optselect.trainer.trainer_choice import make_trainer  # noqa: E402

PROBE = Job(configuration=dataclasses.replace(BASELINE, batch_size=BATCH), seed=0, epochs=1)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if member.quick else pytest.mark.slow) for name, member in MODELS.items()]
)
def test_a_model_trains_as_in_model_fit(name: str) -> None:
    """Losses, metrics, weights and random states equal those of `model.fit` to 1e-5, or `model.fit` trains the model
    and the reason names what stands in the way, or it is refused.
    """
    member = MODELS[name]
    found = compared(member)
    if member.refused:
        assert member.refused in found.refused
    elif member.fallback:
        assert member.fallback in found.reason
    else:
        assert (found.reason, found.refused) == ("", "")
        assert found.difference is not None
        assert found.difference <= 1e-5, found.where


@pytest.mark.parametrize("name", ["constraint max norm and non neg", "spectral normalization", "lstm with dropout"])
@pytest.mark.slow
def test_a_model_trains_by_xla_as_in_model_fit(name: str) -> None:
    """What a layer does to weights it does under XLA too; random numbers are others there."""
    found = compared(MODELS[name], way="xla")
    assert found.difference is not None
    assert found.difference <= (1e-5 if name != "lstm with dropout" else np.inf), found.where


HOOKS = [
    "compute_metrics", "evaluate", "fit", "get_metrics_result", "make_test_function", "make_train_function",
    "reset_metrics", "test_step", "train_step",
]  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_the_users_own_is_found(hook: str) -> None:
    """Whichever method of Keras's trainer a class overrides, or somebody sets on the model, has its name told."""
    assert own_hooks(own_version(hook)) == [hook]
    assert own_hooks(own_version(hook, keras.Model)) == [hook]
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    plain.compile("sgd", loss=keras.losses.MeanSquaredError(), metrics=["mae"])
    assert own_hooks(plain) == []
    setattr(plain, hook, lambda *_: None)
    assert own_hooks(plain) == [hook]


def test_what_a_training_never_calls_is_no_hook() -> None:
    """Own ways to predict, and a method named `loss`, keep a model out of nothing; `compute_loss` is honoured."""
    for method in ("predict_step", "train_on_batch", "loss"):
        assert own_hooks(own_version(method)) == []
    model = own_version("compute_loss")
    assert own_loss(model)
    assert own_hooks(model) == []


def task_of(build: Any, units: int = 4) -> Task:
    x = np.random.default_rng(0).normal(size=(120, units)).astype("float32")
    return Task.from_spec(make_spec(read((x, x[:, 0])), model=build, epochs=1, seed=0))


def test_members_of_a_population_train_as_by_themselves_where_evaluation_draws() -> None:
    """Random numbers that a layer draws while it is evaluated are drawn as often in a population."""
    task = task_of(lambda: keras.Sequential([
        keras.Input((4,)), keras.layers.Reshape((4, 1)), keras.layers.SimpleRNN(3, dropout=0.3),
        keras.layers.Dense(1, kernel_constraint="unit_norm"),
    ]))  # fmt: skip
    program = Program.of(task, [RULE])
    configurations = [
        dataclasses.replace(BASELINE, rule=RULE.replaced(learning_rate=rate), batch_size=BATCH) for rate in (0.01, 0.05)
    ]
    populations = Populations(program)
    found = populations.train(populations.start(configurations, [1, 2]), epochs=2, total_epochs=2)
    for (state, curves), configuration, seed in zip(found, configurations, [1, 2], strict=True):
        single = program.start(configuration, seed)
        single, alone, _ = program.train(single, configuration, seed=seed, epochs=2, total_epochs=2)
        for name, values in alone.items():
            np.testing.assert_allclose(curves[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
        for ours, theirs in zip(state.carried.others, single.carried.others, strict=True):
            np.testing.assert_array_equal(ours, theirs)


class OwnSteps(keras.Model):  # type: ignore[misc]
    """Keras's guide to `train_step`, with the tracker of its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.tracker = keras.metrics.Mean(name="loss")

    def call(self, x: Any) -> Any:
        return self.dense(x)

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((self(x) - y) ** 2)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


class OwnTest(OwnSteps):
    def test_step(self, data: Any) -> Any:
        x, y = data
        self.tracker.update_state(keras.ops.mean((self(x) - y) ** 2))
        return {"loss": self.tracker.result()}


def test_an_own_train_step_needs_an_own_test_step() -> None:
    """Without one `val_loss` would be 0 whatever happens: refused. With one the study goes by `val_loss`, and metrics
    that the model does not answer are left out.
    """
    with pytest.raises(InvalidModel, match="test_step"):
        make_trainer(task_of(OwnSteps), [RULE], [0], PROBE)
    task = task_of(OwnTest)
    trainer, note = make_trainer(task, [RULE], [0], PROBE)
    assert isinstance(trainer, FitTrainer)
    assert "`train_step`, `metrics` and `test_step`" in note
    assert task.metric_names == []
    assert task.headline.name == "loss"


def test_a_model_with_two_optimizers_is_refused() -> None:
    """A compile() of the user's own that takes no `optimizer` is named before anything is trained."""

    class Two(OwnTest):
        def compile(self, one: Any, other: Any) -> None:
            super().compile()

    with pytest.raises(InvalidModel, match=r"compile\(\)"):
        make_trainer(task_of(Two), [RULE], [0], PROBE)


def test_an_output_of_numpy_numbers_is_told_with_the_line_that_failed() -> None:
    """The reason of a fallback holds what the user's layer raised, and how to train such a model."""

    class Numbers(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * x.numpy().mean()

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    def build() -> Any:
        return keras.Sequential([keras.Input((4,)), Numbers(), keras.layers.Dense(1)])

    with pytest.raises(InvalidModel, match="run_eagerly"):
        make_trainer(task_of(build), [RULE], [0], PROBE)
