"""Every rule as a Keras optimizer. No rule is named here: the suite walks `RULES`."""

from __future__ import annotations

import functools
import inspect
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect import optimizers
from optselect.errors import InvalidValue, UnknownName
from optselect.optim import stepping
from optselect.optim.certify import altered, as_twin
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.keras.derived import derive
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.optimizers.schedules import WeightDecaySchedule
from optselect.trainer import traced

RATE = 0.01  # of what is compared: no rule diverges at it
X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = (X @ np.float32([[1.0], [2.0], [3.0]])).astype("float32")
SHAPES = ((4, 3), (3,), ())


def _judged_elsewhere(kind: type[Rule]) -> bool:
    state = kind().init(tf.ones((2,)))
    param = tf.ones((2,))
    return kind().evaluated(param, state) is not param


def _sample() -> dict[str, type[Rule]]:
    """One rule of each nature: how far it looks, whether it wraps, where it is judged, whether variables differ."""
    found: dict[Any, type[Rule]] = {}
    for kind in RULES.values():
        fits = kind.for_variable is not Rule.for_variable
        found.setdefault((kind().reach, kind.wraps(), _judged_elsewhere(kind), fits), kind)
    return {kind.name: kind for kind in found.values()}


def _walk(kinds: dict[str, type[Rule]]) -> Any:
    return pytest.mark.parametrize("kind", kinds.values(), ids=list(kinds))


SAMPLE = _sample()
FEW = {kind.name: kind for kind in {(k().reach, _judged_elsewhere(k)): k for k in SAMPLE.values()}.values()}
every_rule = _walk(RULES)
few_rules = _walk(FEW)
some_rules = _walk(SAMPLE)
averaging_rules = _walk({name: kind for name, kind in RULES.items() if _judged_elsewhere(kind)})
other_rules = _walk({name: kind for name, kind in SAMPLE.items() if not _judged_elsewhere(kind)})
wrappers = _walk({name: kind for name, kind in RULES.items() if kind.wraps()})
twins = _walk({name: kind for name, kind in RULES.items() if kind.twin})
DECAYING = {n: k for n, k in RULES.items() if "weight_decay" in k().values() and k().reach != "model"}
decaying_rules = _walk(DECAYING)


def _model(policy: str | None = None) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4, activation="tanh", dtype=policy), keras.layers.Dense(1, dtype=policy)]
    return keras.Sequential([keras.Input((3,)), *layers])


def _fit(model: Any, epochs: int = 1, **options: Any) -> Any:
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **options)


def _variables() -> list[Any]:
    rng = np.random.default_rng(1)
    return [keras.Variable(rng.normal(size=shape).astype("float32"), name=f"v{len(shape)}") for shape in SHAPES]


@functools.cache
def _gradients(steps: int) -> list[list[Any]]:
    rng = np.random.default_rng(2)
    return [[tf.constant(rng.normal(size=shape), "float32") for shape in SHAPES] for _ in range(steps)]


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [np.array(v.numpy() if hasattr(v, "numpy") else v) for v in variables]


def _stepped(optimizer: Any, grads: Sequence[Sequence[Any]]) -> list[np.ndarray]:
    variables = _variables()
    for grad in grads:
        optimizer.apply(grad, variables)
    return _values(variables)


