"""A learning-rate schedule: a pure function of the step, its lengths given as fractions of training."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from optselect.errors import InvalidValue
from optselect.optim.hyperparameters import Declared
from optselect.util.lazy import ops

__all__ = [
    "Schedule",
    "Timed",
    "decay_arguments",
    "decay_recover",
    "float32",
    "fraction",
    "solve",
    "steps",
    "tidy",
]

Tensor = Any


class Schedule(Declared):
    """How the learning rate changes during training.

    The fields are fractions of the number of steps, so one schedule serves every length of training; `arguments` turns
    them into the arguments of the Keras class for a given length, and `rate` computes with those. A schedule that wraps
    another has a field `schedule: Schedule = wrapped(...)`.
    """

    common: ClassVar[bool] = False
    twin: ClassVar[str] = ""  # the Keras class that it equals; "" if Keras has none
    paper: ClassVar[str] = ""  # where it comes from; "" for Keras's own
    plain: ClassVar[bool] = False  # one number for the whole training, which Keras takes as it is
    watcher: ClassVar[str] = ""  # the Keras callback that changes that number by what validation tells; "" for none

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in self.parts[1:]:
            if part.watcher:
                raise InvalidValue(
                    f"{type(self).__name__}: cannot wrap {type(part).__name__}, which changes a plain number: Keras's "
                    "callback refuses an optimizer whose learning rate is a schedule."
                )

    @classmethod
    def class_path(cls) -> str:
        """The path of the class that a Keras optimizer takes.

        Returns
        -------
        str
            Keras's own class, or one of `optselect.optimizers.schedules` where Keras has none; "" if the rate is
            constant.
        """
        return "" if cls.plain else cls.twin or f"optselect.optimizers.schedules.{cls.__name__}"

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedule and those that it wraps, outermost first."""
        inner: Schedule | None = getattr(self, "schedule", None)
        return (self, *inner.parts) if inner is not None else (self,)

    @property
    def key(self) -> str:
        """The schedule and what it wraps in one word: "constant", "linear_warmup(cosine_decay)"."""
        names = [part.name for part in self.parts]
        return "(".join(names) + ")" * (len(names) - 1)

    def to_dict(self) -> dict[str, Any]:
        """Describe the schedule with JSON types.

        Returns
        -------
        dict
            Name and every hyperparameter; a wrapped schedule under "schedule".
        """
        own = {"name": self.name, **self.values()}
        return own if len(self.parts) == 1 else {**own, "schedule": self.parts[1].to_dict()}

    @classmethod
    def from_dict(cls, data: str | Mapping[str, Any]) -> Schedule:
        """Make a schedule from a name or from what `to_dict` returned.

        Parameters
        ----------
        data : str or dict
            Name of the schedule, or a dict with "name" and hyperparameters. What is missing is at its default.

        Returns
        -------
        Schedule
            The schedule.

        Raises
        ------
        UnknownName
            If there is no such schedule or hyperparameter.
        InvalidValue
            If a value is outside its domain.
        """
        values = {"name": data} if isinstance(data, str) else dict(data)
        name = values.pop("name", "")
        inner = {}
        if "schedule" in values and any(f.name == "schedule" for f in _fields(cls.named(name))):
            inner["schedule"] = cls.from_dict(values.pop("schedule"))
        return dataclasses.replace(cls.from_values(name, values), **inner)

    @classmethod
    def from_keras(cls, rate: Any, total_steps: int) -> tuple[float, Schedule]:
        """Translate the learning rate in the config of a Keras optimizer.

        Parameters
        ----------
        rate : float or dict
            A number or a serialized schedule.
        total_steps : int
            Number of steps of the training.

        Returns
        -------
        tuple of (float, Schedule)
            Learning rate and schedule.

        Raises
        ------
        InvalidValue
            If no schedule here is equal to it.
        """
        if not isinstance(rate, Mapping):
            constant = next(member for member in cls.members().values() if member.plain and not member.watcher)
            return constant.recover({"learning_rate": float(rate)}, total_steps)
        path = f"{rate['module']}.{rate['class_name']}"
        member = next((member for member in cls.members().values() if member.class_path() == path), None)
        if member is None:
            raise InvalidValue(f"`optimizer`: no schedule stands for {path}.")
        arguments = {name: value for name, value in rate["config"].items() if name != "name"}
        return member.recover(arguments, total_steps)

    def timed(self, learning_rate: float, total_steps: int) -> Timed:
        """Fix the length of the training.

        Parameters
        ----------
        learning_rate : float
            The learning rate that the schedule scales.
        total_steps : int
            Number of steps of the training.

        Returns
        -------
        Timed
            The schedule in steps, a function of the step.
        """
        return Timed(type(self), self.arguments(learning_rate, total_steps))

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        """The arguments of the Keras class.

        Parameters
        ----------
        learning_rate : float
            The learning rate that the schedule scales.
        total_steps : int
            Number of steps of the training.

        Returns
        -------
        dict
            Arguments by name.
        """
        raise NotImplementedError

    @staticmethod
    def rate(step: Tensor, **arguments: Any) -> Tensor:
        """Compute the learning rate.

        Parameters
        ----------
        step : tensor
            Integer tensor of any shape that counts from 0.
        **arguments : float or int
            Arguments as the Keras class takes them.

        Returns
        -------
        tensor
            Learning rates in float32, of the shape of `step`.
        """
        raise NotImplementedError

    def callbacks(self) -> list[Any]:
        """Make the Keras callbacks that change the learning rate during training.

        Returns
        -------
        list of keras.callbacks.Callback
            Fresh callbacks; none for schedules that are functions of the step.
        """
        module, _, name = self.watcher.rpartition(".")
        return [getattr(importlib.import_module(module), name)(**self.values())] if self.watcher else []

    def callbacks_code(self) -> list[str]:
        """The Python expressions of `callbacks`.

        Returns
        -------
        list of str
            Expressions, with what is not at its default.
        """
        changed = {name: value for name, value in self.values().items() if value != self.known()[name]}
        shown = (f"{name}={int(value) if value == int(value) else value!r}" for name, value in changed.items())
        return [f"{self.watcher}({', '.join(shown)})"] if self.watcher else []

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        """Translate arguments of the Keras class: the inverse of `arguments`.

        Parameters
        ----------
        arguments : dict
            Arguments by name.
        total_steps : int
            Number of steps of the training.

        Returns
        -------
        tuple of (float, Schedule)
            Learning rate and schedule.
        """
        raise NotImplementedError

    def rates(self, learning_rate: float, total_steps: int) -> Tensor:
        """Compute the learning rates of a whole training.

        Parameters
        ----------
        learning_rate : float
            The learning rate that the schedule scales.
        total_steps : int
            Number of steps of the training.

        Returns
        -------
        tensor
            Float32, shape (total_steps,).
        """
        return self.timed(learning_rate, total_steps)(ops.arange(total_steps, dtype="int64"))


