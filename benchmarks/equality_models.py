"""Small models, one for each layer and hook of Keras that a training can depend on: see `benchmarks.equality`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

__all__ = ["MODELS", "Member", "own_version"]

ROWS, STEPS, WORDS = 150, 5, 7


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A model and what it is trained on.

    build: gives it, compiled. given: what rows look like, of `_FEATURES`. target: "number", "class" or "two". task:
    what else `make_spec` gets. fallback: words that the reason must hold where it is expected to run by `model.fit`;
    "" where it must run compiled. refused: words of the message where a study must refuse it. quick: whether it is
    part of the quick suite.
    """

    name: str
    build: Callable[[], Any]
    given: str
    target: str
    task: Callable[[], dict[str, Any]]
    fallback: str
    refused: str
    quick: bool

    def data(self) -> tuple[Any, Any]:
        """Features and target."""
        generator = np.random.default_rng(0)
        x = _FEATURES[self.given](generator)
        first = np.asarray(next(iter(x.values())) if isinstance(x, dict) else x, "float32").reshape(ROWS, -1)
        number = np.tanh(first[:, :1] + 0.5 * first[:, -1:]).astype("float32")[:, 0]
        classes = (first[:, 0] > np.median(first[:, 0])).astype("int64") + (first[:, -1] > np.median(first[:, -1]))
        two = {"a": number, "b": classes}
        return x, {"number": number, "class": classes, "two": two}[self.target]


MODELS: dict[str, Member] = {}

_FEATURES: dict[str, Callable[[Any], Any]] = {
    "rows": lambda r: r.normal(size=(ROWS, 4)).astype("float32"),
    "sequences": lambda r: r.normal(size=(ROWS, STEPS, 3)).astype("float32"),
    "padded": lambda r: _padded(r.normal(size=(ROWS, STEPS, 3)).astype("float32"), r),
    "words": lambda r: _padded(r.integers(1, WORDS, size=(ROWS, STEPS)), r),
    "images": lambda r: r.normal(size=(ROWS, 6, 6, 1)).astype("float32"),
    "pair": lambda r: {n: r.normal(size=(ROWS, 4)).astype("float32") for n in ("left", "right")},
}


def _padded(x: np.ndarray, generator: Any) -> np.ndarray:
    """Rows of different lengths, zeros after their end."""
    lengths = generator.integers(2, STEPS + 1, size=len(x))
    return x * (np.arange(STEPS) < lengths[:, None]).reshape(len(x), STEPS, *[1] * (x.ndim - 2)).astype(x.dtype)