def _same(got: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Equal to the bit, and finite."""
    for a, b in zip(_values(got), _values(wanted), strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_array_equal(a, b, strict=True)


def _near(got: Sequence[Any], wanted: Sequence[Any], tolerance: float = 1e-4) -> None:
    for a, b in zip(_values(got), _values(wanted), strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@functools.cache
def _trained(kind: type[Rule]) -> tuple[Any, list[np.ndarray]]:
    """A model after two eager epochs of `fit`, and its weights then."""
    model = _model()
    model.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    _fit(model, epochs=2)
    return model, model.get_weights()


# -- the class --------------------------------------------------------------------------------------------------


def test_importing_loads_no_keras() -> None:
    """Names can be listed without Keras; the first class that is asked for loads it."""
    code = (
        "import sys, optselect, optselect.optimizers as o\n"
        "assert set(o.__all__) == set(dir(o)) and len(o.__all__) > 8\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules), 'loaded'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@every_rule
def test_class_is_found_by_its_name(kind: type[Rule]) -> None:
    """`from optselect.optimizers import X` gives one and the same Keras optimizer class."""
    made = getattr(optimizers, kind.__name__)
    assert made is getattr(optimizers, kind.__name__)
    assert issubclass(made, keras.optimizers.Optimizer)
    assert (made.__name__, made.__module__) == (kind.__name__, "optselect.optimizers")
    assert kind.__name__ in optimizers.__all__


def test_unknown_class_is_no_attribute() -> None:
    """The module says like any other what it has not."""
    with pytest.raises(AttributeError, match="has no attribute 'Adma'"):
        _ = optimizers.Adma


@every_rule
def test_signature_is_the_rules_and_then_keras_s(kind: type[Rule]) -> None:
    """Without a Keras class: the rule's hyperparameters with their defaults come first, then what every one takes."""
    shown = {name: p.default for name, p in inspect.signature(derive(kind)).parameters.items()}
    own = {h.name: h.default for h in kind.hypers()}
    inherited = inspect.signature(keras.optimizers.SGD).parameters
    common = {
        n: p.default for n, p in inherited.items() if n not in ("learning_rate", "momentum", "nesterov", "kwargs")
    }
    assert {"learning_rate", *own, *common, *(s.name for s in kind.settings())} <= set(shown)
    if not hasattr(keras.optimizers, kind.__name__):
        wanted = {name: default for name, default in common.items() if name not in own}
        assert dict(list(shown.items())[-len(wanted) :]) == wanted | {"name": None}
        assert {name: shown[name] for name in own} == own


@every_rule
def test_documentation_tells_all(kind: type[Rule]) -> None:
    """The docstring has the rule's words and equations, each argument with type, default and domain, and the paper."""
    text = derive(kind).__doc__ or ""
    said = " ".join(text.split())
    assert said.startswith(" ".join((kind.__doc__ or "").split(">>>")[0].split()))
    for name, parameter in inspect.signature(derive(kind)).parameters.items():
        default = "optional" if parameter.default is None else f"default {parameter.default!r}"
        assert re.search(rf"^{name} : .*, {re.escape(default)}$", text, re.MULTILINE), name
    for h in kind.hypers():
        domain = "[0, inf)" if h.name == "learning_rate" else h.domain
        assert (h.doc if h.domain.boolean else f"{h.doc} In {domain}.") in said
    assert kind.paper in said


@every_rule
def test_value_outside_the_domain_is_refused(kind: type[Rule]) -> None:
    """A wrong number is refused at construction, in the rule's words."""
    with pytest.raises(InvalidValue, match=r"`learning_rate` must lie in .*, got -1\.0\."):
        derive(kind)(learning_rate=-1.0)
    for h in kind.hypers():
        with pytest.raises(InvalidValue) as refused:
            derive(kind)(**{h.name: "0.1"})
        assert str(refused.value) == f"{kind.__name__}: `{h.name}` must lie in {h.domain}, got '0.1'."
    with pytest.raises(InvalidValue, match=r"`clipnorm` must lie in \(0, inf\), got -1"):
        derive(kind)(clipnorm=-1.0)


def test_unknown_argument_is_refused() -> None:
    """A typo among the arguments is refused, and the nearest offered."""
    kind = next(iter(SAMPLE.values()))
    with pytest.raises(UnknownName, match=f"{kind.__name__}: unknown argument 'clipnrom'. Did you mean 'clipnorm'"):
        derive(kind)(clipnrom=1.0)


@every_rule
def test_serialised_optimizer_comes_back(kind: type[Rule]) -> None:
    """Config, `serialize`, `get` and Keras's own functions all give the same optimizer back."""
    rule = altered(kind)
    made = derive(kind)(**rule.values(), clipnorm=2.0)
    config = {k: v for k, v in made.get_config().items() if k != "name"}
    data = optimizers.serialize(made)
    assert data["registered_name"] == f"optselect>{kind.__name__}"
    again = [
        derive(kind).from_config(made.get_config()),
        optimizers.deserialize(data),
        optimizers.get(data),
        keras.optimizers.deserialize(keras.optimizers.serialize(made)),
    ]
    for back in again:
        assert type(back) is derive(kind)
        assert {k: v for k, v in back.get_config().items() if k != "name"} == config
        assert back.rule.replaced(learning_rate=1.0) == made.rule.replaced(learning_rate=1.0)


@every_rule
def test_get_takes_every_name(kind: type[Rule]) -> None:
    """Rule name, key, class name, rule, dict and instance all lead to the class."""
    rule = altered(kind)
    assert optimizers.get(rule).rule == rule
    assert optimizers.get(rule.to_dict()).rule == rule
    for name in (kind.name, kind.__name__, {"name": kind.name}):
        assert optimizers.get(name).rule == kind()
    assert optimizers.get(kind().key).rule == parse(kind().key)
    made = derive(kind)()
    assert optimizers.get(made) is made


def test_get_refuses_what_is_no_optimizer() -> None:
    """An unknown name is refused with the nearest, of rules and of classes."""
    kind = next(iter(RULES.values()))
    with pytest.raises(UnknownName, match=f"Did you mean '{kind.name}"):
        optimizers.get(kind.name + "x")
    with pytest.raises(UnknownName, match=f"Did you mean '{kind.__name__}'"):
        optimizers.get(kind.__name__ + "x")


@wrappers
@pytest.mark.parametrize("form", ["name", "rule", "optimizer", "dict"])
def test_wrapper_takes_a_rule_in_any_form(kind: type[Rule], form: str) -> None:
    """A wrapper takes name, rule, dict or optimizer; its learning rate is the inner rule's."""
    inner = altered(next(k for k in RULES.values() if not k.wraps()))
    given: dict[str, Any] = {
        "name": inner.name,
        "rule": inner,
        "optimizer": derive(type(inner))(**inner.values()),
        "dict": inner.to_dict(),
    }
    made = derive(kind)(rule=given[form])
    wanted: Any = type(inner)() if form == "name" else inner
    assert made.rule.parts[1].replaced(learning_rate=1.0) == wanted.replaced(learning_rate=1.0)
    assert float(made.learning_rate) == pytest.approx(wanted.learning_rate, rel=1e-6)
    assert float(derive(kind)(rule=given[form], learning_rate=0.5).learning_rate) == 0.5


@wrappers
def test_wrapper_refuses_what_it_would_drop(kind: type[Rule]) -> None:
    """Clipping and the like belong to the wrapper."""
    inner = next(k for k in RULES.values() if not k.wraps())
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `rule` has clipnorm=1.0: give it to {kind.__name__}"):
        derive(kind)(rule=derive(inner)(clipnorm=1.0))
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `rule` must be a rule, its name or an optimizer, got"):
        derive(kind)(rule=0.5)


@wrappers
def test_wrapper_takes_over_a_schedule(kind: type[Rule]) -> None:
    """The schedule of an inner optimizer becomes the wrapper's, and survives the config."""
    inner = next(k for k in RULES.values() if not k.wraps())
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.25])
    made = derive(kind)(rule=derive(inner)(learning_rate=schedule))
    back = derive(kind).from_config(made.get_config())
    for optimizer in (made, back):
        assert float(optimizer.learning_rate) == 0.5
        optimizer.apply(_gradients(1)[0], _variables())
        assert float(optimizer.learning_rate) == 0.25 or float(optimizer.learning_rate) == 0.5


