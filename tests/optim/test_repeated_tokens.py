"""An embedding whose tokens occur many times in a batch, in the compiled trainer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect.optim.configuration import Configuration
from optselect.optim.rule import Variable
from optselect.optim.rules import RULES
from optselect.task.prepared import Task
from optselect.trainer.program import Program

TOKENS = 24  # few, so that a batch of 32 rows of 4 repeats each of them
LAZY = {"lazy_adam": "adam"}  # what each lazy rule is where nothing is an embedding


def _moved(rule: Any, variable: Variable) -> np.ndarray:
    """Where two steps take a matrix of ones, half of whose rows have no gradient in the second."""
    rule, param = rule.for_variable(variable), tf.ones(variable.shape)
    grad = tf.reshape(tf.range(1.0, 1 + 2 * TOKENS), param.shape)
    state = rule.init(param)
    for step, used in ((1, TOKENS), (2, TOKENS // 2)):
        param, state = rule.update(grad * tf.cast(tf.range(TOKENS)[:, None] < used, grad.dtype), param, state, step)
    return np.asarray(param)


def _alike(rule: Any) -> bool:
    """Whether the rule steps a table as any other matrix, and so should step the two models below alike."""
    table = Variable("embedding/embeddings", (TOKENS, 2), embedding=True)
    return np.array_equal(_moved(rule, table), _moved(rule, Variable("product/table", (TOKENS, 2))))


ALIKE = {name: rule for name, rule in RULES.items() if _alike(rule())}


class Tokens(keras.layers.Layer):
    """Four measurements as four tokens."""

    def call(self, x: Any) -> Any:
        return keras.ops.cast(keras.ops.clip(x * 3, 0, TOKENS - 1), "int32")


class Product(keras.layers.Layer):
    """What an Embedding gives, as a product of one-hot rows and a matrix."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._initial = table

    def build(self, _: Any) -> None:
        self.table = self.add_weight(shape=(TOKENS, 2), initializer=keras.initializers.Constant(self._initial))

    def call(self, tokens: Any) -> Any:
        return keras.ops.matmul(keras.ops.one_hot(tokens, TOKENS), self.table)


def _program(iris: Any, lookup: Any) -> Program:
    def build(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        table = np.random.default_rng(1).normal(size=(TOKENS, 2)).astype("float32")
        dense = keras.layers.Dense(3, "softmax", kernel_initializer=keras.initializers.GlorotUniform(seed=2))
        return keras.Sequential([keras.Input((4,)), Tokens(), lookup(table), keras.layers.Flatten(), dense])

    task = Task.from_spec(iris)
    task.build = build  # type: ignore[method-assign]
    return Program.of(task, [rule() for rule in ALIKE.values()])


def _embedding(table: Any) -> Any:
    return keras.layers.Embedding(TOKENS, 2, embeddings_initializer=keras.initializers.Constant(table))


@pytest.fixture(scope="module")
def programs(iris: Any) -> tuple[Program, Program]:
    return _program(iris, _embedding), _program(iris, Product)


def test_gradient_is_that_of_a_dense_product(programs: tuple[Program, Program]) -> None:
    """The gradient of a table is the sum over all uses of a token, zero for a token that the batch has not."""
    x, y = (part[:32] for part in (programs[0].task.x_train, programs[0].task.y_train))
    tokens = np.asarray(Tokens()(x))
    assert len(np.unique(tokens)) < TOKENS
    assert np.unique(tokens, return_counts=True)[1].max() > 10
    flats, grads = [], []
    for program in programs:
        now = program.start(Configuration(rule=next(iter(ALIKE.values()))()), seed=3).carried
        _, grad, _ = program.traced.step.gradient(
            now.parameters, now.others, (tf.constant(x), tf.constant(y)), now.scale
        )
        flats.append(np.asarray(now.parameters))
        grads.append(np.asarray(grad))
    np.testing.assert_array_equal(*flats)
    np.testing.assert_allclose(*grads, atol=1e-7)
    table = grads[0][: 2 * TOKENS].reshape(TOKENS, 2)
    assert (table.any(axis=1) == np.isin(np.arange(TOKENS), tokens)).all()


@pytest.mark.parametrize("name", ALIKE)
def test_training_is_that_of_a_dense_product(programs: tuple[Program, Program], name: str) -> None:
    """Repeated tokens are no special case: every rule trains a table as it trains the matrix that it stands for."""
    configuration, losses = Configuration(rule=ALIKE[name](), batch_size=32), []
    for program in programs:
        state = program.start(configuration, seed=3)
        losses.append(program.train(state, configuration, seed=3, epochs=3, total_epochs=3)[1]["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("name", LAZY)
def test_lazy_rule_leaves_unused_rows_alone(name: str) -> None:
    """A token that the batch has not keeps its row and all that the rule remembers of it; a used one moves."""
    rule = RULES[name]().for_variable(Variable("embedding/embeddings", (3, 2), embedding=True))
    param = tf.ones((3, 2))
    grad = tf.constant([[1.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    param, state = rule.update(grad, param, rule.init(param), 1)
    moved, after = rule.update(grad * [[1.0], [0.0], [1.0]], param, state, 2)
    for old, new in [(param, moved), *((state[slot], after[slot]) for slot in state)]:
        np.testing.assert_array_equal(old[1], new[1])
    assert (moved[2] != param[2]).numpy().all()
    assert moved[0, 1] == param[0, 1] == 1


@pytest.mark.parametrize("name", LAZY)
def test_lazy_rule_is_its_eager_one_elsewhere(name: str) -> None:
    """What is no embedding moves on without a gradient, as the eager rule moves it."""
    matrix = Variable("dense/kernel", (TOKENS, 2))
    np.testing.assert_array_equal(_moved(RULES[name](), matrix), _moved(RULES[LAZY[name]](), matrix))
