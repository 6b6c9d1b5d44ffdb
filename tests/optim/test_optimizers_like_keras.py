"""Our optimizer classes beside Keras's of the same rule: arguments, state, checkpoints. The suite walks `RULES`."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect import optimizers
from optselect.errors import InvalidValue
from optselect.optim import stepping
from optselect.optim.certify import altered, as_twin
from optselect.optim.keras.declaration import keras_class
from optselect.optim.keras.derived import derive
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.trainer.state_layout import Layout

SHAPES = ((4, 3), (3,), (), (2, 2, 3, 4))


def _walk(kinds: Sequence[type[Rule]]) -> Any:
    return pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])


every_rule = _walk(list(RULES.values()))
namesakes = _walk([kind for kind in RULES.values() if keras_class(kind) is not None])
twins = _walk([kind for kind in RULES.values() if kind.twin])
wrappers = _walk([kind for kind in RULES.values() if kind.wraps()])


def _forms(kind: type[Rule]) -> Iterator[Rule]:
    """The rule where it equals its twin: by default, with nothing at its default, and with each flag turned."""
    plain = kind()
    yield as_twin(plain)
    yield as_twin(altered(kind))
    for h in kind.hypers():
        if h.domain.boolean:
            yield as_twin(plain.replaced(**{h.name: not h.default}))
        elif h.name == "momentum":
            yield as_twin(plain.replaced(momentum=0.5))


def _pair(rule: Rule) -> tuple[Any, Any]:
    """Our optimizer of a rule, and Keras's."""
    arguments = rule.twin_arguments()
    assert arguments is not None
    return optimizers.get(rule), keras_class(type(rule))(**arguments)


def _variables() -> list[Any]:
    rng = np.random.default_rng(1)
    names = ("kernel", "bias", "scale", "conv")
    values = [rng.normal(size=shape).astype("float32") for shape in SHAPES]
    return [keras.Variable(value, name=name) for value, name in zip(values, names, strict=True)]


def _gradients(steps: int) -> list[list[Any]]:
    rng = np.random.default_rng(2)
    return [[tf.constant(rng.normal(size=shape), "float32") for shape in SHAPES] for _ in range(steps)]


def _same(got: Sequence[Any], wanted: Sequence[Any]) -> None:
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert np.isfinite(a.numpy()).all()


# -- arguments --------------------------------------------------------------------------------------------------------