def member(
    given: str = "rows",
    target: str = "number",
    *,
    fallback: str = "",
    refused: str = "",
    quick: bool = False,
    task: Callable[[], dict[str, Any]] = dict,
    compiled: dict[str, Any] | None = None,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a model under the name of its function. compiled: what it is compiled with, where it is not yet."""

    def enter(function: Callable[[], Any]) -> Callable[[], Any]:
        def build() -> Any:
            model = function()
            if not model.compiled:
                default = {"number": "mse", "class": "sparse_categorical_crossentropy"}.get(target)
                model.compile("adam", **({"loss": default} | (compiled or {})))
            return model

        name = function.__name__.strip("_").replace("_", " ")
        MODELS[name] = Member(
            name=name,
            build=build,
            given=given,
            target=target,
            task=task,
            fallback=fallback,
            refused=refused,
            quick=quick,
        )
        return function

    return enter


def _plain(*inside: Any, units: int = 1, shape: tuple[int, ...] = (4,), **last: Any) -> Any:
    last.setdefault("activation", "softmax" if units > 1 else None)
    return keras.Sequential([keras.Input(shape), *inside, layers.Dense(units, **last)])


def _sequences(*inside: Any, shape: tuple[int, ...] = (STEPS, 3), **last: Any) -> Any:
    return _plain(*inside, shape=shape, **last)


# -- constraints and regularizers -----------------------------------------------------------------------------------


@member(quick=True)
def constraint_max_norm_and_non_neg() -> Any:
    return _plain(
        layers.Dense(8, "tanh", kernel_constraint=keras.constraints.MaxNorm(0.5), bias_constraint="non_neg"),
        kernel_constraint="unit_norm",
    )


@member("images", "class")
def constraint_on_a_convolution() -> Any:
    conv = layers.Conv2D(3, 3, kernel_constraint=keras.constraints.MinMaxNorm(0.2, 0.6, axis=[0, 1, 2]))
    return _plain(conv, layers.Flatten(), units=3, shape=(6, 6, 1), bias_constraint=lambda b: ops.clip(b, -0.01, 0.01))


@member("words", "class")
def constraint_on_an_embedding() -> Any:
    table = layers.Embedding(WORDS, 3, embeddings_constraint=keras.constraints.MaxNorm(0.05, axis=1))
    return _plain(table, layers.GlobalAveragePooling1D(), units=3, shape=(STEPS,))


@member()
def regularizers() -> Any:
    dense = layers.Dense(8, "tanh", kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l1")
    return _plain(dense, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1))


@member()
def regularizer_of_a_frozen_layer() -> Any:
    return _plain(layers.Dense(8, "tanh", kernel_regularizer="l2", activity_regularizer="l2", trainable=False))


# -- shared, frozen, nested -----------------------------------------------------------------------------------------


@member("pair")
def shared_layer_with_activity_regularizer() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(6, "tanh", activity_regularizer=keras.regularizers.L2(0.1))
    return keras.Model([left, right], layers.Dense(1)(layers.Subtract()([shared(left), shared(right)])))


class _Penalty(layers.Layer):
    """Adds a loss a row and a loss of the batch."""

    def call(self, x: Any) -> Any:
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        self.add_loss(0.01 * ops.mean(ops.abs(x), axis=-1))
        return x


@member(quick=True)
def shared_layer_with_add_loss() -> Any:
    x = keras.Input((4,))
    shared, penalty = layers.Dense(4, "tanh"), _Penalty()
    return keras.Model(x, layers.Dense(1)(penalty(shared(penalty(shared(x))))))


@member("pair")
def shared_nested_model() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    tower = keras.Sequential([layers.Dense(6, "tanh", activity_regularizer="l2"), layers.Dropout(0.2), _Penalty()])
    return keras.Model([left, right], layers.Dense(1)(layers.Multiply()([tower(left), tower(right)])))


@member()
def frozen_layers_and_batch_norm() -> Any:
    tower = keras.Sequential([layers.Dense(8, "tanh"), layers.BatchNormalization()])
    tower.trainable = False
    return _plain(tower, layers.Dense(4, "tanh"))


@member(quick=True)
def subclass_that_passes_nothing_on() -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.drop, self.norm = layers.Dense(8, "tanh"), layers.Dropout(0.3), layers.BatchNormalization()
            self.head = layers.Dense(1)

        def call(self, x: Any, training: bool | None = None) -> Any:
            return self.head(self.drop(self.norm(self.dense(x))))

    return Net()


@member(quick=True)
def call_without_training() -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.drop, self.head = layers.Dense(8, "tanh"), layers.Dropout(0.3), layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.head(self.drop(self.dense(x)))

    return Net()


@member()
def activity_regularizer_of_the_model() -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(activity_regularizer="l2")
            self.head = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.head(x)

    return Net()


@member(refused="frozen", quick=True)
def everything_frozen() -> Any:
    model = _plain(layers.Dense(4))
    model.trainable = False
    return model


@member(refused="no gradient reaches any of the 5 weights", quick=True)
def no_gradient_at_all() -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Dense(1), layers.Lambda(ops.round)])


@member(quick=True)
def no_gradient_of_some_weights() -> Any:
    x = keras.Input((4,))
    gate = layers.Lambda(ops.round)(layers.Dense(4, "sigmoid", kernel_constraint="unit_norm")(x))
    return keras.Model(x, layers.Dense(1)(layers.Multiply()([gate, layers.Dense(4, "tanh")(x)])))


# -- layers with state ------------------------------------------------------------------------------------------------


@member(quick=True)
def spectral_normalization() -> Any:
    return _plain(layers.SpectralNormalization(layers.Dense(8, "tanh")), layers.Dropout(0.2))


@member()
def batch_layer_and_noise() -> Any:
    return _plain(
        layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.GaussianNoise(0.1),
        layers.LayerNormalization(),
        layers.Dropout(0.2), layers.GaussianDropout(0.1), layers.AlphaDropout(0.1),
    )  # fmt: skip


@member("images", "class")
def convolutions_and_group_norm() -> Any:
    return _plain(
        layers.Conv2D(4, 3, padding="same"), layers.GroupNormalization(2), layers.SpatialDropout2D(0.2),
        layers.DepthwiseConv2D(3), layers.UnitNormalization(), layers.GlobalMaxPooling2D(), units=3, shape=(6, 6, 1),
    )  # fmt: skip


@member("images", "class")
def augmentation() -> Any:
    return _plain(
        layers.RandomFlip(), layers.RandomTranslation(0.1, 0.1), layers.Conv2D(3, 3), layers.Flatten(),
        units=3, shape=(6, 6, 1),
    )  # fmt: skip


class _RunningMean(layers.Layer):
    """Its own statistics, read after they are updated."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(4, "tanh")

    def build(self, shape: Any) -> None:
        self.mean = self.add_weight(shape=(4,), initializer="zeros", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        y = self.inner(x)
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(y, axis=0))
        return y - self.mean


@member(quick=True)
def own_statistics_that_are_read_at_once() -> Any:
    return _plain(_RunningMean())


class _Counting(layers.Layer):
    """Counts its calls, while it is evaluated too."""

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return x / (1 + 0.1 * self.calls)


@member()
def own_state_that_changes_in_evaluation() -> Any:
    return _plain(_Counting(), layers.Dense(4, "tanh"))


class _Reporting(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.level = keras.metrics.Mean(name="level")

    def call(self, x: Any) -> Any:
        self.level.update_state(ops.mean(x))
        return x


@member()
def metric_of_a_layer() -> Any:
    return _plain(layers.Dense(4, "tanh"), _Reporting())


class _Renewing(layers.Layer):
    """Assigns to a trainable weight, in evaluation too."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(4,), initializer="ones")

    def call(self, x: Any) -> Any:
        self.factor.assign(self.factor / ops.norm(self.factor))
        return x * self.factor


@member(fallback="assigns to its weights while the model is evaluated")
def weight_that_is_assigned_in_evaluation() -> Any:
    return _plain(_Renewing())


class _Hidden(layers.Layer):
    """State that Keras does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return x / (1 + 0.1 * self.calls)


@member(fallback="tf.Variable")
def variable_of_tensorflow() -> Any:
    return _plain(_Hidden(), layers.Dense(4, "tanh"))


_OUTSIDE: list[Any] = []


@member(fallback="no variable of the model")
def variable_that_the_model_does_not_know() -> Any:
    if not _OUTSIDE:
        _OUTSIDE.append(keras.Variable(0.0, name="outside", trainable=False))

    def count(x: Any) -> Any:
        _OUTSIDE[0].assign(_OUTSIDE[0] + 1.0)
        return x / (1 + 0.1 * _OUTSIDE[0])

    return _plain(layers.Lambda(count), layers.Dense(4, "tanh"))


@member(fallback="keras.random")
def noise_without_a_seed_generator() -> Any:
    class Noise(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, training: bool = False) -> Any:
            return x + 0.1 * keras.random.normal(ops.shape(x)) if training else x

    return _plain(Noise(), layers.Dense(4, "tanh"))


@member(fallback="tf.random")
def noise_by_tf_random() -> Any:
    class Noise(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, training: bool = False) -> Any:
            return x + 0.1 * tf.random.normal(tf.shape(x)) if training else x

    return _plain(Noise(), layers.Dense(4, "tanh"))


@member(fallback="Python")
def call_of_python() -> Any:
    def double(x: Any) -> Any:
        found = tf.numpy_function(lambda a: (2 * a).astype("float32"), [x], tf.float32)
        return tf.ensure_shape(found, x.shape)

    return _plain(layers.Lambda(double, output_shape=(4,)), layers.Dense(4, "tanh"))


# -- sequences --------------------------------------------------------------------------------------------------------


@member("words", "class")
def embedding_with_mask_and_lstm() -> Any:
    return _plain(layers.Embedding(WORDS, 4, mask_zero=True), layers.LSTM(5), units=3, shape=(STEPS,))


@member("padded")
def masking_and_bidirectional_gru() -> Any:
    return _sequences(layers.Masking(), layers.Bidirectional(layers.GRU(4)))


@member("sequences")
def lstm_with_dropout() -> Any:
    return _sequences(layers.LSTM(4, dropout=0.3))


@member("padded", quick=True)
def recurrent_dropout() -> Any:
    return _sequences(
        layers.Masking(), layers.Bidirectional(layers.LSTM(4, recurrent_dropout=0.3, return_sequences=True)),
        layers.GRU(4, dropout=0.2, recurrent_dropout=0.2),
    )  # fmt: skip


@member("sequences")
def stacked_cells() -> Any:
    cells = [layers.LSTMCell(4, dropout=0.2), layers.GRUCell(4, recurrent_dropout=0.2), layers.SimpleRNNCell(3)]
    return _sequences(layers.RNN(cells))


@member("sequences")
def simple_rnn_with_constraints() -> Any:
    return _sequences(layers.SimpleRNN(4, recurrent_constraint="unit_norm", kernel_regularizer="l2", dropout=0.2))


@member("sequences")
def convolutional_lstm() -> Any:
    return _sequences(layers.Reshape((STEPS, 3, 1)), layers.ConvLSTM1D(3, 2, dropout=0.2), layers.Flatten())


@member("sequences", refused="fixes the batch size at 32", quick=True)
def stateful_lstm() -> Any:
    return keras.Sequential([keras.Input(batch_shape=(32, STEPS, 3)), layers.LSTM(4, stateful=True), layers.Dense(1)])


@member("words", "class")
def attention() -> Any:
    x = keras.Input((STEPS,))
    h = layers.Embedding(WORDS, 6, mask_zero=True)(x)
    h = layers.LayerNormalization()(layers.Add()([h, layers.MultiHeadAttention(2, 3, dropout=0.1)(h, h)]))
    return keras.Model(x, layers.Dense(3, "softmax")(layers.GlobalAveragePooling1D()(h)))


# -- losses, metrics, weights -----------------------------------------------------------------------------------------


@member(target="two", quick=True)
def two_outputs_with_loss_weights() -> Any:
    x = keras.Input((4,))
    h = layers.Dense(8, "tanh", activity_regularizer="l2")(x)
    model = keras.Model(x, {"a": layers.Dense(1, name="a")(h), "b": layers.Dense(3, "softmax", name="b")(h)})
    losses = {"a": "mse", "b": "sparse_categorical_crossentropy"}
    model.compile("adam", loss=losses, loss_weights={"a": 0.3, "b": 2.0}, metrics={"b": ["accuracy"], "a": ["mae"]})
    return model


@member()
def output_without_a_loss() -> Any:
    x = keras.Input((4,))
    h = layers.Dense(8, "tanh")(x)
    model = keras.Model(x, {"a": layers.Dense(1, name="a")(h), "aside": layers.Dense(2, name="aside")(h)})
    model.compile("adam", loss={"a": "mse", "aside": None})
    return model


@member(
    target="class", task=lambda: {"class_weight": {0: 3.0, 1: 1.0, 2: 0.5}},
    compiled={"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]},
)  # fmt: skip
def class_weights() -> Any:
    return _plain(layers.Dense(8, "tanh"), units=3)


@member(
    "words", "class",
    task=lambda: {"sample_weight": np.random.default_rng(1).uniform(0, 2, ROWS).astype("float32")},
    compiled={"weighted_metrics": ["accuracy"]},
    quick=True,
)  # fmt: skip
def sample_weights_and_a_mask() -> Any:
    return _plain(layers.Embedding(WORDS, 4, mask_zero=True), layers.GRU(4), units=3, shape=(STEPS,))


@member(
    target="class",
    compiled={
        "loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "metrics": [
            keras.metrics.F1Score(average="macro"), keras.metrics.AUC(), keras.metrics.CategoricalAccuracy(),
            keras.metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False),
        ],
    },
    quick=True,
)  # fmt: skip
def label_smoothing_and_stateful_metrics() -> Any:
    return _plain(layers.Dense(8, "tanh"), units=3)


class Largest(keras.metrics.Metric):  # type: ignore[misc]
    """It begins at another value than zero."""

    def __init__(self, name: str = "largest_error") -> None:
        super().__init__(name=name)
        self.largest = self.add_variable(shape=(), initializer="zeros")
        self.reset_state()

    def update_state(self, y: Any, prediction: Any, sample_weight: Any = None) -> None:
        self.largest.assign(ops.maximum(self.largest, ops.max(-ops.abs(y - prediction))))

    def result(self) -> Any:
        return -self.largest

    def reset_state(self) -> None:
        self.largest.assign(-1e9)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def far(y: Any, p: Any) -> Any:
    return ops.mean(ops.log(1 + ops.square(y - p)), axis=-1)


def cubes(y: Any, p: Any) -> Any:
    return ops.mean(ops.abs(y - p) ** 3, axis=-1)


@member(quick=True)
def own_loss_and_own_metrics() -> Any:
    model = _plain(layers.Dense(8, "tanh"))
    model.compile("adam", loss=far, metrics=[Largest(), keras.metrics.R2Score(), cubes])
    return model


@member(compiled={"loss": keras.losses.Huber(reduction="sum")})
def loss_that_is_a_sum() -> Any:
    return _plain(layers.Dense(8, "tanh"))


@member(compiled={"loss": "mse", "steps_per_execution": 4, "auto_scale_loss": False, "jit_compile": True})
def compiled_with_other_words() -> Any:
    return _plain(layers.Dense(8, "tanh"))


# -- hooks ------------------------------------------------------------------------------------------------------------


class OwnLoss(keras.Model):  # type: ignore[misc]
    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return super().compute_loss(x, y, y_pred, sample_weight) + 0.1 * ops.mean(ops.square(y_pred))


@member(quick=True)
def own_compute_loss() -> Any:
    x = keras.Input((4,))
    return OwnLoss(x, layers.Dense(1)(_Penalty()(layers.Dense(8, "tanh")(x))))


class OwnLossByRow(keras.Sequential):  # type: ignore[misc]
    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        far = ops.abs(y - y_pred) * (1 + ops.square(x[:, :1]))
        return ops.mean(far) + sum(self.losses)


@member()
def own_compute_loss_of_the_inputs() -> Any:
    return OwnLossByRow([keras.Input((4,)), layers.Dense(8, "tanh", kernel_regularizer="l2"), layers.Dense(1)])


def own_version(method: str, base: Any = keras.Sequential) -> Any:
    """A model whose class has its own version of a method, which does what Keras's does."""

    def passed_on(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(own, self), method)(*args, **kwargs)

    own = type("Own", (base,), {method: passed_on})
    if base is keras.Sequential:
        return own([keras.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(1)])
    x = keras.Input((4,))
    return own(x, layers.Dense(1)(x))


@member(fallback="train_step", quick=True)
def own_train_step_of_a_sequential() -> Any:
    return own_version("train_step")


@member(fallback="test_step")
def own_test_step() -> Any:
    return own_version("test_step")


@member(fallback="compute_metrics")
def own_compute_metrics() -> Any:
    return own_version("compute_metrics")


@member(fallback="get_metrics_result")
def own_get_metrics_result() -> Any:
    return own_version("get_metrics_result")


@member(fallback="reset_metrics")
def own_reset_metrics() -> Any:
    return own_version("reset_metrics")


@member(fallback="make_train_function")
def own_make_train_function() -> Any:
    return own_version("make_train_function")


@member(fallback="fit")
def own_fit() -> Any:
    return own_version("fit")


@member(fallback="compile")
def own_compile() -> Any:
    return own_version("compile")


@member(fallback="train_step")
def train_step_set_on_the_model() -> Any:
    model = _plain(layers.Dense(8, "tanh"))
    model.train_step = model.train_step
    return model


@member()
def train_step_of_a_submodel() -> Any:
    class Inner(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    return _plain(Inner([layers.Dense(8, "tanh")]))


class _Gradient(layers.Layer):
    """The derivative of what it wraps by its input, as networks for differential equations take it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(6, "tanh"), layers.Dense(1)])

    def call(self, x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.inner(x)
        return ops.concatenate([y, tape.gradient(y, x)], axis=-1)


@member()
def own_tape_by_the_input() -> Any:
    return _plain(_Gradient())


class _WeightGradient(layers.Layer):
    """A step of its own, inside `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(3)

    def call(self, x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(self.inner(x)))
        found = [g for g in tape.gradient(loss, [v.value for v in self.inner.trainable_variables]) if g is not None]
        return ops.concatenate([x, *[ops.zeros_like(x) + ops.sum(g) for g in found]], axis=-1)


@member()
def own_tape_by_the_weights() -> Any:
    return _plain(_WeightGradient())


@member(refused="nor by `model.fit`")
def rematerialization() -> Any:
    with keras.RematScope(mode="full"):
        return _plain(layers.Dense(8, "tanh"), layers.Dense(8, "tanh"))


class _Custom(layers.Layer):
    """A gradient of its own, with a weight that it does not pass as an argument."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], 3))

    def call(self, x: Any) -> Any:
        @tf.custom_gradient
        def product(x: Any) -> Any:
            w = tf.convert_to_tensor(self.w.value)

            def grad(dy: Any, variables: Any = None) -> Any:
                of_x = tf.clip_by_value(tf.matmul(dy, w, transpose_b=True), -0.01, 0.01)
                return (of_x, [tf.matmul(x, dy, transpose_a=True)]) if variables else of_x

            return tf.matmul(x, w), grad

        return product(x)


@member(fallback="gradients of some weights")
def custom_gradient_over_a_weight() -> Any:
    return _plain(_Custom())


# -- types ------------------------------------------------------------------------------------------------------------


@member()
def bfloat16() -> Any:
    policy = "mixed_bfloat16"
    return keras.Sequential([keras.Input((4,)), layers.Dense(8, "tanh", dtype=policy), layers.Dense(1)])


@member(task=lambda: {"precision": "mixed_float16"})
def float16_with_loss_scaling() -> Any:
    return _plain(layers.Dense(8, "tanh", kernel_constraint="unit_norm"), dtype="float32")


@member()
def float16_in_one_layer() -> Any:
    return _plain(layers.Dense(8, "tanh", dtype="mixed_float16"))


@member(fallback="dtypes")
def weights_of_two_types() -> Any:
    return _plain(layers.Dense(8, "tanh", dtype="float64"))


@member()
def a_weight_of_the_model_in_bfloat16() -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(dtype="mixed_bfloat16")
            self.head = layers.Dense(1, dtype="float32")
            self.scale = self.add_weight(shape=(4,), initializer="ones")

        def call(self, x: Any) -> Any:
            return self.head(x * self.scale)

    return Net()


@member(target="class")
def low_rank_adaptation() -> Any:
    model = _plain(layers.Dense(8, "tanh"), units=3)
    model.layers[0].enable_lora(2)
    return model
