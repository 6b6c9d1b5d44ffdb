"""Models: the default for the shape of the data, a user's function, a saved architecture. Each gives fresh bodies."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from optselect.errors import InvalidModel
from optselect.model.outputs import compiled_of
from optselect.model.reference import ModelReference, PickledFunction, SavedModel, UserFunction
from optselect.user_code.functions import load_function, where_it_failed

__all__ = ["Heads", "Shape", "default_model", "load_builder", "user_function"]

Shape = tuple[int, ...] | dict[str, tuple[int, ...]] | list[tuple[int, ...]]
"""The shape of one row, or of each named array's, or of each array's in the order of the inputs."""

Heads = Mapping[str, int | None]
"""The number of classes of each target, None for a number to predict."""

_SMALLEST_IMAGE = 8
_MOST_CHANNELS = 4


def default_model(shape: tuple[int, ...], heads: Heads) -> Any:
    """A keras.Model for features of this shape (without the rows axis), answering probabilities or one number.

    Images, (height, width) or (height, width, channels) from 8 x 8 pixels on, get a small convolutional net;
    everything else is flattened into two dense layers of 128. Several heads share all that and answer a dict.
    """
    layers = keras.layers
    x = inputs = keras.Input(shape)
    if is_image(shape):
        if len(shape) == 2:
            x = layers.Reshape((*shape, 1))(x)
        for filters in (32, 64):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.Flatten()(x)
        x = layers.Dense(128, activation="relu")(x)
    else:
        if len(shape) > 1:
            x = layers.Flatten()(x)
        x = layers.Dense(128, activation="relu")(x)
        x = layers.Dense(128, activation="relu")(x)
    outputs = {name: _head(n_classes)(x) for name, n_classes in heads.items()}
    return keras.Model(inputs, outputs if len(outputs) > 1 else next(iter(outputs.values())))


def _head(n_classes: int | None) -> Any:
    if n_classes is None:
        return keras.layers.Dense(1, dtype="float32")
    return keras.layers.Dense(n_classes, activation="softmax", dtype="float32")


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether one row has the shape of an image."""
    if len(shape) not in (2, 3) or min(shape[:2]) < _SMALLEST_IMAGE:
        return False
    return len(shape) == 2 or shape[2] <= _MOST_CHANNELS


def load_builder(reference: ModelReference | None, shape: Shape, heads: Heads) -> Callable[[], Any]:
    """A function that gives a freshly initialised keras.Model at every call.

    Raises InvalidModel, here or at a call, with the user's file and line if their code fails.
    """
    if reference is None:
        if not isinstance(shape, tuple):
            names = ", ".join(shape) if isinstance(shape, dict) else f"{len(shape)} of shapes {shape}"
            raise InvalidModel(f"default model: takes one array, the data has {names}; pass `model=`.")
        return lambda: default_model(shape, heads)
    if isinstance(reference, SavedModel):
        return _saved_builder(reference)
    return _function_builder(reference, shape, heads)


def _function_builder(reference: UserFunction | PickledFunction, shape: Shape, heads: Heads) -> Callable[[], Any]:
    function, path = user_function(reference)
    units = {name: n_classes or 1 for name, n_classes in heads.items()}
    n_classes, n_outputs = (part if len(part) > 1 else next(iter(part.values())) for part in (dict(heads), units))
    offered = {"input_shape": shape, "n_classes": n_classes, "n_outputs": n_outputs}
    arguments = _taken(function, offered, str(reference))

    def build() -> Any:
        try:
            model = function(**arguments)
        except Exception as problem:  # the user's code may raise anything; it is said in one line
            raise InvalidModel(f"{reference} raised: {where_it_failed(path, problem)}") from problem
        if not isinstance(model, keras.Model):
            raise InvalidModel(f"{reference}: must return a keras.Model, got {type(model).__name__}.")
        return model

    return build


def user_function(reference: UserFunction | PickledFunction) -> tuple[Callable[..., Any], Path]:
    """The function, and the file that messages name. Raises InvalidModel if it cannot be loaded."""
    if isinstance(reference, UserFunction):
        return load_function(reference.path, reference.function, InvalidModel), reference.path
    import cloudpickle

    try:
        function = cloudpickle.loads(reference.pickled)
    except Exception as problem:  # unpickling imports the user's modules
        raise InvalidModel(
            f"{reference}: cannot be loaded in a worker: {type(problem).__name__}: {problem}."
        ) from problem
    source = inspect.getsourcefile(function) if inspect.isroutine(function) else None
    return function, Path(source or reference.name)


def _taken(function: Callable[..., Any], offered: dict[str, Any], who: str) -> dict[str, Any]:
    """Those of the offered arguments that the function takes."""
    parameters = inspect.signature(function).parameters.values()
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    unknown = [name for name in needed if name not in offered]
    if unknown:
        raise InvalidModel(
            f"{who}: takes `{'`, `'.join(unknown)}`, which we do not know. It may take any of {', '.join(offered)}; "
            "give every other argument a default."
        )
    return {name: value for name, value in offered.items() if open_ended or name in named}


def _saved_builder(reference: SavedModel) -> Callable[[], Any]:
    template = _load(reference)

    def fresh(layer: Any) -> Any:
        # A layer that was adapted (Normalization, StringLookup) has learnt from data, not by training: it stays.
        return layer if hasattr(layer, "adapt") else type(layer).from_config(layer.get_config())

    def build() -> Any:
        try:
            if hasattr(template, "_functional") or isinstance(template, keras.Sequential) or template.inputs:
                return _compiled_like(template, keras.models.clone_model(template, clone_function=fresh))
        except Exception as problem:  # clone_model meets the user's own layers
            raise InvalidModel(
                f"{reference}: cannot be built afresh: {type(problem).__name__}: {problem} "
                'Pass a function that builds it: `model="FILE.py:FUNCTION"`.'
            ) from problem
        raise InvalidModel(
            f'{reference}: a subclassed model; pass a function that builds it: `model="FILE.py:FUNCTION"`.'
        )

    return build


def _load(reference: SavedModel) -> Any:
    with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(reference.contents)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # it is not used
                return keras.saving.load_model(path, safe_mode=True)
        except Exception as problem:  # a file from anywhere fails in any way
            said = " ".join(str(problem).split())[:300]
            raise InvalidModel(
                f"{reference}: cannot be loaded: {said} "
                'A model with layers of your own, or with Lambda, needs its code: `model="FILE.py:FUNCTION"`.'
            ) from problem


def _compiled_like(template: Any, model: Any) -> Any:
    if template.compiled:
        model.compile(optimizer="sgd", **vars(compiled_of(template)))
    return model