# -- its steps --------------------------------------------------------------------------------------------------


@twins
@pytest.mark.parametrize("form", ["default", "altered"])
def test_optimizer_equals_its_keras_twin(kind: type[Rule], form: str) -> None:
    """Over some steps of `apply` the class ends, to the bit, where Keras's ends; rule and twin are held longer."""
    rule = as_twin(altered(kind) if form == "altered" else kind())
    arguments = rule.twin_arguments()
    assert arguments is not None
    twin = getattr(keras.optimizers, kind.twin.rpartition(".")[2])(**arguments)
    ours = optimizers.get(rule)
    assert (type(ours).__module__, ours.name) == ("optselect.optimizers", ours.name)
    _same(_stepped(ours, _gradients(8)), _stepped(twin, _gradients(8)))


# Keras's own: it saves an optimizer's variables by an `__array__` of before NumPy 2.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@every_rule
def test_checkpoint_brings_the_state_back(kind: type[Rule], tmp_path: Path) -> None:
    """`tf.train.Checkpoint` restores variables and slots: the next step is the same to the bit."""
    grads = _gradients(4)
    optimizer, variables = derive(kind)(), _variables()
    for grad in grads[:3]:
        optimizer.apply(grad, variables)
    saved = tf.train.Checkpoint(optimizer=optimizer, variables=[v.value for v in variables]).save(str(tmp_path / "c"))
    other, copies = derive(kind)(), [keras.Variable(np.zeros(shape, "float32")) for shape in SHAPES]
    other.build(copies)
    status = tf.train.Checkpoint(optimizer=other, variables=[v.value for v in copies]).restore(saved)
    status.assert_existing_objects_matched()
    assert int(other.iterations) == 3
    optimizer.apply(grads[3], variables)
    other.apply(grads[3], copies)
    _same(copies, variables)


