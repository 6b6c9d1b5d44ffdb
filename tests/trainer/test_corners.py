"""Corners of the compiled trainer: the order of the rows, and the scaled loss of float16."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

keras = pytest.importorskip("keras")

from optselect.data import read  # noqa: E402
from optselect.optim.configuration import Configuration  # noqa: E402
from optselect.optim.rules import RULES  # noqa: E402
from optselect.task import Task, make_spec  # noqa: E402
from optselect.trainer import step as step_module  # noqa: E402
from optselect.trainer.feeding import batch_rows, row_order  # noqa: E402
from optselect.trainer.program import Program  # noqa: E402

PLAIN = Configuration(rule=RULES["sgd"](learning_rate=0.05, momentum=0.0), batch_size=32)  # it sees every factor
TOO_LARGE = 2.0**20  # the gradients times it overflow float16


def test_rows_come_in_another_order_in_every_epoch() -> None:
    """Epochs and seeds have orders of their own, all rows once each, and the same again when asked again."""
    orders = {(seed, epoch): row_order(seed, epoch, 50) for seed in range(3) for epoch in range(3)}
    for order in orders.values():
        assert sorted(order) == list(range(50))
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    np.testing.assert_array_equal(row_order(2, 1, 50), orders[2, 1])
    assert row_order(0, 0, 50).dtype == np.int32


def test_whole_batches_are_those_of_the_epochs_one_after_the_other() -> None:
    """The smaller batch at an epoch's end is left out, and the next epoch goes on in its own order."""
    rows = batch_rows(3, size=4, count=5, rows=10)
    wanted = [row_order(3, epoch, 10)[:8] for epoch in range(3)]
    np.testing.assert_array_equal(rows, np.concatenate(wanted)[:20])


def test_overflow_skips_the_update_and_halves_the_factor() -> None:
    """A gradient that is not finite leaves everything as it was; 2000 good steps double the factor."""
    before, after = (tf.constant([1.0, 2.0]), tf.constant(3)), (tf.constant([5.0, 6.0]), tf.constant(4))
    for bad in (np.inf, -np.inf, np.nan):
        grad = tf.constant([0.5, bad])
        kept, scale = step_module._if_finite(grad, after, before, tf.constant([1024.0, 7.0]))
        np.testing.assert_array_equal(kept[0], before[0])
        assert int(kept[1]) == 3
        np.testing.assert_array_equal(scale, [512.0, 0.0])
    for count, wanted in ((7.0, [1024.0, 8.0]), (1998.0, [1024.0, 1999.0]), (1999.0, [2048.0, 0.0])):
        kept, scale = step_module._if_finite(tf.constant([0.5, 1.0]), after, before, tf.constant([1024.0, count]))
        np.testing.assert_array_equal(kept[0], after[0])
        np.testing.assert_array_equal(scale, wanted)


@pytest.fixture(scope="module")
def half() -> Any:
    """Iris in mixed_float16, and its program."""
    spec = make_spec(read("sklearn:iris"), epochs=2, seed=0, precision="mixed_float16")
    task = Task.from_spec(spec)
    return task, Program.of(task, [PLAIN.rule])


@pytest.mark.parametrize("first", [step_module.FIRST_SCALE, TOO_LARGE])
def test_scaled_loss_trains_as_keras_does(half: Any, first: float) -> None:
    """With plain SGD, which sees any factor that is left on a gradient, curves and factor are those of `model.fit`.

    Begun with a factor so large that the first gradients overflow, both skip those updates and halve it.
    """
    task, program = half
    state = program.start(PLAIN, 7)
    assert float(state.carried.scale[0]) == step_module.FIRST_SCALE
    carried = state.carried._replace(scale=tf.constant([first, 0.0]))
    state = type(state)(carried, step=state.step, epoch=state.epoch)
    state, ours, _ = program.train(state, PLAIN, seed=7, epochs=2, total_epochs=2)
    model, rows = task.build(7), len(task.y_train)
    task.compile(model, PLAIN.optimizer(total_steps=2 * PLAIN.steps_per_epoch(rows)))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.dynamic_scale.assign(first)
    theirs = []
    for epoch in range(2):
        order = row_order(7, epoch, rows)
        given = {"batch_size": PLAIN.batch_size, "shuffle": False, "verbose": 0}
        theirs += model.fit(task.x_train[order], task.y_train[order], **given).history["loss"]
    np.testing.assert_allclose(ours["loss"], theirs, atol=2e-3)
    assert float(state.carried.scale[0]) == float(model.optimizer.dynamic_scale)
    assert (float(state.carried.scale[0]) < first) == (first == TOO_LARGE)
    assert int(state.carried.updates) == int(model.optimizer.inner_optimizer.iterations)
    assert ours["loss"][1] < ours["loss"][0]
