"""One declaration of a hyperparameter: default, domain, search range and meaning.

From it come the constructor, the check and its message, the Optuna space, the help and the docs.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self, dataclass_transform

from optselect.errors import InvalidValue, UnknownName
from optselect.util.suggestion import suggestion

__all__ = [
    "BOOLEAN",
    "FLAG",
    "FRACTION",
    "NON_NEGATIVE",
    "NUMBER",
    "PATTERNS",
    "POSITIVE",
    "UNIT",
    "WHOLE",
    "Declared",
    "Domain",
    "Form",
    "Hyper",
    "Search",
    "Setting",
    "choice",
    "hyper",
    "linear",
    "log",
    "log1m",
    "setting",
    "wrapped",
]


@dataclasses.dataclass(frozen=True)
class Domain:
    """The legal values of a hyperparameter, as an interval.

    Parameters
    ----------
    low : float, default -math.inf
        Lower end.
    high : float, default math.inf
        Upper end.
    low_open : bool, default True
        Whether the lower end itself is excluded.
    high_open : bool, default True
        Whether the upper end itself is excluded.
    boolean : bool, default False
        Whether the values are True and False instead of numbers.

    Examples
    --------
    >>> UNIT.contains(0.0), UNIT.contains(1.0), str(UNIT)
    (True, False, '[0, 1)')
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = True
    high_open: bool = True
    boolean: bool = False

    def contains(self, value: Any) -> bool:
        """Return whether a value is legal.

        Parameters
        ----------
        value : object
            A finite real number or, in a boolean domain, a flag.

        Returns
        -------
        bool
            True if the value lies inside.
        """
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
    """The range in which a search looks for a value.

    Parameters
    ----------
    scale : {"linear", "log", "log1m", "choice"}
        Distribution: uniform, log-uniform, log-uniform in 1 - value, or one of `choices`.
    low : float, default 0.0
        Lower end of the range of the value.
    high : float, default 0.0
        Upper end of the range of the value.
    choices : tuple, default ()
        Values of the scale "choice".
    from_trials : int, default 0
        Number of trials from which an optimizer's search includes this hyperparameter; with fewer trials it stays at
        its default.
    per : str, default ""
        Search the value divided by a function of another hyperparameter: "NAME", "1-NAME" or "sqrt(NAME)". `low` and
        `high` then bound the quotient.
    when : tuple of (str, Search), default ()
        Other hyperparameters, each with the values for which this one is searched; otherwise it stays at its default.

    Notes
    -----
    With fewer than 10 trials only the learning rate should be tuned: Godbole et al. 2023, Deep Learning Tuning
    Playbook.
    """

    scale: Literal["linear", "log", "log1m", "choice"]
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    from_trials: int = 0
    per: str = ""
    when: tuple[tuple[str, Search], ...] = ()


def log(low: float, high: float, *, from_trials: int = 0) -> Search:
    """Search log-uniformly.

    Parameters
    ----------
    low : float
        Lower end of the range.
    high : float
        Upper end of the range.
    from_trials : int, default 0
        Number of trials from which an optimizer's search includes the hyperparameter.

    Returns
    -------
    Search
        The range.

    Examples
    --------
    >>> log(1e-5, 1e-1).scale
    'log'
    """
    return Search("log", low, high, from_trials=from_trials)


def linear(low: float, high: float, *, from_trials: int = 0) -> Search:
    """Search uniformly.

    Parameters
    ----------
    low : float
        Lower end of the range.
    high : float
        Upper end of the range.
    from_trials : int, default 0
        Number of trials from which an optimizer's search includes the hyperparameter.

    Returns
    -------
    Search
        The range.

    Examples
    --------
    >>> linear(0.5, 1.0, from_trials=25).from_trials
    25
    """
    return Search("linear", low, high, from_trials=from_trials)


def log1m(low: float, high: float, *, from_trials: int = 0) -> Search:
    """Search log-uniformly in 1 - value, for decay rates near one.

    Parameters
    ----------
    low : float
        Lower end of the range of 1 - value.
    high : float
        Upper end of the range of 1 - value.
    from_trials : int, default 0
        Number of trials from which an optimizer's search includes the hyperparameter.

    Returns
    -------
    Search
        The range; its `low` and `high` bound the value itself.

    Examples
    --------
    >>> log1m(0.01, 0.5).low, log1m(0.01, 0.5).high
    (0.5, 0.99)
    """
    return Search("log1m", round(1 - high, 12), round(1 - low, 12), from_trials=from_trials)


