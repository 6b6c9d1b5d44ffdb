"""Hypothesis strategies derived from the declarations: any legal member of a family."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import Declared, Domain
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES

__all__ = ["configurations", "members", "values"]


def values(domain: Domain) -> st.SearchStrategy[Any]:
    """Legal values within nine decades of one: what a person or a search would write."""
    if domain.boolean:
        return st.booleans()
    low, high = max(domain.low, -1e9), min(domain.high, 1e9)
    within = st.floats(low, high, allow_subnormal=False)
    tiny = within.filter(lambda x: domain.contains(x) and (x == 0 or abs(x) >= 1e-9))
    return st.one_of(tiny, st.sampled_from([x for x in (0.0, 0.1, 0.5, 1.0, 3.0, -0.5) if domain.contains(x)]))


def members(family: dict[str, type[Declared]]) -> st.SearchStrategy[Any]:
    """Any member of the family with any legal hyperparameters."""

    def built(member: type[Declared], *, inside: bool = False) -> st.SearchStrategy[Any]:
        wrapped = {}
        if not inside and issubclass(member, Rule) and member.wraps():
            others = [rule for rule in family.values() if rule is not member]
            wrapped = {"rule": st.sampled_from(others).flatmap(lambda rule: built(rule, inside=True))}
        return st.builds(member, **{h.name: values(h.domain) for h in member.hypers()}, **wrapped)

    return st.sampled_from(list(family.values())).flatmap(built)


def configurations() -> st.SearchStrategy[Configuration]:
    """Any legal configuration."""
    return st.builds(
        Configuration,
        rule=members(RULES),
        schedule=members(SCHEDULES),
        clipping=members(CLIPPINGS),
        batch_size=st.integers(1, 100_000),
    )