@namesakes
def test_arguments_come_in_keras_s_order_with_keras_s_defaults(kind: type[Rule]) -> None:
    """Positional arguments mean what they mean in Keras; what Keras has not is given by keyword."""
    ours = inspect.signature(derive(kind)).parameters
    theirs = {n: p.default for n, p in inspect.signature(keras_class(kind)).parameters.items() if n != "kwargs"}
    positional = {n: p.default for n, p in ours.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert list(positional) == list(theirs)
    assert positional == theirs
    for position, name in enumerate(theirs):
        if isinstance(theirs[name], float) and theirs[name] > 0.1:
            made = derive(kind)(*list(theirs.values())[:position], 0.5 * theirs[name])
            assert made.get_config()[name] == 0.5 * theirs[name]


@twins
def test_config_of_the_keras_class_is_taken(kind: type[Rule]) -> None:
    """`from_config` of a Keras optimizer's config makes the optimizer that does what that one does."""
    for rule in (as_twin(kind()), as_twin(altered(kind))):
        _, theirs = _pair(rule)
        ours = derive(kind).from_config(theirs.get_config())
        assert ours.rule.replaced(learning_rate=1.0) == rule.replaced(learning_rate=1.0)
        config = theirs.get_config()
        assert {name: ours.get_config()[name] for name in config} == config | {"name": ours.name}


@every_rule
def test_rate_of_zero_rests(kind: type[Rule]) -> None:
    """A learning rate of 0 is taken, as Keras takes it, kept in the config, and moves nothing."""
    made = derive(kind)(learning_rate=0.0)
    assert float(made.learning_rate) == 0.0
    assert derive(kind).from_config(made.get_config()).get_config()["learning_rate"] == 0.0
    if kind.needs_rate:
        return
    variables = _variables()
    made.apply(_gradients(1)[0], variables)
    for after, before in zip(variables, _variables(), strict=True):
        np.testing.assert_allclose(after.numpy(), before.numpy(), rtol=0, atol=1e-4)  # MADGRAD adds its ε to the rate


@twins
def test_epsilon_of_zero_is_taken(kind: type[Rule]) -> None:
    """An ε of 0 is taken, as Keras takes it, and gives Keras's numbers."""
    small = {h.name: 0.0 for h in kind.hypers() if h.name.startswith("epsilon")}
    ours, theirs = _pair(as_twin(kind().replaced(**small)))
    mine, other = _variables(), _variables()
    ours.apply(_gradients(1)[0], mine)
    theirs.apply(_gradients(1)[0], other)
    _same(mine, other)


@every_rule
def test_weight_decay_may_be_none(kind: type[Rule]) -> None:
    """`weight_decay=None` is no decay, stays None in the config, and steps as 0.0 does; Keras's AdamW refuses it."""
    if kind is RULES["adamw"]:
        with pytest.raises(InvalidValue, match="AdamW: `weight_decay` must lie in"):
            derive(kind)(weight_decay=None)
        return
    ends = []
    for decay in (None, 0.0):
        made, variables = derive(kind)(weight_decay=decay), _variables()
        assert made.get_config()["weight_decay"] == decay or kind.wraps()
        made.apply(_gradients(1)[0], variables)
        ends.append(variables)
    _same(*ends)


def test_muon_takes_what_keras_s_takes() -> None:
    """Muon's iteration, excluded layers and `rms_rate=None` are Keras's, to the bit."""
    more: list[dict[str, Any]] = [
        {"ns_steps": 2, "muon_a": 3.0, "muon_b": -4.0, "muon_c": 1.5},
        {"rms_rate": None},
        {"exclude_layers": ["ker"]},
        {"weight_decay": None, "adam_weight_decay": None},
    ]
    for arguments in more:
        theirs = keras.optimizers.Muon(**arguments)
        ours = optimizers.Muon(**arguments, conv=False, head=True)
        again = optimizers.Muon.from_config(ours.get_config())
        ends = []
        for optimizer in (theirs, ours, again):
            variables = _variables()
            optimizer.apply(_gradients(1)[0], variables)
            ends.append(variables)
        _same(ends[1], ends[0])
        _same(ends[2], ends[0])
    with pytest.raises(InvalidValue, match="`ns_steps` must be a whole number from 1, got 0"):
        optimizers.Muon(ns_steps=0)
    with pytest.raises(InvalidValue, match="`exclude_layers` must be a list of regular expressions"):
        optimizers.Muon(exclude_layers="dense")


@every_rule
def test_hyperparameters_are_attributes(kind: type[Rule]) -> None:
    """Each hyperparameter can be read, and set between two steps, as in Keras's classes."""
    made, other = derive(kind)(), altered(kind)
    for h in kind.hypers():
        if h.name not in ("learning_rate", "weight_decay"):
            assert getattr(made, h.name) == h.default
            setattr(made, h.name, getattr(other, h.name))
            assert getattr(made, h.name) == getattr(made.rule, h.name) == getattr(other, h.name)
            assert made.get_config()[h.name] == getattr(other, h.name)
    with pytest.raises(AttributeError, match="no attribute 'beta_9'"):
        _ = made.beta_9


def test_hyperparameter_that_needs_another_slot_cannot_be_set_later() -> None:
    """Where a new value would need state that the optimizer was not built with, setting it is refused."""
    made, variables = optimizers.SGD(), _variables()
    made.apply(_gradients(1)[0], variables)
    with pytest.raises(InvalidValue, match=r"`momentum` cannot become 0\.9 after the first step"):
        made.momentum = 0.9
    made.nesterov = True
    assert made.nesterov is True


# -- state ------------------------------------------------------------------------------------------------------------


@twins
def test_state_is_as_large_as_keras_s(kind: type[Rule]) -> None:
    """In every configuration the optimizer keeps as many numbers as Keras's, or fewer, which `twin_fills` declares."""
    for rule in _forms(kind):
        sizes = []
        for optimizer in _pair(rule):
            optimizer.build(_variables())
            sizes.append([int(np.prod(v.shape)) for v in optimizer.variables])
        if kind.twin_fills:
            assert sum(sizes[0]) < sum(sizes[1])
        else:
            assert sizes[0] == sizes[1], rule


@every_rule
def test_unused_slots_have_no_variable(kind: type[Rule]) -> None:
    """An optimizer keeps no variable for a slot that its configuration never reads."""
    for rule in (kind(), altered(kind)):
        made = optimizers.get(rule)
        made.build(_variables())
        kept = [set(made._slots._variables[group]) for group in range(len(made._slots))]
        assert all(names.isdisjoint(unused) for names, unused in zip(kept, made._slots.unused, strict=True))


@twins
def test_checkpoint_goes_to_keras_and_back(kind: type[Rule], tmp_path: Path) -> None:
    """A `tf.train.Checkpoint` of Keras's optimizer is restored by ours, built or not, and one of ours by Keras's."""
    grads = _gradients(3)
    for number, rule in enumerate(as_twin(form) for form in (kind(), altered(kind))):
        for direction in (0, 1):
            built = direction == number
            saved, restored = _pair(rule)[:: 1 if direction == 0 else -1]
            variables = _variables()
            for grad in grads[:1]:
                saved.apply(grad, variables)
            copies = [keras.Variable(v.numpy(), name=v.name) for v in variables]
            path = tf.train.Checkpoint(optimizer=saved).write(str(tmp_path / f"{number}-{direction}"))
            if built:
                restored.build(copies)
            tf.train.Checkpoint(optimizer=restored).restore(path)
            assert int(restored.iterations) == 1
            for grad in grads[1:]:
                saved.apply(grad, variables)
                restored.apply(grad, copies)
            _same(copies, variables)


@every_rule
def test_memory_of_a_trial_is_that_of_the_optimizer(kind: type[Rule]) -> None:
    """What a study counts as a rule's state is what its optimizer keeps, but for single numbers."""
    facts = stepping.facts(_variables())
    layout = Layout(kind(), stepping.join([v.value for v in _variables()]), facts)
    for rule in (kind(), altered(kind)):
        made = optimizers.get(rule)
        made.build(_variables())
        kept = sum(int(np.prod(v.shape)) for slots in made._slots._variables for v in slots.values())
        assert abs(layout.used(rule) - kept) < 10, rule


# -- models -----------------------------------------------------------------------------------------------------------


def _fitted(kind: type[Rule], *, shaped: bool, jit: bool) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    model = keras.Sequential([*([keras.Input((3,))] if shaped else []), keras.layers.Dense(1)])
    model.compile(derive(kind)(learning_rate=0.01), loss="mse", jit_compile=jit)
    model.fit(x, x.sum(axis=1), batch_size=4, epochs=1, shuffle=False, verbose=0)
    weights: list[np.ndarray] = model.get_weights()
    return weights


def _by_nature() -> list[type[Rule]]:
    """Rules of each nature: how far they look, and whether their state depends on the weights at the start."""
    found: dict[Any, type[Rule]] = {}
    for kind in RULES.values():
        zero, one = (kind().init(value) for value in (tf.zeros((2, 2)), tf.ones((2, 2))))
        anew = any(bool(tf.reduce_any(zero[name] != one[name])) for name in zero)
        found.setdefault((kind().reach, anew), kind)
    return list(found.values())


@pytest.mark.parametrize(
    ("kind", "jit"),
    [(kind, False) for kind in _by_nature()] + [(_by_nature()[0], True)],
    ids=lambda value: value.name if isinstance(value, type) else f"jit={value}",
)
def test_model_that_is_built_by_fit(kind: type[Rule], jit: bool) -> None:
    """A model without `Input`, which its first batch builds, is trained as the one that knows its shape."""
    for a, b in zip(*(_fitted(kind, shaped=shaped, jit=jit) for shaped in (False, True)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@every_rule
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "jit"])
def test_every_optimizer_trains_a_model_that_is_built_by_fit(kind: type[Rule], jit: bool) -> None:
    """All classes do, in the graph and compiled."""
    for a, b in zip(*(_fitted(kind, shaped=shaped, jit=jit) for shaped in (False, True)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@every_rule
def test_optimizer_is_built_on_shapes_alone(kind: type[Rule]) -> None:
    """Building reads no value of a variable: what it keeps is the same for any weights until the first step."""
    made = []
    for factor in (1.0, -3.0):
        variables = [keras.Variable(factor * v.numpy()) for v in _variables()]
        optimizer = derive(kind)()
        optimizer.build(variables)
        made.append(optimizer.variables)
    _same(*made)


# -- wrappers ---------------------------------------------------------------------------------------------------------


@wrappers
def test_wrapper_takes_an_optimizer_of_keras(kind: type[Rule]) -> None:
    """A wrapper around a Keras optimizer is the wrapper around the rule that does the same."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.25, 0.125])
    for rule in RULES.values():
        if rule.twin:
            inner = as_twin(altered(rule))
            arguments = inner.twin_arguments()
            assert arguments is not None
            made = derive(kind)(rule=keras_class(rule)(**{**arguments, "learning_rate": 0.5}))
            assert made.rule.parts[1].replaced(learning_rate=0.5) == inner.replaced(learning_rate=0.5)
            assert float(made.learning_rate) == 0.5
            scheduled = derive(kind)(rule=keras_class(rule)(**{**arguments, "learning_rate": schedule}))
            assert scheduled._learning_rate is schedule


@wrappers
def test_wrapper_refuses_what_no_rule_does(kind: type[Rule]) -> None:
    """A Keras optimizer that no rule equals, or with an argument that belongs to the wrapper, is refused with why."""
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `rule`: no rule stands for .*ScheduleFreeAdamW"):
        derive(kind)(rule=keras.optimizers.ScheduleFreeAdamW())
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `rule` has clipnorm=1.0: give it to {kind.__name__}"):
        derive(kind)(rule=keras.optimizers.Adam(clipnorm=1.0))
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `rule`: .*Lamb has weight_decay=0.5"):
        derive(kind)(rule=keras.optimizers.Lamb(weight_decay=0.5))


# -- other backends ---------------------------------------------------------------------------------------------------


def test_other_backend_is_refused_in_a_sentence() -> None:
    """With another backend of Keras the import says in one sentence which one is needed, and how to get it."""
    done = subprocess.run(
        [sys.executable, "-c", "import optselect.optimizers"],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("optselect.errors.WrongBackend: optselect.optimizers needs Keras on the backend tensorflow")
    assert "it is numpy" in last
