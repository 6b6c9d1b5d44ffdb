"""Search spaces: the shipped ones, and what Optuna is asked."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
import re

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import Search
from optselect.optim.rules import RULES, parse
from optselect.spaces import Space, available, default_space, load_space, write_yaml

optuna.logging.set_verbosity(optuna.logging.WARNING)

WRAPPERS = [name for name, rule in RULES.items() if rule().parts[1:]]
ARMS = [rule().key for rule in RULES.values()] + [f"{a}({b}(adamw))" for a in WRAPPERS for b in WRAPPERS[:2]]
SPACES = {name: load_space(name) for name in available()}


def drawn(space: Space, arm: str, *, seed: int = 0, share: int = 80, rows: int = 1000) -> Configuration:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    return space.suggest(trial, arm, share=share, rows=rows)


def of_sgd(**searches: Search) -> Space:
    return dataclasses.replace(default_space(), optimizers={"sgd": searches})


@pytest.mark.parametrize("name", SPACES)
def test_every_arm_of_a_shipped_space_suggests_what_the_space_knows(name: str) -> None:
    """Whatever the share, a suggestion is legal and lies where the space looks."""
    space = SPACES[name]
    for arm, share, seed in itertools.product(space.optimizers, (1, 30, 80), range(3)):
        configuration = drawn(space, arm, share=share, seed=seed)
        assert configuration.rule.key == arm
        assert space.known(configuration, share=share, rows=1000) is not None


@pytest.mark.parametrize("name", SPACES)
def test_a_shipped_space_says_what_it_is_and_where_it_is_from(name: str) -> None:
    """A description of one line, and papers in the comments."""
    text = available()[name].read_text()
    assert 20 < len(SPACES[name].description) < 100
    assert re.search(r"#.*(arXiv:\d{4}\.\d{5}|\b(19|20)\d\d\b)", text)
    assert all(len(line) <= 140 for line in text.splitlines())


def test_generated_default_file_is_what_the_rules_declare() -> None:
    """`search_spaces/default.yaml` is generated: the rules are the only place where a range is written."""
    stream = io.StringIO()
    write_yaml(default_space(), stream)
    assert available()["default"].read_text() == stream.getvalue(), "run `just generate`"
    assert load_space("default") == default_space()


@settings(deadline=None, max_examples=25)  # each of all arms
@given(seed=st.integers(0, 2**16), share=st.sampled_from([1, 7, 12, 30, 80]), rows=st.integers(1, 5000))
def test_every_suggestion_is_a_legal_configuration_inside_the_space(seed: int, share: int, rows: int) -> None:
    """Whatever the sampler says becomes a configuration whose parameters `known` finds again."""
    space = default_space().only(ARMS)
    for arm in ARMS:
        configuration = drawn(space, arm, seed=seed, share=share, rows=rows)
        assert configuration.rule.key == arm
        assert configuration.batch_size <= rows
        assert space.known(configuration, share=share, rows=rows) is not None


def test_few_trials_search_few_dimensions() -> None:
    """An arm with a small share searches fewer hyperparameters than one with a large share."""
    for arm in ARMS:
        study, widths = optuna.create_study(), []
        for share in (1, 12, 30, 100):
            trial = study.ask()
            default_space().only([arm]).suggest(trial, arm, share=share, rows=1000)
            widths.append(len([n for n in trial.params if "." not in n]))
        assert widths == sorted(widths)
        assert widths[0] < widths[-1]


def test_what_lies_outside_is_not_known() -> None:
    """Another arm, a value beyond its range, a fixed value that differs, a schedule that is not there."""
    space = SPACES["quick"]
    inside = drawn(space, "adam")
    assert space.known(inside, share=80, rows=1000)
    for outside in (
        dataclasses.replace(inside, rule=parse("yogi")),
        dataclasses.replace(inside, rule=inside.rule.replaced(learning_rate=5.0)),
        dataclasses.replace(inside, rule=inside.rule.replaced(beta_1=0.5)),
        dataclasses.replace(inside, schedule=drawn(SPACES["choi2019"], "adam").schedule),
        dataclasses.replace(inside, batch_size=7),
    ):
        assert space.known(outside, share=80, rows=1000) is None


def test_a_known_configuration_may_have_any_digits() -> None:
    """A person's own 1/3 is known, though suggestions have four digits."""
    for arm in SPACES["sgd_family"].optimizers:
        configuration = drawn(SPACES["sgd_family"], arm)
        odd = dataclasses.replace(configuration, rule=configuration.rule.replaced(learning_rate=1 / 30))
        found = SPACES["sgd_family"].known(odd, share=80, rows=1000)
        assert found is not None
        assert all(d._contains(d.to_internal_repr(found[0][name])) for name, d in found[1].items())


# -- quotients and conditions ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seed=st.integers(0, 2**16))
def test_a_quotient_is_what_is_searched(seed: int) -> None:
    """With `per: 1-momentum` the rate over 1 - momentum stays in the range, whatever the momentum is."""
    space = of_sgd(learning_rate=Search("log", 0.1, 1.0, per="1-momentum"), momentum=Search("log1m", 0.0, 0.999))
    rule = drawn(space, "sgd", seed=seed).rule
    assert 0.0999 <= rule.values()["learning_rate"] / (1 - rule.values()["momentum"]) <= 1.001


