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
    """A report that was written.

    Parameters
    ----------
    study : str
        Name of the study.
    path : Path
        The file.
    bytes : int
        Size of the file.
    finished : bool
        Whether the verdict is based on all trials of the study. Without a verdict the report shows what there is.
    trials : int
        Number of runs of all stages.
    pictures : dict of str to str
        By name "" if it is drawn, otherwise why it is not.
    problem : str, default ""
        What is wrong with the study's `recommendation.json`, "" if nothing is.
    """

    study: str
    path: Path
    bytes: int
    finished: bool
    trials: int
    pictures: Mapping[str, str]
    problem: str = ""

    def text(self) -> str:
        """Format the result.

        Returns
        -------
        str
            One or two lines.
        """
        drawn = sum(not why for why in self.pictures.values())
        state = "" if self.finished else " The study is not finished; the page shows what is there."
        problem = f"\nWarning: {self.problem}" if self.problem else ""
        return f"{self.path}: {drawn} pictures, {self.trials:,} trainings, {self.bytes / 1e3:,.0f} kB.{state}{problem}"

    def to_dict(self) -> dict[str, Any]:
        """Describe the result with JSON types.

        Returns
        -------
        dict
            Fields by name.
        """
        return {**dataclasses.asdict(self), "path": str(self.path)}


def report(study: str | Path, *, path: str | Path | None = None, out: str | Path | None = None) -> Report:
    """Write the report of a study, finished or not: one HTML file that needs no network.

    Nothing is trained, and the study may be running. An answer that is torn, or that belongs to other trainings, is
    left out, and the report says so.

    Parameters
    ----------
    study : str or Path
        Name or folder of the study.
    path : str or Path, optional
        The file. Default: `report.html` in the folder of the study.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.

    Returns
    -------
    Report
        Where it is and what it shows.

    Raises
    ------
    UnknownName
        If the study does not exist.
    StudyConflict
        If its record is damaged.
    CannotWrite
        If the file cannot be written.

    Examples
    --------
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
