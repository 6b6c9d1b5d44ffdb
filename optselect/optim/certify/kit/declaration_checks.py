"""Checks of what a rule declares."""

from __future__ import annotations

import math
from typing import Any

from optselect.errors import InvalidValue
from optselect.optim.certify.kit.subject import Subject, collected
from optselect.optim.rules import RULES

__all__ = ["CHECKS"]


def _is_declared_in_full(subject: Subject) -> None:
    """Defaults and searches lie in their domains, docs are sentences, and the learning rate is searched at once."""
    taken = [
        name for name, rule in RULES.items() if rule.__name__ == subject.rule.__name__ and name != subject.rule.name
    ]
    assert not taken, f"the rule {taken} has a class of this name: a saved model could not tell them apart"
    for h in subject.rule.hypers():
        assert h.domain.contains(h.default), f"`{h.name}`: the default {h.default} is outside {h.domain}"
        assert h.doc.endswith("."), f"`{h.name}`: write `doc` as a sentence"
        if h.search is None:
            assert h.name != "learning_rate", "`learning_rate` needs a search"
            continue
        assert h.search.from_trials in {0, 10, 25, 50}, f"`{h.name}`: from_trials is 0, 10, 25 or 50"
        assert h.name != "learning_rate" or h.search.from_trials == 0, "`learning_rate` is searched from the start"
        ends = h.search.choices if h.search.scale == "choice" else (h.search.low, h.search.high)
        assert all(h.domain.contains(end) for end in ends), f"`{h.name}`: the search {ends} leaves {h.domain}"
        assert h.search.scale == "choice" or h.search.low < h.search.high, f"`{h.name}`: low must be below high"


def _refuses_what_is_outside_its_domains(subject: Subject) -> None:
    """A value outside its domain is refused with who, what, the domain and what was got."""
    for h in subject.rule.hypers():
        domain = h.domain
        outside: list[Any] = [math.nan, math.inf, "0.1", None, 2 if domain.boolean else True]
        if not domain.boolean:
            outside += [domain.low - 1 if math.isfinite(domain.low) else -math.inf]
            outside += [domain.high + 1 if math.isfinite(domain.high) else math.inf]
            outside += [domain.low] if domain.low_open and math.isfinite(domain.low) else []
            outside += [domain.high] if domain.high_open and math.isfinite(domain.high) else []
        for value in outside:
            said = ""
            try:
                subject.rule(**{h.name: value})
            except InvalidValue as refused:
                said = str(refused)
            wanted = f"{subject.rule.__name__}: `{h.name}` must lie in {domain}, got {value!r}."
            assert said == wanted, f"wanted the message {wanted!r}, got {said!r}"


CHECKS = collected(
    _is_declared_in_full,
    _refuses_what_is_outside_its_domains,
)
