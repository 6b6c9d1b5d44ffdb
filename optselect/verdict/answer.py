"""The answer of a study, `recommendation.json`: how it is sealed, and whether it is whole and of these trainings.

The file carries a seal: how many lines of the ledger it was made from, their SHA-256, and the SHA-256 of its own
content. So an answer that is torn, was changed, or is of other trainings is known. Files of earlier versions have no
seal: of those the study's name is compared, and how many trainings they speak of.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from optselect.errors import DamagedFile, InvalidValue, NoResult
from optselect.record import Stamp, StudyLog
from optselect.util.whole_files import reason
from optselect.verdict.recommendation import Recommendation

__all__ = ["NAME", "Answer", "sealed"]

NAME = "recommendation.json"
_SEAL = "seal"
_WITHOUT_TRAININGS = {"settings", "storage"}  # kinds of entries that change nothing in an answer
_AGAIN = "Run the command that started the study: it trains what is missing and writes its answer again."

State = Literal["whole", "behind", "missing", "damaged", "other"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What `recommendation.json` holds, as far as it can be used.

    recommendation: what it says, None where it cannot be used; content: the same as JSON, without the seal. state:
    "whole"; "behind" where the study has gone on since; "missing"; "damaged"; "other" where it is of other trainings.
    why: what is wrong, for people.
    """

    path: Path
    state: State
    recommendation: Recommendation | None = None
    content: Mapping[str, Any] | None = None
    why: str = ""

    @classmethod
    def read(cls, log: StudyLog) -> Answer:
        """Read the answer beside a ledger and see whether it is whole and of these trainings."""
        path = log.path.with_name(NAME)
        found = functools.partial(cls, path=path)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return found(state="missing", why="the study is not finished")
        except OSError as error:
            return found(state="damaged", why=f"it cannot be read, {reason(error)}")
        except (ValueError, RecursionError):  # of text, of JSON
            return found(state="damaged", why="it is torn or is not JSON")
        seal = content.pop(_SEAL, None) if isinstance(content, dict) else None
        if seal is not None and not _genuine(seal, content):
            return found(state="damaged", why="it was changed after it was written (its checksum differs)")
        try:
            said = Recommendation.from_dict(content)
        except InvalidValue as error:
            return found(state="damaged", why=f"it is not what a study writes ({error})")
        if log.study is not None and said.study != log.study.name:
            return found(state="other", why=f"it is of another study, {said.study!r}")
        state, why = _unsealed(said, log) if seal is None else _compared(seal, log)
        held = {} if state == "other" else {"recommendation": said, "content": content}
        return found(state=state, why=why, **held)

    @property
    def digest(self) -> str:
        """By which the content is known, "" for none."""
        return "" if self.content is None else _digest(self.content)

    @property
    def usable(self) -> bool:
        """Whether the answer may be shown."""
        return self.state in ("whole", "behind")

    @property
    def problem(self) -> str:
        """The file, what is wrong and what to do, in a sentence; "" where nothing is."""
        if self.usable:
            return ""
        if self.state == "missing":
            return f"{self.path.parent}: the study is not finished. The command that started it goes on with it."
        return f"{self.path}: not the answer of this study as it stands: {self.why}. {_AGAIN}"

    def wanted(self) -> Recommendation:
        """What it says. Raises `NoResult` where there is none yet, `DamagedFile` where it cannot be used."""
        if self.recommendation is None:
            raise (NoResult if self.state == "missing" else DamagedFile)(self.problem)
        return self.recommendation


def sealed(content: Mapping[str, Any], stamp: Stamp) -> str:
    """The text of `recommendation.json`: JSON with its seal. stamp: of the ledger that it was made from."""
    seal = {"lines": stamp.lines, "ledger": stamp.sha256, "content": _digest(content)}
    return json.dumps({**content, _SEAL: seal}, indent=2) + "\n"


def _digest(content: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(content))  # as it is read again: tuples as lists, keys as text
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _genuine(seal: Any, content: Mapping[str, Any]) -> bool:
    shaped = isinstance(seal, dict) and isinstance(seal.get("lines"), int) and isinstance(seal.get("ledger"), str)
    return shaped and seal.get("content") == _digest(content)


def _compared(seal: Mapping[str, Any], log: StudyLog) -> tuple[State, str]:
    """The state of an answer beside the record that it says it is of, and why."""
    lines = log.data.splitlines(keepends=True)
    before = b"".join(lines[: seal["lines"]])
    if len(lines) < seal["lines"]:
        return "other", f"it was made from {seal['lines']} lines of the ledger, of which {len(lines)} are there"
    if hashlib.sha256(before if before.endswith(b"\n") else before + b"\n").hexdigest() != seal["ledger"]:
        return "other", "it was made from other lines than those of the ledger"
    return "behind" if set(log.kinds_after(seal["lines"])) - _WITHOUT_TRAININGS else "whole", ""


def _unsealed(said: Recommendation, log: StudyLog) -> tuple[State, str]:
    """That of an answer of an earlier version: all that is known is how many trainings it speaks of."""
    spoken, trials = sum(said.verdict.runs.values()), len(log.trials)
    if spoken > trials:
        return "other", f"it speaks of {spoken} trainings, of which {trials} are recorded"
    return "whole" if spoken == trials else "behind", ""
