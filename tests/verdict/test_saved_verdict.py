"""A verdict that was saved is read as what it was: by types, whatever broke down, and from every version's file."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optselect.errors import InvalidValue, NoResult
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.verdict import Verdict
from optselect.verdict.context import Context
from optselect.verdict.epochs_used import EpochsUsed
from optselect.verdict.finals import fresh_seed
from optselect.verdict.recommendation import Recommendation
from tests.helpers.played import contest, played, verdict
from tests.helpers.reported import DATA, STUDIES

CANDIDATES = [Configuration(rule=RULES[name]()) for name in ("adamw", "sgd", "lion")]
CONTEXT = Context(constant={"test_accuracy": 0.5, "val_accuracy": math.nan}, linear={}, answer="3", oddities=("odd",))

USED = EpochsUsed(
    arm="sgd", median=4.5, fewest=3, most=9, best_epoch=2.0, first_best=1, last_best=7, stopped=5, trainings=6
)


def exactly(value: Any) -> Any:
    """A value with everything in it that can be told apart, so that NaN equals NaN."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Configuration):
        return str(value.to_dict())
    if dataclasses.is_dataclass(value):
        return type(value), [exactly(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [(key, exactly(one)) for key, one in value.items()]
    return [exactly(one) for one in value] if isinstance(value, list | tuple) else value


def stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / name / "recommendation.json").read_text())
    return found


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Of a race with any means, trainings that break down, with and without confirmation and other learning rates."""
    of = contest(CANDIDATES, care="quick", confirm=draw(st.sampled_from([0, 1, 2, 5])))
    every = [*CANDIDATES, BASELINE]
    means = draw(st.lists(st.floats(0.1, 0.9), min_size=4, max_size=4))
    which = st.tuples(st.integers(0, 3), st.sampled_from([*range(of.plan.confirmation.stop), None]))
    broken = draw(st.frozensets(which, max_size=3))
    number = {fresh_seed(0, k): k for k in range(of.plan.confirmation.stop)}
    edge = draw(st.sampled_from([0.5, 2.0, math.inf]))  # of learning rates, times the default's, that break down

    def world(configuration: Configuration, seed: int) -> tuple[float, float]:
        place = next(i for i, c in enumerate(every) if c.rule.key == configuration.rule.key)
        known = every[place] == configuration
        raves = (
            not known
            and configuration.rule.values()["learning_rate"] > edge * every[place].rule.values()["learning_rate"]
        )
        if raves or (place, number[seed]) in broken or (place, None) in broken:
            return math.nan, math.nan
        accuracy = means[place] + 0.01 * (number[seed] % 3)
        return 1 - accuracy, accuracy

    try:
        found = verdict(of, played(of, world, around=draw(st.sampled_from([0, 1]))))
    except NoResult:
        assume(False)
    more: dict[str, Any] = {
        "check": draw(st.sampled_from([math.nan, 0.7])),
        "context": draw(st.sampled_from([None, CONTEXT])),
        **draw(st.sampled_from([{}, {"misjudged": "Too few."}, {"refit_epochs": 3, "epochs": (USED,)}])),
    }
    if "epochs" in more:
        more["ranking"] = tuple(dataclasses.replace(standing, epochs=USED) for standing in found.ranking)
    return dataclasses.replace(found, **more, importance={"sgd": {"momentum": 0.5}}, failures={"check": "it diverged"})


@settings(max_examples=40, deadline=None)
@given(verdicts())
def test_what_is_saved_is_read_as_it_was(found: Verdict) -> None:
    """Every number, also where it is infinite or NaN; so the paragraph is the same too."""
    read = Verdict.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert exactly(read) == exactly(found)
    assert read.to_dict() == found.to_dict()
    assert read.text() == found.text()


@pytest.mark.parametrize("name", STUDIES)
def test_answers_of_earlier_versions_are_read(name: str) -> None:
    """What they lack has its default, and what they hold is written again as it was."""
    content = stored(name)
    found = Recommendation.from_dict(content)
    again = found.to_dict()
    assert again["verdict"].items() >= content["verdict"].items()
    assert again.items() >= {key: value for key, value in content.items() if key != "verdict"}.items()
    assert found.text == content["verdict"]["text"]
    assert found.configuration.to_dict() == content["configuration"]


def everywhere(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in everywhere(one, (*path, key)))]


WRONG: dict[str, Any] = {
    "text": "?", "NaN": math.nan, "infinity": math.inf, "list": [], "object": {}, "flag": True, "huge": 10**400,
}  # fmt: skip


def put(content: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at a path."""
    changed = copy.deepcopy(content)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("wrong", WRONG)
def test_whatever_stands_anywhere_there_is_one_error_that_names_the_place(wrong: str) -> None:
    """A value that does not belong at its place in a verdict is refused, with the place; no other error comes."""
    content = stored(STUDIES[0])["verdict"]
    refused = 0
    for path in everywhere(content)[1:]:
        try:
            Verdict.from_dict(put(content, path, WRONG[wrong]))
        except InvalidValue as error:
            refused += 1
            named = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]
            said = str(error).split("`")[1]
            assert named.startswith(said) or said.startswith(named), (named, said)
    assert refused > 60


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rope",), "0.1"), (("rope",), math.nan), (("minimize",), 1), (("chosen",), 0.0), (("chosen",), True),
        (("prefer",), "dearest"), (("ranking",), {}), (("ranking", 0, "held_out", "seeds"), None),
        (("ranking", 1, "configuration"), {}), (("runs", "search"), "66"), (("lost", 0, "reasons"), "slow"),
    ],
)  # fmt: skip
def test_types_are_those_that_are_declared(path: tuple[Any, ...], value: Any) -> None:
    """A number in words, a flag for a number, a word that is none of those known."""
    with pytest.raises(InvalidValue, match=str(path[-1])):
        Verdict.from_dict(put(stored(STUDIES[0])["verdict"], path, value))


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "chosen beyond the ranking": lambda v: v.update(chosen=len(v["ranking"])),
    "tied before the ranking": lambda v: v.update(tied=[-1]),
    "nobody is the default": lambda v: v.update(ranking=[s for s in v["ranking"] if s["gain"] is not None]),
    "nobody at all": lambda v: v.update(ranking=[]),
    "a key is missing": lambda v: v.pop("rope"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_verdict_that_contradicts_itself_is_refused(change: str) -> None:
    """Types alone do not make a verdict."""
    content = stored(STUDIES[0])["verdict"]
    CHANGES[change](content)
    with pytest.raises(InvalidValue):
        Verdict.from_dict(content)