@every_rule
def test_accumulated_gradients_make_one_step(kind: type[Rule]) -> None:
    """Two batches accumulated are one step with the mean of their gradients, to the bit."""
    grads = _gradients(6)
    means = [[(b + a) / 2 for a, b in zip(*pair, strict=True)] for pair in zip(grads[::2], grads[1::2], strict=True)]
    _same(_stepped(derive(kind)(gradient_accumulation_steps=2), grads), _stepped(derive(kind)(), means))


@some_rules
@pytest.mark.parametrize("clipping", [c for c in CLIPPINGS.values() if c.hypers()], ids=lambda c: c.name)
def test_gradients_are_clipped_before_the_rule(kind: type[Rule], clipping: Any) -> None:
    """Each clipping is the rule on clipped gradients."""
    clip = clipping(**{h.name: 0.5 for h in clipping.hypers()})
    clipped = [clip.apply(list(grad)) for grad in _gradients(3)]
    assert any(bool(tf.reduce_any(a != b)) for a, b in zip(clipped[0], _gradients(3)[0], strict=True))
    _near(_stepped(derive(kind)(**clip.values()), _gradients(3)), _stepped(derive(kind)(), clipped), 1e-6)


@every_rule
def test_sparse_gradient_with_repeated_rows_is_its_sum(kind: type[Rule]) -> None:
    """An embedding's gradient that names a row twice counts as the dense gradient, clipped or not."""
    rng = np.random.default_rng(3)
    start = rng.normal(size=(5, 2)).astype("float32")
    slices = [
        tf.IndexedSlices(tf.constant(rng.normal(size=(3, 2)), "float32"), tf.constant([1, 3, 1]), tf.constant([5, 2]))
        for _ in range(3)
    ]
    for more in ({}, {"clipnorm": 0.5}):
        ends = []
        for grads in (slices, [tf.convert_to_tensor(s) for s in slices]):
            variable, optimizer = keras.Variable(start), derive(kind)(**more)
            for grad in grads:
                optimizer.apply([grad], [variable])
            ends.append(variable)
        _same(ends[:1], ends[1:])


