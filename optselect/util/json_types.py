"""Dataclasses as plain JSON and back: what is written is read by the types that the fields declare."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from optselect.errors import InvalidValue, OptselectError

__all__ = ["LATE", "NULL", "Misread", "fields_from", "plain", "restored", "written"]

NULL = "null"  # key of a field's metadata: which number `null` stands for where it is not NaN
LATE = {"late": True}  # metadata of a field that is written only where it is not at its default
T = TypeVar("T")


class Misread(InvalidValue):
    """JSON that does not fit a type. path: the place in it, "" for all of it; what: what is wrong there."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"`{path}` {what}" if path else what)
        self.path, self.what = path, what


def plain(value: Any) -> Any:
    """As JSON has it, deep down: objects by their `to_dict` or by field, None where a number is not finite.

    >>> plain({"a": (1.0, math.nan)})
    {'a': [1.0, None]}
    """
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def written(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are written: all but the late ones that are at their default."""
    fields = {f.name: (getattr(value, f.name), f) for f in dataclasses.fields(value)}
    return {name: one for name, (one, f) in fields.items() if not ("late" in f.metadata and one == f.default)}


def fields_from(cls: type, data: Any) -> dict[str, Any]:
    """The arguments of a dataclass from what `plain` made of it; other keys are ignored.

    A field that is missing has its default. None stands for NaN where the field is a float, or for what its metadata
    says under `NULL`. Raises `Misread`.

    >>> @dataclasses.dataclass
    ... class Point:
    ...     at: tuple[float, ...]
    ...     name: str = ""
    >>> fields_from(Point, {"at": [1.0, None], "colour": "red"})
    {'at': (1.0, nan)}
    """
    if not isinstance(data, Mapping):
        raise Misread("", f"must be an object, got {_shown(data)}")
    hints, found = _hints(cls), {}
    for field in dataclasses.fields(cls):
        if field.name in data:
            null = field.metadata.get(NULL, math.nan)
            found[field.name] = _at(field.name, hints[field.name], data[field.name], null)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Misread(field.name, "is missing")
    return found


def restored(kind: Any, value: Any, null: float = math.nan) -> Any:
    """A value of a type from what `plain` made of it. null: what None stands for where the type is float.

    Raises `Misread`, also where a number is NaN or infinite, which JSON does not have.
    """
    origin, inside = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else restored(next(k for k in inside if k is not type(None)), value)
    if origin is Literal:
        return _checked(value in inside, value, " or ".join(map(repr, inside)))
    if origin is tuple or (origin is not None and issubclass(origin, Sequence)):
        _checked(isinstance(value, list | tuple), value, "a list")
        return tuple(_at(f"[{k}]", inside[0], one) for k, one in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        _checked(isinstance(value, Mapping), value, "an object")
        return {key: _at(str(key), inside[1], one) for key, one in value.items()}
    if kind is float:
        return null if value is None else float(_checked(_is_number(value), value, "a finite number"))
    if kind in (int, str, bool):
        return _checked(type(value) is kind, value, {int: "an integer", str: "a string", bool: "true or false"}[kind])
    return _object(kind, value)


def _object(kind: Any, value: Any) -> Any:
    """By the type's own `from_dict` if it has one."""
    if not hasattr(kind, "from_dict"):
        return kind(**fields_from(kind, value))
    try:
        return kind.from_dict(value)
    except Misread:
        raise
    except (OptselectError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Misread("", f"is no {kind.__name__} ({error})") from error


def _at(place: str, kind: Any, value: Any, null: float = math.nan) -> Any:
    try:
        return restored(kind, value, null)
    except Misread as error:
        between = "." if error.path and not error.path.startswith("[") else ""
        raise Misread(f"{place}{between}{error.path}", error.what) from error


def _checked(fits: bool, value: T, wanted: str) -> T:
    if not fits:
        raise Misread("", f"must be {wanted}, got {_shown(value)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)
