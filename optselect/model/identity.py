"""What a model function is, by content: its code and every value it reads, so that a change can be named.

Nothing here depends on the process: neither addresses nor the order of sets nor line numbers count.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.model.architecture import settings_token
from optselect.user_code.bytecode import code_digest, constants, global_reads, imports
from optselect.user_code.modules import SourceParts, find_module, is_users

__all__ = ["Identity", "identity_of_object", "identity_of_source"]

_SHOWN = 80  # characters of a value in a message
_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray, range, slice, type(...), type(NotImplemented))
_MADE_BY_CLASS = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_FROZEN = set(sys.builtin_module_names) - {"builtins"}  # `exec` without a `__name__` makes classes of `builtins`
_READABLE = {".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".csv", ".keras", ".h5", ".npy", ".npz", ".pkl"}
_ELSEWHERE = {
    "open", "environ", "getenv", "read_text", "read_bytes", "load_model", "load_weights", "safe_load", "loadtxt",
    "genfromtxt", "read_csv", "read_json", "import_module", "argv", "globals", "eval", "exec",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """Everything that a model function depends on.

    parts: digest and short form by a label for people ("the global `UNITS`"). files: digests of files that it names.
    unseen: what cannot be told by content, or is read while the function runs; such a model counts by the
    architecture that it builds as well. modules: the user's modules that functions and classes in memory belong to.
    """

    parts: Mapping[str, tuple[str, str]]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all parts; files are compared one by one, since what a function writes is named in it too."""
        return _sha(json.dumps(sorted((label, digest) for label, (digest, _) in self.parts.items())))

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "parts": {label: list(part) for label, part in self.parts.items()},
            "files": dict(self.files),
            "unseen": list(self.unseen),
        }


def identity_of_source(path: Path, function: str) -> Identity:
    """Of a function in a user's file, which is not run."""
    source = SourceParts()
    source.add(path.resolve(), [function])
    files = {name: digest for home, text in source.texts for name, digest in _file(text, home.parent)}
    return Identity(parts=source.parts, files=files, unseen=tuple(sorted(source.names & _ELSEWHERE)))


def identity_of_object(function: Any) -> Identity:
    """Of a function, a bound method, a `functools.partial` or any other object that can be called.

    >>> eight, more = (identity_of_object(functools.partial(print, units=units)) for units in (8, 64))
    >>> eight.digest == identity_of_object(functools.partial(print, units=8)).digest, eight.digest == more.digest
    (True, False)
    >>> more.parts["the argument `units`"][1]
    '64'
    """
    walk = _Walk()
    walk.root(function)
    return Identity(
        parts=walk.parts,
        files=walk.files,
        unseen=tuple(sorted(walk.unseen)),
        modules=tuple(sorted(walk.modules)),
    )


