"""Checks of the Keras optimizer of every rule: the suite of the kit, in a file of its own so that it has a worker."""

from __future__ import annotations

from optselect.optim.rules import RULES
from optselect.testing import KERAS_CHECKS, rule_suite

test_class = rule_suite(*RULES.values(), checks=KERAS_CHECKS)
