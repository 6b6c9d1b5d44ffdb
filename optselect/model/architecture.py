"""What a Keras model is made of, by content: automatic names, random seeds' state and the optimizer do not count."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["CONNECTED", "architecture", "config_parts", "normalised", "settings_token"]

_AUTOMATIC = re.compile(r"(?P<base>.*?)_(?P<number>\d+)")
CONNECTED = "how the layers are connected"
_SHOWN = 160  # characters of a layer's settings in a message
_UNTOLD = ("name", "dtype", "trainable", "layers", "input_layers", "output_layers", "compile_config", "build_config")


def normalised(config: Any) -> Any:
    """A configuration in JSON types with the numbers of automatic names counted from its own beginning.

    >>> a = [{"class_name": "Dense", "config": {"name": "dense_7"}}, ["dense_7", 0, 0]]
    >>> b = [{"class_name": "Dense", "config": {"name": "dense"}}, ["dense", 0, 0]]
    >>> normalised(a) == normalised(b)
    True
    >>> normalised({"shared_object_id": 140395326917456, "units": 8})
    {'units': 8}
    """
    plain = json.loads(json.dumps(config, sort_keys=True, default=_as_json))
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name in _names(plain):
        match = _AUTOMATIC.fullmatch(name)
        base = match["base"] if match else name
        if name not in names:
            counts[base] = counts.get(base, 0) + 1
            names[name] = f"{base}#{counts[base]}"
    return _renamed(plain, names)


def _as_json(value: Any) -> Any:
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return [str(array.dtype), array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return getattr(value, "__qualname__", None) or type(value).__qualname__


def _names(config: Any) -> list[str]:
    """Names of layers and models, in their order."""
    if isinstance(config, list):
        return [name for part in config for name in _names(part)]
    if not isinstance(config, dict):
        return []
    own = [config["name"]] if isinstance(config.get("name"), str) else []
    layers = config.get("layers")  # before what refers to them
    rest = [part for key, part in config.items() if key != "layers"]
    return [*own, *_names(layers), *(name for part in rest for name in _names(part))]


def _renamed(config: Any, names: Mapping[str, str]) -> Any:
    if isinstance(config, list):
        return [_renamed(part, names) for part in config]
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__":
            return "lambda"  # its code holds line numbers; it counts as part of the function that builds the model
        # Keras tells shared objects by their addresses.
        return {key: _renamed(part, names) for key, part in config.items() if key != "shared_object_id"}
    return names.get(config, config) if isinstance(config, str) else config


def config_parts(config: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Digest and short form of each layer, and of how they are connected, from the contents of a `config.json`.

    >>> config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": 8}}]}}
    >>> config_parts(config)["layer 1 (Dense)"][1]
    'units=8'
    """
    whole = normalised({key: part for key, part in config.items() if key not in ("compile_config", "build_config")})
    compiled = {k: v for k, v in (config.get("compile_config") or {}).items() if k != "optimizer"}
    layers = (whole.get("config") or {}).get("layers")
    found = {}
    for i, layer in enumerate(layers if isinstance(layers, list) else [], 1):
        own = {key: part for key, part in layer.items() if key in ("class_name", "module", "config")}
        found[f"layer {i} ({layer.get('class_name')})"] = (_sha(own), _settings(layer.get("config") or {}))
    found[CONNECTED if found else "the model"] = (_sha(whole), "")
    if compiled:
        found["loss and metrics"] = (_sha(normalised(compiled)), _settings(compiled))
    return found


def architecture(model: Any) -> dict[str, Any]:
    """What a built model consists of, JSON types only: parameters, and digest and short form of every layer.

    model: a keras.Model.
    """
    layers = {}
    for i, layer in enumerate(model._flatten_layers(include_self=False, recursive=True), 1):
        config = _config_of(layer) or {}
        shapes = [list(weight.shape) for weight in layer.weights]
        settings = {key: part for key, part in config.items() if key != "name"}
        about = _sha([type(layer).__name__, normalised(settings), shapes])
        layers[f"layer {i} ({type(layer).__name__})"] = [about, _settings(config) or f"weights of {shapes}"]
    config = _config_of(model)
    if config is not None:
        layers[CONNECTED] = [_sha(normalised(config)), ""]
    return {"parameters": model.count_params(), "layers": layers}


def settings_token(value: Any) -> tuple[str, list[Any]] | None:
    """The settings and the weights of an object of Keras's; None for anything else, or where it does not tell them."""
    if "keras" not in sys.modules or not any(k.__module__.startswith("keras.") for k in type(value).__mro__):
        return None
    config = _config_of(value)
    if config is None:
        return None
    try:
        weights = [np.asarray(weight) for weight in getattr(value, "weights", [])]
    except Exception:  # a model that is not built
        weights = []
    return json.dumps(normalised(config), sort_keys=True), weights


def _config_of(value: Any) -> Any:
    get: Callable[[], Any] | None = getattr(value, "get_config", None)
    try:
        return get() if get is not None else None
    except Exception:  # a layer of the user's that does not tell its settings
        return None


def _settings(config: Mapping[str, Any]) -> str:
    plain = {k: v for k, v in config.items() if k not in _UNTOLD and isinstance(v, str | int | float | list)}
    return ", ".join(f"{key}={value!r}" for key, value in plain.items() if value != [])[:_SHOWN]


def _sha(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_as_json).encode()).hexdigest()[:16]
