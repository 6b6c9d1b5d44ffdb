"""A configuration goes to JSON, to Keras and to code, and comes back."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
from typing import Any

import keras
import pytest
from hypothesis import given

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.certify import altered, as_twin
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.keras.derived import derive
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES, parse
from optselect.optim.schedules import SCHEDULES
from tests.helpers.strategies import configurations


def _sample() -> dict[str, Configuration]:
    """Each rule at its defaults and with nothing at its default, wrappers around such too; the rest in turns."""
    inner = itertools.cycle(rule for rule in RULES.values() if not rule.wraps())
    rules: dict[str, Rule] = {}
    for name, kind in RULES.items():
        rules |= {f"{name}-default": kind(), f"{name}-altered": altered(kind)}
        if kind.wraps():
            rules[f"{name}-around"] = dataclasses.replace(altered(kind), rule=altered(next(inner)))
    parts = zip(itertools.cycle(SCHEDULES.values()), itertools.cycle(CLIPPINGS.values()), rules.items(), strict=False)
    return {
        name: Configuration(rule=rule, schedule=altered(schedule), clipping=altered(clipping))
        for schedule, clipping, (name, rule) in parts
    }


SOME = _sample()
some = pytest.mark.parametrize("configuration", SOME.values(), ids=list(SOME))
ANY = next(iter(RULES.values()))
WRAPPER = next(rule for rule in RULES.values() if rule.wraps())


def _config(optimizer: Any) -> dict[str, Any]:
    """What defines a Keras optimizer: its config without the name, which Keras counts up."""
    return {key: value for key, value in optimizer.get_config().items() if key != "name"}


def test_sample_meets_every_part() -> None:
    """The sample that the tests below walk leaves no rule, schedule or clipping out."""
    parts = zip(*((c.rule, c.schedule, c.clipping) for c in SOME.values()), strict=True)
    met = [{part.name for part in family} for family in parts]
    assert met == [set(RULES), set(SCHEDULES), set(CLIPPINGS)]


@given(configuration=configurations())
def test_json_round_trip_is_exact(configuration: Configuration) -> None:
    """Writing and reading changes no bit of any number."""
    text = configuration.to_json()
    assert "\n" not in text
    assert Configuration.from_json(text) == configuration
    assert Configuration.from_dict(json.loads(text)).to_json() == text


@given(configuration=configurations())
def test_json_holds_every_hyperparameter(configuration: Configuration) -> None:
    """Defaults are written too, so that a file means the same when a default has changed; not those that came late."""
    data = configuration.to_dict()
    parts = {"optimizer": configuration.rule, "schedule": configuration.schedule, "clipping": configuration.clipping}
    for key, part in parts.items():
        inner = {key for key in ("rule", "schedule") if hasattr(part, key)}
        written = {h.name for h in part.hypers() if not h.late or getattr(part, h.name) != h.default}
        assert set(data[key]) == {"name", *written, *inner}


def test_what_json_leaves_out_is_at_its_default() -> None:
    """A name is enough."""
    plain = Configuration(rule=ANY())
    assert Configuration.from_dict({"optimizer": ANY.name}) == plain
    assert Configuration.from_dict({"optimizer": {"name": ANY.name}, "schedule": "constant"}) == plain


@some
def test_dict_holds_wrapped_rules(configuration: Configuration) -> None:
    """A wrapped rule stands in full under "rule", as deep as rules are wrapped, and comes back."""
    data = json.loads(json.dumps(configuration.to_dict()))
    depth, told = 0, data["optimizer"]
    while told is not None:
        part = configuration.rule.parts[depth]
        assert {k: v for k, v in told.items() if k != "rule"} == {"name": part.name, **part.recorded()}
        depth, told = depth + 1, told.get("rule")
    assert depth == len(configuration.rule.parts)
    assert Configuration.from_dict(data) == configuration


@some
def test_keras_round_trip_keeps_the_optimizer(configuration: Configuration) -> None:
    """The configuration read from its optimizer is the same, but for a rate that Keras keeps in float32."""
    optimizer = configuration.optimizer(total_steps=1000)
    back = Configuration.from_optimizer(optimizer, total_steps=1000, batch_size=32)
    assert _config(back.optimizer(total_steps=1000)) == _config(optimizer)
    rate = configuration.learning_rate
    assert back.rule.rate == pytest.approx(rate, rel=1e-6)
    assert back.rule.replaced(learning_rate=rate) == configuration.rule
    key = "constant" if configuration.callbacks() else configuration.schedule.key  # a callback is not the optimizer's
    assert (back.schedule.key, back.clipping) == (key, configuration.clipping)


@some
def test_optimizer_is_the_twin_or_ours(configuration: Configuration) -> None:
    """Keras's class is taken where it does what the rule does, ours where none does."""
    made = type(configuration.optimizer(total_steps=1000))
    rule = configuration.rule
    wanted = rule.twin if rule.twin_arguments() is not None else f"optselect.optimizers.{type(rule).__name__}"
    module, _, name = wanted.rpartition(".")
    assert made is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("kind", [k for k in RULES.values() if k.twin], ids=[k.name for k in RULES.values() if k.twin])
def test_plain_keras_optimizer_is_the_plain_rule(kind: type[Rule]) -> None:
    """A Keras optimizer as it comes is read as the rule at its defaults, where these are equal."""
    plain = getattr(keras.optimizers, kind.twin.rpartition(".")[2])()
    assert Configuration.from_optimizer(plain, total_steps=1, batch_size=1).rule == as_twin(kind())


