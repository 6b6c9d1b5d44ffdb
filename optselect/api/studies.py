"""The studies in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optselect.errors import NoResult, UnknownName, suggestion
from optselect.ledger import read

__all__ = ["STUDIES", "answer", "folder", "studies"]

STUDIES = Path("optselect-studies")


def studies(out: str | Path | None = None) -> list[dict[str, Any]]:
    """The studies in a folder: name, data, how many trials, whether finished, and what was recommended."""
    found = []
    for path in sorted(Path(out or STUDIES).glob("*/ledger.jsonl")):
        entries = read(path)
        started = next((e for e in entries if e["kind"] == "study"), None)
        if started is None:
            continue
        recommendation = path.with_name("recommendation.json")
        finished = any(e["kind"] == "refit" for e in entries) and recommendation.exists()
        text = json.loads(recommendation.read_text())["verdict"]["text"] if finished else ""
        found.append(
            {
                "name": started["name"],
                "directory": str(path.parent),
                "data": started["description"].get("data", ""),
                "trials": sum(e["kind"] == "trial" and e["stage"] == "search" for e in entries),
                "finished": finished,
                "verdict": text,
            }
        )
    return found


def folder(study: str | Path, out: str | Path | None = None) -> Path:
    """The folder of a study, by its name among those of `out` or by its path. Raises `UnknownName`."""
    named = Path(out or STUDIES) / study
    for found in (named, Path(study)):
        if (found / "ledger.jsonl").exists():
            return found
    known = [path.parent.name for path in sorted(named.parent.glob("*/ledger.jsonl"))]
    said = suggestion(str(study), known) if known else "Start one: optselect tune sklearn:digits"
    raise UnknownName(f"{named}: no study is recorded here. {said}")


def answer(study: str | Path, out: str | Path | None = None) -> dict[str, Any]:
    """What `recommendation.json` of a finished study holds. Raises `UnknownName`, `NoResult`."""
    path = folder(study, out) / "recommendation.json"
    if not path.exists():
        raise NoResult(f"{path.parent}: the study is not finished. The command that started it goes on with it.")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
