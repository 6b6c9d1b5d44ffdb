"""Every rule stays beside its Keras twin, and a rule that is wrong anywhere does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from optselect.cli.commands.cmd_parity import command
from optselect.errors import InvalidValue, UnknownName
from optselect.optim.certify import (
    TOLERANCE,
    VARIABLES,
    Case,
    altered,
    as_twin,
    cases,
    certify,
    compare,
    likely_twin,
    run,
)
from optselect.optim.certify.family import walked
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import hyper
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES

ALL = {case.name: case for case in cases()}
TWINS = [name for name, rule in RULES.items() if rule.twin]
STEPS = 50  # where what is compared shows early
FEW = 3  # where it shows at once: fewer steps without a graph than a graph takes to trace
HYPERS = [(RULES[rule], h.name) for rule in TWINS for h in RULES[rule].hypers() if h.name != "learning_rate"]
PARTING = [(kind, name) for kind, name in HYPERS if name in kind.twin_at]
FREE = [(kind, name) for kind, name in HYPERS if name not in kind.twin_at]


def _names(pairs: list[tuple[type[Rule], str]]) -> list[str]:
    return [f"{kind.name}-{name}" for kind, name in pairs]


def _some() -> list[Any]:
    """Every case; all are slow but, of each rule, three that wander over schedules and clippings from rule to rule."""
    kept = set()
    for k, rule in enumerate(TWINS):
        own = [case for case in ALL.values() if case.configuration.rule.name == rule]
        for form, dtype in (("default", "float32"), ("altered", "float32"), ("altered", "float64")):
            fitting = [case.name for case in own if (case.form, case.dtype) == (form, dtype)]
            kept |= set(fitting[k % len(fitting) : k % len(fitting) + 1]) if fitting else set()
    return [pytest.param(name, marks=() if name in kept else pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("name", _some())
def test_rule_is_its_twin_to_the_bit(name: str) -> None:
    """Two hundred steps of gradients of all sizes: not one entry of any variable differs from Keras."""
    comparison = compare(ALL[name])
    assert comparison.bit_equal, comparison
    assert comparison.ok
    assert (comparison.absolute, comparison.relative, comparison.departs) == (0.0, 0.0, None)


@pytest.mark.parametrize("rule", TWINS)
def test_eager_rule_is_its_eager_twin_to_the_bit(rule: str) -> None:
    """What holds in the graph holds without one."""
    assert compare(Case("altered", Configuration(rule=as_twin(altered(RULES[rule])))), steps=3, eager=True).bit_equal


@pytest.mark.parametrize("rule", TWINS)
def test_cases_meet_every_schedule_and_every_clipping(rule: str) -> None:
    """Each rule meets each schedule and each clipping, in float64 as far as its twin can, moved and unmoved."""
    own = [case for case in ALL.values() if case.configuration.rule.name == rule]
    spared = set(SCHEDULES) - {case.configuration.schedule.name for case in own}
    assert not spared or RULES[rule].needs_rate
    assert all(float(np.min(altered(SCHEDULES[name]).rates(1.0, 200))) == 0.0 for name in spared)
    for form, dtype in (("default", "float32"), ("altered", "float32"), ("altered", "float64")):
        met = {case.configuration.clipping.name for case in own if (case.form, case.dtype) == (form, dtype)}
        assert met == (set(CLIPPINGS) if dtype in RULES[rule].twin_dtypes else set())
    for case in own:
        for part in (case.configuration.rule, case.configuration.schedule, case.configuration.clipping):
            free = [h for h in part.hypers() if h.name not in getattr(part, "twin_at", {})]
            assert all((getattr(part, h.name) == h.default) == (case.form == "default") for h in free)


def test_every_rule_with_a_twin_has_cases() -> None:
    """No twin is left out."""
    assert {case.configuration.rule.name for case in ALL.values()} == set(TWINS)


def test_run_gives_the_comparisons_of_the_named_rules() -> None:
    """The generator walks the cases of the rules asked for, in their order."""
    assert next(run(TWINS[:1])).name == cases(TWINS[:1])[0].name


def test_unknown_rule_is_refused_with_the_nearest() -> None:
    """A rule that nobody knows is refused, and the nearest is named."""
    with pytest.raises(UnknownName, match=rf"parity: no rule is called '{TWINS[0]}q'\. Did you mean '{TWINS[0]}"):
        cases([TWINS[0] + "q"])


def test_rule_without_twin_is_refused() -> None:
    """What Keras has not is no parity, neither by name nor by hyperparameters that part a rule from its twin."""
    alone = next(rule for rule in RULES.values() if not rule.twin)
    with pytest.raises(InvalidValue, match=f"parity: {alone.name} has no twin"):
        cases([alone.name])
    apart = next(rule for rule in RULES.values() if set(rule.twin_at) & {h.name for h in rule.hypers()})
    with pytest.raises(InvalidValue, match=f"no class of Keras does what {apart.name} does"):
        compare(Case("altered", Configuration(rule=_off_twin(apart))))


def _off_twin(kind: type[Rule]) -> Rule:
    """With every value turned that makes the rule equal to its twin."""
    own = {h.name for h in kind.hypers()}
    turned = {k: not v if isinstance(v, bool) else v + 0.1 for k, v in kind.twin_at.items() if k in own}
    return kind(**turned)


@pytest.mark.parametrize(("kind", "name"), PARTING, ids=_names(PARTING))
def test_what_parts_a_rule_from_its_twin_does(kind: type[Rule], name: str) -> None:
    """A value that is said to part rule and twin does: the list of conditions is no longer than it must be."""
    turned = _off_twin(kind).values()[name]
    parted = as_twin(kind()).values() | {name: turned}
    twin = getattr(keras.optimizers, kind.twin.rpartition(".")[2])
    assert not certify(lambda: twin(learning_rate=0.5), kind(**parted), steps=STEPS).ok


def test_comparison_leaves_the_graph_optimiser_as_it_was() -> None:
    """The switch that parity needs is put back."""
    before = tf.config.optimizer.get_experimental_options()
    compare(next(iter(ALL.values())), steps=2)
    after = tf.config.optimizer.get_experimental_options()
    assert after.get("disable_meta_optimizer", False) == before.get("disable_meta_optimizer", False)


# -- any optimizer beside a rule ------------------------------------------------------------------------------------


class Mine(keras.optimizers.Optimizer):
    """Plain descent, right or, with `late`, wrong from that step on."""

    def __init__(self, learning_rate: float = 0.01, late: int = 1000, **options: Any) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.late = late

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        factor = tf.where(self.iterations.value + 1 < self.late, 1.0, 1.5)
        self.assign_sub(variable, gradient * tf.cast(learning_rate * factor, gradient.dtype))


def test_right_optimizer_of_a_user_is_certified() -> None:
    """Class, instance and function are all taken, with the schedule and the clipping that they carry."""
    assert certify(Mine, "sgd", steps=STEPS).bit_equal
    assert certify(Mine(clipvalue=0.1), "sgd", steps=STEPS).bit_equal
    assert certify(Mine(), RULES["sgd"](momentum=0.0), steps=STEPS).bit_equal
    rate = keras.optimizers.schedules.CosineDecay(0.1, 30)
    for clipping in ({"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}):
        made = certify(lambda clipping=clipping: Mine(rate, **clipping), "sgd", steps=STEPS, dtype="float64")
        assert made.bit_equal, made
        assert made.dtype == "float64"


def test_departure_is_reported_where_it_happens() -> None:
    """An optimizer that is wrong from its seventh step is found out at the seventh, in every variable."""
    found = certify(Mine(late=7), "sgd", steps=STEPS)
    assert (found.ok, found.bit_equal, found.departs) == (False, False, 7)
    assert found.relative > TOLERANCE
    assert found.absolute == max(part.absolute for part in found.parts) > 0
    assert [part.variable for part in found.parts] == list(VARIABLES)
    assert len(found.table().splitlines()) == 1 + len(VARIABLES)
    assert "step 7" in found.table()


def test_rule_is_found_by_the_name_of_the_class_or_its_base() -> None:
    """Without a rule, the one that the class or its nearest base is called like is taken."""
    named = type("Rms_Prop", (keras.optimizers.Optimizer,), {"update_step": Mine.update_step, "late": 1000})
    assert certify(lambda: named(learning_rate=0.1), steps=2).against.startswith("rmsprop")
    derived = type("Own", (keras.optimizers.Adam,), {})
    found = certify(lambda: derived(beta_1=0.5, amsgrad=True), steps=STEPS)
    assert found.against.startswith("adam (beta_1 0.5")
    assert found.bit_equal
    with pytest.raises(UnknownName, match=r"no rule is called like Mine; say which it should be\. Known: "):
        certify(Mine, steps=2)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("MyAdam", "adam"),
        ("MyAdamW", "adamw"),
        ("CustomRMSProp", "rmsprop"),
        ("Own_Lamb_Optimizer", "lamb"),
        ("MySGD", "sgd"),
        ("SchemaLion", "lion"),
        ("RectifiedAdam", "radam"),
        ("SGDW", "sgd"),
    ],
)
def test_likely_twin_is_the_longest_rule_in_the_name(name: str, rule: str) -> None:
    """A name that contains a rule's offers that rule, the longest one; three letters count only as a word."""
    assert likely_twin(type(name, (Mine,), {})) == rule


