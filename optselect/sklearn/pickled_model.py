"""The trained model of an estimator: bytes that can be pickled, and a Keras model where one is asked for."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from optselect import optimizers
from optselect.errors import DamagedFile, InvalidModel

__all__ = ["KeptModel"]

_FEWEST, _MOST = 32, 4096  # rows in one call of the model


class KeptModel:
    """The contents of a `.keras` file; TensorFlow is loaded with the model, at its first use."""

    def __init__(self, contents: bytes) -> None:
        self.contents = contents
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"contents": self.contents, "_model": None}

    def model(self) -> Any:
        """The keras.Model. Raises InvalidModel if it has layers that nobody registered."""
        if self._model is None:
            self._model = self._loaded()
        return self._model

    def answers(self, inputs: Any) -> Any:
        """What it says of rows: an array, or arrays by target. inputs: an array, or arrays by column."""
        model = self.model()
        import keras

        rows = len(keras.tree.flatten(inputs)[0])
        found = []
        # Few sizes, filled up with the last row: the last bits of an answer change with the number of rows beside it.
        size = min(_MOST, max(_FEWEST, 1 << (rows - 1).bit_length()))
        for start in range(0, rows, size):
            these = np.minimum(np.arange(start, start + size), rows - 1)
            some = keras.tree.map_structure(lambda a, these=these: keras.ops.convert_to_tensor(a[these]), inputs)
            found.append(model(some, training=False))
        return keras.tree.map_structure(lambda *parts: np.concatenate([np.asarray(p) for p in parts])[:rows], *found)

    def _loaded(self) -> Any:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # most of what TensorFlow has to say when it comes
        import keras

        optimizers.register()
        if not zipfile.is_zipfile(io.BytesIO(self.contents)):
            raise DamagedFile("The trained model of this estimator is torn: fit it again.")
        with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
            path = Path(folder) / "best.keras"
            path.write_bytes(self.contents)
            try:
                with warnings.catch_warnings():  # a column's name may hold "/", a layer's cannot
                    warnings.filterwarnings("ignore", "When providing `inputs` as a dict", UserWarning)
                    return keras.saving.load_model(path, compile=False)
            except TypeError as problem:  # a class that Keras does not know
                raise InvalidModel(
                    f"The trained model cannot be loaded here: {' '.join(str(problem).split())[:300]} Decorate layers "
                    "of your own with `@keras.saving.register_keras_serializable()`."
                ) from problem
