"""Steps a rule beside its Keras twin, or any Keras optimizer beside a rule, and says whether they stay together."""

from __future__ import annotations

from optselect.optim.certify.cases import Case, altered, as_twin, cases, compare, run
from optselect.optim.certify.certificate import certify, likely_twin
from optselect.optim.certify.walking import STEPS, TOLERANCE, VARIABLES, Apart, Comparison

__all__ = [
    "STEPS",
    "TOLERANCE",
    "VARIABLES",
    "Apart",
    "Case",
    "Comparison",
    "altered",
    "as_twin",
    "cases",
    "certify",
    "compare",
    "likely_twin",
    "run",
]
