"""Loss and metrics of a task beside those of `model.evaluate` and `model.fit`: masks, weights, several outputs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect.data import read
from optselect.optim.configuration import Configuration
from optselect.optim.rules import RULES
from optselect.task import Task, make_spec
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.feeding import row_order
from optselect.trainer.messages import Job
from optselect.trainer.program import Program

layers = keras.layers
ROWS, STEPS = 30, 5
random = np.random.default_rng(0)
VECTORS = random.normal(size=(ROWS, 4)).astype("float32")
IMAGES = random.random((ROWS, 8, 8, 1)).astype("float32")
TOKENS = random.integers(0, 7, (ROWS, STEPS))
NUMBERS = random.normal(size=ROWS)
CLASSES = np.arange(ROWS) % 3
TAGS = (TOKENS + random.integers(0, 2, TOKENS.shape)) % 3
TOPICS = (random.random((ROWS, 3)) < 0.5).astype("int64")
WEIGHTS = random.random(ROWS) * 3


@dataclasses.dataclass(frozen=True)
class Case:
    """A user's compiled model with data that fit. named: whether Keras calls the outputs as we do."""

    build: Callable[[], Any]
    x: Any
    y: Any
    named: bool = True
    kind: str | None = None


CASES: dict[str, Case] = {}


def case(x: Any, y: Any, **options: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def add(build: Callable[[], Any]) -> Callable[[], Any]:
        CASES[build.__name__] = Case(build, x, y, **options)
        return build

    return add


@case(VECTORS, CLASSES)
def dense_with_norm_and_dropout() -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax"),
        ]
    )
    both = ["accuracy", "sparse_categorical_crossentropy"]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=both, weighted_metrics=both)
    return model


@case(TOKENS, TAGS)
def tags_of_masked_steps() -> Any:
    embedding = layers.Embedding(7, 4, mask_zero=True)
    recurrent = layers.Bidirectional(layers.GRU(3, return_sequences=True))
    model = keras.Sequential([keras.Input((STEPS,)), embedding, recurrent, layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model


@case(TOKENS, NUMBERS)
def last_of_masked_steps() -> Any:
    model = keras.Sequential(
        [keras.Input((STEPS,)), layers.Embedding(7, 4, mask_zero=True), layers.LSTM(3), layers.Dense(1)]
    )
    model.compile("sgd", "huber", loss_weights=0.25, metrics=["mae"])
    return model


@case(VECTORS * (NUMBERS > -0.5)[:, None], NUMBERS)
def masked_rows() -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Masking(), layers.Dense(1)])
    model.compile("sgd", keras.losses.MeanSquaredError(), weighted_metrics=[keras.metrics.MeanAbsoluteError()])
    return model


@case(VECTORS, TOPICS)
def several_labels_a_row() -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Reshape((4, 1)), layers.Conv1D(2, 3), layers.Flatten()])
    model.add(layers.Dense(3, "sigmoid"))
    model.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.AUC(name="area", multi_label=True)])
    return model


