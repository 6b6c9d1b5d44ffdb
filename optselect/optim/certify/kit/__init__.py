"""The checks that every rule passes: what `optselect.testing` offers to authors of rules."""

from __future__ import annotations

from optselect.optim.certify.kit.subject import Subject, gradients, near, walk
from optselect.optim.certify.kit.suite import CHECKS, KERAS_CHECKS, check_rule, rule_suite, run_check

__all__ = ["CHECKS", "KERAS_CHECKS", "Subject", "check_rule", "gradients", "near", "rule_suite", "run_check", "walk"]
