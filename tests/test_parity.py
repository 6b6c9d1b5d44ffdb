"""Every rule stays beside its Keras twin, and a rule that is wrong anywhere does not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from optselect.clipping import CLIPPINGS
from optselect.configuration import Configuration
from optselect.errors import UnknownName
from optselect.hyper import hyper
from optselect.parity import TOLERANCE, Case, altered, cases, compare, run
from optselect.rule import Rule
from optselect.rules import RULES
from optselect.schedules import SCHEDULES

ALL = {case.name: case for case in cases()}
FORMS = ("default", "altered")
# Each rule in each form meets every schedule and every clipping; `optselect parity` walks the full product.
PAIRS = [
    f"{rule}/{form}/{schedule}/{clipping}"
    for rule, form in itertools.product(RULES, FORMS)
    for schedule, clipping in zip(SCHEDULES, itertools.cycle(CLIPPINGS), strict=False)
]
HYPERS = [(rule, h.name) for rule in RULES.values() for h in rule.hypers() if h.name != "learning_rate"]


@pytest.mark.parametrize("name", PAIRS)
def test_rule_is_its_twin_to_the_bit(name: str) -> None:
    """Two hundred steps of gradients of all sizes: not one float32 of any variable differs from Keras."""
    comparison = compare(ALL[name])
    assert comparison.bit_equal, comparison
    assert comparison.ok
    assert (comparison.absolute, comparison.relative, comparison.departs) == (0.0, 0.0, None)


@pytest.mark.parametrize("rule", RULES)
def test_eager_rule_is_its_eager_twin_to_the_bit(rule: str) -> None:
    """What holds in the graph holds without one."""
    assert compare(ALL[f"{rule}/altered/constant/none"], steps=40, eager=True).bit_equal


def test_cases_are_the_full_product() -> None:
    """No rule, schedule or clipping is left out, and each comes in its default and in its altered form."""
    product = itertools.product(RULES, FORMS, SCHEDULES, CLIPPINGS)
    assert set(ALL) == {"/".join(parts) for parts in product}
    for case in ALL.values():
        for part in (case.configuration.rule, case.configuration.schedule, case.configuration.clipping):
            for declared in part.hypers():
                assert (getattr(part, declared.name) == declared.default) == (case.form == "default")


def test_run_gives_the_comparisons_of_the_named_rules() -> None:
    """The generator walks the cases of the rules asked for, in their order."""
    name = next(iter(RULES))
    assert next(run([name])).case == cases([name])[0]


def test_unknown_rule_is_refused_with_the_nearest() -> None:
    """A rule that nobody knows is refused, and the nearest is named."""
    name = next(iter(RULES))
    with pytest.raises(UnknownName, match=rf"parity: no rule is called '{name}q'\. Did you mean '{name}"):
        cases([name + "q"])


def test_comparison_leaves_the_graph_optimiser_as_it_was() -> None:
    """The switch that parity needs is put back."""
    before = tf.config.optimizer.get_experimental_options()
    compare(next(iter(ALL.values())))
    after = tf.config.optimizer.get_experimental_options()
    assert after.get("disable_meta_optimizer", False) == before.get("disable_meta_optimizer", False)


# -- what is wrong is caught ----------------------------------------------------------------------------------

Update = Callable[[Rule, Any, Any, Any, Any], Any]


def _broken(right: Rule, update: Update, seen: Callable[[Rule], Rule] = lambda rule: rule) -> Rule:
    """`right` gone wrong: `seen` is what it takes itself for, `update` gets that and what `Rule.update` takes."""
    kind = type(right)

    def own(self: Rule) -> Rule:
        return seen(kind.unchecked(**self.values()))

    fields = {h.name: hyper(default=h.default, domain=h.domain, doc=h.doc) for h in kind.hypers()}
    body = {
        "name": f"broken_{kind.name}",
        "twin": kind.twin,
        "__module__": __name__,
        "__annotations__": dict.fromkeys(fields, "float"),
        **fields,
        "init": lambda self, param: own(self).init(param),
        "update": lambda self, *arguments: update(own(self), *arguments),
    }
    return type("Broken", (Rule,), body)(**right.values())


def _right(rule: Rule, *arguments: Any) -> Any:
    return rule.update(*arguments)


def _caught(right: Rule, update: Update, schedule: str = "constant") -> bool:
    configuration = Configuration(rule=_broken(right, update), schedule=altered(SCHEDULES[schedule]))
    comparison = compare(Case("altered", configuration))
    if comparison.ok:
        return False
    assert not comparison.bit_equal
    assert comparison.relative > TOLERANCE
    assert comparison.absolute > 0
    assert comparison.departs
    return True


def _with(rule: Rule, **changes: Any) -> Rule:
    return type(rule).unchecked(**{**rule.values(), **changes})


@pytest.mark.parametrize("rule", RULES)
def test_wrapper_alone_breaks_nothing(rule: str) -> None:
    """The wrapper of the tests below is equal to the bit as long as nothing is wrong inside it."""
    assert compare(Case("altered", Configuration(rule=_broken(altered(RULES[rule]), _right)))).bit_equal


@pytest.mark.parametrize(("kind", "name"), HYPERS, ids=[f"{kind.name}-{name}" for kind, name in HYPERS])
def test_ignored_hyperparameter_is_caught(kind: type[Rule], name: str) -> None:
    """A rule that overlooks one hyperparameter and computes with its default fails: momentum, a flag, epsilon."""
    default = {h.name: h.default for h in kind.hypers()}[name]
    broken = _broken(altered(kind), _right, seen=lambda rule: _with(rule, **{name: default}))
    assert not compare(Case("altered", Configuration(rule=broken))).ok


def _papers_epsilon(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    correction = tf.sqrt(1 - tf.cast(rule.beta_2, param.dtype) ** tf.cast(step, param.dtype))
    return _with(rule, epsilon=rule.epsilon * correction).update(grad, param, state, step)


def _epsilon_outside_the_root(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    _, state = rule.update(grad, param, state, step)
    return param - rule.learning_rate * grad / (tf.sqrt(state["accumulator"]) + rule.epsilon), state


def _decay_after_the_step(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    param, state = _with(rule, weight_decay=0.0).update(grad, param, state, step)
    return param - param * rule.weight_decay * rule.learning_rate, state


def _decay_in_the_gradient(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return _with(rule, weight_decay=0.0).update(grad + rule.weight_decay * param, param, state, step)


def _rate_outside_the_velocity(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    moved, state = _with(rule, learning_rate=1.0).update(grad, tf.zeros_like(param), state, step)
    return param + rule.learning_rate * moved, state


def _corrects_a_step_late(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return rule.update(grad, param, state, step + 1)


def _no_bias_correction(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return rule.update(grad, param, state, tf.constant(1_000_000))


def _forgets_its_state(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return rule.update(grad, param, rule.init(param), step)[0], state


BROKEN = {
    "epsilon of the paper": (RULES["adam"](epsilon=1e-2), _papers_epsilon, "constant"),
    "epsilon outside the root": (RULES["adagrad"](epsilon=1e-2), _epsilon_outside_the_root, "constant"),
    "decay after the step": (RULES["adamw"](learning_rate=0.1, weight_decay=0.5), _decay_after_the_step, "constant"),
    "decay in the gradient": (RULES["adamw"](weight_decay=0.5), _decay_in_the_gradient, "constant"),
    "rate outside the velocity": (RULES["sgd"](momentum=0.9), _rate_outside_the_velocity, "cosine_decay"),
    "bias corrected a step late": (RULES["adam"](), _corrects_a_step_late, "constant"),
    "bias not corrected": (RULES["adam"](), _no_bias_correction, "constant"),
    "momentum schedule a step late": (RULES["nadam"](), _corrects_a_step_late, "constant"),
}


@pytest.mark.parametrize("which", BROKEN)
def test_known_mistake_is_caught(which: str) -> None:
    """A mistake that other libraries or papers make, or that was likely here, fails the comparison."""
    assert _caught(*BROKEN[which])


@pytest.mark.parametrize("rule", RULES)
def test_forgotten_state_is_caught_in_every_rule(rule: str) -> None:
    """A rule that begins anew at each step fails."""
    assert _caught(altered(RULES[rule]), _forgets_its_state)


def test_rule_that_blows_up_is_never_right() -> None:
    """NaN on one side or on both is no agreement."""

    def poisoned(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
        return rule.update(grad * float("nan"), param, state, step)

    comparison = compare(Case("default", Configuration(rule=_broken(next(iter(RULES.values()))(), poisoned))))
    assert not comparison.ok
    assert not comparison.bit_equal
    assert comparison.departs == 1
