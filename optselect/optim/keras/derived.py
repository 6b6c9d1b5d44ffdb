"""The Keras optimizer that steps a rule, and the classes made of it."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from optselect.errors import InvalidValue
from optselect.optim import stepping
from optselect.optim.configuration import rule_of
from optselect.optim.keras.class_docs import document
from optselect.optim.keras.declaration import bind, names, signature
from optselect.optim.keras.slots import Slots, read
from optselect.optim.rule import Rule
from optselect.optim.rules import parse
from optselect.util.lazy import ops

__all__ = ["Derived", "derive", "is_optimizer"]

Tensor = Any
_FACE = "optselect.optimizers"  # where users, and saved models, find the classes
_KEPT_BY_KERAS = ("learning_rate", "weight_decay")


class Derived(keras.optimizers.Optimizer):  # type: ignore[misc]
    """What the classes share. `kind`: the rule of the class; `rule`: with the numbers of this optimizer.

    Every hyperparameter is an attribute, as in Keras's classes. Repeated rows of a sparse gradient are summed first; it
    is made dense unless the rule leaves alone what has no gradient. A variable without a gradient stays where it is.
    """

    kind: ClassVar[type[Rule]]
    rule: Rule
    weight_decay: Any  # a number, None, or a variable that a callback moves

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = bind(self.kind, args, kwargs)
        rule, rate = _rule(self.kind, given)
        super().__init__(learning_rate=rate, **{name: given[name] for name in names(self.kind)})
        self.rule = rule
        self._head_layers = tuple(given.get("head_layers") or ())
        if _has_decay(rule):
            inside = next(p.values()["weight_decay"] for p in rule.parts if "weight_decay" in p.values())
            self.weight_decay = inside if given["weight_decay"] is not None or self.kind.wraps() else None
        if self.kind.twin_fills:
            # A checkpoint names variables by their index, and Keras's class has some that this one does not need.
            self._places = tf.__internal__.tracking.AutoTrackable()
            self._track_trackable(self._places, name="_variables", overwrite=True)
            self._place(dict(enumerate(self.variables)))

    def __getattr__(self, name: str) -> Any:
        for part in _parts_with(self.__dict__.get("rule"), name):
            return getattr(part, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _KEPT_BY_KERAS and _parts_with(self.__dict__.get("rule"), name):
            self._change(name, value)
        else:
            super().__setattr__(name, value)

    def _change(self, name: str, value: Any) -> None:
        """Set a hyperparameter, as a callback does between two steps."""
        rule = self.rule.replaced(**{name: value})
        if self.built:
            mine = self._mine()
            before, after = (stepping.unused(r, mine, self._facts) for r in (self.rule, rule))
            if before != after:
                raise InvalidValue(
                    f"{self._who}: `{name}` cannot become {value!r} after the first step, for the optimizer was built "
                    f"with other variables. Make a new optimizer."
                )
        super().__setattr__("rule", rule)

    # -- state ------------------------------------------------------------------------------------------------

    def build(self, variables: Sequence[Any]) -> None:
        """Make the slots. `variables`: the trainable ones, in the model's order."""
        if self.built:
            return
        with tf.init_scope():  # a first step inside a tf.function builds too
            super().build(variables)
            self._stepped = tuple(i for i, v in enumerate(variables) if not self._overwrite_variable_with_gradient(v))
            mine = [variables[i] for i in self._stepped]
            self._facts = tuple(stepping.facts(mine, self._head_layers))
            self._decays = tuple(self._use_weight_decay(v) for v in mine)
            if self._joined and _has_decay(self.rule) and not all(self._decays):
                raise InvalidValue(f"{self._who}: it decays all variables as one, and can exclude none.")
            self._slots = Slots(self, self.rule, mine, self._facts)
            if self.kind.twin_fills:
                self._place(self._slots.positions)
            self._keep(mine)

    def _place(self, positions: Mapping[int, Any]) -> None:
        for position, variable in positions.items():
            setattr(self._places, str(position), variable)

    def _keep(self, variables: Sequence[Any]) -> None:
        """Room for the training point, where the rule is judged at another."""
        params = [tf.zeros(tuple(v.shape), keras.backend.standardize_dtype(v.dtype)) for v in variables]
        if not params:
            self._kept: list[Any] = []
            return
        joined = [stepping.join(params)] if self._joined else params
        rules = [self.rule] if self._joined else [self.rule.for_variable(fact) for fact in self._facts]
        states = stepping.init(self.rule, params, self._facts)
        judged = [r.evaluated(p, s) is not p for r, p, s in zip(rules, joined, states, strict=True)]
        self._kept = []
        if any(judged):
            if self.use_ema:
                raise InvalidValue(f"{self._who}: `use_ema` cannot be set, the rule keeps an average of its own.")
            self._kept = [self.add_variable_from_reference(v, name="training_point") for v in variables]
            self._away = self.add_variable((), dtype="bool", name="away", aggregation="only_first_replica")

    # -- steps ------------------------------------------------------------------------------------------------

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """One step. `grads`: one a variable, dense, sparse or None."""
        super().apply([g if self._by_row(g) else _dense(g) for g in grads], trainable_variables)
        if self._kept:
            self._away.assign(False)

    def _by_row(self, grad: Any) -> bool:
        """Whether only the rows that a gradient names need to be stepped, and nothing else asks for a dense one."""
        whole = (self.clipnorm, self.clipvalue, self.global_clipnorm, self.loss_scale_factor)
        plain = not any(whole) and not self.gradient_accumulation_steps
        return (
            isinstance(grad, tf.IndexedSlices)
            and plain
            and self.rule.rests()
            and tf.distribute.get_strategy().num_replicas_in_sync == 1
        )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """One step of one variable."""
        group = self._stepped.index(self._get_variable_index(variable))
        if isinstance(gradient, tf.IndexedSlices):
            if self.rule.for_variable(self._facts[group]).rests():
                self._advance_rows(group, gradient, variable, learning_rate)
                return
            gradient = _dense(gradient)
        self._advance(group, [group], {group: (gradient, variable)}, learning_rate)

    def _distributed_tf_update_step(self, distribution: Any, grads_and_vars: Any, learning_rate: Tensor) -> None:
        if not self._joined:
            with self._slots.one_step():
                super()._distributed_tf_update_step(distribution, grads_and_vars, learning_rate)
            return

        def step(_: Any, grads: Any, variables: Any, rate: Tensor) -> None:
            indices = [self._stepped.index(self._get_variable_index(v)) for v in variables]
            pairs = dict(zip(indices, zip(grads, variables, strict=True), strict=True))
            self._advance(0, range(len(self._stepped)), pairs, rate)

        grads, variables = zip(*grads_and_vars, strict=True)
        distribution.extended.update(variables[0], step, args=(grads, variables, learning_rate), group=False)

    def _advance(self, group: int, members: Sequence[int], pairs: Mapping[int, Any], rate: Tensor) -> None:
        """Step a group. `pairs`: gradient and variable of those among its members that have a gradient.

        Everything is read before anything is written.
        """
        mine = self._mine()
        variables = [pairs[i][1] if i in pairs else mine[i] for i in members]
        params = [read(v) for v in variables]
        grads = [
            ops.cast(pairs[i][0], p.dtype) if i in pairs else ops.zeros_like(p)
            for i, p in zip(members, params, strict=True)
        ]
        facts = [self._facts[i] for i in members]
        rule = self._numbered(ops.cast(rate, params[0].dtype), decays=self._decays[group])
        step = ops.convert_to_tensor(self.iterations + 1)
        state = self._slots.read(group)
        if self._slots.anew[group]:
            # The weights may have been loaded after the optimizer was built: at the first step they count.
            fresh = stepping.init(rule, params, facts)[0]
            state |= {name: ops.where(step == 1, fresh[name], state[name]) for name in self._slots.anew[group]}
        moved, [state] = stepping.update(rule, grads, params, [state], step, facts)
        for i, variable, param in zip(members, variables, moved, strict=True):
            if i in pairs:
                self.assign(variable, param)
        self._slots.write(group, state)

    def _advance_rows(self, group: int, grad: tf.IndexedSlices, variable: Any, rate: Tensor) -> None:
        """Step the rows of a variable that its gradient names."""
        rows, place = tf.unique(grad.indices)
        sums = tf.math.unsorted_segment_sum(grad.values, place, tf.size(rows))
        param = read(variable, rows)
        rule = self._numbered(ops.cast(rate, param.dtype), decays=self._decays[group])
        rule = rule.for_variable(self._facts[group])
        step = ops.convert_to_tensor(self.iterations + 1)
        moved, state = rule.update(ops.cast(sums, param.dtype), param, self._slots.read(group, rows), step)
        self.assign(variable, tf.IndexedSlices(moved, rows))
        self._slots.write(group, state, rows)

    def _numbered(self, rate: Tensor, *, decays: bool = True) -> Rule:
        """The rule with the rate of the step, and the decay that `weight_decay` has been set to."""
        decay = 0.0 if self.weight_decay is None or not decays else self.weight_decay
        if not isinstance(decay, int | float):
            decay = ops.cast(decay, rate.dtype)
        owner = next((part for part in self.rule.parts if "weight_decay" in part.values()), None)
        values = [
            decay if part is owner and name == "weight_decay" else value
            for part in self.rule.parts
            for name, value in part.values().items()
        ]
        return self.rule.with_numbers(values, learning_rate=rate)

    def _apply_weight_decay(self, variables: Any) -> None:
        if not _has_decay(self.rule):
            super()._apply_weight_decay(variables)

    @property
    def _joined(self) -> bool:
        return self.rule.reach == "model"

    @property
    def _who(self) -> str:
        return type(self).__name__

    # -- where the model is judged ------------------------------------------------------------------------------

    def to_evaluated(self) -> bool:
        """Store the weights at which the model is evaluated in its variables.

        Returns
        -------
        bool
            Whether anything changed.
        """
        if not self.built or not self._kept or bool(self._away.numpy()) or not self._has_stepped():
            return False
        variables = self._mine()
        points = self._evaluated([read(v) for v in variables])
        for variable, kept, point in zip(variables, self._kept, points, strict=True):
            kept.assign(variable)
            variable.assign(point)
        self._away.assign(True)
        return True

    def _has_stepped(self) -> bool:
        """Whether a step was taken; before that the state says nothing of the weights."""
        return int(self._iterations.numpy()) >= (self.gradient_accumulation_steps or 1)

    def to_training(self) -> bool:
        """Restore the weights at which gradients are taken, unless the weights have been changed since.

        Returns
        -------
        bool
            Whether they were restored.
        """
        if not self.built or not self._kept or not bool(self._away.numpy()):
            return False
        variables = self._mine()
        points = self._evaluated([read(kept) for kept in self._kept])
        unchanged = all(bool(ops.all(v == point)) for v, point in zip(variables, points, strict=True))
        for variable, kept in zip(variables, self._kept, strict=True):
            if unchanged:
                variable.assign(kept)
        self._away.assign(False)
        return unchanged

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Called by `fit` at its end: the variables take the values at which the model is judged."""
        super().finalize_variable_values(var_list)
        self.to_evaluated()

    def _mine(self) -> list[Any]:
        return [self._trainable_variables[i] for i in self._stepped]

    def _evaluated(self, params: Sequence[Tensor]) -> list[Tensor]:
        states = [self._slots.read(group) for group in range(len(self._slots))]
        return stepping.evaluated(self.rule, params, states, self._facts)

    # -- configuration ------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Every argument, JSON types only."""
        own = {**self.rule.values(), **self.rule.chosen()}
        own = {k: list(v) if isinstance(v, tuple) else v for k, v in own.items() if k not in _KEPT_BY_KERAS}
        if self.kind.wraps():
            own["rule"] = _without_rate(self.rule.parts[1].to_dict())
        if "head_layers" in signature(self.kind).parameters:
            own["head_layers"] = list(self._head_layers) or None
        config: dict[str, Any] = super().get_config()
        decay = config["weight_decay"]
        return {**config, "weight_decay": decay if decay is None else float(decay), **own}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        """The optimizer that `get_config` was asked of, or one that does what Keras's class of that config does."""
        known = signature(cls.kind).parameters
        as_keras = {name: value for name, value in cls.kind.twin_at.items() if known[name].kind.name == "KEYWORD_ONLY"}
        given = {**as_keras, **config}
        if given.get("head_layers", ()) is None and "head_layers" not in known:
            del given["head_layers"]
        return super().from_config(given, custom_objects)


