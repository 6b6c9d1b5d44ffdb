"""A configuration: rule, hyperparameters, schedule, clipping and batch size; to Keras, to code, to JSON, and back."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.clipping import CLIPPINGS, Clipping, NoClipping
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.optim.schedules import Constant, Schedule
from optselect.util.suggestion import suggestion

__all__ = ["BASELINE", "Configuration", "rule_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about how to optimize a model: optimizer, hyperparameters, schedule, clipping and batch size.

    Parameters
    ----------
    rule : Rule
        The update rule with its hyperparameters.
    schedule : Schedule, optional
        How the learning rate changes during training. Default: it is constant.
    clipping : Clipping, optional
        How gradients are clipped. Default: they are not.
    batch_size : int, default 32
        Rows per step, from 1 (stochastic) to the whole training set (batch gradient descent).

    Raises
    ------
    InvalidValue
        If the batch size is not a whole number from 1.

    Examples
    --------
    >>> from optselect.optim.rules.adam import Adam
    >>> configuration = Configuration(rule=Adam(learning_rate=0.002), batch_size=64)
    >>> print(configuration)
    Adam (learning_rate 0.002, batch 64)
    >>> Configuration.from_json(configuration.to_json()) == configuration
    True
    >>> print(configuration.code(total_steps=100))
    keras.optimizers.Adam(learning_rate=0.002)
    """

    rule: Rule
    schedule: Schedule = dataclasses.field(default_factory=Constant)
    clipping: Clipping = dataclasses.field(default_factory=NoClipping)
    batch_size: int = 32

    def __post_init__(self) -> None:
        size = self.batch_size
        if isinstance(size, bool) or int(size) != size or size < 1:
            raise InvalidValue(f"Configuration: `batch_size` must be a whole number from 1, got {size!r}.")
        object.__setattr__(self, "batch_size", int(size))

    @property
    def learning_rate(self) -> float:
        """The learning rate that the schedule starts from or rises to."""
        return float(self.rule.rate)

    def steps_per_epoch(self, rows: int) -> int:
        """The number of steps per epoch.

        Parameters
        ----------
        rows : int
            Number of training rows.

        Returns
        -------
        int
            Steps; the last batch may be smaller.

        Examples
        --------
        >>> Configuration(rule=RULES["adam"](), batch_size=32).steps_per_epoch(100)
        4
        """
        return -(-rows // self.batch_size)

    # -- JSON -------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Describe the configuration with JSON types.

        Returns
        -------
        dict
            Every hyperparameter is included, so that a later change of a default changes nothing.
        """
        return {
            "optimizer": self.rule.to_dict(),
            "schedule": self.schedule.to_dict(),
            "clipping": {"name": self.clipping.name, **self.clipping.values()},
            "batch_size": self.batch_size,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Configuration:
        """Make a configuration from what `to_dict` returned.

        Parameters
        ----------
        data : dict
            The keys "optimizer", "schedule", "clipping" and "batch_size"; what is missing is at its default.

        Returns
        -------
        Configuration
            The configuration.

        Raises
        ------
        UnknownName
            If a key, an optimizer, a schedule or a hyperparameter is unknown.
        InvalidValue
            If a value is outside its domain.
        """
        known = ["optimizer", "schedule", "clipping", "batch_size"]
        for key in data:
            if key not in known:
                raise UnknownName(f"Configuration: unknown key {key!r}. {suggestion(key, known)}")

        clipping = data.get("clipping", "none")
        values = {"name": clipping} if isinstance(clipping, str) else dict(clipping)
        return cls(
            rule=Rule.from_dict(data.get("optimizer", {})),
            schedule=Schedule.from_dict(data.get("schedule", "constant")),
            clipping=Clipping.from_values(values.pop("name", ""), values),
            batch_size=data.get("batch_size", 32),
        )

    def to_json(self) -> str:
        """Describe the configuration as JSON.

        Returns
        -------
        str
            One line; numbers are read back exactly.
        """
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Make a configuration from what `to_json` returned.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Configuration
            The configuration.
        """
        return cls.from_dict(json.loads(text))

    # -- Keras ------------------------------------------------------------------------------------------------

    def optimizer(self, *, total_steps: int) -> Any:
        """Make a fresh Keras optimizer: Keras's own class, or one of `optselect.optimizers` where Keras has none.

        Parameters
        ----------
        total_steps : int
            Number of steps of the training, for the length of the schedule.

        Returns
        -------
        keras.optimizers.Optimizer
            The optimizer.
        """
        rate = self.schedule.timed(self.learning_rate, total_steps).built()
        module, _, name = _home(self.rule).rpartition(".")
        made = getattr(importlib.import_module(module), name)
        inner = {"rule": self.rule.parts[1]} if self.rule.wraps() else {}
        return made(**inner, learning_rate=rate, **self._more_arguments())

    def code(self, *, total_steps: int) -> str:
        """The Python expression that makes the same Keras optimizer.

        Parameters
        ----------
        total_steps : int
            Number of steps of the training, for the length of the schedule.

        Returns
        -------
        str
            An expression, to be placed after the lines of `imports`.
        """
        rate = self.schedule.timed(self.learning_rate, total_steps).code()
        inner = {"rule": _wrapped(self.rule.parts[1])} if self.rule.wraps() else {}
        return _call(_home(self.rule), {**inner, "learning_rate": _Raw(rate), **self._more_arguments()})

    def callbacks(self) -> list[Any]:
        """Make the Keras callbacks that `model.fit` needs beside the optimizer.

        Returns
        -------
        list of keras.callbacks.Callback
            Fresh callbacks; none unless the schedule goes by the validation loss.
        """
        return self.schedule.callbacks()

    def callbacks_code(self) -> list[str]:
        """The Python expressions of `callbacks`.

        Returns
        -------
        list of str
            Expressions, to be placed after `import keras`.

        Examples
        --------
        >>> from optselect.optim.schedules.reduce_on_plateau import ReduceOnPlateau
        >>> Configuration(rule=RULES["adam"](), schedule=ReduceOnPlateau(factor=0.5)).callbacks_code()
        ['keras.callbacks.ReduceLROnPlateau(factor=0.5)']
        """
        return self.schedule.callbacks_code()

    @property
    def imports(self) -> list[str]:
        """The lines that `code` needs before it.

        >>> from optselect.optim.rules.radam import RAdam
        >>> configuration = Configuration(rule=RAdam(learning_rate=0.002))
        >>> configuration.imports, configuration.code(total_steps=100)
        (['from optselect import optimizers'], 'optimizers.RAdam(learning_rate=0.002)')
        """
        schedules = [part.class_path() for part in self.schedule.parts]
        classes = [_home(self.rule), *schedules]
        lines = {
            "import keras": "keras.",
            "import optselect.optimizers.schedules": "optselect.optimizers.schedules.",
            "from optselect import optimizers": "optselect.optimizers.",
        }
        return [line for line, start in lines.items() if any(path.startswith(start) for path in classes)]

    @classmethod
    def from_optimizer(cls, optimizer: Any, *, total_steps: int, batch_size: int) -> Configuration:
        """Translate an optimizer of Keras or of `optselect.optimizers` into a configuration.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer
            The optimizer.
        total_steps : int
            Number of steps of the training, to turn its schedule into fractions.
        batch_size : int
            Rows per step.

        Returns
        -------
        Configuration
            The configuration.

        Raises
        ------
        InvalidValue
            If no rule here is equal to the optimizer, or if an argument has no place in a configuration.
        """
        config = optimizer.get_config()
        ours = isinstance(getattr(optimizer, "rule", None), Rule)
        path, rule = _path(optimizer), optimizer.rule if ours else rule_of(optimizer)
        own = {name for part in rule.parts for name in (*part.values(), *part.chosen())}
        own |= {"rule"} if ours else set(rule.twin_at)
        if "weight_decay" in own and config["weight_decay"] is not None:
            rule = rule.replaced(weight_decay=config["weight_decay"])
        ignored = {"name", "learning_rate", *own, *(h.name for c in CLIPPINGS.values() for h in c.hypers())}
        unset = (None, False) if config.get("use_ema") is False else (None,)
        for key, value in config.items():
            if key not in ignored and value not in unset and key != "ema_momentum":
                raise InvalidValue(f"`optimizer`: {path} has {key}={value!r}, which a configuration cannot hold.")
        rate = config["learning_rate"]
        if not isinstance(rate, dict):
            # Keras keeps a plain rate as a float32 variable: take the shortest number that rounds to it.
            import numpy as np

            rate = float(str(np.float32(rate)))
        learning_rate, fitted = Schedule.from_keras(rate, total_steps)
        clips: list[Clipping] = [
            clip(**{h.name: config[h.name] for h in clip.hypers()})
            for clip in CLIPPINGS.values()
            if clip.hypers() and all(config.get(h.name) for h in clip.hypers())
        ]
        return cls(
            rule=rule.replaced(learning_rate=learning_rate),
            schedule=fitted,
            clipping=clips[0] if clips else NoClipping(),
            batch_size=batch_size,
        )

    def _more_arguments(self) -> dict[str, Any]:
        """What the optimizer is given beyond wrapped rule and learning rate; the rest is at its default."""
        return {**_changed(self.rule, self.rule.twin_arguments()), **self.clipping.values()}

    # -- for people -------------------------------------------------------------------------------------------

    def changed(self) -> dict[str, Any]:
        """What differs from the defaults, by flat name, for tables and MLflow.

        Returns
        -------
        dict
            The learning rate always and first; a hyperparameter of a wrapped rule has "rule." before its name, the
            learning rate excepted.
        """
        flat: dict[str, Any] = {"learning_rate": self.learning_rate}
        rules = ((part, prefix) for prefix, part in self.rule.named_parts().items())
        schedules = ((part, "schedule_" * depth) for depth, part in enumerate(self.schedule.parts, start=1))
        for part, prefix in (*rules, *schedules, (self.clipping, "")):
            for h in part.hypers():
                value = getattr(part, h.name)
                if h.name != "learning_rate" and (part is self.clipping or value != h.default):
                    flat[prefix + h.name] = value
        return flat

    def __str__(self) -> str:
        parts = [f"{k.removeprefix('schedule_')} {_short(v)}" for k, v in self.changed().items()]
        if not isinstance(self.schedule, Constant):
            parts.insert(1, self.schedule.key)
        names = [type(part).__name__ for part in self.rule.parts]
        who = "(".join(names) + ")" * (len(names) - 1)
        return f"{who} ({', '.join([*parts, f'batch {self.batch_size}'])})"


# What everyone has without a search: Keras's Adam as it comes. Every verdict is measured against it.
BASELINE = Configuration(rule=RULES["adam"]())


class _Raw(str):
    """Text that `_call` puts as it is."""


def _home(rule: Rule) -> str:
    """The path of the class that steps a rule: its twin, or ours where none equals it."""
    return rule.twin if rule.twin_arguments() is not None else f"optselect.optimizers.{type(rule).__name__}"


def _changed(rule: Rule, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Those of a rule's values, or of `values`, that are not at their default; without the learning rate."""
    defaults = rule.known()
    given = {**rule.values(), **rule.chosen()} if values is None else values
    return {name: value for name, value in given.items() if name != "learning_rate" and value != defaults[name]}


def _call(path: str, arguments: Mapping[str, Any]) -> str:
    shown = (f"{k}={v if isinstance(v, _Raw) else repr(v)}" for k, v in arguments.items())
    return f"{path.removeprefix('optselect.')}({', '.join(shown)})"


def _wrapped(rule: Rule) -> str:
    """A wrapped rule in code: its key if nothing but the learning rate, which the wrapper takes, is changed."""
    plain = parse(rule.key)
    if rule.replaced(learning_rate=plain.rate) == plain:
        return rule.key
    inner = {"rule": _wrapped(rule.parts[1])} if rule.wraps() else {}
    return _Raw(_call(f"optselect.optimizers.{type(rule).__name__}", {**inner, **_changed(rule)}))


def _path(optimizer: Any) -> str:
    module = type(optimizer).__module__
    return f"{'keras.optimizers' if module.startswith('keras.') else module}.{type(optimizer).__name__}"


def rule_of(optimizer: Any, what: str = "`optimizer`") -> Rule:
    """The rule that does what an optimizer of `keras.optimizers` does, everything but the learning rate as there.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
    what : str, default "`optimizer`"
        What the optimizer is called in an error.

    Returns
    -------
    Rule

    Raises
    ------
    InvalidValue
        If no rule does what the optimizer's class does, or does with these arguments.

    Examples
    --------
    >>> import keras
    >>> rule_of(keras.optimizers.SGD(momentum=0.5)).momentum
    0.5
    """
    path, config = _path(optimizer), optimizer.get_config()
    member = next((rule for rule in RULES.values() if rule.twin == path), None)
    if member is None:
        twins = sorted(rule.twin for rule in RULES.values() if rule.twin)
        raise InvalidValue(f"{what}: no rule stands for {path}. Known: {', '.join(twins)}.")
    for key, value in member.twin_at.items():
        if config.get(key) not in (value, None):
            raise InvalidValue(f"{what}: {path} has {key}={config[key]!r}, which no rule here does in the same way.")
    fixed = {name: value for name, value in member.twin_at.items() if name in member.known()}
    given = member.of_twin({name: value for name, value in config.items() if name != "learning_rate"})
    return member(**{**given, **fixed})


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower()
