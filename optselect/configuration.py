"""A configuration: rule, hyperparameters, schedule, clipping and batch size; to Keras, to code, to JSON, and back."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from optselect.clipping import CLIPPINGS, Clipping, NoClipping
from optselect.errors import InvalidValue, UnknownName, suggestion
from optselect.rule import Rule
from optselect.rules import RULES
from optselect.schedules import Constant, Schedule

__all__ = ["BASELINE", "Configuration"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about how to optimise, nothing about what.

    batch_size: rows a step, 1 (stochastic) up to the whole training set (batch gradient descent).

    >>> from optselect.rules.adam import Adam
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

    # -- JSON -------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; every hyperparameter in full, so that a later change of a default changes nothing."""
        return {
            "optimizer": {"name": self.rule.name, **self.rule.values()},
            "schedule": self.schedule.to_dict(),
            "clipping": {"name": self.clipping.name, **self.clipping.values()},
            "batch_size": self.batch_size,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Configuration:
        """The inverse of `to_dict`; what is left out takes its default.

        Raises `UnknownName` or `InvalidValue`.
        """
        known = ["optimizer", "schedule", "clipping", "batch_size"]
        for key in data:
            if key not in known:
                raise UnknownName(f"Configuration: unknown key {key!r}. {suggestion(key, known)}")

        def member(family: type[Any], part: Any) -> Any:
            values = {"name": part} if isinstance(part, str) else dict(part)
            return family.from_values(values.pop("name", ""), values)

        return cls(
            rule=member(Rule, data.get("optimizer", {})),
            schedule=Schedule.from_dict(data.get("schedule", "constant")),
            clipping=member(Clipping, data.get("clipping", "none")),
            batch_size=data.get("batch_size", 32),
        )

    def to_json(self) -> str:
        """One line of JSON; floats round-trip exactly."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """The inverse of `to_json`."""
        return cls.from_dict(json.loads(text))

    # -- Keras ------------------------------------------------------------------------------------------------

    def optimizer(self, *, total_steps: int) -> Any:
        """A fresh Keras optimizer. `total_steps`: all steps of the training, for the schedule's length."""
        arguments = self._keras_arguments()
        rate = self.schedule.timed(self._learning_rate, total_steps).built()
        return _keras_class(self.rule.twin)(learning_rate=rate, **arguments)

    def code(self, *, total_steps: int) -> str:
        """The Python expression that makes the same Keras optimizer.

        It needs `import keras`; what Keras has not is in `optselect.schedule_classes`.
        """
        rate = self.schedule.timed(self._learning_rate, total_steps).code()
        defaults = {h.name: h.default for h in self.rule.hypers()}
        shown = {k: v for k, v in self._keras_arguments().items() if v != defaults.get(k)}
        return _call(self.rule.twin, {"learning_rate": _Raw(rate), **shown})

    @classmethod
    def from_optimizer(cls, optimizer: Any, *, total_steps: int, batch_size: int) -> Configuration:
        """What a stock Keras optimizer does, as a configuration. `total_steps` turns its schedule into fractions.

        Raises `InvalidValue` for an optimizer or an argument that no rule here stands for.
        """
        config = optimizer.get_config()
        path = f"keras.optimizers.{type(optimizer).__name__}"
        member = next((rule for rule in RULES.values() if rule.twin == path), None)
        if member is None:
            twins = sorted(rule.twin for rule in RULES.values())
            raise InvalidValue(f"`optimizer`: no rule stands for {path}. Known: {', '.join(twins)}.")
        own = [declared.name for declared in member.hypers()]
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
            rule=member(**{**{k: config[k] for k in own}, "learning_rate": learning_rate}),
            schedule=fitted,
            clipping=clips[0] if clips else NoClipping(),
            batch_size=batch_size,
        )

    def _keras_arguments(self) -> dict[str, Any]:
        own = {k: v for k, v in self.rule.values().items() if k != "learning_rate"}
        return {**own, **self.clipping.values()}

    @property
    def _learning_rate(self) -> float:
        return float(self.rule.values()["learning_rate"])

    # -- for people -------------------------------------------------------------------------------------------

    def changed(self) -> dict[str, Any]:
        """What differs from the defaults, the learning rate always, by flat name: for tables and MLflow."""
        flat: dict[str, Any] = {}
        schedules = ((part, "schedule_" * depth) for depth, part in enumerate(self.schedule.parts, start=1))
        for part, prefix in ((self.rule, ""), *schedules, (self.clipping, "")):
            for h in part.hypers():
                value = getattr(part, h.name)
                if h.name == "learning_rate" or part is self.clipping or value != h.default:
                    flat[prefix + h.name] = value
        return flat

    def __str__(self) -> str:
        parts = [f"{k.removeprefix('schedule_')} {_short(v)}" for k, v in self.changed().items()]
        if not isinstance(self.schedule, Constant):
            parts.insert(1, self.schedule.key)
        return f"{type(self.rule).__name__} ({', '.join([*parts, f'batch {self.batch_size}'])})"


# What everyone has without a search: Keras's Adam as it comes. Every verdict is measured against it.
BASELINE = Configuration(rule=RULES["adam"]())


class _Raw(str):
    """Text that `_call` puts as it is."""


def _call(path: str, arguments: Mapping[str, Any]) -> str:
    shown = (f"{k}={v if isinstance(v, _Raw) else repr(v)}" for k, v in arguments.items())
    return f"{path}({', '.join(shown)})"


def _keras_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower()
