"""How the rows of a data set are parted: the options of every call that reads one."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal, cast, get_args

from optselect.errors import InvalidValue, UnknownName
from optselect.util.option_fields import documented, option
from optselect.util.suggestion import suggestion

__all__ = ["SplitOptions", "SplitWay"]

SplitWay = Literal["random", "stratified", "group", "time", "given"]
"""How rows are parted; the last three go by a column."""

_BY_COLUMN = ("group", "time", "given")
_FRACTION = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Which rows train, validate and test.

    Raises
    ------
    InvalidValue, UnknownName
        If a value is none of those described.

    Examples
    --------
    >>> SplitOptions(split="group:patient").way, SplitOptions(test="0.25").test
    (('group', 'patient'), 0.25)
    """

    split: str | None = option(
        None,
        'How rows are parted: "random"; "stratified", the classes in equal shares; "group:COLUMN", rows of a group '
        'stay together; "time:COLUMN", training before validation before test ("time" alone: the rows are in order); '
        'or "given:COLUMN", the column says train, validation or test.',
        type="str",
        absent="stratified for classes, else random",
        terminal="How rows are parted: random, stratified, group:COLUMN (rows of a group stay together), time:COLUMN "
        "(training before validation before test), time (the rows are in order) or given:COLUMN (the column says "
        "train, validation or test).",
        metavar="WAY",
    )
    validation: Any = option(
        None,
        "Validation rows: a file, a fraction of the rows that the test set leaves, or in Python also a data frame, "
        "`(x, y)` or `(x, y, sample_weight)`.",
        type="str, float, DataFrame or tuple",
        absent="0.2",
        terminal="Validation rows: a file, or a fraction of the rows that the test set leaves.",
        metavar="FILE|FRACTION",
    )
    test: Any = option(
        None,
        "Test rows: a file, a fraction of all rows, or in Python also a data frame, `(x, y)` or "
        "`(x, y, sample_weight)`.",
        type="str, float, DataFrame or tuple",
        absent="0.2",
        terminal="Test rows: a file, or a fraction of all rows.",
        metavar="FILE|FRACTION",
    )
    folds: int | None = option(
        None,
        "Cross-validation: the fresh seeds that compare candidates walk through so many folds of the rows that are "
        "not for testing.",
        type="int",
        absent="each fresh seed draws its own validation rows where they are fewer than 2,000",
        form="whole",
    )
    groups: Any = option(
        None, "Group of each row, shape (rows,); rows of a group stay together.", type="array-like", form="object"
    )
    cv: Any = option(
        None,
        "Pairs of training and validation rows, or a splitter of scikit-learn that makes them; the fresh seeds walk "
        "through them. Without `test`, the validation rows of the last pair test.",
        type="splitter or iterable",
        form="object",
    )

    def __post_init__(self) -> None:
        self.way  # noqa: B018 - refused before anything is read
        for name in ("validation", "test"):
            value = getattr(self, name)
            if isinstance(value, Path):
                value = str(value)
            if isinstance(value, str) and _FRACTION.fullmatch(value):
                value = float(value)
            object.__setattr__(self, name, value)
        if isinstance(self.groups, str):
            if self.split not in (None, f"group:{self.groups}"):
                raise InvalidValue(f"tune: `split` is {self.split!r} and `groups` {self.groups!r}: choose one.")
            object.__setattr__(self, "split", f"group:{self.groups}")
            object.__setattr__(self, "groups", None)
        if isinstance(self.cv, int) and not isinstance(self.cv, bool):
            if self.folds not in (None, self.cv):
                raise InvalidValue(f"tune: `folds` is {self.folds} and `cv` {self.cv}: choose one.")
            object.__setattr__(self, "folds", self.cv)
            object.__setattr__(self, "cv", None)
        if self.folds is not None and (isinstance(self.folds, bool) or self.folds < 2):
            raise InvalidValue(f"tune: `folds` must be a whole number from 2, got {self.folds!r}.")

    @property
    def way(self) -> tuple[SplitWay | None, str]:
        """How rows are parted, None by default, and the column that it goes by."""
        if self.split is None:
            return None, ""
        word, colon, column = self.split.partition(":")
        if word not in get_args(SplitWay):
            raise UnknownName(f"tune: unknown split {self.split!r}. {suggestion(word, get_args(SplitWay))}")
        is_alone = word == "time" and not colon
        if not is_alone and ((word in _BY_COLUMN) != bool(column) or bool(colon) != bool(column)):
            wanted = f"{word}:COLUMN" if word in _BY_COLUMN else word
            raise InvalidValue(f"tune: `split` must be {wanted!r}, got {self.split!r}.")
        return cast(SplitWay, word), column

    def column(self, way: SplitWay) -> str | None:
        """The column that the rows are parted by in such a way, None if they are not.

        Parameters
        ----------
        way : {"group", "time", "given"}
            How rows are parted.

        Returns
        -------
        str or None
            Name of the column.
        """
        return self.way[1] or None if self.way[0] == way else None

    @property
    def rows_given(self) -> dict[str, Any]:
        """The data that hold the validation and test rows, by part."""
        found = {"validation": self.validation, "test": self.test}
        return {part: value for part, value in found.items() if value is not None and not _is_number(value)}

    @property
    def fractions(self) -> dict[str, float]:
        """The fractions that were asked for, by part. Raises InvalidValue for one outside (0, 1)."""
        found = {"validation": self.validation, "test": self.test}
        asked = {part: float(value) for part, value in found.items() if _is_number(value)}
        for part, value in asked.items():
            if not 0 < value < 1:
                raise InvalidValue(f"tune: `{part}` must be a file or a fraction in (0, 1), got {value:g}.")
        return asked

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return all(getattr(self, field.name) is None for field in dataclasses.fields(self))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