def test_shared_traces_compare_what_single_cases_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk that shares its trace with other schedules and clippings finds the same differences as one of its own.

    The rule is made wrong by a millionth, so that there are differences to find. It is one whose twin keeps a number
    that is not among the optimizer's variables.
    """
    rule = "nadam"
    right = RULES[rule].update

    def late_error(self: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
        late = tf.cast(step > 5, grad.dtype)
        return right(self, grad * (1 + 1e-6 * late), param, state, step)

    monkeypatch.setattr(RULES[rule], "update", late_error)
    own = cases([rule])[5:8]
    for case, shared in zip(own, walked(own, STEPS), strict=True):
        single = compare(case, steps=STEPS)
        assert (shared.name, shared.parts) == (single.name, single.parts)
        assert single.departs == 6


def test_two_keras_optimizers_are_compared() -> None:
    """Where there is no rule, another Keras optimizer serves, with everything that Keras can do."""
    average = {"use_ema": True, "ema_overwrite_frequency": 3}
    assert certify(lambda: keras.optimizers.SGD(**average), lambda: Mine(**average), steps=STEPS).bit_equal
    assert not certify(lambda: keras.optimizers.SGD(**average), Mine, steps=STEPS).ok


REFUSED = {
    "built": (lambda: _built(), "sgd", "has been built already"),
    "no optimizer": (3, "sgd", "must be a Keras optimizer, a class or a function that gives one, got 3"),
    "average": (lambda: Mine(use_ema=True), "sgd", "a rule knows no `use_ema`"),
    "accumulation": (lambda: Mine(gradient_accumulation_steps=2), "sgd", "knows no `gradient_accumulation_steps`"),
    "decay": (lambda: Mine(weight_decay=0.1), "sgd", "`weight_decay` is 0.1, and sgd has none"),
    "other": (Mine, 3, "`against` must be a Keras optimizer"),
}


def _built() -> Any:
    made = Mine()
    made.build([keras.Variable(1.0)])
    return made


@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_compared_is_refused(which: str) -> None:
    """What a rule cannot do, or what is no fresh optimizer, is refused with its name."""
    optimizer, against, said = REFUSED[which]
    with pytest.raises(InvalidValue, match=said):
        certify(optimizer, against, steps=2)


FILE = """
import keras

