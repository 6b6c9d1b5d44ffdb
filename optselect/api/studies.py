"""The studies in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optselect.ledger import read

__all__ = ["STUDIES", "studies"]

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
