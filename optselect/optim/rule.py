"""The update rule of an optimizer: pure functions on tensors, numbers in, numbers out."""

from __future__ import annotations

import dataclasses
import functools
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NoReturn

from optselect.optim.hyperparameters import Declared
from optselect.util.lazy import ops

__all__ = ["Rule", "Scalar", "Scaling", "Scope", "State", "Tensor", "Variable", "cast", "choose", "exact"]

Tensor = Any
State = dict[str, Tensor]


Scope = Literal["entry", "variable", "model"]


@dataclasses.dataclass(frozen=True)
class Variable:
    """What a rule may know about a variable besides its value.

    Parameters
    ----------
    path : str
        Path as Keras has it, such as "dense/kernel".
    shape : tuple of int
        Static shape.
    head : bool, default False
        Whether it belongs to the model's last layer.
    embedding : bool, default False
        Whether it is the table of an embedding.
    """

    path: str
    shape: tuple[int, ...]
    head: bool = False
    embedding: bool = False


@dataclasses.dataclass(frozen=True)
class Scaling:
    """How hyperparameters follow the batch size so that training takes the same course over the same examples.

    The scaling holds where the noise of a gradient outweighs its mean, so that the gradient of a batch s times as large
    is √s times smaller. Names that a rule does not have are ignored.

    Parameters
    ----------
    powers : dict of str to float, optional
        The power of the batch size with which a hyperparameter grows. Learning rate: 1 where a step is proportional to
        the gradients, or to a mean of gradients divided by the norm of that mean; 1/2 where each gradient is divided by
        the size of single gradients; 0 (left out) where it is divided by a sum over all steps, or where the rule finds
        its own step size.
    means : tuple of str, default ("beta_1", "beta_2", "beta_3", "rho")
        Decay rates of averages over steps, which keep their length in examples.
    decays : tuple of str, default ("weight_decay",)
        Weight decays that act times the learning rate, which keep their timescale in epochs.
    steps : tuple of str, default ()
        Hyperparameters that count steps.

    Notes
    -----
    Malladi et al. 2022, arXiv:2205.10287; weight decay: Wang & Aitchison 2024, arXiv:2405.13698.
    """

    powers: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"learning_rate": 0.5, "epsilon": -0.5})
    means: tuple[str, ...] = ("beta_1", "beta_2", "beta_3", "rho")
    decays: tuple[str, ...] = ("weight_decay",)
    steps: tuple[str, ...] = ()


