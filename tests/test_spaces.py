"""Search spaces: declarations, YAML, and what Optuna is asked."""

from __future__ import annotations

import io
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.configuration import Configuration
from optselect.errors import InvalidSpace, UnknownName
from optselect.rules import RULES
from optselect.spaces import available, default_space, load_space, write_yaml

optuna.logging.set_verbosity(optuna.logging.WARNING)

WRAPPERS = [name for name, rule in RULES.items() if rule().parts[1:]]
ARMS = [rule().key for rule in RULES.values()] + [f"{a}({b}(adamw))" for a in WRAPPERS for b in WRAPPERS[:2]]


def yaml_of(space: object) -> str:
    stream = io.StringIO()
    write_yaml(space, stream)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("name", available())
def test_shipped_spaces_are_whole(name: str) -> None:
    """Every shipped space loads without a mistake."""
    assert load_space(name).optimizers


def test_the_default_file_is_what_the_rules_declare() -> None:
    """`search_spaces/default.yaml` is generated: the rules are the only place where a range is written."""
    assert load_space("default").digest() == default_space().digest()


def test_yaml_comes_back_as_it_was(tmp_path: Path) -> None:
    """A space written and read again is the same space."""
    for name in available():
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml_of(load_space(name)))
        assert load_space(path) == load_space(name)


@given(seed=st.integers(0, 2**16), share=st.sampled_from([1, 7, 12, 30, 80]), rows=st.integers(1, 5000))
def test_every_suggestion_is_a_legal_configuration_inside_the_space(seed: int, share: int, rows: int) -> None:
    """Whatever the sampler says becomes a configuration whose parameters `known` finds again."""
    space = default_space().only(ARMS)
    for arm in ARMS:
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
        configuration = space.suggest(trial, arm, share=share, rows=rows)
        assert isinstance(configuration, Configuration)
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


MISTAKES = {
    "optimizers: {adamn: {}}": "or 'adam'?",
    "optimisers: {adam: {}}": "Did you mean 'optimizers'?",
    "optimizers: {adam: {learning_rat: 0.1}}": "Did you mean 'learning_rate'",
    "optimizers: {adam: {learning_rate: {low: 0.1, high: 0.001}}}": "low 0.1 is above high 0.001. Swap them?",
    "optimizers: {adam: {beta_1: 1.5}}": "adam.beta_1: must lie in [0, 1), got 1.5.",
    "optimizers: {adam: {beta_1: {low: 0.5, high: 1.0}}}": "`high` must lie in [0, 1), got 1.0.",
    "optimizers: {adam: {amsgrad: 3}}": "must lie in {true, false}, got 3",
    "optimizers: {adam: {learning_rate: {low: 0.1}}}": "a range needs `low` and `high`",
    "optimizers: {adam: {learning_rate: {low: 0.1, high: 0.2, scale: lg}}}": "Did you mean 'log'",
    "optimizers: {adam: {learning_rate: {low: a, high: 0.2}}}": "`low` must be a number, got 'a'",
    "optimizers: {adam: {learning_rate: []}}": "no value to choose from",
    "optimizers: {adam: 3}": "must be a mapping of hyperparameters, got 3",
    "optimizers: {}": "must name at least one of",
    "optimizers: [adam]\nbatch_size: [0]": "0 is neither a whole number from 1 nor 'full'",
    "optimizers: [adam]\noptimizers: [sgd]": "duplicate key",
    "optimizers: [adam": "is not YAML",
    "- adam": "must be a mapping",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str) -> None:
    """One clear message: file, line, what was got, how to mend it."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidSpace) as caught:
        load_space(path)
    assert MISTAKES[text] in str(caught.value)
    assert f"{path}:" in str(caught.value)


def test_all_mistakes_of_a_file_at_once_with_their_lines(tmp_path: Path) -> None:
    """Nobody mends a file one message at a time."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "optimizers:\n  adamn: {}\n  sgd:\n    momentun: 0.9\n    learning_rate: {low: 1, high: 0.1}\nbatchsize: 3\n"
    )
    with pytest.raises(InvalidSpace) as caught:
        load_space(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()[1:]] == ["2", "4", "5", "6"]


def test_wrapped_rules_are_searched_with_what_they_wrap(tmp_path: Path) -> None:
    """A wrapper's arm has the hyperparameters of the wrapped rule too, in YAML as in a call."""
    for wrapper in WRAPPERS:
        key = f"{wrapper}(adam)"
        searches = default_space().only([key]).optimizers[key]
        assert "rule.learning_rate" in searches
        path = tmp_path / "mine.yaml"
        path.write_text(f"optimizers: {{{key}: {{rule.learning_rate: 0.01}}}}")
        assert load_space(path).optimizers[key]["rule.learning_rate"].choices == (0.01,)
        path.write_text(f"optimizers: {{{key}: {{learning_rate: 0.01}}}}")
        with pytest.raises(InvalidSpace, match=r"Did you mean 'rule\.learning_rate'"):
            load_space(path)


def test_numbers_are_numbers(tmp_path: Path) -> None:
    """1e-3 is a float here, as in YAML 1.2; a value that is given alone is fixed."""
    path = tmp_path / "mine.yaml"
    path.write_text("optimizers: {adam: {learning_rate: {low: 1e-4, high: 1e-3}, beta_1: 0.8}}")
    searches = load_space(path).optimizers["adam"]
    assert (searches["learning_rate"].low, searches["learning_rate"].high) == (1e-4, 1e-3)
    assert searches["beta_1"].choices == (0.8,)


def test_an_unknown_space_lists_the_known() -> None:
    """A misspelt name is answered with the nearest."""
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        load_space("defualt")
