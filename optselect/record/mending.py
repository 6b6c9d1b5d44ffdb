"""Repairing a damaged ledger: the longest whole record that its lines make up is kept, the old file put aside."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from optselect.errors import OptselectError
from optselect.record.faults import fault
from optselect.record.ledger import read_bytes, reserved
from optselect.record.lines import scan, split, usable
from optselect.util import whole_files

__all__ = ["Repaired", "repair"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repaired:
    """The outcome of a repair.

    Parameters
    ----------
    study : str
        Name of the folder.
    kept : int
        Lines that were kept.
    total : int
        Lines of the damaged file.
    aside : Path, optional
        The old file; None if nothing was wrong.
    damage : str, default ""
        What was wrong, "" if nothing was.
    """

    study: str
    kept: int
    total: int
    aside: Path | None = None
    damage: str = ""

    def text(self) -> str:
        """Format the outcome.

        Returns
        -------
        str
            One or two sentences.
        """
        if self.aside is None:
            return f"{self.study}: the ledger is whole ({self.total} lines). Nothing was changed."
        lost = self.total - self.kept
        return (
            f"{self.study}: {self.kept} of {self.total} lines are whole and in order and were kept. The old file is "
            f"{self.aside}. "
            + ("Run the command that started the study: it trains again what is lost." if lost else "Nothing is lost.")
        )

    def to_dict(self) -> dict[str, Any]:
        """Describe the outcome with JSON types.

        Returns
        -------
        dict
            Fields by name.
        """
        aside = None if self.aside is None else str(self.aside)
        return {**dataclasses.asdict(self), "aside": aside, "text": self.text()}


def repair(path: Path) -> Repaired:
    """Keep the longest whole record of a ledger; the file as it was stays beside it, as `<name>.damaged`.

    Lines that are doubled or out of order are put right. Behind a line that is lost nothing is kept: what a search
    tries depends on all trials before, so the command that started the study repeats them and finds the same.

    Raises `UnknownName` if there is no such file, `StudyConflict` while a process writes to it, `CannotWrite`.
    """
    with reserved(path):
        data = read_bytes(path)
        total, study = len(split(data)), path.absolute().parent.name
        damage = _damage(data, path)
        if not damage:
            return Repaired(study=study, kept=total, total=total)
        lines, aside = usable(data), _free(path)
        whole_files.write(aside, data, safe="Nothing was changed.")
        whole_files.write(path, b"".join(line.raw + b"\n" for line in lines), safe=f"The old file is in {aside} too.")
        return Repaired(study=study, kept=len(lines), total=total, aside=aside, damage=damage)


def _damage(data: bytes, path: Path) -> str:
    try:
        wrong = fault(scan(data, path).entries)
    except OptselectError as error:
        return str(error)
    return wrong.what if wrong else ""


def _free(path: Path) -> Path:
    """A name for the old file that no earlier repair has taken."""
    first = path.with_name(f"{path.name}.damaged")
    names = [first, *(path.with_name(f"{path.name}.damaged-{k}") for k in range(2, 10_000))]
    return next(name for name in names if not name.exists())
