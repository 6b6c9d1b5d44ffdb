"""Keras's own tests of its optimizers, as they lie in the installed package, run on our classes of the same names.

A test that our class does not pass is in `REASONS`, with why; it must then fail, so a reason that is no more true is
noticed. `pytest tests/optim/test_keras_suites.py -n 0 -rx` lists them.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import keras.src.optimizers
import pytest

from optselect import optimizers
from optselect.optim.keras.derived import derive
from optselect.optim.rules import RULES
from tests.helpers import ROOT

FOLDER = Path(keras.src.optimizers.__file__).parent
OURS = {kind.__name__: derive(kind) for kind in RULES.values() if hasattr(keras.optimizers, kind.__name__)}

_WORDS = "the value is refused with a ValueError in the words of this package, which name the domain"
_INTERNAL = "an internal method of Keras's class; the rule holds the same arithmetic, to the bit"
_DENSE = "a detail: the gradient is made dense first, repeated rows summed; the weights are the same"
_DECAY = "it calls the internal `_apply_weight_decay` alone; here the rule decays in `update_step`"
# Tests of Keras that our classes fail, by the name of the test, and why that is as it should be.
REASONS: dict[str, str] = {
    "AdafactorTest.test_correctness_with_golden": (
        "documented: relative_step=False leaves the bound on the rate out, which Keras applies all the same"
    ),
    "AdamWTest.test_weight_decay_is_none": _WORDS,
    "FtrlTest.test_invalid_initial_accumulator_value": _WORDS,
    "FtrlTest.test_invalid_l1_regularization_strength": _WORDS,
    "FtrlTest.test_invalid_l2_regularization_strength": _WORDS,
    "FtrlTest.test_invalid_l2_shrinkage_regularization_strength": _WORDS,
    "FtrlTest.test_invalid_learning_rate_power": _WORDS,
    "LionTest.test_invalid_beta_1": _WORDS,
    "SGDTest.test_invalid_momentum": _WORDS,
    "LambTest.test_weight_decay": (
        "documented: the decay is inside the trust ratio, as the paper has it; Keras's acts outside"
    ),
    "MuonTest.test_Newton_Schulz": _INTERNAL,
    "MuonTest.test_lr_adjust_2d": _INTERNAL,
    "MuonTest.test_lr_adjust_none": _INTERNAL,
    "MuonTest.test_should_use_adamw": _INTERNAL,
    "MuonTest.test_adamw_single_step": (
        "it calls `update_step` alone, which decays here and not in Keras; `apply` gives the same"
    ),
    "MuonTest.test_adamw_weight_decay": _DECAY,
    "MuonTest.test_muon_weight_decay": _DECAY,
    "NadamTest.test_build_with_empty_var_list": (
        "it reads the attribute `_u_product`, an internal; building on no variables works"
    ),
    "OptimizerSparseTest.test_sparse_gradients_adadelta": _DENSE,
    "OptimizerSparseTest.test_sparse_gradients_adafactor": _DENSE,
    "OptimizerSparseTest.test_sparse_gradients_rmsprop": _DENSE,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Keras's tests warn on purpose, and its own runs let them
]


class _Optimizers(types.ModuleType):
    """`keras.optimizers` with our classes in the place of Keras's."""

    def __getattr__(self, name: str) -> Any:
        return OURS.get(name) or getattr(keras.src.optimizers, name)

    @staticmethod
    def get(identifier: Any) -> Any:
        by_name = {name.lower(): made for name, made in OURS.items()}
        if isinstance(identifier, str) and identifier in by_name:
            return by_name[identifier]()
        if isinstance(identifier, dict) and identifier["class_name"] in by_name:
            return by_name[identifier["class_name"]].from_config(identifier["config"])
        return keras.src.optimizers.get(identifier)


def _suites() -> Iterator[Path]:
    yield from sorted(FOLDER.glob("*_test.py"))


def _loaded(path: Path) -> types.ModuleType:
    """A module of tests, made anew with our classes under Keras's names."""
    spec = importlib.util.spec_from_file_location(f"keras_suite_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    package = keras.src.optimizers
    patches = [mock.patch.object(package, name, made) for name, made in OURS.items() if hasattr(package, name)]
    for name, made in OURS.items():
        home = importlib.import_module(getattr(keras.optimizers, name).__module__)
        patches.append(mock.patch.object(home, name, made))
    for patch in patches:
        patch.start()
    try:
        spec.loader.exec_module(module)
    finally:
        for patch in patches:
            patch.stop()
    if hasattr(module, "optimizers"):
        module.optimizers = _Optimizers("optimizers")
    return module


def _collected() -> None:
    """Put every class of tests here, where pytest finds it, and mark what is expected to fail."""
    unknown = set(REASONS)
    for path in _suites():
        for name, kind in vars(_loaded(path)).items():
            if not (isinstance(kind, type) and issubclass(kind, keras.src.testing.TestCase) and name != "TestCase"):
                continue
            for test, reason in REASONS.items():
                owner, _, method = test.partition(".")
                if owner == name and hasattr(kind, method):
                    marked = pytest.mark.xfail(reason=reason, strict=True)(getattr(kind, method))
                    setattr(kind, method, marked)
                    unknown.discard(test)
            globals()[name] = kind
    assert not unknown, f"Keras has no such tests: {unknown}"


_collected()


def test_our_classes_are_what_is_tested() -> None:
    """The suites step our classes: every class of Keras that a rule equals is replaced."""
    assert {kind.__name__ for kind in RULES.values() if kind.twin} <= set(OURS)
    for path in _suites():
        module = _loaded(path)
        for name, made in OURS.items():
            assert getattr(module, name, made) is made
    assert _Optimizers("optimizers").get("sgd").rule == RULES["sgd"]()
    assert optimizers.SGD is OURS["SGD"]


def test_reasons_are_written_down() -> None:
    """The page on differences from Keras names every test that our classes fail, and no other."""
    page = (ROOT / "docs" / "keras-differences.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+Test\.test_\w+)`", page)) == set(REASONS)