@some_rules
def test_new_learning_rate_counts_at_once(kind: type[Rule]) -> None:
    """Assigning a rate, and a schedule that falls at the same step, are the same to the bit."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.02, 0.01])
    optimizer, variables = derive(kind)(learning_rate=0.02), _variables()
    for step, grad in enumerate(_gradients(4)):
        if step == 2:
            optimizer.learning_rate = 0.01
        optimizer.apply(grad, variables)
    _same(variables, _stepped(derive(kind)(learning_rate=schedule), _gradients(4)))
    assert derive(kind).from_config(optimizer.get_config()).rule.rate == np.float32(0.01)


@every_rule
def test_constraint_holds_after_each_step(kind: type[Rule]) -> None:
    """A variable's constraint is applied to what the rule gives."""
    variable = keras.Variable(np.float32([[0.01, 2.0], [0.01, 1.0]]))
    variable.constraint = keras.constraints.NonNeg()
    optimizer = derive(kind)(learning_rate=1.0)
    for _ in range(3):
        optimizer.apply([tf.ones((2, 2))], [variable])
        assert (variable.numpy() >= 0).all()


@every_rule
def test_variable_without_gradient_stays(kind: type[Rule]) -> None:
    """A variable that the loss does not reach is warned of and left alone; the others move."""
    variables, optimizer = _variables(), derive(kind)(learning_rate=1.0)
    optimizer.apply(_gradients(1)[0], variables)  # a momentum that could move it
    before = _values(variables)
    for grad in _gradients(3):
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            optimizer.apply([grad[0], None, grad[2]], variables)
    after = _values(variables)
    np.testing.assert_array_equal(after[1], before[1])
    assert (after[0] != before[0]).any()


@every_rule
def test_weights_loaded_after_building_are_the_start(kind: type[Rule]) -> None:
    """A rule that remembers where it began begins at the weights of its first step, not at those it was built on."""
    variables, optimizer = _variables(), derive(kind)()
    for variable in variables:
        variable.assign(variable + 1)
    optimizer.build(variables)
    for variable in variables:
        variable.assign(variable - 1)
    start = [keras.Variable(v) for v in _values(variables)]
    plain = derive(kind)()
    for grad in _gradients(3):
        optimizer.apply(grad, variables)
        plain.apply(grad, start)
    _same(variables, start)


# -- weight decay ------------------------------------------------------------------------------------------------


@decaying_rules
def test_own_decay_is_the_only_one(kind: type[Rule]) -> None:
    """Where the rule decays weights by itself, `weight_decay` is the rule's and Keras adds none."""
    rule = kind(weight_decay=0.3)
    optimizer = derive(kind)(weight_decay=0.3)
    assert (optimizer.weight_decay, optimizer.get_config()["weight_decay"]) == (0.3, 0.3)
    variables = _variables()
    params: list[Any] = [tf.identity(v.value) for v in variables]
    facts = stepping.facts(variables)
    rated = rule.with_numbers(rule.numbers(), learning_rate=tf.constant(rule.rate, "float32"))
    states = stepping.init(rule, params, facts)
    for step, grad in enumerate(_gradients(2), start=1):
        params, states = stepping.update(rated, grad, params, states, step, facts)
    _same(_stepped(optimizer, _gradients(2)), params)


@decaying_rules
def test_variable_excluded_from_decay(kind: type[Rule]) -> None:
    """`exclude_from_weight_decay` holds for the rule's own decay too."""
    excluding = derive(kind)(weight_decay=0.5)
    excluding.exclude_from_weight_decay(var_names=["v1"])
    decayed, plain = (_stepped(derive(kind)(weight_decay=d), _gradients(2)) for d in (0.5, 0.0))
    _same(_stepped(excluding, _gradients(2)), [decayed[0], plain[1], decayed[2]])


