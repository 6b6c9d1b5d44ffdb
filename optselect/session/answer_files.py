"""The files that a study writes when it has its answer, and which of them are still as they were written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optselect.errors import CannotWrite
from optselect.record import Stamp, StudyLog
from optselect.session.outcome import Outcome
from optselect.sinks.optuna_db import export, holds
from optselect.util import whole_files
from optselect.verdict.answer import Answer, sealed

if TYPE_CHECKING:
    import optuna

__all__ = ["AnswerFiles"]

_OF_THE_CALL = ("dashboard", "registered", "directory")  # in an answer, but not of the study


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerFiles:
    """What a study leaves in its folder beside its ledger and its model, in the order in which it is written.

    result: what was found. stamp: of the ledger that it was found in. studies: the Optuna study of every arm, by the
    name in the file. pages: whether the files for people are wanted. say: told of what does not stop a study. The
    report comes last: it shows what the others hold.
    """

    result: Outcome
    stamp: Stamp
    studies: Mapping[str, optuna.Study]
    pages: bool
    say: Callable[[str], None]

    def stale(self) -> list[str]:
        """The names of those that are missing, torn, changed, or of other trainings."""
        return [name for name, whole, _ in self._all() if not whole()]

    def write(self) -> None:
        """Write all of them. Raises `CannotWrite`, which then tells the verdict too."""
        try:
            for _, _, write in self._all():
                write()
        except CannotWrite as error:
            raise CannotWrite(
                f"{error} All {len(self.result.records)} trainings are safe in the ledger: when that is mended, the "
                "same command trains nothing and writes its files. The verdict: " + self.result.verdict.text()
            ) from error

    def _all(self) -> list[tuple[str, Callable[[], bool], Callable[[], None]]]:
        """Name, whether it is as it should be, and how it is written."""
        found = [
            ("recommendation.json", self._answered, self._answer),
            ("snippet.py", self._has_snippet, self._snippet),
            ("study.db", lambda: holds(self._path("study.db"), self.studies), self._export),
            ("report.html", self._reported, self._report),
        ]
        return found if self.pages else found[:2]

    def _path(self, name: str) -> Path:
        return self.result.directory / name

    def _answered(self) -> bool:
        found = Answer.read(StudyLog.read(self._path("ledger.jsonl")))
        return found.state == "whole" and _lasting(found.content or {}) == _lasting(self.result.to_dict())

    def _answer(self) -> None:
        whole_files.write(self._path("recommendation.json"), sealed(self.result.to_dict(), self.stamp))

    def _has_snippet(self) -> bool:
        try:
            return self._path("snippet.py").read_bytes() == self.result.snippet.encode()
        except OSError:
            return False

    def _snippet(self) -> None:
        whole_files.write(self._path("snippet.py"), self.result.snippet)

    def _export(self) -> None:
        export(self._path("study.db"), self.studies)

    def _reported(self) -> bool:
        from optselect.report.evidence import gather
        from optselect.report.page import is_whole

        return is_whole(self._path("report.html"), gather(self.result.directory).seal)

    def _report(self) -> None:
        """The page for people. Whatever is wrong with it, the study is done and stands."""
        from optselect.report.evidence import gather
        from optselect.report.page import write

        try:
            write(gather(self.result.directory.absolute()), self._path("report.html"))
        except Exception as error:
            if whole_files.refusal(error):  # a full disk, not a page that something is wrong with
                raise
            self.say(f"Warning: the report was not written: {error or type(error).__name__}")


def _lasting(content: Mapping[str, Any]) -> str:
    """An answer as text that is equal where the answers are, without what belongs to one call."""
    return json.dumps({k: v for k, v in content.items() if k not in _OF_THE_CALL}, sort_keys=True)
