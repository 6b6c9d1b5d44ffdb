"""Every rule as a `keras.optimizers.Optimizer`, for `model.compile`; no study is needed.

One class per rule, made from its declaration, under its name; importing this module does not load Keras. A model that
was saved with one of them is loaded with `keras.saving.load_model` after `import keras, optselect.optimizers`, and
`model.compile("radam")` then works too. A rule of another package is found by `get`. Type checkers read `__init__.pyi`,
which `just generate` writes from the declarations.

>>> import keras, numpy as np
>>> from optselect import optimizers
>>> keras.utils.set_random_seed(0)
>>> x = np.random.default_rng(0).normal(size=(64, 3))
>>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
>>> model.compile(optimizers.Lookahead(rule="radam", learning_rate=0.3, k=5), loss="mse")
>>> history = model.fit(x, x @ [[1.0], [2.0], [3.0]], epochs=20, batch_size=8, verbose=0)
>>> history.history["loss"][-1] < 0.01
True
"""

from __future__ import annotations

import sys
from typing import Any

from optselect.optim.keras import keras_backend
from optselect.optim.keras.declaration import hint
from optselect.optim.rules import RULES
from optselect.optimizers.serialization import deserialize as deserialize
from optselect.optimizers.serialization import get as get
from optselect.optimizers.serialization import register as register
from optselect.optimizers.serialization import serialize as serialize
from optselect.util import other_libraries

keras_backend.check()
_KINDS = {kind.__name__: kind for kind in RULES.values()}

__all__ = sorted([*_KINDS, "SwapEvaluated", "deserialize", "get", "register", "serialize"])


def __getattr__(name: str) -> Any:  # the classes are made when they are asked for, and Keras is loaded then
    if name in _KINDS:
        from optselect.optim.keras.derived import derive

        return derive(_KINDS[name])
    if name == "SwapEvaluated":
        from optselect.optim.keras.swap import SwapEvaluated

        return SwapEvaluated
    said = hint(name, __all__) if not name.startswith("_") else ""
    if other_libraries.called_here(name, __all__) and sys._getframe(1).f_globals["__name__"] == "importlib._bootstrap":
        # `from ... import`, which would put a message of its own in the place of an AttributeError's.
        raise ImportError(f"cannot import {name!r} from {__name__!r}. {said}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {said}".rstrip())


def __dir__() -> list[str]:
    return __all__


if "keras" in sys.modules:
    register()