def test_rule_over_the_model_excludes_none() -> None:
    """A rule that sees all variables as one cannot spare one from its decay, and says so."""
    for kind in RULES.values():
        if kind().reach == "model" and "weight_decay" in kind().values():
            optimizer = derive(kind)(weight_decay=0.5)
            optimizer.exclude_from_weight_decay(var_names=["v1"])
            with pytest.raises(InvalidValue, match="decays all variables as one"):
                optimizer.build(_variables())


@_walk({kind.name: kind for kind in {kind().reach: kind for kind in DECAYING.values()}.values()})
def test_scheduled_decay_moves_the_rules_own(kind: type[Rule]) -> None:
    """`WeightDecaySchedule` sets the rule's own decay: a constant one is the decay itself."""
    moved, fixed = _model(), _model()
    moved.compile(derive(kind)(learning_rate=RATE, weight_decay=0.0), loss="mse", run_eagerly=True)
    fixed.compile(derive(kind)(learning_rate=RATE, weight_decay=0.25), loss="mse", run_eagerly=True)
    _fit(moved, callbacks=[WeightDecaySchedule(lambda step: 0.25)])
    _fit(fixed)
    _near(moved.get_weights(), fixed.get_weights(), 1e-6)
    assert moved.optimizer.weight_decay == 0.0


# -- what a rule knows of its variables --------------------------------------------------------------------------


def _embedding_model() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((2,), dtype="int32")
    hidden = layers.Dense(3, name="hidden")(layers.Flatten()(layers.Embedding(5, 2)(inputs)))
    outputs = layers.Activation("tanh")(layers.Dense(2, name="out")(layers.BatchNormalization()(hidden)))
    return keras.Model(inputs, outputs)


def test_head_and_embeddings_are_those_that_the_trainer_sees() -> None:
    """From the variables alone the optimizer knows what the trainer knows from the layers."""
    for model in (_embedding_model(), _model()):
        facts = stepping.facts(model.trainable_variables)
        assert facts == traced.facts(model)
        assert [f.head for f in facts[-2:]] == [True, True]
    assert [f.path for f in stepping.facts(_embedding_model().trainable_variables) if f.embedding] != []


def test_head_may_be_named() -> None:
    """`head_layers` names the layers of the head; a layer that is not there is refused."""
    variables = _embedding_model().trainable_variables
    facts = stepping.facts(variables, ["hidden"])
    assert [f.head for f in facts] == ["hidden/" in f.path for f in facts]
    kind = next(k for k in RULES.values() if k.sees_head)
    made = derive(kind)(head_layers=["hiden"])
    assert made.get_config()["head_layers"] == ["hiden"]
    with pytest.raises(UnknownName, match="no variable belongs to a layer 'hiden'"):
        made.build(variables)


# -- where it is judged ------------------------------------------------------------------------------------------


@averaging_rules
def test_swap_validates_at_the_judged_point(kind: type[Rule]) -> None:
    """With `SwapEvaluated` validation sees the weights that `fit` would end with, and training goes on untouched."""
    plain = _model()
    plain.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    ends = []
    swapped = _model()
    swapped.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    history = _fit(swapped, epochs=2, validation_data=(X, Y), callbacks=[optimizers.SwapEvaluated()])
    for _ in range(2):  # a second fit goes on where the first ended
        _fit(plain, callbacks=[optimizers.SwapEvaluated()])
        ends.append(plain.evaluate(X, Y, batch_size=4, verbose=0))
    _same(plain.get_weights(), swapped.get_weights())
    assert history.history["val_loss"] == ends


@averaging_rules
def test_swap_shows_other_callbacks_the_judged_point(kind: type[Rule]) -> None:
    """With `swap_on_epoch` a callback that comes after sees the judged weights at the end of each epoch."""
    seen: list[Any] = []
    model = _model()
    model.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    _fit(model, epochs=2, callbacks=[optimizers.SwapEvaluated(swap_on_epoch=True), look])
    _same(seen[-1], model.get_weights())
    _same(model.get_weights(), _trained(kind)[1])


