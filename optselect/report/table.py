"""The table of all trials: its columns, its rows as JSON for the page's script, its best rows for paper."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from optselect.report.evidence import Evidence, Row
from optselect.verdict.numbers import number

__all__ = ["Table", "TableColumn", "embedded", "table"]

_STATIC = 50  # rows that are there without the script, and on paper


@dataclasses.dataclass(frozen=True)
class TableColumn:
    """kind: "number" or "text"; numbers sort as such. of: the cell of a trial, None where it has none."""

    name: str
    kind: str
    of: Callable[[Row], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """columns: those that some trial has a cell in. rows: cells of all trials, by number. best: the cells as words of
    the best ones, with the places of their optimizers. shown: how many these are at most."""

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Any]]
    best: Sequence[tuple[int, Sequence[str]]]
    shown: int

    def data(self, optimizers: Sequence[str]) -> Markup:
        """For the script, as JSON that no browser takes for HTML."""
        columns = [{"name": c.name, "kind": c.kind} for c in self.columns]
        return embedded({"columns": columns, "rows": self.rows, "optimizers": optimizers, "print": self.shown})


def table(evidence: Evidence) -> Table:
    """All trials of all stages."""
    metric = evidence.task.headline
    columns = [
        TableColumn("trial", "number", lambda row: row.record.number),
        TableColumn("stage", "text", lambda row: row.record.stage),
        TableColumn("optimizer", "text", lambda row: row.optimizer),
        TableColumn("outcome", "text", lambda row: row.record.outcome),
        TableColumn(evidence.objective.name, "number", lambda row: row.value),
        *(
            TableColumn(name, "number", lambda row, name=name: row.record.metrics.get(name))  # type: ignore[misc]
            for name in (f"val_{metric}", f"test_{metric}")
            if name != evidence.objective.name
        ),
        TableColumn("learning_rate", "number", lambda row: row.rate),
        TableColumn("batch_size", "number", lambda row: row.record.configuration.batch_size),
        TableColumn("schedule", "text", lambda row: row.record.configuration.schedule.key),
        TableColumn("other settings", "text", _settings),
        TableColumn("epochs", "number", lambda row: row.record.epochs),
        TableColumn("best epoch", "number", lambda row: row.record.best_epoch or None),
        TableColumn("seconds", "number", lambda row: round(row.record.seconds, 4)),
        TableColumn("seed", "number", lambda row: row.record.seed),
        TableColumn("message", "text", lambda row: row.record.message or None),
    ]
    cells = [[_finite(column.of(row)) for column in columns] for row in evidence.rows]
    kept = [k for k in range(len(columns)) if any(row[k] is not None for row in cells)] or [0]
    cells = [[row[k] for k in kept] for row in cells]
    sign = evidence.objective.sign
    order = sorted(range(len(cells)), key=lambda i: (math.isnan(v := evidence.rows[i].value), sign * v))[:_STATIC]
    return Table(
        columns=[columns[k] for k in kept],
        rows=cells,
        best=[(evidence.optimizers.index(evidence.rows[i].optimizer), [*map(_word, cells[i])]) for i in order],
        shown=_STATIC,
    )


def embedded(value: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element, begin a comment or break a line of script.

    >>> embedded({"</script>": "<!-- \\u2028 &"})
    Markup('{"\\\\u003c/script\\\\u003e":"\\\\u003c!-- \\\\u2028 \\\\u0026"}')
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII: U+2028 and U+2029 are escaped by it
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704


def _settings(row: Row) -> str | None:
    changed = row.record.configuration.changed()
    said = [f"{k.removeprefix('schedule_')} {_word(v)}" for k, v in changed.items() if k != "learning_rate"]
    return ", ".join(said) or None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _word(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else str(value)