def choice(*values: Any, from_trials: int = 0) -> Search:
    """Search among some values.

    Parameters
    ----------
    *values : object
        The values.
    from_trials : int, default 0
        Number of trials from which an optimizer's search includes the hyperparameter.

    Returns
    -------
    Search
        The range.

    Examples
    --------
    >>> choice(False, True).choices
    (False, True)
    """
    return Search("choice", choices=values, from_trials=from_trials)


@dataclasses.dataclass(frozen=True)
class Hyper:
    """The declaration of one hyperparameter.

    Parameters
    ----------
    name : str
        Name of the field.
    default : float or bool
        Default.
    domain : Domain
        Legal values.
    search : Search or None
        Range of a search; None if it is not searched.
    doc : str
        One sentence for the documentation.
    late : bool, default False
        Whether it was added after results had been written without it; `to_dict` then omits it at its default.
    """

    name: str
    default: Any
    domain: Domain
    search: Search | None
    doc: str
    late: bool = False


def hyper(*, default: Any, domain: Domain, doc: str, search: Search | None = None, late: bool = False) -> Any:
    """Declare a hyperparameter as a field of a rule, schedule or clipping.

    Parameters
    ----------
    default : float or bool
        Default.
    domain : Domain
        Legal values.
    doc : str
        One sentence for the documentation.
    search : Search, optional
        Range of a search. Default: it is not searched.
    late : bool, default False
        Whether it was added after results had been written without it; it is then recorded only if it is not at its
        default.

    Returns
    -------
    dataclasses.Field
        The field.

    Examples
    --------
    >>> class Family(Declared):
    ...     pass
    >>> class Member(Family):
    ...     name = "member"
    ...     beta: float = hyper(default=0.9, domain=UNIT, search=log1m(0.01, 0.5), doc="Decay rate.")
    >>> [h.name for h in Member.hypers()]
    ['beta']
    """
    return dataclasses.field(default=default, metadata={"domain": domain, "search": search, "doc": doc, "late": late})


@dataclasses.dataclass(frozen=True)
class Form:
    """The values that a setting takes.

    Parameters
    ----------
    words : str
        Completes "must be" in an error message.
    read : callable
        Converts a value, or raises `TypeError` or `ValueError`.
    annotation : str
        The type of a value that is accepted, as Python code.
    """

    words: str
    read: Callable[[Any], Any]
    annotation: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """The declaration of one setting; see `setting`.

    Parameters
    ----------
    name : str
        Name of the field.
    default : object
        Default.
    form : Form
        Accepted values.
    doc : str
        One sentence for the documentation.
    """

    name: str
    default: Any
    form: Form
    doc: str


def setting(*, default: Any, form: Form, doc: str) -> Any:
    """Declare a setting: a choice that decides how the training program is built.

    Unlike a hyperparameter, a setting is never searched and never a tensor. It is recorded only if it is not at its
    default.

    Parameters
    ----------
    default : object
        Default.
    form : Form
        Accepted values, such as `WHOLE`, `NUMBER`, `FLAG` or `PATTERNS`.
    doc : str
        One sentence for the documentation.

    Returns
    -------
    dataclasses.Field
        The field.

    Examples
    --------
    >>> class Family(Declared):
    ...     pass
    >>> class Member(Family):
    ...     name = "member"
    ...     iterations: int = setting(default=5, form=WHOLE, doc="Number of iterations.")
    >>> Member().chosen()
    {'iterations': 5}
    """
    return dataclasses.field(default=default, metadata={"form": form, "doc": doc})


def wrapped(default: Callable[[], Any]) -> Any:
    """Declare the field that holds the rule or schedule which a wrapper wraps.

    Parameters
    ----------
    default : callable
        Makes the rule or schedule that is wrapped by default.

    Returns
    -------
    dataclasses.Field
        The field.

    Examples
    --------
    >>> from optselect.optim.rules.lookahead import Lookahead
    >>> Lookahead().rule.name
    'sgd'
    """
    return dataclasses.field(default_factory=default)


def _whole(value: Any) -> int:
    found = _number(value)
    if found != int(found) or found < 1:
        raise ValueError
    return int(found)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _patterns(value: Any) -> tuple[str, ...]:
    found = tuple(() if value is None else value)
    if isinstance(value, str) or not all(isinstance(part, str) for part in found):
        raise ValueError
    for part in found:
        re.compile(part)
    return found


