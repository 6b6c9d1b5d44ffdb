"""What a study keeps of its mirror, in `mlflow.json` of its folder: the key of its runs and where they are."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import NamedTuple

from optselect.errors import DamagedFile, InvalidValue
from optselect.sinks.mlflow.uris import Store, default_uri
from optselect.util.whole_files import refusals, write

__all__ = ["Remembered"]


class Remembered(NamedTuple):
    """key: in the tag `optselect.key` of every run of the study. uri: of the store, its passwords as "***".

    register: the name in the model registry that was asked for, "" for none.
    """

    key: str
    uri: str = ""
    register: str = ""

    @classmethod
    def of(cls, directory: Path) -> Remembered | None:
        """What is kept in a study's folder. Raises `DamagedFile` where it is not whole."""
        path = directory / "mlflow.json"
        try:
            kept = json.loads(path.read_bytes())
            if not all(isinstance(value, str) for value in kept.values()):
                raise TypeError("text is wanted")
            return cls(**kept)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DamagedFile(
                f"{path}: torn or changed, so it is not known any more which runs in MLflow are of this study "
                f"({error}). Restore the file from a copy, or remove it: the study then gets new runs."
            ) from error

    @classmethod
    def keep(cls, directory: Path, store: Store, register: str | None) -> Remembered:
        """Keep a store, and under which name to register; the key is made where there is none.

        On the disk before MLflow hears of it, so that nothing there is ever without an owner.
        """
        before = cls.of(directory)
        now = cls(
            before.key if before else uuid.uuid4().hex, store.shown, register or (before.register if before else "")
        )
        if now != before:
            with refusals(directory, "Nothing was lost."):
                directory.mkdir(parents=True, exist_ok=True)
            write(directory / "mlflow.json", json.dumps(now._asdict()), safe="All finished trainings are safe.")
        return now

    def address(self) -> str:
        """Where the study's runs are; what `default_uri` says if that was not kept.

        Raises `InvalidValue` where a password is needed that is not kept and nobody has given.
        """
        if "***" not in self.uri:
            return self.uri or default_uri()
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if given and Store.parse(given).shown == self.uri:
            return given
        raise InvalidValue(
            f"MLflow: the password of {self.uri} is not kept in the study's folder. Give the whole address in the "
            "variable MLFLOW_TRACKING_URI or by `mlflow=`."
        )
