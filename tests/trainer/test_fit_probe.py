"""Models with their own training step: what one short training by `model.fit` finds out before a study."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

keras = pytest.importorskip("keras")

from optselect.data import read  # noqa: E402
from optselect.errors import InvalidModel, UnknownName  # noqa: E402
from optselect.optim.configuration import BASELINE  # noqa: E402
from optselect.optim.keras.of_model import optimizers_of  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402
from optselect.task import make_spec  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.messages import Job, Plan, Probe  # noqa: E402
from optselect.trainer.trainer_choice import make_trainer  # noqa: E402

ROWS = 60
X = np.random.default_rng(0).normal(size=(ROWS, 6)).astype("float32")
LABELS = np.arange(ROWS) % 3
JOB = Job(configuration=BASELINE, seed=0, epochs=1, test=True)


class Squeeze(keras.Model):  # type: ignore[misc]
    """An autoencoder with a loss of its own, as Keras's guide on train_step writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
        self.decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6)])
        self.tracker = keras.metrics.Mean(name="loss")

    def call(self, rows: Any) -> Any:
        return self.decoder(self.encoder(rows))

    def error(self, data: Any) -> Any:
        return keras.ops.mean((self.decoder(self.encoder(data[0])) - data[0]) ** 2)

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.error(data)
        self.apply(tape.gradient(loss, self.trainable_weights))
        self.tracker.update_state(loss)
        return self.told(loss)

    def apply(self, gradients: Any) -> None:
        self.optimizer.apply(gradients, self.trainable_weights)

    def told(self, loss: Any) -> dict[str, Any]:
        return {"loss": self.tracker.result()}


class Whole(Squeeze):
    """The same with its test_step."""

    def test_step(self, data: Any) -> Any:
        loss = self.error(data)
        self.tracker.update_state(loss)
        return self.told(loss)


class Nameless(Whole):
    """No `loss` anywhere."""

    def told(self, loss: Any) -> dict[str, Any]:
        return {"error": loss, "other": loss}


class Elsewhere(Whole):
    """Other names from the test_step."""

    def test_step(self, data: Any) -> Any:
        return {"error": self.error(data)}


class Still(Whole):
    """Gradients that nobody applies."""

    def apply(self, gradients: Any) -> None:
        """Nothing."""


class Hidden(Whole):
    """An optimizer that `compile()` knows nothing of."""

    def apply(self, gradients: Any) -> None:
        for weight, gradient in zip(self.trainable_weights, gradients, strict=True):
            weight.assign_sub(0.1 * gradient)


class Deaf(Whole):
    """A `val_loss` that does not depend on the weights."""

    def test_step(self, data: Any) -> Any:
        return {"loss": keras.ops.mean(data[0] ** 2)}


class Apart(keras.Model):  # type: ignore[misc]
    """A contrastive net: the label is not what it answers, and nothing says with which loss it is compared."""

    def __init__(self, units: int = 3) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(units)

    def call(self, rows: Any) -> Any:
        return self.dense(rows)

    def error(self, data: Any) -> Any:
        one, other = self(data[0]), self(data[0] + 0.1)
        return keras.ops.mean((one - other) ** 2) - 0.1 * keras.ops.mean(keras.ops.std(one, axis=0))

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.error(data)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class ApartWhole(Apart):
    """The same with its test_step, and a figure of its own beside the loss."""

    def test_step(self, data: Any) -> Any:
        return {"loss": self.error(data), "spread_score": keras.ops.mean(keras.ops.std(self(data[0]), axis=0))}


class Pair(Squeeze):
    """Two optimizers, as Keras's guide on GANs has them."""

    def compile(self, d_optimizer: Any, g_optimizer: Any) -> None:
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def apply(self, gradients: Any) -> None:
        self.d_optimizer.apply(gradients[:2], self.encoder.trainable_weights)
        self.g_optimizer.apply(gradients[2:], self.decoder.trainable_weights)


class Two(Pair, Whole):
    """The same with a test_step."""


class TwoSilent(Pair):
    """No loss that a study could compare."""

    def told(self, loss: Any) -> dict[str, Any]:
        return {"judge_loss": loss}


class Computed(Apart):
    """A train_step of its own around the loss that the model is compiled with."""

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=data[0], y=data[1], y_pred=self(data[0]))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Alone(Whole):
    """Made for data without a target, and without a `call`."""

    call = keras.Model.call

    def error(self, data: Any) -> Any:
        return super().error((data,))


def compiled(kind: type[Any], *arguments: Any, **given: Any) -> Callable[[], Any]:
    def build() -> Any:
        model = kind()
        if given or arguments:
            model.compile(*arguments, **given)
        return model

    return build


def task_of(build: Callable[[], Any], data: Any = None, **given: Any) -> Task:
    return Task.from_spec(make_spec(read((X, X) if data is None else data), model=build, epochs=4, seed=0, **given))


