"""What MLflow is told of a study beside its trials: of the data when it starts, of the answer when it ends."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from optselect.record.entries import TrialRecord
from optselect.sinks.mlflow import Ending, RunSummary
from optselect.task import TaskDescription, TaskSpec
from optselect.task.description import ColumnFacts
from optselect.util.intervals import Estimate
from optselect.util.json_types import plain
from optselect.verdict import Verdict
from optselect.verdict.epochs_used import EpochsUsed
from optselect.verdict.numbers import number
from optselect.verdict.recommendation import Recommendation

__all__ = ["ending", "with_data"]

_FILES = ("recommendation.json", "report.html", "snippet.py")


def with_data(task: TaskDescription, spec: TaskSpec) -> TaskDescription:
    """The description with what MLflow is told of the data: the path of a file, the columns of a table."""
    path, columns = Path(spec.data.name), None
    if spec.schema is not None:
        types = spec.data.x.dtypes  # type: ignore[union-attr]
        columns = tuple(
            ColumnFacts(
                name=c.name,
                kind=c.kind,
                date_format=c.date_format,
                number_format=c.number_format,
                type=str(types[c.name]),
            )
            for c in spec.schema.columns
        )
    return dataclasses.replace(task, source=str(path.absolute()) if path.exists() else None, columns=columns)


def ending(
    answer: Recommendation, directory: Path, records: Iterable[TrialRecord], register: str | None = None
) -> Ending:
    """The end of a study. register: the model's name in the registry."""
    verdict, model = answer.verdict, directory / "best.keras"
    best = verdict.recommended
    summary = {
        "note": _note(answer),
        "recommended": best.label,
        "recommended_optimizer": best.arm,
        "word": verdict.word,
        "p_best": best.p_best,
        "check": verdict.check,
        **_interval(f"held_out_{verdict.headline}", best.held_out),
        **_interval("recommended_objective", best.objective),
        **_interval("gain_over_default", best.gain),
        **_epochs(best.epochs),
    }
    return Ending(
        summary=plain(summary),
        artifacts={name: directory / name for name in _FILES},
        standings=[_run_summary(place, verdict) for place in range(len(verdict.ranking))],
        model=model if verdict.refit and model.exists() else None,
        register=register or "",
        when=max((round(1000 * (r.started + r.seconds)) for r in records), default=0),
    )


def _run_summary(place: int, verdict: Verdict) -> RunSummary:
    standing = verdict.ranking[place]
    said = {
        "place": place + 1,
        "p_best": standing.p_best,
        **_interval("held_out", standing.held_out),
        **_interval("gain_over_default", standing.gain),
        **_epochs(standing.epochs),
        "recommended": place == verdict.chosen,
        "is_default": standing.is_default,
    }
    return RunSummary(arm=standing.arm, configuration=standing.configuration, said=said)


def _interval(name: str, found: Estimate | None) -> dict[str, float]:
    if found is None:
        return {}
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_seeds": found.seeds}


def _epochs(used: EpochsUsed | None) -> dict[str, float]:
    """The medians over fresh seeds; nothing without early stopping."""
    return {} if used is None else {"epochs": used.median, "best_epoch": used.best_epoch}


def _note(answer: Recommendation) -> str:
    """The verdict in Markdown, with its finalists and the code to paste."""
    verdict = answer.verdict
    head = ("configuration", verdict.objective, verdict.headline, "95 % interval", "P(best)")
    rows = [_row(head), _row(["---"] * len(head))]
    for place, standing in enumerate(verdict.ranking):
        held, mark = standing.held_out, "**" if place == verdict.chosen else ""
        interval = "" if math.isnan(held.low) else f"{number(held.low)} to {number(held.high)}"
        cells = (f"{mark}{standing.label}{mark}", number(standing.objective.mean), number(held.mean), interval,
                 f"{standing.p_best:.2f}")  # fmt: skip
        rows.append(_row(cells))
    return f"{answer.text}\n\n" + "\n".join(rows) + f"\n\n```python\n{answer.snippet}```\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
