"""The trained model that a study keeps: whether the files are those that were written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
import zlib
from pathlib import Path

from optselect.record.notes import FinalTraining

__all__ = ["digests", "is_model", "model_problem", "put_aside"]

_MODEL, _SIGNATURE = "best.keras", "signature.json"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of the model that are there, by name."""
    paths = [folder / name for name in (_MODEL, _SIGNATURE)]
    return {path.name: digest for path in paths if (digest := _digest(path))}


def model_problem(folder: Path, refit: FinalTraining) -> str:
    """What is wrong with the model's files, "" if nothing. refit: what the ledger says of the training.

    A training that failed left no model, so none is missed. Studies of earlier versions did not note the digests: of
    those it is seen whether the file is a whole archive.
    """
    if refit.error:
        return ""
    if refit.files is None:
        return _unnoted(folder)
    for name, digest in refit.files.items():
        found = _digest(folder / name)
        if found != digest:
            what = "not the file that the study wrote: torn, changed or of another training" if found else "missing"
            return _told(folder / name, what)
    return ""


def put_aside(folder: Path) -> Path | None:
    """Rename a model that is whole and not the study's own, so that it is not overwritten; where it is then."""
    path, aside = folder / _MODEL, folder / f"{_MODEL}.replaced"
    if not is_model(path):
        return None
    path.replace(aside)
    return aside


def _unnoted(folder: Path) -> str:
    path, signature = folder / _MODEL, folder / _SIGNATURE
    if not is_model(path):
        return _told(path, "torn" if path.exists() else "missing")
    try:
        json.loads(signature.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return _told(signature, "torn")
    return ""


def _told(path: Path, what: str) -> str:
    return f"{path} is {what}. Run the command that started the study: it trains the model to keep again."


def is_model(path: Path) -> bool:
    """Whether a file is a whole `.keras` archive: every member has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None and "config.json" in archive.namelist()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        return False


def _digest(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""
