"""Laws that every rule keeps. No rule is named here: the suite walks `RULES`."""

from __future__ import annotations

import importlib
import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect.errors import InvalidValue
from optselect.hyper import Hyper
from optselect.parity import altered
from optselect.rule import Rule, Scalar
from optselect.rules import RULES

from . import references

FORMS = {"default": lambda rule: rule(), "altered": altered}
HYPERS = [pytest.param(rule, h, id=f"{name}-{h.name}") for name, rule in RULES.items() for h in rule.hypers()]

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


def _gradients(shape: tuple[int, ...], steps: int, dtype: str = "float64") -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.normal(size=(steps, *shape)) * 10.0 ** rng.uniform(-6, 1, size=shape)).astype(dtype)


def _walk(rule: Rule, start: Any, grads: Any) -> Any:
    param = tf.convert_to_tensor(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param


def _near(got: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@every_rule
@every_form
def test_rule_equals_its_formula_in_numpy(rule: type[Rule], form: Any) -> None:
    """In float64 a rule ends where an independent formula ends, to a millionth."""
    formula = getattr(references, rule.name, None)
    assert formula, f"write `def {rule.name}(w, grads, *, ...)` in tests/references.py from the paper"
    # Keras rounds hyperparameters to float32 also in float64; numbers that are float32 already make that nothing.
    values = {k: v if isinstance(v, bool) else float(np.float32(v)) for k, v in form(rule).values().items()}
    start = np.random.default_rng(4).normal(size=(4, 3))
    grads = _gradients((4, 3), 50)
    _near(_walk(rule(**values), start, grads), formula(start.copy(), grads, **values))


@every_rule
def test_traced_rule_serves_all_hyperparameters(rule: type[Rule]) -> None:
    """One traced program, hyperparameters as tensors, gives the numbers of the rule with Python numbers."""
    start, grads = np.float32([[1.0, -2.0], [0.5, 3.0]]), _gradients((2, 2), 20, "float32")

    @tf.function(autograph=False)
    def traced(values: dict[str, Any]) -> Any:
        return _walk(rule.unchecked(**{k: Scalar(v) for k, v in values.items()}), start, grads)

    for form in FORMS.values():
        values = form(rule).values()
        tensors = {k: tf.constant(v, "bool" if isinstance(v, bool) else "float64") for k, v in values.items()}
        _near(traced(tensors), _walk(rule(**values), start, grads))
    assert traced.experimental_get_tracing_count() == 1


@every_rule
@every_form
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_update_keeps_shapes_and_dtypes(rule: type[Rule], form: Any, dtype: str) -> None:
    """The variable and every slot keep name, shape and dtype; a slot has the variable's shape or none."""
    made = form(rule)
    param = tf.ones((2, 3), dtype)
    before = made.init(param)
    moved, after = made.update(param, param, before, 1)
    assert (moved.shape, moved.dtype) == (param.shape, param.dtype)
    assert {k: (v.shape, v.dtype) for k, v in after.items()} == {k: (v.shape, v.dtype) for k, v in before.items()}
    assert all(slot.shape in ((2, 3), ()) for slot in before.values())


@every_rule
def test_init_needs_no_flag(rule: type[Rule]) -> None:
    """The slots have the same names and shapes whatever the hyperparameters, so that one program holds them."""
    param = tf.ones((2,))
    plain, other = (form(rule).init(param) for form in FORMS.values())
    assert {k: v.shape for k, v in plain.items()} == {k: v.shape for k, v in other.items()}


@every_rule
@every_form
def test_elementwise_rule_works_on_the_flat_vector(rule: type[Rule], form: Any) -> None:
    """Where a rule says it is elementwise, two variables joined move as they move alone."""
    if rule.scope != "entry":
        pytest.skip("the rule looks at the whole variable")
    start, grads = np.linspace(-1, 1, 7, dtype="float32"), _gradients((7,), 10, "float32")
    apart = [_walk(form(rule), start[part], grads[:, part]) for part in (slice(0, 4), slice(4, 7))]
    _near(_walk(form(rule), start, grads), np.concatenate(apart))


@every_rule
def test_rule_converges_on_a_parabola(rule: type[Rule]) -> None:
    """With some rate of its search range a rule comes from afar to within a hundredth of the minimum's distance."""
    [search] = [h.search for h in rule.hypers() if h.name == "learning_rate"]
    rates = tf.constant(np.geomspace(search.low, search.high, 7)[:, None], "float32")
    made = rule.unchecked(learning_rate=rates)
    target, curvature = tf.constant([[1.0, -2.0, 3.0]]), tf.constant([[0.3, 1.0, 2.0]])

    @tf.function(autograph=False)
    def descend() -> Any:
        def body(step: Any, param: Any, state: Any) -> Any:
            return step + 1, *made.update(curvature * (param - target), param, state, step)

        start = tf.zeros((7, 3))
        return tf.while_loop(lambda step, *_: step <= 1000, body, (tf.constant(1), start, made.init(start)))[1]

    away = np.abs(descend().numpy() - target.numpy()).max(axis=1)
    assert np.nanmin(away) < 0.03, f"distances from the minimum by rate: {away}"


@every_rule
def test_defaults_are_those_of_keras(rule: type[Rule]) -> None:
    """A rule's default hyperparameters are its twin's, so that leaving one out means the same in both."""
    module, _, name = rule.twin.rpartition(".")
    config = getattr(importlib.import_module(module), name)().get_config()
    assert {h.name: h.default for h in rule.hypers()} == pytest.approx({h.name: config[h.name] for h in rule.hypers()})


@every_rule
def test_twin_has_no_hyperparameter_that_the_rule_lacks(rule: type[Rule]) -> None:
    """What the twin takes beyond every Keras optimizer's arguments, the rule declares."""
    common = set(keras.optimizers.Optimizer(0.1).get_config())
    config = set(getattr(keras.optimizers, rule.twin.rpartition(".")[2])().get_config())
    assert config - common <= {h.name for h in rule.hypers()}


@pytest.mark.parametrize(("rule", "declared"), HYPERS)
def test_search_lies_in_the_domain(rule: type[Rule], declared: Hyper) -> None:
    """A search offers legal values only, joins at a known number of trials, and the rate is always searched."""
    assert declared.domain.contains(declared.default)
    assert declared.doc.endswith(".")
    search = declared.search
    if declared.name == "learning_rate":
        assert search
        assert search.from_trials == 0
    if search is None:
        return
    assert search.from_trials in {0, 10, 25, 50}
    values = search.choices if search.scale == "choice" else (search.low, search.high)
    assert all(declared.domain.contains(value) for value in values)
    assert search.scale == "choice" or search.low < search.high


@pytest.mark.parametrize(("rule", "declared"), HYPERS)
def test_value_outside_the_domain_is_refused(rule: type[Rule], declared: Hyper) -> None:
    """A value outside its domain is refused with who, what, the domain and what was got."""
    domain = declared.domain
    outside = [math.nan, math.inf, "0.1", None, 2 if domain.boolean else True]
    if not domain.boolean:
        outside += [domain.low - 1 if math.isfinite(domain.low) else -math.inf]
        outside += [domain.high + 1 if math.isfinite(domain.high) else math.inf]
        outside += [domain.low] if domain.low_open and math.isfinite(domain.low) else []
        outside += [domain.high] if domain.high_open and math.isfinite(domain.high) else []
    for value in outside:
        with pytest.raises(InvalidValue) as refused:
            rule(**{declared.name: value})
        wanted = f"{rule.__name__}: `{declared.name}` must lie in {domain}, got {value!r}."
        assert str(refused.value) == wanted
