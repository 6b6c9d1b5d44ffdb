"""The answer of a study in MLflow: verdict, files, the trained model, its version in the registry."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import posixpath
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.errors import InvalidValue
from optselect.optim.configuration import Configuration
from optselect.record.entries import StudyRecord
from optselect.sinks.mlflow import run_contents
from optselect.sinks.mlflow.calls import Calls
from optselect.sinks.mlflow.logged_model import write_model

__all__ = ["ALIAS", "Ending", "RunSummary", "check_name"]

ALIAS = "candidate"
_DELIVERED = "optselect.delivered"


def check_name(name: str) -> None:
    """Raise `InvalidValue` where MLflow's registry would refuse the name of a model."""
    if not name.strip() or set(name) & set("/:%'"):
        raise InvalidValue(f"tune: `register` must be a name without / : % and ', got {name!r}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What the verdict says of a configuration: numbers become metrics of its run, words tags."""

    arm: str
    configuration: Configuration
    said: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ending:
    """What a study ends with.

    summary: `note` becomes the description of its run, other text tags, numbers metrics. artifacts: local files by
    their path in MLflow; the file's name is that of the local file. model: the .keras file, None for none. register:
    the name of the model in the registry, "" for none. when: of the end, milliseconds since 1970.
    """

    summary: Mapping[str, Any]
    artifacts: Mapping[str, Path]
    standings: Sequence[RunSummary] = ()
    model: Path | None = None
    register: str = ""
    when: int = 0

    def delivered(self, run: Any) -> bool:
        """Whether a study's run has all of this."""
        return bool(run.data.tags.get(_DELIVERED) == self._digest())

    def write(self, calls: Calls, run: Any, study: StudyRecord, key: str) -> None:
        """Verdict, then files, then model and version; twice is once."""
        tags, points = _told(self.summary, self.when)
        calls.log(run.info.run_id, {}, points, tags)
        for name, path in self.artifacts.items():
            if path.exists():
                calls.write("log_artifact", run.info.run_id, str(path), posixpath.dirname(name) or None)
        if self.model is not None and self.model.exists():
            model = self._log_model(calls, run, study, key)
            if self.register:
                self._register(calls, run, model, key, tags | {point.name: f"{point.value:.6g}" for point in points})

    def write_last(self, calls: Calls, run: str, branches: Mapping[str, Any]) -> None:
        """What the verdict says of each configuration, on its run; and that all is there."""
        for standing in self.standings:
            branch = branches.get(run_contents.configuration_key(standing.arm, standing.configuration))
            if branch is not None:
                tags, points = _told(standing.said, self.when)
                calls.log(branch.run, {}, points, tags)
        calls.write("set_tag", run, _DELIVERED, self._digest())

    def version(self, calls: Calls, key: str) -> str | None:
        """The number of the registered version, None if there is none."""
        if not self.register:
            return None
        found = calls.read("search_model_versions", f"name = '{self.register}'")
        return next((str(version.version) for version in found if self._is_ours(version, key)), None)

    def _is_ours(self, version: Any, key: str) -> bool:
        wanted = {"optselect.key": key, "optselect.model": _sha(self.model)}
        return all(version.tags.get(name) == value for name, value in wanted.items())

    def _log_model(self, calls: Calls, run: Any, study: StudyRecord, key: str) -> str:
        """The id of the logged model, made if it is not there whole."""
        digest, ours = _sha(self.model), None
        for found in calls.models(run.info.experiment_id, f"tags.`optselect.key` = '{key}'"):
            if str(found.status) != "READY":
                calls.write("delete_logged_model", found.model_id)
            elif found.tags.get("optselect.model") == digest:
                ours = str(found.model_id)
        return ours or self._upload(calls, run, study, {"optselect.key": key, "optselect.model": digest})

    def _upload(self, calls: Calls, run: Any, study: StudyRecord, tags: Mapping[str, str]) -> str:
        from mlflow.entities import LoggedModelOutput

        assert self.model is not None
        made = calls.write(
            "create_logged_model",
            run.info.experiment_id,
            name="best",
            source_run_id=run.info.run_id,
            tags=dict(tags),
            model_type="keras",
        )
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "model"
            columns = (study.task.columns if study.task else None) or ()
            write_model(whole, self.model, columns, run=run.info.run_id, model=made.model_id)
            calls.write("log_model_artifacts", made.model_id, str(whole))
        calls.write("log_outputs", run.info.run_id, [LoggedModelOutput(made.model_id, 0)])
        calls.write("finalize_logged_model", made.model_id, "READY")
        return str(made.model_id)

    def _register(self, calls: Calls, run: Any, model: str, key: str, about: Mapping[str, str]) -> None:
        from mlflow.exceptions import MlflowException

        version = self.version(calls, key)
        if version is None:
            try:
                calls.write("create_registered_model", self.register)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            tags = {**about, "optselect.key": key, "optselect.model": _sha(self.model)}
            note = tags.pop("mlflow.note.content", "")
            location = calls.read("get_logged_model", model).artifact_location  # "models:/..." is sought elsewhere
            version = calls.write(
                "create_model_version",
                self.register,
                location,
                run_id=run.info.run_id,
                tags=tags,
                description=note,
                await_creation_for=0,
                model_id=model,
            ).version
        calls.write("set_registered_model_alias", self.register, ALIAS, version)
        named = json.dumps([{"name": self.register, "version": int(version)}])
        calls.write("set_logged_model_tags", model, {"mlflow.modelVersions": named})  # the interface's link

    def _digest(self) -> str:
        files = {name: _sha(path) for name, path in self.artifacts.items() if path.exists()}
        model = _sha(self.model) if self.model is not None and self.model.exists() else ""
        whole = [dict(self.summary), files, model, self.register]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _told(said: Mapping[str, Any], when: int) -> tuple[dict[str, str], list[run_contents.Point]]:
    """Tags and points: words under `optselect.`, the note as MLflow's description."""
    tags: dict[str, str] = {}
    points = []
    for name, value in said.items():
        if name == "note":
            tags["mlflow.note.content"] = run_contents.text(value, run_contents.TAG_LENGTH)
        elif isinstance(value, str | bool):
            tags[run_contents.key(f"optselect.{name}")] = run_contents.text(value, run_contents.TAG_LENGTH)
        elif run_contents.finite(value):
            points.append(run_contents.Point(run_contents.key(name), float(value), when, 0))
    return tags, points


def _sha(path: Path | None) -> str:
    if path is None:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