_CLASSES: dict[type[Rule], type[Derived]] = {}


def derive(kind: type[Rule]) -> type[Derived]:
    """The class of a rule, registered with Keras under "optselect"; the same at every call."""
    if kind not in _CLASSES:
        _CLASSES[kind] = keras.saving.register_keras_serializable(package="optselect")(_made(kind))
    return _CLASSES[kind]


def _made(kind: type[Rule]) -> type[Derived]:
    body = {
        "__module__": _FACE,
        "__doc__": document(kind),
        "__signature__": signature(kind),
        "kind": kind,
    }
    return type(kind.__name__, (Derived,), body)


def is_optimizer(value: Any) -> bool:
    """Whether it is a Keras optimizer, ours or any other."""
    return isinstance(value, keras.optimizers.Optimizer)


def _rule(kind: type[Rule], given: Mapping[str, Any]) -> tuple[Rule, Any]:
    """The rule that arguments describe, and what Keras takes as learning rate: a float, a schedule or a function."""
    own = kind.of_twin(given)
    rate = given["learning_rate"]
    if kind.wraps():
        own["rule"], inner_rate = _wrapped(kind, given["rule"])
        rate = inner_rate if rate is None else rate
    if callable(rate) or _is_zero(rate):
        own.pop("learning_rate", None)
        return _decayed(kind(**own), given["weight_decay"]), rate if callable(rate) else 0.0
    rule = _decayed(kind(**own), given["weight_decay"])
    rule = rule if rate is None else rule.replaced(learning_rate=rate)
    return rule, rule.rate


