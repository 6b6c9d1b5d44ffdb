"""The data of a study as MLflow keeps a data set: name, source, digest, columns, size. No row is read for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.record.entries import StudyRecord
from optselect.sinks.mlflow import run_contents

__all__ = ["data_set", "input_schema"]

_DIGEST, _NAME, _SCHEMA = 16, 500, 1_000_000  # characters; mlflow/utils/validation.py allows 36, 500, 1,048,575
_TYPES = {"number": "double", "boolean": "boolean", "category": "string", "date": "string", "text": "string"}


def data_set(study: StudyRecord) -> Any:
    """The `mlflow.entities.DatasetInput` of a study, None if it does not say what its data are.

    The digest is the beginning of our own, of every value; MLflow's takes a sample.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    about, digest = study.description, study.fingerprint.get("data")
    if not digest or "data" not in about:
        return None
    local, name = about.get("source"), str(about["data"])
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


def input_schema(columns: Sequence[Mapping[str, str]]) -> Any:
    """The `mlflow.types.Schema` of the used columns of a table.

    A column of whole numbers may be anything: of raw rows with a gap in it pandas makes floats, which MLflow would
    not let through as whole numbers, nor whole numbers as floats.
    """
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    types = {column["name"]: _type(column) for column in columns}
    return Schema([ColSpec(AnyType() if kind == "long" else kind, name=name) for name, kind in types.items()])


def _type(column: Mapping[str, str]) -> str:
    """MLflow's word for what a column holds."""
    if column["kind"] in ("number", "date") and "int" in column["type"].lower():
        return "long"
    return "datetime" if column["type"].startswith("datetime64") else _TYPES[column["kind"]]


def _schema(about: Mapping[str, Any]) -> dict[str, Any]:
    """As MLflow's interface reads it; arrays are told by their shapes."""
    if columns := about.get("columns"):
        targets = [{"type": "string" if t["kind"] == "classification" else "double", "name": t["name"],
                    "required": True} for t in about.get("targets", [])]  # fmt: skip
        used = [{"type": _type(column), "name": column["name"], "required": True} for column in columns]
        return {"mlflow_colspec": [*used, *targets]}
    tensors = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, *shape]}}
               for shape in about.get("features", [])]  # fmt: skip
    return {"mlflow_tensorspec": {"features": json.dumps(tensors), "targets": None}}


def _profile(about: Mapping[str, Any]) -> dict[str, Any]:
    sizes = ("rows", "train_rows", "validation_rows", "test_rows")
    found = {f"num_{name}": about[name] for name in sizes if name in about}
    if columns := about.get("columns"):
        found["num_columns"] = len(columns)
        kinds = [column["kind"] for column in columns]
        found["column_kinds"] = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return found
