"""What tests of the report share: real studies, as they were left in their folders, and hostile names for them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optselect.record import Ledger, read
from tests.helpers import RESOURCES

DATA = RESOURCES / "report"
STUDIES = sorted(path.name for path in DATA.iterdir())

NAME = "</title><script>alert(1)</script>"
# Each would run something, end an element or break a script if it were taken for markup anywhere.
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</SCRIPT ><svg onload=alert(1)>",
    "<!--<script>",
    "-->",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "</figcaption></figure></main><h1>owned</h1>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=`alert(1)`",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)>",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<form action=http://127.0.0.1:9/><input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "${alert(1)}",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "line\u2028separator\u2029here",
    "\u202eright to left\u202c",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
]


def unpack(name: str, folder: Path) -> Path:
    """The folder of a finished study."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ledger.jsonl").write_bytes(gzip.decompress((DATA / name / "ledger.jsonl.gz").read_bytes()))
    (folder / "recommendation.json").write_text((DATA / name / "recommendation.json").read_text())
    return folder


def rewritten(source: Path, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Path:
    """A study whose entries were changed, or left out where `change` gives None; without its answer."""
    with Ledger.open(folder / "ledger.jsonl") as ledger:
        for entry in read(source / "ledger.jsonl"):
            made = change({key: value for key, value in entry.items() if key != "crc"})
            if made is not None:
                ledger.append(made.pop("kind"), made)
    return folder


def hostile(source: Path, folder: Path) -> Path:
    """A study whose every name and message is hostile."""
    every = iter(HOSTILE * 40)

    def poison(value: Any) -> Any:
        if isinstance(value, str):
            return next(every)
        if isinstance(value, list):
            return [poison(one) for one in value]
        return {key: poison(one) for key, one in value.items()} if isinstance(value, dict) else value

    def change(entry: dict[str, Any]) -> dict[str, Any]:
        if entry["kind"] == "study":
            return {**entry, "name": NAME, "description": poison(entry["description"])}
        if entry["kind"] == "task":
            own = {key: entry["description"][key] for key in ("objective", "headline")}
            metric = "<img src=x onerror=alert(1)>"
            return {**entry, "description": {**poison(entry["description"]), **own, "headline": metric}}
        if entry["kind"] == "trial":
            metrics = {**entry["metrics"], "val_<img src=x onerror=alert(1)>": 0.5}
            outcome = "failed" if entry["number"] % 5 == 0 else entry["outcome"]
            return {**entry, "message": next(every), "metrics": metrics, "outcome": outcome}
        return entry

    rewritten(source, folder, change)
    answer = json.loads((source / "recommendation.json").read_text())
    answer["study"] = NAME
    verdict = answer["verdict"]
    verdict["text"] = "".join(f"{payload}. " for payload in HOSTILE)
    verdict["lost"] = [{**loss, "reasons": HOSTILE} for loss in verdict["lost"]]
    verdict["headline"] = "<img src=x onerror=alert(1)>"
    answer["snippet"] = "\n".join(HOSTILE)
    (folder / "recommendation.json").write_text(json.dumps(answer))
    return folder
