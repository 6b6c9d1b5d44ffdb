"""How a data set is to be read, and what its rows and columns count: the options of every call that reads one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

from optselect.data.dates import Order
from optselect.data.numerals import Decimal
from optselect.data.text_columns import Labels, MissingTarget, as_names
from optselect.data.weights import ClassWeight
from optselect.util.option_fields import check_choices, documented, option

__all__ = ["DataOptions"]


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How a data set is written, which columns are used, and what its rows count.

    Raises
    ------
    UnknownName
        If a value is none of those listed.

    Examples
    --------
    >>> DataOptions(decimal="comma", drop="order_id").drop
    ('order_id',)
    """

    sample_weight: Any = option(
        None,
        "Weight of each row in the loss: an array of shape (rows,), or the name of the column that holds it.",
        type="str or array-like",
        terminal="Column that holds the weight of each row in the loss.",
        flag="--weight",
        metavar="COLUMN",
    )
    class_weight: ClassWeight | None = option(
        None,
        'Weight of each class in the training loss, by label, or "balanced".',
        type='"balanced", mapping or sequence',
        terminal="Weight of each class in the training loss: balanced, or no=1,yes=3.",
        metavar="WEIGHTS",
        form="weights",
    )
    encoding: str | None = option(None, "Encoding of a text file.", type="str", absent="UTF-8")
    separator: str | None = option(
        None, "Character between the fields of a text file.", type="str", absent="auto-detected"
    )
    decimal: Decimal | None = option(
        None, "Decimal mark of the numbers in text.", choices=get_args(Decimal), absent="auto-detected"
    )
    dates: Order | None = option(
        None, "What comes first in dates such as 03/04/2019.", choices=get_args(Order), absent="auto-detected"
    )
    keep: str | Sequence[str] | None = option(
        (),
        "Columns to use even if they look like an id.",
        type="str or sequence of str",
        terminal="Use this column even if it looks like an id",
        metavar="COLUMN",
        form="repeated",
    )
    drop: str | Sequence[str] | None = option(
        (),
        "Columns not to use.",
        type="str or sequence of str",
        terminal="Do not use this column",
        metavar="COLUMN",
        form="repeated",
    )
    missing_target: MissingTarget | None = option(
        None,
        "Whether rows without a target are dropped or refused.",
        choices=get_args(MissingTarget),
        absent="drop them if they are fewer than 5 %",
    )
    labels: Labels | None = option(
        None,
        "Whether labels that differ only in case or spaces are one class or several.",
        choices=get_args(Labels),
        absent="refuse such labels",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", as_names(self.keep))
        object.__setattr__(self, "drop", as_names(self.drop))
        check_choices(self, "DataOptions")

    def reading(self) -> dict[str, Any]:
        """The arguments of `optselect.data.read`.

        Returns
        -------
        dict
            Arguments by name.
        """
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "class_weight"}