class Lion(keras.optimizers.Lion):
    pass

class Late(Lion):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * 0.5)

class Loud(Lion):
    def update_step(self, gradient, variable, learning_rate):
        raise RuntimeError("no such luck")

instance = keras.optimizers.Lion(beta_1=0.8)
"""


def test_command_compares_an_optimizer_in_a_file(tmp_path: Path) -> None:
    """Exit code 0 for an optimizer that is right, 1 for one that departs, a table for people, JSON for programs."""
    file = tmp_path / "own_optimizers.py"
    file.write_text(FILE)
    right = CliRunner().invoke(command, [f"{file}:instance"])
    assert right.exit_code == 0, right.output
    assert "Lion beside lion (weight_decay 0.0, beta_1 0.8" in right.output
    assert "equal to the bit" in right.output
    wrong = CliRunner().invoke(command, [f"{file}:Late", "--against", "lion", "--json", "--float64"])
    assert wrong.exit_code == 1
    [row] = json.loads(wrong.stdout)
    assert (row["case"], row["departs"], row["dtype"], row["ok"]) == ("Late", 1, "float64", False)


def test_command_says_in_one_line_what_is_wrong(tmp_path: Path, optselect: Any) -> None:
    """An optimizer that raises, a name that is not there: one line with file and line, exit code 2, no traceback."""
    (tmp_path / "own.py").write_text(FILE)
    ran = optselect("parity", "own.py:Loud")
    assert ran.returncode == 2, ran
    assert "own.py:13 in update_step: RuntimeError: no such luck" in ran.stderr
    assert "Traceback" not in ran.stderr
    for arguments, said in (
        (["own.py:Lyon"], "no function `Lyon`. Did you mean 'Lion'?"),
        (["own.py:Lion", "adam"], "Give rules, or one FILE.py:NAME."),
        (["adam", "--eager"], "are for an optimizer of yours"),
    ):
        with pytest.raises((InvalidValue, click.UsageError)) as refused:
            command.main([str(tmp_path / a) if ".py" in a else a for a in arguments], standalone_mode=False)
        assert said in str(refused.value)


# -- what is wrong is caught ----------------------------------------------------------------------------------

Update = Callable[[Rule, Any, Any, Any, Any], Any]


def _broken(right: Rule, update: Update, seen: Callable[[Rule], Rule] = lambda rule: rule) -> Rule:
    """`right` gone wrong: `seen` is what it takes itself for, `update` gets that and what `Rule.update` takes."""
    kind = type(right)

    def own(self: Rule) -> Rule:
        return seen(kind.unchecked(**self.values()))

    fields = {h.name: hyper(default=h.default, domain=h.domain, doc=h.doc) for h in kind.hypers()}

    def fitted(self: Any) -> Rule:
        rule = own(self)
        return rule.for_variable(self._variable) if hasattr(self, "_variable") else rule

    body = {
        "name": f"broken_{kind.name}",
        "twin": kind.twin,
        "__module__": __name__,
        "__annotations__": dict.fromkeys(fields, "float"),
        **fields,
        "scope": kind.scope,
        "twin_at": kind.twin_at,
        "for_variable": lambda self, variable: type(self).unchecked(**self.values(), _variable=variable),
        "init": lambda self, param: fitted(self).init(param),
        "update": lambda self, *arguments: update(fitted(self), *arguments),
    }
    return type("Broken", (Rule,), body)(**right.values())


def _right(rule: Rule, *arguments: Any) -> Any:
    return rule.update(*arguments)


def _caught(right: Rule, update: Update, schedule: str = "constant") -> bool:
    configuration = Configuration(rule=_broken(right, update), schedule=altered(SCHEDULES[schedule]))
    comparison = compare(Case("altered", configuration), steps=STEPS)
    if comparison.ok:
        return False
    assert not comparison.bit_equal
    assert comparison.relative > TOLERANCE
    assert comparison.absolute > 0
    assert comparison.departs
    return True


def _with(rule: Rule, **changes: Any) -> Rule:
    return type(rule).unchecked(**{**rule.values(), **changes})


@pytest.mark.parametrize("rule", TWINS[::4])
def test_wrapper_alone_breaks_nothing(rule: str) -> None:
    """The wrapper of the tests below is equal to the bit as long as nothing is wrong inside it."""
    right = _broken(as_twin(altered(RULES[rule])), _right)
    assert compare(Case("altered", Configuration(rule=right)), steps=STEPS).bit_equal


@pytest.mark.parametrize(("kind", "name"), FREE, ids=_names(FREE))
def test_ignored_hyperparameter_is_caught(kind: type[Rule], name: str) -> None:
    """A rule that overlooks one hyperparameter and computes with its default fails: momentum, a flag, epsilon."""
    default = {h.name: h.default for h in kind.hypers()}[name]
    broken = _broken(as_twin(altered(kind)), _right, seen=lambda rule: _with(rule, **{name: default}))
    assert not compare(Case("altered", Configuration(rule=broken)), steps=FEW, eager=True).ok


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


def _momentum_before_the_sign(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    _, moved = rule.update(grad, param, state, step)
    return rule.update(grad, param, moved, step)[0], moved


def _decay_in_the_ratio(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    return _with(rule, weight_decay=0.1).update(grad, param, state, step)


def _norm_of_the_gradient(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
    moved, state = rule.update(grad, param, state, step)
    length = tf.norm(param - moved) / tf.norm(grad)
    return param - grad * tf.where(tf.math.is_finite(length), length, 0.0), state


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
    "momentum before the sign": (RULES["lion"](), _momentum_before_the_sign, "constant"),
    "decay in the ratio": (RULES["lamb"](), _decay_in_the_ratio, "constant"),
    "gradient for direction": (RULES["lamb"](), _norm_of_the_gradient, "constant"),
    "momentum schedule a step late": (RULES["nadam"](), _corrects_a_step_late, "constant"),
}


@pytest.mark.parametrize("which", BROKEN)
def test_known_mistake_is_caught(which: str) -> None:
    """A mistake that other libraries or papers make, or that was likely here, fails the comparison."""
    assert _caught(*BROKEN[which])


@pytest.mark.parametrize("rule", TWINS)
def test_forgotten_state_is_caught_in_every_rule(rule: str) -> None:
    """A rule that begins anew at each step fails."""
    assert _caught(as_twin(altered(RULES[rule])), _forgets_its_state)


def test_rule_that_blows_up_is_never_right() -> None:
    """NaN on one side or on both is no agreement."""

    def poisoned(rule: Any, grad: Any, param: Any, state: Any, step: Any) -> Any:
        return rule.update(grad * float("nan"), param, state, step)

    comparison = compare(Case("default", Configuration(rule=_broken(RULES[TWINS[0]](), poisoned))))
    assert not comparison.ok
    assert not comparison.bit_equal
    assert comparison.departs == 1
