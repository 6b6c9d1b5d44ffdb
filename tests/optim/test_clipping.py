"""Laws that every clipping keeps. No clipping is named here: the suite walks `CLIPPINGS`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect.errors import InvalidValue
from optselect.optim.certify import altered
from optselect.optim.clipping import CLIPPINGS, Clipping
from optselect.optim.rule import Scalar

FORMS = {"default": lambda clipping: clipping(), "altered": altered}
SCALES = [0.0, 1e-20, 1e-3, 1.0, 1e4]

every_clipping = pytest.mark.parametrize("clipping", CLIPPINGS.values(), ids=list(CLIPPINGS))
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
every_scale = pytest.mark.parametrize("scale", SCALES)


def _grads(scale: float, dtype: str = "float32") -> list[Any]:
    rng = np.random.default_rng(5)
    return [tf.constant(scale * rng.normal(size=shape), dtype) for shape in ((4, 3), (7,), ())]


def _norm(grads: list[Any]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(g, dtype="float64")) for g in grads)))


@every_clipping
@every_form
@every_scale
def test_clipping_is_that_of_keras_to_the_bit(clipping: type[Clipping], form: Any, scale: float) -> None:
    """The clipped gradients are the ones that a Keras optimizer with the same argument uses."""
    made = form(clipping)
    wanted = keras.optimizers.SGD(**made.values())._clip_gradients(_grads(scale))
    for got, want in zip(made.apply(_grads(scale)), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@every_clipping
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_traced_clipping_serves_all_hyperparameters(clipping: type[Clipping], dtype: str) -> None:
    """One traced program, the threshold as a tensor, clips as with Python numbers."""

    @tf.function(autograph=False)
    def traced(values: dict[str, Any], grads: list[Any]) -> list[Any]:
        return clipping.unchecked(**{k: Scalar(v) for k, v in values.items()}).apply(grads)

    for form in FORMS.values():
        made = form(clipping)
        tensors = {k: tf.constant(v, "float64") for k, v in made.values().items()}
        for scale in SCALES:
            grads = _grads(scale, dtype)
            for got, want in zip(traced(tensors, grads), made.apply(grads), strict=True):
                assert got.dtype == want.dtype == dtype
                np.testing.assert_allclose(got, want, rtol=1e-6)
    assert traced.experimental_get_tracing_count() == 1


@every_clipping
@every_form
@every_scale
def test_clipping_only_shortens(clipping: type[Clipping], form: Any, scale: float) -> None:
    """No entry grows or turns its sign, and clipping twice is clipping once."""
    made, grads = form(clipping), _grads(scale)
    once = made.apply(grads)
    for before, after in zip(grads, once, strict=True):
        assert np.all(np.abs(after) <= np.abs(before) * (1 + 1e-6))
        assert np.all(np.sign(after) * np.sign(before) >= 0)
    for first, second in zip(once, made.apply(once), strict=True):
        np.testing.assert_allclose(second, first, rtol=1e-6)


@every_clipping
@every_form
def test_short_gradient_stays_and_long_one_ends_at_the_threshold(clipping: type[Clipping], form: Any) -> None:
    """What is far below the threshold stays; what is above ends no longer than threshold times root of the size."""
    made = form(clipping)
    for before, after in zip(_grads(1e-3), made.apply(_grads(1e-3)), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)
    for threshold in made.values().values():
        assert _norm(made.apply(_grads(1e4))) <= threshold * np.sqrt(12 + 7 + 1) * (1 + 1e-6)


@every_clipping
def test_threshold_is_positive(clipping: type[Clipping]) -> None:
    """Zero, which Keras takes as no clipping at all without a word, is refused."""
    for declared in clipping.hypers():
        with pytest.raises(InvalidValue) as refused:
            clipping(**{declared.name: 0.0})
        assert str(refused.value) == f"{clipping.__name__}: `{declared.name}` must lie in (0, inf), got 0.0."
