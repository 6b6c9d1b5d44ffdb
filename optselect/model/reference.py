"""Which model is to be trained: a reference that a worker process can follow, checked without TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import io
import json
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from optselect.errors import InvalidModel
from optselect.model.architecture import config_parts
from optselect.model.identity import Identity, identity_of_object, identity_of_source
from optselect.user_code.edited import differs_from_file
from optselect.user_code.functions import check_function, is_reference, split_reference
from optselect.util.suggestion import suggestion

__all__ = ["ModelReference", "PickledFunction", "SavedModel", "UserFunction", "model_reference"]


_ADAPTED = re.compile(r"(normalization|discretization|string_lookup|integer_lookup|text_vectorization)(_\d+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """What every reference says of its model.

    digest: of the content. identity: what the digest is of, part by part. source: the digest that earlier versions
    recorded, of the source text or of the configuration alone.
    """

    digest: str
    identity: Identity = dataclasses.field(repr=False, compare=False)
    source: str = dataclasses.field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """What a study keeps of its model, so that a change can be named; JSON types only."""
        return {"name": str(self), "source": self.source, **self.identity.to_dict()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class UserFunction(_Known):
    """A function in a user's Python file."""

    path: Path
    function: str

    def __str__(self) -> str:
        return f"{self.path}: `{self.function}`"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PickledFunction(_Known):
    """A function of the calling program or notebook, pickled by value where need be."""

    name: str
    pickled: bytes = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"function `{self.name}`"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedModel(_Known):
    """The contents of a .keras file: its architecture is used, its weights are not."""

    name: str
    contents: bytes = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return self.name


ModelReference = UserFunction | PickledFunction | SavedModel
"""None beside these means the default model for the data."""


def model_reference(model: Any) -> ModelReference | None:
    """The reference to a path, "FILE.py:FUNCTION", function or keras.Model; None stays None.

    Raises InvalidModel if it is none of these, or if the file or the function is not there.

    >>> model_reference(None) is None
    True
    """
    if model is None or isinstance(model, UserFunction | PickledFunction | SavedModel):
        return model
    if isinstance(model, str | Path):
        return _from_text(str(model))
    keras = sys.modules.get("keras")  # a keras.Model exists only where keras is loaded already
    if keras is not None and isinstance(model, keras.Model):
        return _from_model(model)
    if callable(model):
        return _from_function(model)
    raise InvalidModel(
        f"model: must be FILE.py:FUNCTION, a .keras file, a function or a keras.Model, got {type(model).__name__}."
    )


def _from_text(text: str) -> ModelReference:
    if is_reference(text):
        path, function = split_reference(text)
        check_function(path, function, InvalidModel)
        source = _sha(path.read_bytes(), function)
        return UserFunction(
            path=path.resolve(), function=function, source=source, **_digested(identity_of_source(path, function))
        )
    path = Path(text)
    if path.suffix in (".h5", ".hdf5", ".pb"):
        raise InvalidModel(
            f"{path}: an old format; save it as .keras: keras.models.load_model(...).save('model.keras')."
        )
    if path.suffix != ".keras":
        raise InvalidModel(f"{path}: a model is FILE.py:FUNCTION or a .keras file.")
    if not path.is_file():
        beside = [p.name for p in path.parent.glob("*.keras")] if path.parent.is_dir() else []
        raise InvalidModel(f"{path}: no such file. {suggestion(path.name, beside) if beside else ''}".strip())
    return _saved(path.read_bytes(), str(path))


def _saved(contents: bytes, name: str) -> SavedModel:
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            config = archive.read("config.json")
            parts = {**config_parts(json.loads(config)), **_adapted(archive)}
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, AttributeError):
        raise InvalidModel(f"{name}: not a .keras file: no zip archive with a config.json in it.") from None
    return SavedModel(name=name, contents=contents, source=_sha(config), **_digested(Identity(parts=parts)))


def _adapted(archive: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
    """What layers have learnt from data by `adapt`: unlike trained weights, it is kept."""
    found: dict[str, tuple[str, str]] = {}
    for name in archive.namelist():
        if name.startswith("assets/") and not name.endswith("/"):
            found[f"the file {name} in it"] = (_sha(archive.read(name))[:16], "")
    if "model.weights.h5" not in archive.namelist():
        return found
    import h5py  # of Keras

    def note(path: str, values: Any) -> None:
        if isinstance(values, h5py.Dataset) and any(_ADAPTED.fullmatch(part) for part in path.split("/")):
            array = values[()]
            found[f"what {path.rpartition('/vars/')[0]} has learnt ({path.rpartition('/')[2]})"] = (
                _sha(array.tobytes())[:16],
                "",
            )

    with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:
        weights.visititems(note)
    return found


def _from_model(model: Any) -> SavedModel:
    with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
        except Exception as problem:  # whatever a user's layer raises in get_config
            raise InvalidModel(
                f"model: this keras.Model cannot be saved ({type(problem).__name__}: {problem}); "
                "pass a function that builds it."
            ) from problem
        return _saved(path.read_bytes(), f"model `{model.name}`")


def _from_function(function: Any) -> PickledFunction:
    import cloudpickle

    name = getattr(function, "__qualname__", type(function).__name__)
    identity = identity_of_object(function)
    edited = [sys.modules[module] for module in identity.modules if differs_from_file(sys.modules[module])]
    for module in edited:  # as they are in memory; another process would import their files
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as problem:  # pickling runs arbitrary __reduce__ methods
        of = f", with {', '.join(m.__name__ for m in edited)} as in memory, unlike the file" if edited else ""
        raise InvalidModel(f"model: `{name}` cannot be sent to another process{of}: {problem}.") from problem
    finally:
        for module in edited:
            cloudpickle.unregister_pickle_by_value(module)
    try:
        source = inspect.getsource(function).encode()
    except (OSError, TypeError):
        source = pickled
    return PickledFunction(name=name, pickled=pickled, source=_sha(source), **_digested(identity))


def _digested(identity: Identity) -> dict[str, Any]:
    return {"identity": identity, "digest": f"content:{identity.digest}"}


def _sha(contents: bytes, *more: str) -> str:
    return hashlib.sha256(contents + "\0".join(more).encode()).hexdigest()
