"""The trained model as an MLflow model: a folder around `best.keras`, written without loading TensorFlow."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.data import raw_rows
from optselect.sinks.mlflow.data_set import input_schema
from optselect.task.description import ColumnFacts

__all__ = ["write_model"]

_LOADER = "optselect_raw_rows"  # the module in the folder that reads raw rows
_USED = ("keras", "tensorflow", "numpy", "pandas")


def write_model(folder: Path, kept: Path, columns: Sequence[ColumnFacts], *, run: str, model: str) -> None:
    """Write the folder: `mlflow.keras.load_model` gives the Keras model, `mlflow.pyfunc.load_model` takes raw rows.

    kept: the .keras file; beside it lies `signature.json`, what it takes and gives, as `optselect.model.signature`
    says it. columns: of a table, those that are used; empty for arrays. run, model: their ids in MLflow.

    MLflow's own `log_model` would load TensorFlow here, and its Keras flavour takes no table of mixed columns.
    """
    # MLflow says so of a class of its own when it is imported.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    from mlflow import pyfunc
    from mlflow.models import Model
    from mlflow.utils.environment import _PythonEnv

    _fill(folder, kept, columns)
    made = Model(run_id=run, model_id=model, signature=_signature(kept.with_name("signature.json"), columns))
    made.add_flavor(
        "keras",
        data="data",
        keras_version=importlib.metadata.version("keras"),
        keras_backend="tensorflow",
        save_exported_model=False,
    )
    pyfunc.add_to_model(made, loader_module=_LOADER, data="data", code="code", python_env="python_env.yaml")
    requirements = [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", *_USED)]
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    _PythonEnv.current().to_yaml(str(folder / "python_env.yaml"))
    made.save(str(folder / "MLmodel"))


def _fill(folder: Path, kept: Path, columns: Sequence[ColumnFacts]) -> None:
    data, code = folder / "data", folder / "code"
    data.mkdir(parents=True)
    code.mkdir()
    shutil.copyfile(kept, data / "model.keras")
    told = [(c.name, c.kind, c.date_format or c.number_format) for c in columns]
    (data / "columns.json").write_text(json.dumps(told), encoding="utf-8")
    (data / "keras_module.txt").write_text("keras", encoding="utf-8")
    shutil.copyfile(raw_rows.__file__, code / f"{_LOADER}.py")


def _signature(path: Path, columns: Sequence[ColumnFacts]) -> Any:
    """Raw columns, or tensors where the model takes arrays; None where nobody has told."""
    from mlflow.models import ModelSignature

    if not path.exists():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    if told is None:
        return None
    inputs = input_schema(columns) if columns else _tensors(told["inputs"])
    return ModelSignature(inputs=inputs, outputs=_tensors(told["outputs"]))


def _tensors(told: Sequence[Mapping[str, Any]]) -> Any:
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    types = {"string": "object", "bfloat16": "float32"}
    return Schema(
        [TensorSpec(np.dtype(types.get(t["dtype"], t["dtype"])), t["shape"], t["name"] or None) for t in told]
    )