WHOLE = Form("a whole number from 1", _whole, "int")
NUMBER = Form("a finite number", _number, "float")
FLAG = Form("True or False", _flag, "bool")
PATTERNS = Form("a list of regular expressions", _patterns, "Sequence[str] | None")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(hyper, setting))
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
        for chosen in self.settings():
            value = getattr(self, chosen.name)
            try:
                object.__setattr__(self, chosen.name, chosen.form.read(value))
            except (TypeError, ValueError, re.error):
                who = type(self).__name__
                raise InvalidValue(f"{who}: `{chosen.name}` must be {chosen.form.words}, got {value!r}.") from None

    @classmethod
    def hypers(cls) -> tuple[Hyper, ...]:
        """The declared hyperparameters, in the order of the class body.

        Returns
        -------
        tuple of Hyper
            The declarations.
        """
        fields: tuple[Any, ...] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        return tuple(Hyper(name=f.name, default=f.default, **f.metadata) for f in fields if "domain" in f.metadata)

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """The declared settings, in the order of the class body.

        Returns
        -------
        tuple of Setting
            The declarations.
        """
        fields: tuple[Any, ...] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        return tuple(Setting(name=f.name, default=f.default, **f.metadata) for f in fields if "form" in f.metadata)

    @classmethod
    def known(cls) -> dict[str, Any]:
        """The defaults of hyperparameters and settings.

        Returns
        -------
        dict
            Defaults by name.
        """
        return {h.name: h.default for h in cls.hypers()} | {s.name: s.default for s in cls.settings()}

    @classmethod
    def unchecked(cls, **values: Any) -> Self:
        """Make an instance without any check; its fields may hold tensors.

        A traced program computes with such instances.

        Parameters
        ----------
        **values : float or tensor
            Values by name. What is missing is at its default.

        Returns
        -------
        Self
            The instance.
        """
        made = object.__new__(cls)
        for name, value in {**{h.name: h.default for h in cls.hypers()}, **values}.items():
            object.__setattr__(made, name, value)
        return made

    def values(self) -> dict[str, Any]:
        """The values of the hyperparameters.

        Returns
        -------
        dict
            Values by name.
        """
        return {declared.name: getattr(self, declared.name) for declared in self.hypers()}

    def chosen(self) -> dict[str, Any]:
        """The values of the settings.

        Returns
        -------
        dict
            Values by name.
        """
        return {declared.name: getattr(self, declared.name) for declared in self.settings()}

    def recorded(self) -> dict[str, Any]:
        """Hyperparameters and settings as JSON types.

        Returns
        -------
        dict
            Values by name, without settings and late hyperparameters that are at their default.
        """
        quiet = {h.name: h.default for h in self.hypers() if h.late} | {s.name: s.default for s in self.settings()}
        given = {**self.values(), **self.chosen()}
        told = {name: value for name, value in given.items() if name not in quiet or value != quiet[name]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    @classmethod
    def members(cls) -> dict[str, type[Self]]:
        """The members of the family.

        Returns
        -------
        dict of str to type[Self]
            Classes by name, in the order of the names.
        """
        found = {member.name: member for member in reversed(cls.__subclasses__())}  # the first of a name stays
        return dict(sorted(found.items()))

    @classmethod
    def named(cls, name: str) -> type[Self]:
        """The member with a name.

        Parameters
        ----------
        name : str
            Name of the member.

        Returns
        -------
        type[Self]
            The class.

        Raises
        ------
        UnknownName
            If there is none; the message contains the nearest names.
        """
        members = cls.members()
        if name not in members:
            raise UnknownName(f"{cls.__name__}: no member is called {name!r}. {suggestion(name, members)}")
        return members[name]

    @classmethod
    def from_values(cls, name: str, values: Mapping[str, Any]) -> Self:
        """Make a member from its name and its values.

        Parameters
        ----------
        name : str
            Name of the member.
        values : dict
            Values by name. What is missing is at its default.

        Returns
        -------
        Self
            The member.

        Raises
        ------
        UnknownName
            If there is no such member, or no such hyperparameter.
        InvalidValue
            If a value is outside its domain.
        """
        member = cls.named(name)
        known = list(member.known())
        for key in values:
            if key not in known:
                raise UnknownName(f"{member.__name__}: unknown hyperparameter {key!r}. {suggestion(key, known)}")
        return member(**values)
