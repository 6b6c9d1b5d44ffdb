"""The studies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optselect.errors import OptselectError, UnknownName
from optselect.record import StudyLog
from optselect.util.suggestion import suggestion
from optselect.util.whole_files import reason
from optselect.verdict.answer import Answer
from optselect.verdict.recommendation import Recommendation

__all__ = ["STUDIES", "answer", "folder", "folders", "studies"]

STUDIES = Path("optselect-studies")


def studies(out: str | Path | None = None) -> list[dict[str, Any]]:
    """List the studies in a folder.

    Parameters
    ----------
    out : str or Path, optional
        Folder of the studies. Default: `optselect-studies`.

    Returns
    -------
    list of dict
        One dict per study: name, data, number of trials, whether it is finished, what it recommended, and "error" (""
        if the study is not damaged).

    Raises
    ------
    OptselectError
        If the folder cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> studies(tempfile.mkdtemp())
    []
    """
    return [found for place in folders(out) if (found := _listed(place)) is not None]


def folders(out: str | Path | None = None) -> list[Path]:
    """The folders in `out` that hold a ledger, or that may hold one and cannot be looked into."""
    root = Path(out or STUDIES)
    try:
        places = sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OptselectError(f"{root}: the folder of the studies cannot be read, {reason(error)}.") from error
    return [place for place in places if _holds(place)]


def folder(study: str | Path, out: str | Path | None = None) -> Path:
    """The folder of a study, by its name among those of `out` or by its path. Raises `UnknownName`."""
    named = Path(out or STUDIES) / study
    for found in (named, Path(study)):
        if _holds(found):
            return found
    known = [path.name for path in folders(named.parent)]
    said = suggestion(str(study), known) if known else "Start one: optselect tune sklearn:digits"
    raise UnknownName(f"{named}: no study is recorded here. {said}")


def answer(study: str | Path, out: str | Path | None = None) -> Recommendation:
    """What `recommendation.json` of a finished study holds.

    Raises `UnknownName`, `NoResult` where there is no answer yet, `DamagedFile` where it is torn, was changed or is
    of other trainings, `StudyConflict` where the ledger is damaged.
    """
    return Answer.read(StudyLog.read(folder(study, out) / "ledger.jsonl")).wanted()


def _holds(place: Path) -> bool:
    """Whether a folder has a ledger; a folder that may not be looked into is taken for one."""
    try:
        return (place / "ledger.jsonl").exists()
    except PermissionError:
        return True
    except OSError:  # a name that is too long, links in a circle
        return False


def _listed(place: Path) -> dict[str, Any] | None:
    """One line of the list, None for a study that has not begun."""
    found: dict[str, Any] = {
        "name": place.name,
        "directory": str(place),
        "data": "",
        "trials": 0,
        "finished": False,
        "verdict": "",
        "error": "",
    }
    try:
        log = StudyLog.read(place / "ledger.jsonl")
        answered = Answer.read(log)
        if log.study is None:
            return None if answered.state == "missing" else {**found, "error": answered.problem}
        record, trials, ended = log.study, log.trials, log.ended
    except OptselectError as error:
        return {**found, "error": str(error)}
    finished = ended and answered.usable
    return {
        **found,
        "name": record.name,
        "data": record.description.get("data", ""),
        "trials": sum(trial.stage == "search" for trial in trials),
        "finished": finished,
        "verdict": answered.wanted().text if finished else "",
        "error": "" if answered.usable or answered.state == "missing" else answered.problem,
    }
