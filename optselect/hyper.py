"""One declaration of a hyperparameter: default, domain, search range and meaning.

From it come the constructor, the check and its message, the Optuna space, the help and the docs.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, dataclass_transform

from optselect.errors import InvalidValue, UnknownName, suggestion

__all__ = [
    "BOOLEAN",
    "FRACTION",
    "NON_NEGATIVE",
    "POSITIVE",
    "UNIT",
    "Declared",
    "Domain",
    "Hyper",
    "Search",
    "choice",
    "hyper",
    "linear",
    "log",
    "log1m",
]


@dataclasses.dataclass(frozen=True)
class Domain:
    """The values that are legal, in the notation of intervals.

    >>> UNIT.contains(0.0), UNIT.contains(1.0), str(UNIT)
    (True, False, '[0, 1)')
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = True
    high_open: bool = True
    boolean: bool = False

    def contains(self, value: Any) -> bool:
        """Whether `value` is a finite real number (or a flag) inside."""
        if self.boolean:
            return isinstance(value, bool)
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            return False
        number = float(value)
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below

    def __str__(self) -> str:
        if self.boolean:
            return "{true, false}"
        return f"{'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"


POSITIVE = Domain(low=0.0)
NON_NEGATIVE = Domain(low=0.0, low_open=False)
UNIT = Domain(low=0.0, high=1.0, low_open=False)
FRACTION = Domain(low=0.0, high=1.0, low_open=False, high_open=False)
BOOLEAN = Domain(boolean=True)


@dataclasses.dataclass(frozen=True)
class Search:
    """Where a search looks for a value.

    `scale` is "linear", "log" (log-uniform), "log1m" (1 - value is log-uniform; `low` and `high` bound the
    value itself) or "choice". `from_trials` is the number of trials that an arm must have before this
    hyperparameter joins its search; with fewer it stays at its default (Godbole et al. 2023, Deep Learning
    Tuning Playbook: fewer than 10 trials tune the learning rate alone).

    `per`: not the value is searched but the value divided by this function of another hyperparameter: "NAME",
    "1-NAME" or "sqrt(NAME)". `low` and `high` then bound the quotient. `when`: others by name, each with the values
    at which this one is searched; else it stays at its default.
    """

    scale: Literal["linear", "log", "log1m", "choice"]
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    from_trials: int = 0
    per: str = ""
    when: tuple[tuple[str, Search], ...] = ()


def log(low: float, high: float, *, from_trials: int = 0) -> Search:
    """Log-uniform between `low` and `high`."""
    return Search("log", low, high, from_trials=from_trials)


def linear(low: float, high: float, *, from_trials: int = 0) -> Search:
    """Uniform between `low` and `high`."""
    return Search("linear", low, high, from_trials=from_trials)


def log1m(low: float, high: float, *, from_trials: int = 0) -> Search:
    """1 - value log-uniform between `low` and `high`: for decay rates near one.

    >>> log1m(0.01, 0.5).low, log1m(0.01, 0.5).high
    (0.5, 0.99)
    """
    return Search("log1m", round(1 - high, 12), round(1 - low, 12), from_trials=from_trials)


def choice(*values: Any, from_trials: int = 0) -> Search:
    """One of `values`."""
    return Search("choice", choices=values, from_trials=from_trials)


@dataclasses.dataclass(frozen=True)
class Hyper:
    """What is declared of one hyperparameter."""

    name: str
    default: Any
    domain: Domain
    search: Search | None
    doc: str


def hyper(*, default: Any, domain: Domain, doc: str, search: Search | None = None) -> Any:
    """Declare a hyperparameter as a field of a `Declared` class."""
    return dataclasses.field(default=default, metadata={"domain": domain, "search": search, "doc": doc})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(hyper,))
class Declared:
    """A frozen, keyword-only dataclass whose fields are hyperparameters, checked when it is made.

    A direct child is a family (`Rule`, `Schedule`, `Clipping`), a grandchild is a final member of it with a
    class attribute `name`.

    >>> class Family(Declared):
    ...     pass
    >>> class Member(Family):
    ...     name = "member"
    ...     beta: float = hyper(default=0.9, domain=UNIT, doc="A decay rate.")
    >>> Member(beta=0.5)
    Member(beta=0.5)
    >>> Member(beta=1.0)
    Traceback (most recent call last):
    optselect.errors.InvalidValue: Member: `beta` must lie in [0, 1), got 1.0.
    """

    name: ClassVar[str] = ""
    common: ClassVar[bool] = True  # the default search space tries this member
    from_trials: ClassVar[int] = 0  # an arm with fewer trials than this does not try it, as in `Search`

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        family = next(base for base in cls.__mro__ if Declared in base.__bases__)
        if cls is family:
            return
        if cls.__bases__[0] is not family:
            raise TypeError(f"{cls.__bases__[0].__name__} is final: wrap it, do not subclass it.")
        if not cls.__dict__.get("name"):
            raise TypeError(f"{cls.__name__}: give it a class attribute `name`.")
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        signature = inspect.signature(cls)
        cls.__signature__ = signature  # type: ignore[attr-defined]

    def __post_init__(self) -> None:
        for declared in self.hypers():
            value = getattr(self, declared.name)
            if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a numpy scalar
                value = value.item()
            if not declared.domain.contains(value):
                who = type(self).__name__
                raise InvalidValue(f"{who}: `{declared.name}` must lie in {declared.domain}, got {value!r}.")
            object.__setattr__(self, declared.name, value if declared.domain.boolean else float(value))

    @classmethod
    def hypers(cls) -> tuple[Hyper, ...]:
        """The declared hyperparameters in the order of the class body."""
        fields: tuple[Any, ...] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        return tuple(Hyper(name=f.name, default=f.default, **f.metadata) for f in fields if "domain" in f.metadata)

    @classmethod
    def unchecked(cls, **values: Any) -> Self:
        """An instance whose fields hold tensors or weak scalars: what a traced program computes with."""
        made = object.__new__(cls)
        for name, value in {**{h.name: h.default for h in cls.hypers()}, **values}.items():
            object.__setattr__(made, name, value)
        return made

    def values(self) -> dict[str, Any]:
        """The hyperparameters by name."""
        return {declared.name: getattr(self, declared.name) for declared in self.hypers()}

    @classmethod
    def members(cls) -> dict[str, type[Self]]:
        """The family's members by name, in the order of their names."""
        found = {member.name: member for member in reversed(cls.__subclasses__())}  # the first of a name stays
        return dict(sorted(found.items()))

    @classmethod
    def named(cls, name: str) -> type[Self]:
        """The member of that name.

        Raises `UnknownName` with the nearest names.
        """
        members = cls.members()
        if name not in members:
            raise UnknownName(f"{cls.__name__}: no member is called {name!r}. {suggestion(name, members)}")
        return members[name]

    @classmethod
    def from_values(cls, name: str, values: Mapping[str, Any]) -> Self:
        """The member `name` with `values`; the rest at its defaults. An unknown key raises `UnknownName`."""
        member = cls.named(name)
        known = [declared.name for declared in member.hypers()]
        for key in values:
            if key not in known:
                raise UnknownName(f"{member.__name__}: unknown hyperparameter {key!r}. {suggestion(key, known)}")
        return member(**values)
