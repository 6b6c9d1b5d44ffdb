"""The declaration of a hyperparameter, and what is derived from it."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optselect.errors import InvalidValue, OptselectError, UnknownName
from optselect.optim.hyperparameters import (
    BOOLEAN,
    FRACTION,
    POSITIVE,
    UNIT,
    Declared,
    Domain,
    choice,
    hyper,
    linear,
    log,
    log1m,
)
from optselect.optim.rule import Rule, Scalar
from optselect.optim.rules import RULES


class Family(Declared):
    """A family of these tests."""


class Member(Family):
    """A member of it."""

    name = "member"
    rate: float = hyper(default=0.5, domain=POSITIVE, search=log(1e-3, 1.0), doc="A rate.")
    share: float = hyper(default=0.0, domain=UNIT, doc="A share.")
    flag: bool = hyper(default=False, domain=BOOLEAN, doc="A flag.")


class Other(Family):
    """Another one, with nothing to set."""

    name = "other"


def test_fields_become_keyword_arguments() -> None:
    """A declared class is made by keyword and by nothing else."""
    assert Member(rate=2.0).values() == {"rate": 2.0, "share": 0.0, "flag": False}
    with pytest.raises(TypeError, match="positional"):
        Member(2.0)  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument 'rat'"):
        Member(rat=2.0)  # type: ignore[call-arg]


def test_members_are_frozen_and_compare_by_value() -> None:
    """Nothing changes a member once it is made; equal values are equal members with one hash."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Member().rate = 1.0  # type: ignore[misc]
    assert Member(rate=1.0) == Member(rate=1.0) != Member(rate=2.0)
    assert hash(Member(rate=1.0)) == hash(Member(rate=1.0))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rate", 0.0, "Member: `rate` must lie in (0, inf), got 0.0."),
        ("rate", math.nan, "Member: `rate` must lie in (0, inf), got nan."),
        ("rate", True, "Member: `rate` must lie in (0, inf), got True."),
        ("share", 1, "Member: `share` must lie in [0, 1), got 1."),
        ("share", "0.5", "Member: `share` must lie in [0, 1), got '0.5'."),
        ("flag", 1, "Member: `flag` must lie in {true, false}, got 1."),
    ],
)
def test_refusal_says_who_what_where_and_what_was_got(field: str, value: Any, message: str) -> None:
    """An illegal value is refused in one form of words, as a ValueError of ours."""
    with pytest.raises(InvalidValue) as refused:
        Member(**{field: value})
    assert str(refused.value) == message
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, OptselectError)


@pytest.mark.parametrize("value", [1, np.float32(1.0), np.float64(1.0), np.int64(1), np.array(1.0)])
def test_any_real_number_becomes_a_float(value: Any) -> None:
    """Integers and numpy scalars are taken, and kept as Python floats, which is what Keras wants."""
    assert type(Member(rate=value).rate) is float
    assert Member(rate=value) == Member(rate=1.0)


def test_numpy_flag_is_a_flag() -> None:
    """A numpy bool is taken as a Python bool."""
    assert Member(flag=np.bool_(True)).flag is True


def test_members_are_final() -> None:
    """A member is wrapped, not subclassed; a member without a name is refused."""

    class Doomed(Declared):
        """A family of its own: a refused class stays among its subclasses until it is collected."""

    class Last(Doomed):
        name = "last"

    with pytest.raises(TypeError, match="Last is final: wrap it, do not subclass it"):
        type("Child", (Last,), {"name": "child"})
    with pytest.raises(TypeError, match="give it a class attribute `name`"):
        type("Nameless", (Doomed,), {})


def test_members_are_found_by_name() -> None:
    """A family knows its members and refuses others with the nearest name."""
    assert Family.members() == {"member": Member, "other": Other}
    assert Family.named("member") is Member
    with pytest.raises(UnknownName) as refused:
        Family.named("membr")
    assert str(refused.value) == "Family: no member is called 'membr'. Did you mean 'member'? Known: member, other."


def test_unknown_hyperparameter_is_refused_with_the_nearest() -> None:
    """A typo in a file does not pass silently."""
    assert Family.from_values("member", {"rate": 2}) == Member(rate=2.0)
    with pytest.raises(UnknownName) as refused:
        Family.from_values("member", {"shar": 0.5})
    wanted = "Member: unknown hyperparameter 'shar'. Did you mean 'share'? Known: flag, rate, share."
    assert str(refused.value) == wanted


