"""A user's own callbacks as plain data: from which every training makes fresh ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optselect.errors import InvalidValue
from optselect.model.identity import identity_of_object, identity_of_source
from optselect.user_code.functions import check_function, is_reference, load_function, split_reference, where_it_failed

__all__ = ["OwnCallbacks", "own_callbacks"]

_PLAIN = (bool, int, float, str, bytes, type(None))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnCallbacks:
    """Callbacks of `model.fit`, the same for every training and each time new.

    name: as messages call them. digest: of what they do, the same in every process. path, function: of a user's file.
    pickled: a function of the calling program, or a list of callbacks.
    """

    name: str
    digest: str
    path: Path | None = None
    function: str = ""
    pickled: bytes = dataclasses.field(default=b"", repr=False)

    def made(self) -> list[Any]:
        """Fresh callbacks. Raises InvalidValue where the user's function fails or makes something else."""
        import keras

        found = self._made()
        for one in found if isinstance(found, list | tuple) else [found]:
            if not isinstance(one, keras.callbacks.Callback):
                raise InvalidValue(
                    f"callbacks: {self.name} must give a list of keras.callbacks.Callback, got {type(one).__name__} "
                    "in it."
                )
        return list(found) if isinstance(found, list | tuple) else [found]

    def _made(self) -> Any:
        import cloudpickle

        if self.path is not None:
            given: Any = load_function(self.path, self.function, InvalidValue)
        else:
            given = cloudpickle.loads(self.pickled)
        if not callable(given) or isinstance(given, list):
            return given
        try:
            return given()
        except Exception as problem:  # the user's code may raise anything
            raise InvalidValue(f"callbacks: {where_it_failed(self.path or Path(self.name), problem)}") from problem


def own_callbacks(given: Any) -> OwnCallbacks | None:
    """From "FILE.py:FUNCTION", a function, or a list of callbacks; None stays None.

    Raises InvalidValue for anything else, and where the file or the function is not there.

    >>> own_callbacks(None) is None
    True
    >>> own_callbacks(3)
    Traceback (most recent call last):
    optselect.errors.InvalidValue: tune: `callbacks` must be FILE.py:FUNCTION, a function that returns a list of \
keras.callbacks.Callback, or such a list, got int.
    """
    if given is None or isinstance(given, OwnCallbacks):
        return given
    if isinstance(given, str | Path) and is_reference(str(given)):
        path, function = split_reference(str(given))
        check_function(path, function, InvalidValue)
        digest = identity_of_source(path, function).digest
        return OwnCallbacks(name=f"{path}: `{function}`", digest=digest, path=path.resolve(), function=function)
    if isinstance(given, list | tuple):
        names = ", ".join(f"`{type(one).__name__}`" for one in given)
        return _pickled(list(given), names, lambda: "".join(map(_content, given)))
    if callable(given) and not isinstance(given, type):
        name = f"function `{getattr(given, '__qualname__', type(given).__name__)}`"
        return _pickled(given, name, lambda: identity_of_object(given).digest)
    raise InvalidValue(
        "tune: `callbacks` must be FILE.py:FUNCTION, a function that returns a list of keras.callbacks.Callback, or "
        f"such a list, got {type(given).__name__}."
    )


def _content(callback: Any) -> str:
    """The class of a callback by its code, and its plain attributes."""
    plain = {name: value for name, value in vars(callback).items() if isinstance(value, _PLAIN)}
    return f"{identity_of_object(type(callback)).digest}{type(callback).__name__}{sorted(plain.items())}"


def _pickled(given: Any, name: str, content: Callable[[], str]) -> OwnCallbacks:
    """What other processes get of an object of the calling program. content: what it does, as text."""
    import cloudpickle

    try:
        pickled, text = cloudpickle.dumps(given), content()
    except Exception as problem:  # pickling runs arbitrary methods
        raise InvalidValue(
            f"callbacks: {name} cannot be sent to another process: {problem}. Pass a function that makes them."
        ) from problem
    return OwnCallbacks(name=name, digest=hashlib.sha256(text.encode()).hexdigest(), pickled=pickled)