def _is_zero(rate: Any) -> bool:
    """Whether a rate is 0, which only a training that does not move has, as before a callback sets another."""
    return not isinstance(rate, bool) and isinstance(rate, numbers.Real) and rate == 0


def _decayed(rule: Rule, decay: Any) -> Rule:
    """The rule with the decay that was given, if it decays weights by itself; otherwise Keras does."""
    return rule if decay is None or not _has_decay(rule) else rule.replaced(weight_decay=decay)


def _wrapped(kind: type[Rule], inner: Any) -> tuple[Rule, Any]:
    """The rule to wrap, and its learning rate if that is not the rule's."""
    who = kind.__name__
    if inner is None:
        return kind().parts[1], None
    if isinstance(inner, Rule):
        return inner, None
    if isinstance(inner, str):
        return parse(inner), None
    if isinstance(inner, Mapping):
        return Rule.from_dict(inner), None
    if not is_optimizer(inner):
        raise InvalidValue(f"{who}: `rule` must be a rule, its name or an optimizer, got {inner!r}.")
    rule = inner.rule if isinstance(inner, Derived) else rule_of(inner, f"{who}: `rule`")
    config, plain = inner.get_config(), type(inner)().get_config()
    for name in names(type(rule)):
        if name != "name" and config[name] != plain[name]:
            raise InvalidValue(f"{who}: `rule` has {name}={config[name]!r}: give it to {who} itself.")
    rate = inner._learning_rate
    return rule, rate if callable(rate) and not hasattr(rate, "assign") else config["learning_rate"]


def _without_rate(data: dict[str, Any]) -> dict[str, Any]:
    """A rule as a dict without the learning rate, which the config of the wrapper has."""
    if "rule" in data:
        return {**data, "rule": _without_rate(data["rule"])}
    return {name: value for name, value in data.items() if name != "learning_rate"}


def _parts_with(rule: Rule | None, name: str) -> list[Rule]:
    """The rule and those it wraps, as far as they have a hyperparameter or setting of that name."""
    return [part for part in (rule.parts if rule else ()) if name in part.values() or name in part.chosen()]


def _has_decay(rule: Rule) -> bool:
    return any("weight_decay" in part.values() for part in rule.parts)


def _dense(grad: Any) -> Any:
    return tf.convert_to_tensor(grad) if isinstance(grad, tf.IndexedSlices) else grad
