"""The report of a study as a page, written anew from what the study left in its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optselect.api.studies import folder

__all__ = ["Report", "report"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """A page that was written.

    path: where. bytes: its size. finished: whether the verdict is of all its trials; without a verdict it says so and
    shows what is there. trials: of all stages. pictures: by name, "" where one is drawn, else why it is not. problem:
    what is wrong with the study's `recommendation.json`, "" if nothing is.
    """

    study: str
    path: Path
    bytes: int
    finished: bool
    trials: int
    pictures: Mapping[str, str]
    problem: str = ""

    def text(self) -> str:
        """What came of it, for people."""
        drawn = sum(not why for why in self.pictures.values())
        state = "" if self.finished else " The study is not finished; the page shows what is there."
        problem = f"\nWarning: {self.problem}" if self.problem else ""
        return f"{self.path}: {drawn} pictures, {self.trials:,} trainings, {self.bytes / 1e3:,.0f} kB.{state}{problem}"

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def report(study: str | Path, *, path: str | Path | None = None, out: str | Path | None = None) -> Report:
    """Write the report of a study, finished or not: one HTML file that needs no network.

    study: name or folder. path: of the file, `report.html` in the study's folder if None. out: the folder of the
    studies. Nothing is trained, and the study may be running meanwhile.

    Raises `UnknownName` where no study is recorded, `StudyConflict` where its record is damaged, `CannotWrite` where
    the file cannot be written. An answer that is torn or of other trainings is left out, and the page says so.

    >>> from optselect import api
    >>> api.report("digits").path                                            # doctest: +SKIP
    PosixPath('optselect-studies/digits/report.html')
    """
    from optselect.report.evidence import gather
    from optselect.report.page import write

    place = folder(study, out)
    target = Path(path) if path is not None else place / "report.html"
    evidence = gather(place)
    page, pictures = write(evidence, target)
    return Report(
        study=evidence.name,
        path=target,
        bytes=len(page.encode()),
        finished=evidence.finished,
        trials=len(evidence.rows),
        pictures={picture.name: picture.missing for picture in pictures},
        problem=evidence.unusable,
    )
