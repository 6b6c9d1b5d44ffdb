"""Checks of the Keras optimizer of every rule: the suite of the kit, in a file of its own so that it has a worker."""

from __future__ import annotations

import pytest

from optselect.optim.rules import RULES
from optselect.testing import KERAS_CHECKS, rule_suite

XLA = "fits_under_xla"  # a compilation each

test_class = rule_suite(*RULES.values(), checks=[name for name in KERAS_CHECKS if name != XLA])
test_class_under_xla = pytest.mark.slow(rule_suite(*RULES.values(), checks=[XLA]))
