"""Repair a study whose record is damaged."""

from __future__ import annotations

from pathlib import Path

from optselect import record
from optselect.api.studies import folder
from optselect.record import Repaired

__all__ = ["Repaired", "repair"]


def repair(study: str | Path, *, out: str | Path | None = None) -> Repaired:
    """Keep what is whole of a study's damaged ledger; the file as it was stays beside it.

    Lines that are doubled or out of order are put right. Where a line is lost, the lines before it are kept: what a
    search tries depends on every trial before, so the command that started the study trains the rest again and finds
    the same. Nothing is trained here.

    Parameters
    ----------
    study : str or Path
        Name or folder of the study, or the path of its ledger.
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.

    Returns
    -------
    Repaired
        `kept` and `total` lines, `damage` (what was wrong, "" if nothing was), and `aside`, where the old file is.

    Raises
    ------
    UnknownName
        If no study is recorded there.
    StudyConflict
        While a process runs the study.
    CannotWrite
        If the disk refuses; the old file is then still there.

    Examples
    --------
    >>> from optselect import api
    >>> api.repair("digits").text()                                          # doctest: +SKIP
    'digits: the ledger is whole (88 lines). Nothing was changed.'
    """
    given = Path(study)
    return record.repair(given if given.is_file() else folder(study, out) / "ledger.jsonl")