def test_a_quotient_at_its_end_is_known() -> None:
    """The rate is rounded to four digits, which may carry the quotient a little over its end."""
    space = of_sgd(learning_rate=Search("log", 0.7777, 1.0, per="1-momentum"), momentum=Search("log1m", 0.0, 0.9))
    asked = {"1-momentum": 0.3333, "learning_rate/(1-momentum)": 0.7777, "schedule": "constant"}
    trial = optuna.trial.FixedTrial(asked)
    configuration = space.suggest(trial, "sgd", share=1, rows=32)  # type: ignore[arg-type]
    assert configuration.rule.values()["learning_rate"] == 0.2592
    found = space.known(configuration, share=1, rows=32)
    assert found is not None
    assert found[0] == asked


def test_a_quotient_is_one_parameter_of_the_study() -> None:
    """Optuna sees the quotient under a name that says so, log-uniform between its bounds."""
    trial = optuna.create_study().ask()
    SPACES["choi2019"].suggest(trial, "adam", share=1, rows=1000)
    asked = trial.distributions["learning_rate/epsilon"]
    assert asked == optuna.distributions.FloatDistribution(1e-2, 1e4, log=True)
    assert "learning_rate" not in trial.params


@settings(deadline=None)
@given(seed=st.integers(0, 2**16))
def test_a_condition_decides_whether_a_hyperparameter_is_searched(seed: int) -> None:
    """Where it does not hold, the default stands and Optuna is not asked; the order of writing does not matter."""
    space = of_sgd(
        nesterov=Search("choice", choices=(True,), when=(("momentum", Search("linear", 0.5, math.inf)),)),
        momentum=Search("linear", 0.0, 0.9),
    )
    values = drawn(space, "sgd", seed=seed).rule.values()
    assert values["nesterov"] == (values["momentum"] >= 0.5)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**16))
def test_an_arm_keeps_to_its_own_schedules_clippings_and_batches(seed: int) -> None:
    """What an arm names of them narrows what all arms share, for itself alone."""
    own = {"schedule": Search("choice", choices=("constant",)), "batch_size": Search("choice", choices=(8,))}
    space = default_space().only(["adam", "sgd"])
    space = dataclasses.replace(space, optimizers={**space.optimizers, "sgd": {**space.optimizers["sgd"], **own}})
    found = drawn(space, "sgd", seed=seed)
    assert (found.schedule.name, found.batch_size) == ("constant", 8)
    assert {drawn(space, "adam", seed=seed + s).schedule.name for s in range(20)} == set(space.schedules)


# -- narrowing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ARMS)
@settings(deadline=None, max_examples=8)
@given(low=st.floats(1e-6, 10), ratio=st.floats(1.01, 1e4))
def test_a_narrowed_rate_stays_in_both_ranges(arm: str, low: float, ratio: float) -> None:
    """The new range is a part of the declared one and of the given one, on the same scale; digits of the given
    bounds beyond four do not count. The rest of the space stays as it was."""
    space = default_space().only([arm])
    [(name, before)] = [(n, s) for n, s in space.optimizers[arm].items() if n.endswith("learning_rate")]
    after = space.narrowed(arm, low, low * ratio).optimizers[arm][name]
    assert (after.scale, after.from_trials) == (before.scale, before.from_trials)
    assert before.low <= after.low < after.high <= before.high
    meets = max(before.low, low * 1.001) < min(before.high, low * ratio * 0.999)
    assert not meets or (after.low >= low * 0.9994 and after.high <= low * ratio * 1.0006)
    assert space.narrowed(arm, before.low, before.high).optimizers[arm][name] == before


def test_a_narrowed_quotient_is_narrowed_at_the_defaults() -> None:
    """A rate found with momentum 0.9 bounds the effective rate ten times higher."""
    rate = Search("log", 1e-3, 10.0, per="1-momentum")
    space = of_sgd(learning_rate=rate, momentum=Search("choice", choices=(0.9,)))
    after = space.narrowed("sgd", 0.01, 0.1).optimizers["sgd"]["learning_rate"]
    assert (after.low, after.high, after.per) == (0.1, 1.0, "1-momentum")


def test_narrowing_keeps_what_is_fixed() -> None:
    """A fixed rate stays; of several choices stay those within, and all of them if none is."""
    space = of_sgd(learning_rate=Search("choice", choices=(0.01, 0.1)))
    assert space.narrowed("sgd", 0.05, 1.0).optimizers["sgd"]["learning_rate"].choices == (0.1,)
    assert space.narrowed("sgd", 0.5, 1.0).optimizers["sgd"]["learning_rate"].choices == (0.01, 0.1)
    assert of_sgd().narrowed("sgd", 0.5, 1.0) == of_sgd()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 0.1), (math.nan, 1.0), (0.1, math.inf)])
def test_what_is_no_range_narrows_nothing(low: float, high: float) -> None:
    """Bounds must be positive, finite and in order, and the arm must be there."""
    with pytest.raises(InvalidValue, match="narrow to 0 < `low` < `high`"):
        default_space().narrowed("adam", low, high)
    with pytest.raises(UnknownName, match="Did you mean 'adam'"):
        default_space().narrowed("adma", 0.1, 0.2)


def test_defaults_hold_what_is_fixed() -> None:
    """An arm's defaults are the rule's, but for what the space fixes."""
    for arm in SPACES["quick"].optimizers:
        rule = SPACES["quick"].defaults(arm)
        for name, search in SPACES["quick"].optimizers[arm].items():
            if name in rule.named_numbers():
                expected = search.choices[0] if len(search.choices) == 1 else parse(arm).named_numbers()[name]
                assert rule.named_numbers()[name] == expected


def test_the_digest_is_of_what_is_searched() -> None:
    """Names and descriptions do not count; everything else does."""
    space = default_space()
    assert dataclasses.replace(space, name="other", description="").digest() == space.digest()
    assert len({space.digest() for space in SPACES.values()}) == len(SPACES)
    assert space.narrowed("adam", 1e-4, 1e-2).digest() != space.digest()