@some
def test_code_makes_the_same_optimizer(configuration: Configuration) -> None:
    """The code that is shown, after the imports that it asks for, gives the optimizer that was meant."""
    names: dict[str, Any] = {}
    exec("\n".join(configuration.imports), names)
    made = eval(configuration.code(total_steps=1000), names)
    assert _config(made) == _config(configuration.optimizer(total_steps=1000))


@some
def test_code_makes_the_same_callbacks(configuration: Configuration) -> None:
    """So does that of the callbacks; every hyperparameter of their schedule is an argument."""
    made = [eval(code, {"keras": keras}) for code in configuration.callbacks_code()]
    for ours, theirs in zip(made, configuration.callbacks(), strict=True):
        assert type(ours) is type(theirs)
        for name, value in configuration.schedule.values().items():
            assert getattr(ours, name) == getattr(theirs, name) == value, name


@some
def test_summary_names_what_is_not_at_its_default(configuration: Configuration) -> None:
    """The line for people names the rules, the rate, the batch, and each changed hyperparameter once."""
    text = str(configuration)
    names = [type(part).__name__ for part in configuration.rule.parts]
    assert text.startswith(f"{'('.join(names)}{')' * (len(names) - 1)} (learning_rate ")
    assert text.endswith("batch 32)")
    changed = configuration.changed()
    for prefix, part in configuration.rule.named_parts().items():
        for h in part.hypers():
            name = h.name if h.name == "learning_rate" else prefix + h.name
            assert (name in changed) == (h.name == "learning_rate" or getattr(part, h.name) != h.default)
    assert all(f" {name.removeprefix('schedule_')} " in text.replace("(", " ") for name in changed)


@pytest.mark.parametrize("rule", [c.rule for c in SOME.values()], ids=list(SOME))
def test_key_is_parsed(rule: Rule) -> None:
    """A rule's key gives the same rules, at their defaults."""
    back = parse(rule.key)
    assert [type(part) for part in back.parts] == [type(part) for part in rule.parts]
    assert all(part.values() == {h.name: h.default for h in part.hypers()} for part in back.parts)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (f"{ANY.name}x", f"Rule: no member is called '{ANY.name}x'. Did you mean '{ANY.name}'"),
        (f"{WRAPPER.name}({ANY.name}x)", f"Rule: no member is called '{ANY.name}x'. Did you mean '{ANY.name}'"),
        (f"{WRAPPER.name}({ANY.name}", f"Rule: '{WRAPPER.name}({ANY.name}' lacks its closing parenthesis."),
        (f"{ANY.name}({ANY.name})", f"Rule: '{ANY.name}' wraps no other rule, as in '{ANY.name}({ANY.name})'."),
        (f"{WRAPPER.name}()", "Rule: no member is called ''. Known: "),
    ],
)
def test_unknown_key_is_refused(key: str, message: str) -> None:
    """A key that names no rules is refused with the nearest names."""
    with pytest.raises(UnknownName) as refused:
        parse(key)
    assert str(refused.value).startswith(message)


class Foreign(keras.optimizers.SGD):  # type: ignore[misc]
    """An optimizer of the user's own."""


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda: Foreign(), f"no rule stands for {__name__}.Foreign. Known: "),
        (lambda: keras.optimizers.SGD(use_ema=True), "keras.optimizers.SGD has use_ema=True"),
        (lambda: keras.optimizers.SGD(weight_decay=0.1), "keras.optimizers.SGD has weight_decay=0.1"),
        (lambda: keras.optimizers.Adam(gradient_accumulation_steps=2), "has gradient_accumulation_steps=2"),
        (lambda: derive(ANY)(gradient_accumulation_steps=2), "has gradient_accumulation_steps=2"),
        (lambda: derive(WRAPPER)(head_layers=["dense"]), "has head_layers=['dense']"),
    ],
)
def test_foreign_optimizer_is_refused(optimizer: Any, message: str) -> None:
    """What a configuration cannot hold is refused by name, not dropped."""
    with pytest.raises(InvalidValue) as refused:
        Configuration.from_optimizer(optimizer(), total_steps=10, batch_size=1)
    assert message in str(refused.value)


def test_foreign_schedule_is_refused() -> None:
    """A schedule of the user's own has no configuration."""

    @keras.saving.register_keras_serializable("optselect_tests")
    class Halves(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return 0.5

        def get_config(self) -> dict[str, Any]:
            return {}

    with pytest.raises(InvalidValue, match=r"no schedule stands for .*test_configuration\.Halves"):
        Configuration.from_optimizer(keras.optimizers.SGD(Halves()), total_steps=10, batch_size=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"optimiser": ANY.name}, "Configuration: unknown key 'optimiser'. Did you mean 'optimizer'? Known: "),
        ({"optimizer": ANY.name + "x"}, f"Rule: no member is called '{ANY.name}x'. Did you mean '{ANY.name}"),
        (
            {"optimizer": {"name": ANY.name, "learning_rat": 1.0}},
            f"{ANY.__name__}: unknown hyperparameter 'learning_rat'. Did you mean 'learning_rate'? Known: ",
        ),
        ({"optimizer": ANY.name, "schedule": "cosine_decoy"}, "Schedule: no member is called 'cosine_decoy'. Did you"),
        ({}, "Rule: no member is called ''. Known: "),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(data: dict[str, Any], message: str) -> None:
    """A typo in a configuration is refused, and the nearest name offered."""
    with pytest.raises(UnknownName) as refused:
        Configuration.from_dict(data)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_batch_size_is_a_whole_number_from_one(size: Any) -> None:
    """A batch has at least one whole row."""
    with pytest.raises(InvalidValue) as refused:
        Configuration(rule=ANY(), batch_size=size)
    assert str(refused.value) == f"Configuration: `batch_size` must be a whole number from 1, got {size!r}."
