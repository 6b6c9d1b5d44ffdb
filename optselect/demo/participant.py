"""A rule that is to be shown, and the learning rates that are tried for it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from optselect.optim.rule import Rule

__all__ = ["Participant"]

_A_DECADE = 4  # learning rates that are tried


@dataclasses.dataclass(frozen=True, kw_only=True)
class Participant:
    """A rule that is to run. text: as it was given. given: whether that said the learning rate."""

    text: str
    rule: Rule
    given: bool

    @property
    def label(self) -> str:
        """The rule and what differs from its defaults, without the learning rate: "sgd, momentum 0.9"."""
        plain = {type(part): {h.name: h.default for h in part.hypers()} for part in self.rule.parts}
        changed = [
            name if value is True else f"{name} {value:g}" if not isinstance(value, bool) else f"no {name}"
            for part in self.rule.parts
            for name, value in part.values().items()
            if name != "learning_rate" and value != plain[type(part)][name]
        ]
        return ", ".join([self.rule.key, *changed])

    def rates(self, beyond: float = 1.0) -> tuple[float, ...]:
        """Four learning rates a decade over the range that the rule declares, and so many times beyond both ends."""
        [declared] = [h for h in self.rule.base.hypers() if h.name == "learning_rate"]
        search = declared.search
        if search is None or search.scale != "log":
            return (self.rule.rate,)
        low, high = (math.log10(end) for end in (search.low / beyond, search.high * beyond))
        powers = np.arange(math.ceil(low * _A_DECADE - 1e-9), math.floor(high * _A_DECADE + 1e-9) + 1) / _A_DECADE
        return tuple(float(f"{10**power:.3g}") for power in powers)