def test_unchecked_member_holds_anything() -> None:
    """A traced program puts tensors where the numbers were; what is left out is at its default."""
    anything = object()
    assert Member.unchecked(rate=anything).values() == {"rate": anything, "share": 0.0, "flag": False}


domains = st.builds(
    lambda ends, low_open, high_open: Domain(*sorted(ends), low_open=low_open, high_open=high_open),
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    st.booleans(),
    st.booleans(),
)


@given(domain=domains, value=st.floats(-1e6, 1e6))
def test_domain_is_an_interval(domain: Domain, value: float) -> None:
    """Inside is legal, outside is not, and an end is legal where it is closed."""
    if domain.low < value < domain.high:
        assert domain.contains(value)
    if value < domain.low or value > domain.high:
        assert not domain.contains(value)
    if domain.low < domain.high:
        assert domain.contains(domain.low) is not domain.low_open
        assert domain.contains(domain.high) is not domain.high_open


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, "1", 1j])
def test_domain_holds_finite_real_numbers_only(value: Any) -> None:
    """No NaN, infinity, flag, text or complex number is in any interval."""
    assert not Domain().contains(value)


def test_domains_are_written_as_intervals() -> None:
    """A domain reads as in a textbook."""
    assert [str(d) for d in (POSITIVE, UNIT, FRACTION, BOOLEAN)] == ["(0, inf)", "[0, 1)", "[0, 1]", "{true, false}"]


def test_search_ranges_are_of_the_value_itself() -> None:
    """`log1m` is given in 1 - value and keeps the bounds of the value; the others keep what they are given."""
    assert (log1m(1e-3, 0.1).low, log1m(1e-3, 0.1).high) == (0.9, 0.999)
    assert (log(1e-3, 1.0).low, log(1e-3, 1.0).high) == (1e-3, 1.0)
    assert linear(0.0, 1.0, from_trials=10).from_trials == 10
    assert choice(False, True).choices == (False, True)
    assert {s.scale for s in (log1m(0.1, 0.2), log(1, 2), linear(1, 2), choice(1))} == {
        "log1m",
        "log",
        "linear",
        "choice",
    }


def test_setting_is_written_only_where_it_was_changed() -> None:
    """A setting, and a hyperparameter that came late, leave a rule's dict as it was before they were there."""
    for kind in RULES.values():
        plain = kind().to_dict()
        later = {h.name for h in kind.hypers() if h.late} | {s.name for s in kind.settings()}
        assert later.isdisjoint(plain)
        for h in kind.hypers():
            if h.late:
                changed = kind().replaced(**{h.name: not h.default})
                assert changed.to_dict()[h.name] is (not h.default)
                assert Rule.from_dict(changed.to_dict()) == changed
    muon = RULES["muon"](ns_steps=3, exclude_layers=["head"])
    assert json.loads(json.dumps(muon.to_dict()))["exclude_layers"] == ["head"]
    assert Rule.from_dict(json.loads(json.dumps(muon.to_dict()))) == muon != RULES["muon"]()
    assert muon.with_numbers(muon.numbers()).chosen() == muon.chosen()


@pytest.mark.parametrize("value", [0, 2.5, True, "three", None, float("nan")])
def test_setting_of_the_wrong_form_is_refused(value: object) -> None:
    """A setting that is not of its form is refused with who, what, the form and what was got."""
    with pytest.raises(InvalidValue, match=r"Muon: `ns_steps` must be a whole number from 1, got "):
        RULES["muon"](ns_steps=value)


def test_tensor_hyperparameter_refuses_python_branches() -> None:
    """In a program a hyperparameter is no Python number: a branch on it, or a comparison, says what to write."""
    with pytest.raises(TypeError, match="choose"):
        bool(Scalar(np.float64(0.0)))
    for compared in (lambda x: x == 0, lambda x: x != 0.5, lambda x: x < 1, lambda x: x >= 1):
        with pytest.raises(TypeError, match="where"):
            compared(Scalar(np.float64(0.0)))