@averaging_rules
def test_changed_weights_are_not_put_back(kind: type[Rule]) -> None:
    """Weights that were loaded after `fit` are where the next one begins: the old training point is not put back."""
    optimizer, variables = derive(kind)(), _variables()
    for grad in _gradients(12):
        optimizer.apply(grad, variables)
    training = _values(variables)
    assert optimizer.to_evaluated()
    assert not optimizer.to_evaluated()
    assert any((a != b).any() for a, b in zip(_values(variables), training, strict=True))
    assert optimizer.to_training()
    _same(variables, training)
    optimizer.to_evaluated()
    for variable in variables:
        variable.assign(variable + 1)
    loaded = _values(variables)
    assert not optimizer.to_training()
    _same(variables, loaded)


@averaging_rules
def test_steps_end_the_stay_at_the_judged_point(kind: type[Rule]) -> None:
    """Training on from the judged point, as a second `fit` without `SwapEvaluated` does, ends at the judged point."""
    optimizer, variables = derive(kind)(), _variables()
    for _ in range(2):
        for grad in _gradients(2):
            optimizer.apply(grad, variables)
        assert optimizer.to_evaluated()


@averaging_rules
def test_two_averages_are_refused(kind: type[Rule]) -> None:
    """Keras's moving average and the rule's own cannot both be what the model is judged at."""
    with pytest.raises(InvalidValue, match=f"{kind.__name__}: `use_ema` cannot be set"):
        derive(kind)(use_ema=True).build(_variables())


@other_rules
def test_keras_moving_average(kind: type[Rule]) -> None:
    """`use_ema` keeps the average of the weights, and `finalize_variable_values` puts it in."""
    optimizer, variables = derive(kind)(use_ema=True, ema_momentum=0.5), _variables()
    average: list[np.ndarray] = []
    for grad in _gradients(3):
        optimizer.apply(grad, variables)
        values = _values(variables)
        average = [0.5 * a + 0.5 * v for a, v in zip(average, values, strict=True)] if average else values
    optimizer.finalize_variable_values(variables)
    _near(variables, average, 1e-6)


def test_swap_does_nothing_where_there_is_nothing_to_swap() -> None:
    """`SwapEvaluated` with a rule that is judged where it trains changes nothing."""
    kind = next(kind for kind in RULES.values() if not _judged_elsewhere(kind))
    model = _model()
    model.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    _fit(model, epochs=2, validation_data=(X, Y), callbacks=[optimizers.SwapEvaluated()])
    _same(model.get_weights(), _trained(kind)[1])


def test_swap_refuses_other_optimizers() -> None:
    """`SwapEvaluated` says that it needs an optimizer of this package."""
    model = _model()
    model.compile("sgd", loss="mse", run_eagerly=True)
    with pytest.raises(InvalidValue, match="the model's optimizer, SGD, is none of optselect"):
        _fit(model, callbacks=[optimizers.SwapEvaluated()])


# -- mixed precision and several devices ----------------------------------------------------------------------------


@few_rules
def test_mixed_bfloat16(kind: type[Rule]) -> None:
    """Under mixed_bfloat16 weights and slots stay float32, and training goes near where it goes in float32."""
    model = _model("mixed_bfloat16")
    model.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
    _fit(model, epochs=2)
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    _near(model.get_weights(), _trained(kind)[1], 0.1)


@some_rules
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_dtypes(kind: type[Rule], dtype: str) -> None:
    """Variables of another float type keep it, and move as far as it can tell."""
    variables = [keras.Variable(v, dtype=dtype) for v in _values(_variables())]
    optimizer = derive(kind)(learning_rate=0.5)
    before = [tf.cast(v.value, "float64").numpy() for v in variables]
    for grad in _gradients(3):
        optimizer.apply([tf.cast(g, dtype) for g in grad], variables)
    after = [tf.cast(v.value, "float64").numpy() for v in variables]
    assert {keras.backend.standardize_dtype(v.dtype) for v in variables} == {dtype}
    assert all(np.isfinite(a).all() for a in after)
    assert dtype == "bfloat16" or any((a != b).any() for a, b in zip(after, before, strict=True))


