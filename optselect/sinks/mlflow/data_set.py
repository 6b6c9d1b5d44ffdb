"""The data of a study as MLflow keeps a data set: name, source, digest, columns, size. No row is read for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.record.entries import StudyRecord
from optselect.sinks.mlflow import run_contents
from optselect.task.description import ColumnFacts, TaskDescription

__all__ = ["data_set", "input_schema"]

_DIGEST, _NAME, _SCHEMA = 16, 500, 1_000_000  # characters; mlflow/utils/validation.py allows 36, 500, 1,048,575
_TYPES = {"number": "double", "boolean": "boolean", "category": "string", "date": "string", "text": "string"}


def data_set(study: StudyRecord) -> Any:
    """The `mlflow.entities.DatasetInput` of a study, None if it does not say what its data are.

    The digest is the beginning of our own, of every value; MLflow's takes a sample.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    about, digest = study.task, study.fingerprint.get("data")
    if not digest or about is None:
        return None
    local, name = about.source, about.data
    source = {"uri": local} if local else {"tags": {"mlflow.source.name": name}}
    schema = json.dumps(_schema(about))
    data = Dataset(
        name=run_contents.text(Path(local).name if local else name, _NAME),
        digest=digest[:_DIGEST],
        source_type="local" if local else "code",
        source=json.dumps(source),
        schema=schema if len(schema) <= _SCHEMA else None,
        profile=json.dumps(_profile(about)),
    )
    return DatasetInput(data, tags=[InputTag("mlflow.data.context", "training")])


def input_schema(columns: Sequence[ColumnFacts]) -> Any:
    """The `mlflow.types.Schema` of the used columns of a table.

    A column of whole numbers may be anything: of raw rows with a gap in it pandas makes floats, which MLflow would
    not let through as whole numbers, nor whole numbers as floats.
    """
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    types = {column.name: _type(column) for column in columns}
    return Schema([ColSpec(AnyType() if kind == "long" else kind, name=name) for name, kind in types.items()])


def _type(column: ColumnFacts) -> str:
    """MLflow's word for what a column holds."""
    if column.kind in ("number", "date") and "int" in column.type.lower():
        return "long"
    return "datetime" if column.type.startswith("datetime64") else _TYPES[column.kind]


def _schema(about: TaskDescription) -> dict[str, Any]:
    """As MLflow's interface reads it; arrays are told by their shapes."""
    if about.columns:
        targets = [{"type": "string" if t.kind == "classification" else "double", "name": t.name,
                    "required": True} for t in about.targets]  # fmt: skip
        used = [{"type": _type(column), "name": column.name, "required": True} for column in about.columns]
        return {"mlflow_colspec": [*used, *targets]}
    tensors = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, *shape]}}
               for shape in about.features]  # fmt: skip
    return {"mlflow_tensorspec": {"features": json.dumps(tensors), "targets": None}}


def _profile(about: TaskDescription) -> dict[str, Any]:
    found: dict[str, Any] = {
        "num_rows": about.rows,
        "num_train_rows": about.train_rows,
        "num_validation_rows": about.validation_rows,
        "num_test_rows": about.test_rows,
    }
    if about.columns:
        found["num_columns"] = len(about.columns)
        kinds = [column.kind for column in about.columns]
        found["column_kinds"] = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return found