class Rule(Declared):
    """The update rule of an optimizer; one subclass per module of `optselect.optim.rules`.

    A rule is written for one variable. `init(param)` makes its slots, the state by name before the first step; `update`
    returns the new variable and slots. Inside `update` the hyperparameters are Python numbers or, in a traced program,
    `Scalar` objects: write arithmetic, `choose` for flags, and `cast` where Keras casts.

    The class attribute `scope` says what an entry's step depends on: "entry" (only itself: variables may be joined or
    split at will), "variable" (its variable: norms, shapes) or "model" (everything: `update` gets all variables joined
    in one vector). A rule that wraps another has a field `rule: Rule = wrapped(...)` and no learning rate of its own.
    """

    paper: ClassVar[str] = ""
    references: ClassVar[str] = ""  # the libraries whose numbers it gives, where Keras has none
    twin: ClassVar[str] = ""  # the Keras class that it equals, "keras.optimizers.Adam"; "" if Keras has none
    # Where it equals its twin: values of its own fields, and of arguments of the twin that it has no field for.
    twin_at: ClassVar[Mapping[str, Any]] = {}
    twin_dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")  # of variables that the twin can step
    # The paper's defaults, where they are not those here, which are Keras's.
    published: ClassVar[Mapping[str, Any]] = {}
    # The twin's slots in the order in which it makes them: those of one tuple variable by variable, tuple after tuple;
    # () for all in one tuple. `twin_fills`: those that the twin makes for every variable, also where the rule has none.
    twin_slots: ClassVar[tuple[tuple[str, ...], ...]] = ()
    twin_fills: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[tuple[str, ...]] = ()  # scalar slots that are the same number for every variable
    sees_head: ClassVar[bool] = False  # `for_variable` asks whether a variable belongs to the model's head
    needs_rate: ClassVar[bool] = False  # it divides by the learning rate, which must never be zero
    neutral: ClassVar[Mapping[str, Any]] = {}  # of a wrapper: numbers with which it does what the wrapped rule does
    exempt: ClassVar[Mapping[str, str]] = {}  # checks of `optselect.testing` that it breaks by design, with the reason
    scope: ClassVar[Scope] = "entry"
    scaling: ClassVar[Scaling] = Scaling()
    good_for: ClassVar[str] = ""  # one honest sentence: where it is worth a try
    weakness: ClassVar[str] = ""  # and one: where it disappoints

    def init(self, param: Tensor) -> State:
        """Make the slots before the first step.

        Parameters
        ----------
        param : tensor
            The variable, any shape.

        Returns
        -------
        dict of str to tensor
            Slots by name. Those of an "entry" rule have the shape of `param` or are scalars.
        """
        raise NotImplementedError

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        """Take one step.

        Parameters
        ----------
        grad : tensor
            Gradient, of the shape and dtype of `param`.
        param : tensor
            The variable, any shape.
        state : dict of str to tensor
            Slots by name.
        step : tensor
            Integer scalar that counts from 1.

        Returns
        -------
        tuple of (tensor, dict of str to tensor)
            The new variable and the new slots, with names, shapes and dtypes as before.
        """
        raise NotImplementedError

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        """The weights at which the model is evaluated and saved, if they are not those at which gradients are taken.

        Parameters
        ----------
        param : tensor
            The variable.
        state : dict of str to tensor
            Slots by name.

        Returns
        -------
        tensor
            The weights, of the shape of `param`.
        """
        return param

    def unused(self, param: Tensor) -> tuple[str, ...]:
        """Slots that `update` never depends on with the present hyperparameters, which are Python numbers.

        A Keras optimizer keeps no variable for them.

        Parameters
        ----------
        param : tensor
            The variable; only its shape matters.

        Returns
        -------
        tuple of str
            Names of the slots.
        """
        return ()

    def rests(self) -> bool:
        """Return whether a row without a gradient, along the first axis, stays as it is together with its state.

        If so, a Keras optimizer steps only the rows that a sparse gradient names. Slots of the variable's shape are
        then read and written by row, and any other slot must be a scalar.

        Returns
        -------
        bool
            Whether it does.
        """
        return False

    def for_variable(self, variable: Variable) -> Rule:
        """The rule that steps a variable: this rule, or another where this one does not fit the variable.

        Parameters
        ----------
        variable : Variable
            The variable.

        Returns
        -------
        Rule
            The rule.
        """
        return self

    @classmethod
    def of_twin(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Translate arguments of the equal Keras class into arguments of this rule.

        Parameters
        ----------
        arguments : dict
            Arguments as the Keras class takes them.

        Returns
        -------
        dict
            Those that this rule has. None for a weight decay becomes 0.
        """
        own = cls.known()
        return {
            name: 0.0 if value is None and name.endswith("weight_decay") else value
            for name, value in arguments.items()
            if name in own
        }

    def twin_arguments(self) -> dict[str, Any] | None:
        """The arguments with which the equal Keras class does what this rule does.

        Returns
        -------
        dict or None
            Arguments by name; None if the Keras class cannot do it.
        """
        own = {**self.values(), **self.chosen()}
        equal = all(own[name] == value for name, value in self.twin_at.items() if name in own)
        return {k: v for k, v in own.items() if k not in self.twin_at} if self.twin and equal else None

    @property
    def parts(self) -> tuple[Rule, ...]:
        """The rule and those that it wraps, outermost first."""
        inner: Rule | None = getattr(self, "rule", None)
        return (self, *inner.parts) if inner is not None else (self,)

    @property
    def base(self) -> Rule:
        """The innermost rule: the one with the learning rate."""
        return self.parts[-1]

    @property
    def rate(self) -> Any:
        """The learning rate, of a wrapper that of the innermost rule."""
        return self.base.values()["learning_rate"]

    @property
    def rate_name(self) -> str:
        """What the learning rate is called in `named_numbers`.

        >>> from optselect.optim.rules import parse
        >>> parse("adam").rate_name, parse("lookahead(adam)").rate_name
        ('learning_rate', 'rule.learning_rate')
        """
        return f"{[*self.named_parts()][-1]}learning_rate"

    def named_parts(self) -> dict[str, Rule]:
        """This rule and the rules that it wraps, by the prefix of the names of their hyperparameters and slots.

        Returns
        -------
        dict of str to Rule
            Rules by prefix: "", "rule.", "rule.rule.", ...
        """
        return {"rule." * depth: part for depth, part in enumerate(self.parts)}

    @property
    def reach(self) -> Scope:
        """The widest scope among the rule and those that it wraps."""
        order: list[Scope] = ["entry", "variable", "model"]
        return max((part.scope for part in self.parts), key=order.index)

    @property
    def key(self) -> str:
        """The rule and what it wraps in one word: "adam", "lookahead(adam)"."""
        return functools.reduce(lambda inner, part: f"{part.name}({inner})", self.parts[-2::-1], self.base.name)

    @classmethod
    def wraps(cls) -> bool:
        """Return whether rules of this class wrap another rule.

        Returns
        -------
        bool
            Whether they do.
        """
        return any(field.name == "rule" for field in (dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()))

    def to_dict(self) -> dict[str, Any]:
        """Describe the rule with JSON types.

        Returns
        -------
        dict
            Name and every hyperparameter; a wrapped rule under "rule".
        """
        inner = {"rule": self.parts[1].to_dict()} if self.wraps() else {}
        return {"name": self.name, **self.recorded(), **inner}

    @classmethod
    def from_dict(cls, data: str | Mapping[str, Any]) -> Rule:
        """Make a rule from a name or from what `to_dict` returned.

        Parameters
        ----------
        data : str or dict
            Name of the rule, or a dict with "name" and hyperparameters. What is missing is at its default.

        Returns
        -------
        Rule
            The rule.

        Raises
        ------
        UnknownName
            If there is no such rule or hyperparameter.
        InvalidValue
            If a value is outside its domain.
        """
        values = {"name": data} if isinstance(data, str) else dict(data)
        name = values.pop("name", "")
        inner = {"rule": cls.from_dict(values.pop("rule"))} if cls.named(name).wraps() and "rule" in values else {}
        return dataclasses.replace(cls.from_values(name, values), **inner)

    def replaced(self, **values: Any) -> Rule:
        """Copy the rule with some hyperparameters changed.

        Parameters
        ----------
        **values : float or bool
            New values by name; each is set in the outermost rule that has it.

        Returns
        -------
        Rule
            The new rule.

        Raises
        ------
        InvalidValue
            If a value is outside its domain.
        """
        own = {h.name: values.pop(h.name) for h in self.hypers() if h.name in values}
        if values:
            own["rule"] = self.parts[1].replaced(**values)
        return dataclasses.replace(self, **own)

    def named_numbers(self) -> dict[str, Any]:
        """All hyperparameters, those of wrapped rules included.

        Returns
        -------
        dict
            Values by name, with "rule." before the names of a wrapped rule, in the order of `numbers`.
        """
        return {
            prefix + name: value for prefix, part in self.named_parts().items() for name, value in part.values().items()
        }

    def numbers(self) -> tuple[Any, ...]:
        """The values of all hyperparameters.

        Returns
        -------
        tuple
            Values, those of the outermost rule first.
        """
        return tuple(value for part in self.parts for value in part.values().values())

    def with_numbers(self, values: Iterable[Any], learning_rate: Any = None) -> Rule:
        """Copy the rule with other hyperparameters, which are not checked and may be tensors.

        Parameters
        ----------
        values : iterable of float or tensor
            Values in the order of `numbers`.
        learning_rate : float or tensor, optional
            Replaces the learning rate among `values`.

        Returns
        -------
        Rule
            The new rule.
        """
        rest = iter(values)
        parts = [(type(part), {**{h.name: next(rest) for h in part.hypers()}, **part.chosen()}) for part in self.parts]
        if learning_rate is not None:
            parts[-1][1]["learning_rate"] = learning_rate
        return functools.reduce(
            lambda inner, part: part[0].unchecked(**part[1], rule=inner),
            parts[-2::-1],
            parts[-1][0].unchecked(**parts[-1][1]),
        )


class Scalar:
    """A number known at run time that takes the dtype of the tensor it meets, as a Python float does.

    It holds a float64 tensor, so `1 - beta` is computed in float64 and rounded once, when it meets a float32 tensor: 1
    - 0.999 is then 0.001 to the last bit, not 0.00100005. Keras computes the same with Python floats. It has no truth
    value and cannot be compared; use `choose` instead.

    Parameters
    ----------
    value : tensor
        Scalar, float64 or bool.
    """

    __slots__ = ("value",)
    __array_priority__ = 1000

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def to(self, dtype: Any) -> Tensor:
        """Convert the number to a tensor, rounded once.

        Parameters
        ----------
        dtype : str or DType
            Dtype of the tensor.

        Returns
        -------
        tensor
            Scalar tensor.
        """
        return ops.cast(self.value, dtype)

    def _meet(self, other: Any, operate: Any) -> Any:
        if isinstance(other, Scalar):
            return Scalar(operate(self.value, other.value))
        if isinstance(other, numbers.Real):
            return Scalar(operate(self.value, float(other)))
        return operate(self.to(other.dtype), other)

    def __add__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b**a)

    def __neg__(self) -> Scalar:
        return Scalar(-self.value)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "A hyperparameter is a tensor in a compiled program, and Python cannot branch on it: instead of "
            "`a if self.flag else b`, or of `and`, `or` and `not`, write `choose(self.flag, a, b)` with "
            "`optselect.optim.choose`."
        )

    def _no_comparison(self, other: object) -> NoReturn:
        raise TypeError(
            "A hyperparameter is a tensor in a compiled program, and Python cannot compare it: instead of "
            "`a if self.number == 0 else b` write `ops.where(exact(self.number, param.dtype) == 0, a, b)` with "
            "`optselect.optim.exact` and `keras.ops.where`."
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no_comparison
    __hash__ = object.__hash__


def cast(value: Any, dtype: Any) -> Tensor:
    """Convert a hyperparameter to a tensor the way Keras does: through float32, also to float64.

    Parameters
    ----------
    value : float or tensor or Scalar
        The hyperparameter.
    dtype : str or DType
        Dtype of the tensor.

    Returns
    -------
    tensor
        The tensor.

    Notes
    -----
    `keras.ops.cast(0.9, "float64")` is 0.8999999761581421: a number passes through Keras's float type first.

    Examples
    --------
    >>> float(cast(0.9, "float64"))
    0.8999999761581421
    """
    if isinstance(value, Scalar):
        return ops.cast(ops.cast(value.value, "float32"), dtype)
    return ops.cast(value, dtype)


def exact(value: Any, dtype: Any) -> Tensor:
    """Convert a hyperparameter to a tensor, rounded once, for functions that do not accept a `Scalar`.

    Parameters
    ----------
    value : float or tensor or Scalar
        The hyperparameter.
    dtype : str or DType
        Dtype of the tensor.

    Returns
    -------
    tensor
        The tensor.

    Examples
    --------
    >>> float(exact(0.9, "float64"))
    0.9
    """
    return value.to(dtype) if isinstance(value, Scalar) else ops.convert_to_tensor(value, dtype=dtype)


def choose(flag: Any, yes: Tensor, no: Tensor) -> Tensor:
    """Choose between two values by a flag, which may be known only at run time.

    Parameters
    ----------
    flag : bool or Scalar
        The flag.
    yes : tensor
        The value if the flag is true.
    no : tensor
        The value if the flag is false.

    Returns
    -------
    tensor
        One of the two.

    Examples
    --------
    >>> choose(True, 1.0, 2.0)
    1.0
    """
    if isinstance(flag, Scalar):
        return ops.where(flag.value, yes, no)
    return yes if flag else no