@dataclasses.dataclass(frozen=True)
class Timed:
    """A schedule whose fractions have become steps: a function of the step. `arguments`: as `kind.rate` takes them."""

    kind: type[Schedule]
    arguments: Mapping[str, Any]

    def __call__(self, step: Tensor) -> Tensor:
        return self.kind.rate(step, **self.arguments)

    def built(self) -> Any:
        """What a Keras optimizer takes as its learning rate: a number or a `LearningRateSchedule`."""
        if self.kind.plain:
            return self.arguments["learning_rate"]
        module, _, name = self.kind.class_path().rpartition(".")
        arguments = {k: v.built() if isinstance(v, Timed) else v for k, v in self.arguments.items()}
        return getattr(importlib.import_module(module), name)(**arguments)

    def code(self) -> str:
        """The Python expression of `built`."""
        if self.kind.plain:
            return repr(self.arguments["learning_rate"])
        shown = (f"{k}={v.code() if isinstance(v, Timed) else repr(v)}" for k, v in self.arguments.items())
        return f"{self.kind.class_path()}({', '.join(shown)})"


def _fields(member: type[Schedule]) -> tuple[Any, ...]:
    return dataclasses.fields(member) if dataclasses.is_dataclass(member) else ()


def float32(value: Any) -> Tensor:
    """`value` as Keras computes a rate: float32."""
    return ops.cast(value, "float32")


def steps(share: float, total_steps: int) -> int:
    """That share of all steps, at least one.

    >>> steps(0.25, 10), steps(0.001, 10)
    (2, 1)
    """
    return max(1, round(share * total_steps))


def fraction(count: float, total_steps: int) -> float:
    """The inverse of `steps`, to twelve digits if they come back to the same whole number.

    >>> fraction(3, 10)
    0.3
    """
    near = float(f"{count / total_steps:.12g}")
    return near if round(near * total_steps) == count else count / total_steps


def tidy(value: float) -> float:
    """`value` without the noise of one multiplication; a number that is not short stays as it is.

    >>> 0.1 * 0.1, tidy(0.1 * 0.1), tidy(1 / 3)
    (0.010000000000000002, 0.01, 0.3333333333333333)
    """
    near = float(f"{value:.12g}")
    return near if abs(near - value) <= 4 * math.ulp(value) else value


def solve(make: Callable[[float], Any], derived: Any, guess: float) -> float:
    """The number beside `guess` of which `make` gives `derived` exactly, the shortest if there are several.

    >>> solve(lambda x: tidy(0.3 * x), 0.06, 0.06 / 0.3)
    0.2
    """
    around = [guess + k * math.ulp(guess) for k in range(-8, 9)]
    return next((x for x in [float(f"{guess:.12g}"), guess, *around] if make(x) == derived), guess)


def decay_arguments(schedule: Schedule, learning_rate: float, total_steps: int) -> dict[str, Any]:
    """`Schedule.arguments` of one whose only length is its field `decay_steps`."""
    values = schedule.values()
    length = steps(values.pop("decay_steps"), total_steps)
    return {"initial_learning_rate": learning_rate, "decay_steps": length, **values}


def decay_recover(cls: type[Schedule], arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
    """`Schedule.recover` of one whose only length is its field `decay_steps`."""
    own = {name: value for name, value in arguments.items() if name != "initial_learning_rate"}
    own["decay_steps"] = fraction(own["decay_steps"], total_steps)
    return arguments["initial_learning_rate"], cls(**own)