@every_rule
def test_loss_scale_is_taken_off(kind: type[Rule]) -> None:
    """Inside Keras's `LossScaleOptimizer` scaled gradients make the same steps, and infinite ones none."""
    scaled = keras.optimizers.LossScaleOptimizer(derive(kind)(), initial_scale=1024.0)
    variables = _variables()
    for grad in _gradients(2):
        scaled.apply([g * 1024.0 for g in grad], variables)
    wanted = _stepped(derive(kind)(), _gradients(2))
    _same(variables, wanted)
    slots = _values(scaled.inner_optimizer.variables)
    scaled.apply([g * np.inf for g in _gradients(1)[0]], variables)
    _same(variables, wanted)
    _same(scaled.inner_optimizer.variables, slots)


def test_mixed_float16_ends_at_the_judged_point() -> None:
    """Under mixed_float16 Keras wraps the optimizer: it still ends at the judged point, with the swap or without."""
    kind = next(kind for kind in RULES.values() if _judged_elsewhere(kind))
    ends = []
    for callbacks in ([], [optimizers.SwapEvaluated()]):
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model = _model()
            model.compile(derive(kind)(learning_rate=RATE), loss="mse", run_eagerly=True)
        finally:
            keras.config.set_dtype_policy("float32")
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        _fit(model, epochs=2, validation_data=(X, Y), callbacks=callbacks)
        assert not model.optimizer.inner_optimizer.to_evaluated()
        ends.append(model.get_weights())
    _same(*ends)


_FRESH = """
import sys, warnings
import keras, optselect.optimizers as optimizers
warnings.simplefilter("ignore")
print("loaded", type(keras.saving.load_model(sys.argv[1]).optimizer).__name__, flush=True)

import numpy as np, tensorflow as tf
x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
y = x.sum(axis=1, keepdims=True)

def ends(key, strategy):
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
        optimizer = optimizers.get(key)
        optimizer.learning_rate = 0.01
        model.compile(optimizer, loss="mse", run_eagerly=strategy.num_replicas_in_sync == 1)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    model.fit(data, epochs=2, validation_data=data, verbose=0, callbacks=[optimizers.SwapEvaluated()])
    return model.get_weights()

for key in sys.argv[2:]:
    one = ends(key, tf.distribute.get_strategy())
    two = ends(key, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    print(key, max(float(np.abs(a - b).max()) for a, b in zip(one, two)), flush=True)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a fresh process with two virtual devices prints: a line a thing that it did."""
    path = tmp_path_factory.mktemp("fresh") / "model.keras"
    model = _model()
    model.compile(derive(next(iter(SAMPLE.values())))(), loss="mse")
    model.save(path)
    # Devices are split before TensorFlow makes them, which loading a model does.
    split = (
        "import tensorflow as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
    )
    command = [sys.executable, "-c", split + _FRESH, str(path), *(kind().key for kind in FEW.values())]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(line.split() for line in run.stdout.splitlines())


@saves
def test_model_is_loaded_in_a_fresh_process(fresh: dict[str, str]) -> None:
    """`import keras, optselect.optimizers` is all that loading a saved model needs."""
    assert fresh["loaded"] == next(iter(SAMPLE.values())).__name__


@saves
def test_two_devices_train_as_one(fresh: dict[str, str]) -> None:
    """Under `MirroredStrategy` two devices that share each batch end where one device ends."""
    apart = {kind().key: float(fresh[kind().key]) for kind in FEW.values()}
    assert max(apart.values()) < 1e-5, apart