def chosen(task: Task) -> tuple[Any, str]:
    return make_trainer(task, [BASELINE.rule], [0], JOB, plan=Plan(steps=400))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Squeeze, "no test_step"),
        (Nameless, "`error`, `other` and no `loss`"),
        (Elsewhere, "its test_step returns `error` and no `loss`"),
        (Still, r"never applies the optimizer .*`self.optimizer`.* changes no weight"),
        (Hidden, "trains with another one"),
        (Deaf, "before and after an epoch"),
    ],
)
def test_what_is_missing_is_said_before_the_study(kind: type[Any], words: str) -> None:
    """Each of them in one sentence, after one short training."""
    with pytest.raises(InvalidModel, match=words) as found:
        chosen(task_of(compiled(kind, "adam")))
    assert found.value.args[0].count("\n") == 0


def test_a_loss_that_nobody_chose_is_not_compared() -> None:
    """With a train_step of its own, no test_step and no loss in compile(), `val_loss` would be one of our choice."""
    with pytest.raises(InvalidModel, match="compiled with none"):
        chosen(task_of(compiled(Apart, "adam"), (X, LABELS)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer, note = chosen(task_of(compiled(Apart, "adam", loss=loss), (X, LABELS)))
    assert isinstance(trainer, FitTrainer)
    assert "Warning: `val_loss` is the loss that the model is compiled with" in note


def test_a_train_step_around_compute_loss_needs_no_test_step() -> None:
    """Then Keras's test_step has the same loss, chosen by the target or not."""
    _, note = chosen(task_of(compiled(Computed, "adam"), (X, LABELS)))
    assert "Warning" not in note


def test_outputs_that_are_no_target_are_left_alone() -> None:
    """A model that trains and tests itself may ignore the target; its own figures can be the objective."""
    task = task_of(compiled(lambda: ApartWhole(16), "adam"), (X, LABELS), objective="val_spread_score")
    trainer, _ = chosen(task)
    run = trainer.run(JOB)
    assert task.metric_names == ["spread_score"]
    assert task.objective.maximize
    assert {"val_loss", "val_spread_score", "test_loss", "test_spread_score"} == set(run.metrics)
    assert task.describe().headline.name == "val_spread_score".removeprefix("val_")
    with pytest.raises(UnknownName, match="val_spread_score"):
        chosen(task_of(compiled(lambda: ApartWhole(16), "adam"), (X, LABELS), objective="val_spred"))


def test_data_without_a_target() -> None:
    """A model that trains itself gets the rows alone, as from `model.fit(x)`; any other is refused."""
    trainer, _ = chosen(task_of(compiled(Alone, "adam"), (X,)))
    assert set(trainer.run(JOB).metrics) == {"val_loss", "test_loss"}
    assert np.isfinite(trainer.probe(Probe(configuration=BASELINE, seed=0, rates=(1e-3,), steps=2)).losses).all()
    with pytest.raises(InvalidModel, match="no target"):
        task_of(compiled(Squeeze, "adam"), (X,))


def test_the_time_is_told_before_the_study() -> None:
    """How long a training and the study take, and what would be compiled instead."""
    _, note = chosen(task_of(compiled(Whole, "adam")))
    assert "per training of 4 epochs" in note
    assert "for the study" in note
    assert "`compute_loss`" in note


def test_every_optimizer_of_a_model_is_that_of_the_trial() -> None:
    """Two optimizers under names of the user's own become equal ones, each with its own state."""
    task = task_of(compiled(Two, keras.optimizers.SGD(), keras.optimizers.Adam(0.5)))
    trainer, note = chosen(task)
    assert "compute_loss" not in note
    model = task.build(0)
    task.compile(model, keras.optimizers.Nadam(0.003))
    held = optimizers_of(model)
    assert {"d_optimizer", "g_optimizer"} < set(held)
    assert {type(one) for one in held.values()} == {keras.optimizers.Nadam}
    assert len({id(one) for one in held.values()}) == len(held)
    assert task.describe().optimizers == tuple(held)
    small, large = (
        trainer.run(Job(configuration=_with_rate(rate), seed=0, epochs=1)).metrics["val_loss"] for rate in (1e-6, 1e-2)
    )
    assert large < small
    found = trainer.probe(Probe(configuration=BASELINE, seed=0, rates=(1e-6, 1e-2), steps=6))
    assert found.val_losses[1] < found.val_losses[0]


def _with_rate(rate: float) -> Any:
    return dataclasses.replace(BASELINE, rule=BASELINE.rule.replaced(learning_rate=rate))


def test_a_model_with_two_optimizers_and_no_loss_is_refused_in_one_sentence() -> None:
    """The sentence says what to add."""
    with pytest.raises(InvalidModel, match="no test_step"):
        chosen(task_of(compiled(TwoSilent, keras.optimizers.SGD(), keras.optimizers.SGD())))


def test_rules_that_are_judged_elsewhere_are_judged_there_with_several_optimizers() -> None:
    """After training every optimizer has stored the weights at which its rule is judged."""
    task = task_of(compiled(Two, keras.optimizers.SGD(), keras.optimizers.SGD()))
    rule = RULES["schedule_free_adamw"]()
    run = FitTrainer(task).run(Job(configuration=dataclasses.replace(BASELINE, rule=rule), seed=0, epochs=2, test=True))
    assert run.finite
