"""The answer of a study, `recommendation.json`: how it is sealed, and whether it is whole and of these trainings.

The file carries a seal: how many lines of the ledger it was made from, their SHA-256, and the SHA-256 of its own
content. So an answer that is torn, was changed, or is of other trainings is known. Files of earlier versions have no
seal: of those the shape is checked, the study's name, and how many trainings they speak of.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optselect.errors import DamagedFile, NoResult, OptselectError
from optselect.optim.configuration import Configuration
from optselect.util.whole_files import reason

if TYPE_CHECKING:
    from optselect.record.study_log import StudyLog

__all__ = ["NAME", "Answer", "Stamp", "sealed"]

NAME = "recommendation.json"
_SEAL = "seal"
_WITHOUT_TRAININGS = {"storage"}  # kinds of entries that change nothing in an answer
_AGAIN = "Run the command that started the study: it trains what is missing and writes its answer again."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stamp:
    """By which a record is known: the number of its lines and the SHA-256 of their bytes."""

    lines: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Stamp:
        """The stamp of whole lines.

        >>> Stamp.of(b"{}\\n").lines
        1
        """
        return cls(lines=data.count(b"\n"), sha256=hashlib.sha256(data).hexdigest())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What `recommendation.json` holds, as far as it can be used.

    content: without its seal, None where it cannot be used. state: "whole"; "behind" where the study has gone on
    since; "missing"; "damaged"; "other" where it is of other trainings. why: what is wrong, for people.
    """

    path: Path
    state: Literal["whole", "behind", "missing", "damaged", "other"]
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
        wrong = "" if seal is not None else _misshapen(content)
        if wrong:
            return found(state="damaged", why=wrong)
        if log.started and content.get("study") != log.started.get("name"):
            return found(state="other", why=f"it is of another study, {content.get('study')!r}")
        return _unsealed(found, content, log) if seal is None else _compared(found, content, seal, log)

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

    def wanted(self) -> Mapping[str, Any]:
        """The content. Raises `NoResult` where there is none yet, `DamagedFile` where it cannot be used."""
        if self.content is None:
            raise (NoResult if self.state == "missing" else DamagedFile)(self.problem)
        return self.content


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


def _compared(
    found: Callable[..., Answer], content: Mapping[str, Any], seal: Mapping[str, Any], log: StudyLog
) -> Answer:
    """An answer beside the record that it says it is of."""
    lines = log.data.splitlines(keepends=True)
    before = b"".join(lines[: seal["lines"]])
    if len(lines) < seal["lines"]:
        why = f"it was made from {seal['lines']} lines of the ledger, of which {len(lines)} are there"
        return found(state="other", why=why)
    if hashlib.sha256(before if before.endswith(b"\n") else before + b"\n").hexdigest() != seal["ledger"]:
        return found(state="other", why="it was made from other lines than those of the ledger")
    kinds = [json.loads(line)["kind"] for line in lines[seal["lines"] :]]
    behind = any(kind not in _WITHOUT_TRAININGS for kind in kinds)
    return found(state="behind" if behind else "whole", content=content)


def _unsealed(found: Callable[..., Answer], content: Mapping[str, Any], log: StudyLog) -> Answer:
    """An answer of an earlier version: all that is known is how many trainings it speaks of."""
    spoken, trials = sum(content["verdict"]["runs"].values()), len(log.kinds.get("trial", []))
    if spoken > trials:
        why = f"it speaks of {spoken} trainings, of which {trials} are recorded"
        return found(state="other", why=why)
    return found(state="whole" if spoken == trials else "behind", content=content)


_NUMBER = (int, float, type(None))
_ESTIMATE = {"mean": _NUMBER, "low": _NUMBER, "high": _NUMBER, "seeds": int}
_STANDING = {
    "arm": str, "label": str, "configuration": {"optimizer": dict, "batch_size": int}, "objective": _ESTIMATE,
    "held_out": _ESTIMATE, "p_best": _NUMBER, "broken": int,
}  # fmt: skip
_SHAPE: Mapping[str, Any] = {
    "study": str,
    "snippet": str,
    "configuration": {"optimizer": dict, "batch_size": int},
    "verdict": {
        "text": str, "word": str, "headline": str, "objective": str, "prefer": str, "minimize": bool, "maximize": bool,
        "share": bool, "confirmed": bool, "redrawn": bool, "refit": bool, "chosen": int, "rope": _NUMBER,
        "seconds": _NUMBER, "check": _NUMBER, "baseline": {"optimizer": dict, "batch_size": int},
        "recommended": _STANDING, "ranking": [_STANDING], "runs": {None: int}, "lost": list, "edges": list,
    },
}  # fmt: skip


def _misshapen(content: Any) -> str:
    """What an answer lacks of what its readers rely on, "" if nothing."""
    where = _astray(content, _SHAPE, "")
    if where is not None:
        return f"its `{where}` is not what a study writes" if where else "it is no JSON object"
    verdict = content["verdict"]
    if not 0 <= verdict["chosen"] < len(verdict["ranking"]):
        return "its `verdict.chosen` is none of its ranking"
    try:
        for one in (content, *verdict["ranking"]):
            Configuration.from_dict(one["configuration"])
        Configuration.from_dict(verdict["baseline"])
    except (OptselectError, TypeError, AttributeError, KeyError) as error:
        return f"it has a configuration that is none ({error})"
    return ""


def _astray(value: Any, shape: Any, where: str) -> str | None:
    """The first place where a value is not as its shape says, None if there is none."""
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return where
        inside = dict.fromkeys(value, shape[None]) if None in shape else shape
        places = ((value.get(name), part, f"{where}.{name}".lstrip(".")) for name, part in inside.items())
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return where
        places = ((one, shape[0], f"{where}[{k}]") for k, one in enumerate(value))
    else:
        exact = isinstance(value, shape) and (not isinstance(value, bool) or shape is bool)
        return None if exact and value == value else where  # NaN is no number
    return next((found for v, s, w in places if (found := _astray(v, s, w)) is not None), None)