class _Walk:
    """Goes from one object to everything it reads. Functions, classes and objects of the user's are visited once."""

    def __init__(self, alone: tuple[int, ...] = ()) -> None:
        self.parts: dict[str, tuple[str, str]] = {}
        self.files: dict[str, str] = {}
        self.unseen: set[str] = set()
        self.modules: set[str] = set()
        self._source = SourceParts()
        self._queue: deque[tuple[str, Any]] = deque()
        self._labels: dict[int, str] = {}
        self._named: set[str] = set()
        self._kept: list[Any] = []  # so that no address is used twice
        self._open: dict[int, int] = {}
        self._alone = alone
        self._home = ""  # the module of the root

    def root(self, value: Any, label: str = "") -> None:
        bare = value
        while isinstance(bare, functools.partial | types.MethodType):
            bare = bare.func if isinstance(bare, functools.partial) else bare.__func__
        self._home = getattr(bare, "__module__", None) or ""
        self._part(label or "the model", value)
        while self._queue:
            self._visit(*self._queue.popleft())
        self.parts |= self._source.parts
        for home, text in self._source.texts:
            self.files |= dict(_file(text, home.parent))
        self.unseen |= self._source.names & _ELSEWHERE

    # -- parts --------------------------------------------------------------------------------------------------

    def _part(self, label: str, value: Any) -> str:
        """Record a value under a label; of a function, class or object of the user's the reference to it."""
        try:
            token = self._token(value, label)
        except RecursionError:
            token = self._not_seen(label, value)
        if not token.startswith("node:"):
            self.parts[label] = (_sha(token)[:16], _short(value))
            return ""
        return token

    def _node(self, label: str, value: Any) -> str:
        known = self._labels.get(id(value))
        if known is None:
            name = getattr(value, "__qualname__", "").rpartition("<locals>.")[2]
            if isinstance(value, types.FunctionType | type) and name and "<lambda>" not in name:
                label = f"the {'class' if isinstance(value, type) else 'function'} `{name}`"
            known, number = label, 2
            while known in self._named:
                known, number = f"{label} ({number})", number + 1
            self._labels[id(value)] = known
            self._named.add(known)
            self._kept.append(value)
            self._queue.append((known, value))
            self._belongs(getattr(value, "__module__", None))
        return f"node:{known}"

    def _belongs(self, module: str | None) -> None:
        if module and module != "__main__" and is_users(getattr(sys.modules.get(module), "__file__", None)):
            self.modules.add(module)

    def _visit(self, label: str, value: Any) -> None:
        if isinstance(value, types.FunctionType):
            refs = [code_digest(value.__code__), *self._refs(self._reads(value))]
        elif isinstance(value, type):
            refs = self._refs(self._of_class(value))
        else:
            refs = [self._token(type(value), label), *self._refs(self._of_object(label, value))]
        self.parts[label] = (_sha("|".join(refs))[:16], "")

    def _refs(self, reads: Iterator[tuple[str, Any]]) -> list[str]:
        return [f"{label}={ref}" for label, value in reads if (ref := self._part(label, value))]

    def _reads(self, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
        """What a function depends on besides its code."""
        code, name = function.__code__, function.__name__
        for cell_name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                yield f"the closure value `{cell_name}` of `{name}`", cell.cell_contents
            except ValueError:  # not filled yet
                continue
        arguments = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        for argument, value in zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True):
            yield f"the default of `{argument}` in `{name}`", value
        for argument, value in sorted((function.__kwdefaults__ or {}).items()):
            yield f"the default of `{argument}` in `{name}`", value
        for attribute, value in sorted(vars(function).items()):
            yield f"the attribute `{attribute}` of `{name}`", value
        yield from self._globals(function)
        package = function.__globals__.get("__package__") or ""
        for module, names, level in imports(code):
            self._imported(module, names, level, package)
        home = Path(code.co_filename).parent
        for text in constants(code):
            self.files |= dict(_file(text, home))

    def _globals(self, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
        for name, *attributes in global_reads(function.__code__):
            self.unseen |= {name, *attributes} & _ELSEWHERE
            if name not in function.__globals__ or (name.startswith("__") and name.endswith("__")):
                continue
            value, said = function.__globals__[name], name
            while isinstance(value, types.ModuleType) and _is_own(value) and attributes:
                self._belongs(value.__name__)
                attribute = attributes.pop(0)
                if not hasattr(value, attribute):
                    break
                value, said = getattr(value, attribute), f"{said}.{attribute}"
            if isinstance(value, types.ModuleType):
                self._module(value)
                continue
            module = function.__module__ or ""
            yield f"the global `{said}`{f' of {module}' if module != self._home else ''}", value

    def _module(self, module: types.ModuleType) -> None:
        """A user's module as a whole: the source of its file, or what it holds if it was made in memory."""
        if not _is_own(module):
            return
        if getattr(module, "__file__", None):
            self._source.add(Path(module.__file__).resolve())  # type: ignore[arg-type]
        else:
            self.unseen.add(f"the module `{module.__name__}`")

    def _imported(self, name: str, names: tuple[str, ...], level: int, package: str) -> None:
        full = resolve_name("." * level + name, package) if level and package else name
        if (path := find_module(full)) is not None:
            wanted = [n for n in names if n != "*"]
            self._source.add(path.resolve(), wanted if wanted and wanted == list(names) else None)

    def _of_class(self, kind: type) -> Iterator[tuple[str, Any]]:
        name = kind.__qualname__.rpartition("<locals>.")[2]
        for i, base in enumerate(kind.__bases__):
            yield f"base {i + 1} of the class `{name}`", base
        for attribute, value in sorted(vars(kind).items()):
            special = attribute.startswith("__") and attribute.endswith("__")
            if special and not isinstance(value, types.FunctionType | staticmethod | classmethod | property):
                continue  # what Python itself keeps there, some of it only once it was asked for
            if attribute == "_abc_impl" or isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                continue
            yield f"`{name}.{attribute}`", value

    def _of_object(self, label: str, value: Any) -> Iterator[tuple[str, Any]]:
        kind = type(value)
        own = any("__reduce_ex__" in vars(k) or "__reduce__" in vars(k) for k in kind.__mro__ if k is not object)
        if own or getattr(kind, "__slots__", None) or isinstance(value, list | dict | set | tuple | str | int | float):
            yield f"the state of {label}", _Reduced(value)
            return
        for attribute, part in sorted(vars(value).items()):
            yield f"the attribute `{attribute}` of {label}", part

    # -- values -------------------------------------------------------------------------------------------------

    def _token(self, value: Any, label: str) -> str:
        """A text that is the same for the same content."""
        if type(value) in _ATOMS:
            self.files |= dict(_file(value, Path())) if isinstance(value, str) else {}
            return f"{type(value).__name__}:{value!r}"
        if isinstance(value, types.CodeType):
            return f"code:{code_digest(value)}"
        if id(value) in self._open:
            return f"again:{len(self._open) - self._open[id(value)]}"
        self._open[id(value)] = len(self._open)
        try:
            return self._compound(value, label)
        finally:
            del self._open[id(value)]

    def _compound(self, value: Any, label: str) -> str:
        kind = type(value)
        if kind in (list, tuple):
            inner = ",".join(self._token(part, f"{label}[{i}]") for i, part in enumerate(value))
            return f"{kind.__name__}[{inner}]"
        if kind is dict:
            pairs = (f"{self._token(k, label)}:{self._token(v, f'{label}[{_short(k)}]')}" for k, v in value.items())
            return f"dict[{','.join(pairs)}]"
        if kind in (set, frozenset):
            return f"{kind.__name__}[{','.join(sorted(self._alone_token(part) for part in value))}]"
        if kind is _Reduced:
            return self._reduced(value.value, label)
        array = _array(value)
        if array is not None:
            if array.dtype == object:
                return f"array:{array.shape}:{self._token(array.ravel().tolist(), label)}"
            data = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
            return f"array:{array.dtype.str}:{array.shape}:{data}"
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return self._frame(value, label)
        return self._callable(value, label)

    def _callable(self, value: Any, label: str) -> str:
        if isinstance(value, types.MethodType):
            return f"method:{self._token(value.__func__, label)}:{self._token(value.__self__, _bound(label))}"
        if isinstance(value, functools.partial):
            given = self._token([value.func, list(value.args)], label)
            names = [self._part_of(f"the argument `{name}`", part) for name, part in value.keywords.items()]
            return f"partial:{given}:{names}"
        if isinstance(value, types.FunctionType):
            return self._node(label, value) if _is_own_code(value) else _name(value)
        if isinstance(value, staticmethod | classmethod):
            return f"{type(value).__name__}:{self._token(value.__func__, label)}"
        if isinstance(value, property):
            return f"property:{self._token([value.fget, value.fset, value.fdel], label)}"
        if isinstance(value, type):
            return self._node(label, value) if _is_own_class(value) else _name(value)
        if isinstance(value, types.ModuleType):
            self._module(value)
            return f"module:{value.__name__}"
        if isinstance(value, types.BuiltinFunctionType | np.ufunc | types.MethodDescriptorType):
            return _name(value)
        inner = getattr(value, "python_function", None) or getattr(value, "__wrapped__", None)
        if inner is not None and callable(value) and not isinstance(inner, type(value)):
            return f"wrapped:{type(value).__name__}:{self._token(inner, label)}"
        return self._object(value, label)

    def _part_of(self, label: str, value: Any) -> str:
        """A part with a label of its own within another value."""
        return f"{label}={self._part(label, value)}"

    def _object(self, value: Any, label: str) -> str:
        settings = settings_token(value)
        if settings is not None:
            about, weights = settings
            return f"keras:{self._token(type(value), label)}:{about}:{self._token(weights, label)}"
        if any(kind.__module__.startswith("keras.") for kind in type(value).__mro__):
            return f"{self._not_seen(label, value)}:{self._token(type(value), label)}"
        return self._node(label, value) if _is_own_class(type(value)) else self._reduced(value, label)

    def _reduced(self, value: Any, label: str) -> str:
        """By what pickle would keep of it."""
        if isinstance(value, weakref.ref | types.GeneratorType):
            return self._not_seen(label, value)
        try:
            kept = value.__reduce_ex__(2)
            state = (
                [list(part) if hasattr(part, "__next__") else part for part in kept] if type(kept) is tuple else kept
            )
        except Exception:  # locks, open files, and whatever a class of the user's raises
            return self._not_seen(label, value)
        return f"reduced:{_name(type(value))}:{self._token(state, label)}"

    def _frame(self, value: Any, label: str) -> str:
        try:
            sums: Any = pd.util.hash_pandas_object(value).to_numpy()
        except TypeError:  # cells that cannot be hashed
            sums = np.asarray(value).ravel().tolist()
        names = [list(map(str, getattr(value, "columns", []))), str(getattr(value, "name", ""))]
        return f"{type(value).__name__}:{self._token([sums, names, str(getattr(value, 'dtypes', ''))], label)}"

    def _alone_token(self, value: Any) -> str:
        """Of an element of a set: by itself, since a set has no order."""
        if type(value) in _ATOMS:
            return f"{type(value).__name__}:{value!r}"
        if id(value) in self._alone:
            return "again"
        inner = _Walk((*self._alone, id(value)))
        inner.root(value, "element")
        self.unseen |= inner.unseen
        return Identity(parts=inner.parts).digest

    def _not_seen(self, label: str, value: Any) -> str:
        self.unseen.add(label)
        return f"unseen:{_name(type(value))}"


class _Reduced:
    """An object that is told by what pickle keeps of it."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _bound(label: str) -> str:
    return "the object that the method is bound to" if label == "the model" else f"the object of {label}"


def _array(value: Any) -> np.ndarray | None:
    """NumPy's arrays and numbers; tensors and variables of any library."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    kind = type(value)
    if not (hasattr(kind, "__array__") and hasattr(kind, "shape") and hasattr(kind, "dtype")):
        return None
    if kind.__module__.startswith("pandas."):
        return None
    try:
        return np.asarray(value)
    except Exception:  # a symbolic tensor, one on another device
        return None


def _file(text: str, home: Path) -> Iterator[tuple[str, str]]:
    """The digest of a file, if the text names one that a function is likely to read."""
    if len(text) > 300 or "\n" in text or Path(text).suffix.lower() not in _READABLE:
        return
    for path in (Path(text), home / text):
        try:
            if path.is_file():
                with path.open("rb") as file:
                    yield text, hashlib.file_digest(file, "sha256").hexdigest()[:16]
                return
        except (OSError, ValueError):
            return


def _is_own(module: types.ModuleType) -> bool:
    """Of the user's: by its file or, where it was made in memory, by having no origin at all."""
    file = getattr(module, "__file__", None)
    return is_users(file) if file else getattr(module, "__spec__", None) is None


def _is_own_code(function: types.FunctionType) -> bool:
    """Of the user's, a notebook's or made by `exec`: whatever does not come from an installed package."""
    module = sys.modules.get(function.__module__ or "")
    file = getattr(module, "__file__", None)
    return file is None or function.__module__ == "__main__" or is_users(file)


def _is_own_class(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:  # of the interpreter's own classes none was made by a `class` statement
        return bool(kind.__flags__ & _MADE_BY_CLASS) and kind.__module__ not in _FROZEN
    return kind.__module__ == "__main__" or is_users(file)


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', getattr(value, '__name__', '?'))}"


def _short(value: Any) -> str:
    array = _array(value)
    if array is not None and array.size > 8:
        return f"an array of {array.dtype} {array.shape}"
    if callable(value):
        return ""
    if isinstance(value, list | tuple | dict | set | frozenset) and len(value) > 50:
        return f"a {type(value).__name__} of {len(value)} values"
    try:
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(value).split()))
    except Exception:  # a __repr__ of the user's
        return type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