@case({"image": IMAGES, "vector": VECTORS}, {"kind": CLASSES, "size": NUMBERS})
def two_inputs_and_two_outputs() -> Any:
    image, vector = keras.Input((8, 8, 1), name="image"), keras.Input((4,), name="vector")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, activation="relu")(image))
    x = layers.Concatenate()([seen, vector])
    # Keras sorts neither a list nor its names, and the data names them in the other order.
    outputs = [layers.Dense(1, name="size")(x), layers.Dense(3, "softmax", name="kind")(x)]
    model = keras.Model([image, vector], outputs)
    model.compile(
        "sgd",
        loss={"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 2.0, "size": 0.5},
        metrics={"kind": ["accuracy"]},
        weighted_metrics={"size": ["mae"], "kind": ["accuracy"]},
    )
    return model


class Attention(keras.Model):
    """Two answers in a tuple, without names."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = layers.Embedding(7, 4, mask_zero=True)
        self.attend = layers.MultiHeadAttention(2, 2, dropout=0.5)
        self.first, self.second = layers.Dense(3, "softmax"), layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        embedded = self.embed(x)
        attended = self.attend(embedded, embedded, training=training)
        return self.first(attended), self.second(keras.ops.mean(attended, axis=1))


@case(TOKENS, {"tag": TAGS, "score": NUMBERS}, named=False)
def attention_with_two_answers() -> Any:
    model = Attention()
    model.compile(
        "sgd", loss=["sparse_categorical_crossentropy", "mae"], loss_weights=[1.0, 3.0], metrics=[[], ["mse"]]
    )
    return model


class Parts(keras.Model):
    """Answers by name, one of them nobody's target."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(5, "tanh", name="hidden")
        self.drop = layers.Dropout(0.5)
        self.a, self.b = layers.Dense(1), layers.Dense(3, "softmax")

    def call(self, x: Any, training: bool = False) -> Any:
        hidden = self.hidden(x)
        return {"b": self.b(self.drop(hidden, training=training)), "a": self.a(hidden), "hidden": hidden}


@case(VECTORS, {"b": CLASSES, "a": NUMBERS})
def answers_by_name_and_one_without_a_loss() -> Any:
    model = Parts()
    model.compile(
        "sgd",
        loss={"a": "mse", "b": "categorical_crossentropy", "hidden": None},
        metrics={"b": ["accuracy"]},
        weighted_metrics={"b": ["accuracy"]},
    )
    return model


@case(VECTORS, {"inner/a": NUMBERS, "inner/b": VECTORS[:, :2] ** 2, "c": CLASSES}, named=False)
def answers_in_answers() -> Any:
    x = keras.Input((4,))
    inner = {"a": layers.Dense(1, name="one")(x), "b": layers.Dense(2, name="two")(x)}
    model = keras.Model(x, {"inner": inner, "c": layers.Dense(3, "softmax", name="three")(x)})
    model.compile(
        "sgd",
        loss={"inner": {"a": "mse", "b": "mae"}, "c": "sparse_categorical_crossentropy"},
        loss_weights={"inner": {"a": 1.0, "b": 0.1}, "c": 2.0},
        metrics={"inner": {"a": ["mae"], "b": ["mse"]}, "c": ["accuracy"]},
    )
    return model


class Tilted(keras.losses.Loss):
    """A loss of the user's own, with the mean that counts weights."""

    def __init__(self) -> None:
        super().__init__(name="tilted", reduction="mean_with_sample_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.maximum(0.9 * (y_true - y_pred), 0.1 * (y_pred - y_true)), axis=-1)


def cubic(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


@case(VECTORS, {"high": NUMBERS, "low": NUMBERS - 1})
def losses_and_metrics_of_ones_own() -> Any:
    x = keras.Input((4,))
    model = keras.Model(x, {"high": layers.Dense(1)(x), "low": layers.Dense(1)(x)})
    model.compile("sgd", {"high": Tilted(), "low": cubic}, metrics=[[Tilted()], []], weighted_metrics=[[], [cubic]])
    return model


@case(VECTORS, {"a": NUMBERS, "b": NUMBERS + 1})
def two_outputs_that_nobody_compiled() -> Any:
    x = keras.Input((4,))
    return keras.Model(x, [layers.Dense(1, name="b")(x), layers.Dense(1, name="a")(x)])


@pytest.fixture(scope="module")
def tasks() -> Callable[[str, bool], Task]:
    """Tasks of the cases, each made once."""
    made: dict[tuple[str, bool], Task] = {}

    def get(name: str, weighted: bool) -> Task:
        if (name, weighted) not in made:
            found = CASES[name]
            data = read((found.x, found.y, WEIGHTS) if weighted else (found.x, found.y))
            made[name, weighted] = Task.from_spec(make_spec(data, model=found.build, epochs=1, seed=0, kind=found.kind))
        return made[name, weighted]

    return get


def tensors(arrays: Any) -> Any:
    return None if arrays is None else keras.tree.map_structure(tf.constant, arrays)


def judged(task: Task, model: Any) -> dict[str, float]:
    """Loss and metrics of the training part, as one traced graph gives them."""
    metrics = task.metrics()
    parameters, others = ([v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables))

    @tf.function(autograph=False)
    def run(x: Any, y: Any, w: Any) -> Any:
        outputs, _, extra = model.stateless_call(parameters, others, x, training=False, return_losses=True)
        states = [[tf.zeros_like(v.value) for v in metric.variables] for metric in metrics]
        states = [
            metric.stateless_update_state(state, y, outputs, sample_weight=w)
            for metric, state in zip(metrics, states, strict=True)
        ]
        loss = task.loss(y, outputs, sample_weight=w)
        return [sum(extra, loss), *(m.stateless_result(s) for m, s in zip(metrics, states, strict=True))]

    values = run(*keras.tree.map_structure(tf.constant, (task.x_train, task.y_train)), tensors(task.w_train))
    return dict(zip(["loss", *task.metric_names], map(float, values), strict=True))


def evaluated(task: Task, model: Any) -> dict[str, float]:
    """The same from `model.evaluate` in one batch."""
    found = model.evaluate(
        task.x_train, task.y_train, sample_weight=task.w_train, batch_size=ROWS, verbose=0, return_dict=True
    )
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_metrics_are_those_of_evaluate(tasks: Any, name: str, weighted: bool) -> None:
    """Every name and value of `model.evaluate`, as the user compiled the model and as the task compiles it."""
    task = tasks(name, weighted)
    model = task.build(3)
    ours = judged(task, model)
    if model.compiled:
        theirs = evaluated(task, model)
        shared = set(theirs) if CASES[name].named else {"loss"}
        assert {n: ours[n] for n in shared} == pytest.approx({n: theirs[n] for n in shared}, rel=1e-5, abs=1e-6)
    task.compile(model)
    assert ours == pytest.approx(evaluated(task, model), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name", [name for name, found in CASES.items() if found.build is not two_outputs_that_nobody_compiled]
)
def test_the_loss_in_training_is_that_of_compute_loss(tasks: Any, name: str, weighted: bool) -> None:
    """With dropout at work, on one and the same answer of the model."""
    task = tasks(name, weighted)
    model = task.build(4)
    evaluated(task, model)  # builds what compile() left open
    outputs = model(task.x_train, training=True)
    weights = task.w_train
    if isinstance(weights, np.ndarray):  # which fit, too, gives to every output
        weights = keras.tree.map_structure(lambda _: task.w_train, task.y_train)
    theirs = model.compute_loss(y=task.y_train, y_pred=outputs, sample_weight=weights) - sum(model.losses)
    assert float(task.loss(task.y_train, outputs, sample_weight=task.w_train)) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_pasted_compile_judges_alike(tasks: Any, name: str) -> None:
    """The code in the snippet, with the user's own functions around it, gives the loss of the task."""
    task = tasks(name, True)
    model = task.build(3)
    code = f"model.compile('sgd', {task.describe().compile_code})"
    exec(code, {"model": model, "keras": keras, "cubic": cubic, "Tilted": Tilted})
    assert evaluated(task, model)["loss"] == pytest.approx(judged(task, model)["loss"], rel=1e-5)


@pytest.mark.parametrize("name", ["two_inputs_and_two_outputs", "attention_with_two_answers"])
def test_both_trainers_report_the_same_figures(tasks: Any, name: str) -> None:
    """With several outputs and weights, too."""
    task, job = (
        tasks(name, True),
        Job(configuration=Configuration(rule=RULES["sgd"](), batch_size=8), seed=0, epochs=1, test=True),
    )
    ours, theirs = CompiledTrainer(task, [job.configuration.rule]).run(job), FitTrainer(task).run(job)
    assert ours.metrics.keys() == theirs.metrics.keys()
    assert {f"test_{n}" for n in task.metric_names} < set(ours.metrics)


def test_weights_and_masks_change_the_loss(tasks: Any) -> None:
    """So that the tests above compare something: without weights, and without the mask, it is another loss."""
    for name in CASES:
        plain, weighted = (judged(t, t.build(3)) for t in (tasks(name, False), tasks(name, True)))
        assert plain["loss"] != pytest.approx(weighted["loss"], rel=1e-3)
    task = tasks("masked_rows", False)
    outputs = task.build(3)(task.x_train)
    bare = tf.convert_to_tensor(outputs.numpy())
    assert float(task.loss(task.y_train, outputs)) != pytest.approx(float(task.loss(task.y_train, bare)), rel=1e-3)


def test_metrics_in_parts_are_those_of_the_whole(tasks: Any) -> None:
    """Each row counts alike, however unequal the batches; Keras's loss of an output counts batches."""
    task = tasks("two_inputs_and_two_outputs", True)
    outputs = task.build(3)(task.x_train)
    rows = len(task.w_train)
    for metric in task.metrics():
        results = []
        for cuts in ([0, rows], [0, 2, rows - 1, rows]):
            metric.reset_state()
            for start, stop in itertools.pairwise(cuts):
                part = keras.tree.map_structure(
                    lambda a, s=start, e=stop: a[s:e], (task.y_train, outputs, task.w_train)
                )
                metric.update_state(*part)
            results.append(float(metric.result()))
        assert results[0] == pytest.approx(results[1], rel=1e-5), metric.name


@pytest.mark.parametrize("name", ["two_inputs_and_two_outputs", "tags_of_masked_steps"])
def test_the_compiled_trainer_follows_model_fit(tasks: Any, name: str) -> None:
    """The curves of `model.fit` with weights, fed in the same order, of the loss and of every metric."""
    task, epochs = tasks(name, True), 2
    rows = len(task.spec.split.train)
    # Of rules that Keras has, one that it steps right where a batch holds a token twice.
    configuration = Configuration(rule=RULES["sgd"](learning_rate=0.1), batch_size=rows // 2)
    program = Program.of(task, [configuration.rule])
    state = program.start(configuration, 5)
    ours = program.train(state, configuration, seed=5, epochs=epochs, total_epochs=epochs)[1]
    model = task.build(5)
    task.compile(model, configuration.optimizer(total_steps=2 * epochs))
    for epoch in range(epochs):
        order = row_order(5, epoch, rows)
        x, y, w = keras.tree.map_structure(lambda a, order=order: a[order], (task.x_train, task.y_train, task.w_train))
        theirs = model.fit(
            x,
            y,
            sample_weight=w,
            batch_size=configuration.batch_size,
            shuffle=False,
            verbose=0,
            validation_data=(task.x_validation, task.y_validation, task.w_validation),
        ).history
        for figure in ("loss", *(f"val_{n}" for n in ("loss", *task.metric_names))):
            assert ours[figure][epoch] == pytest.approx(theirs[figure][0], abs=1e-5), figure
