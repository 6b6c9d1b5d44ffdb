"""What the report says in words beside the verdict: its numbers, warnings, why arms lost, how it was done."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from optselect.errors import OptselectError
from optselect.options import command_line
from optselect.report.evidence import Evidence, Row
from optselect.spaces import load_space
from optselect.task import EarlyStopping, TaskDescription
from optselect.verdict import Verdict
from optselect.verdict.epochs_used import EpochsUsed
from optselect.verdict.numbers import number

__all__ = ["ArmSummary", "arms", "command", "how", "warnings"]

_STAGES = {
    "search": "in the search",
    "race": "in the race",
    "confirm": "to confirm",
    "basin": "at other learning rates",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """An optimizer in numbers, and what stood against it."""

    name: str
    place: int
    trials: int
    diverged: int
    best: str
    step: str
    memory: str
    reasons: Sequence[str]
    recommended: bool
    epochs: str = ""


def arms(evidence: Evidence) -> list[ArmSummary]:
    """Every optimizer, the best of the search first."""
    verdict = evidence.verdict
    lost = {loss.arm: loss.reasons for loss in verdict.lost} if verdict else {}
    chosen = verdict.recommended.configuration.rule.key if verdict else None
    found = []
    for place, name in enumerate(evidence.optimizers):
        own = evidence.of(name)
        value = evidence.objective.best(row.value for row in own)
        steps = [row.record.step_seconds for row in own if row.record.step_seconds > 0]
        given = [f"given up after {gone.checkpoint} trials" for gone in evidence.eliminated if gone.arm == name]
        found.append(
            ArmSummary(
                name=name,
                place=place,
                trials=len(own),
                diverged=sum(row.record.outcome == "diverged" for row in own),
                best="" if math.isnan(value) else number(value),
                step=f"{1000 * median(steps):.2g} ms" if steps else "",
                memory=f"{max(row.record.memory for row in own) / 1e6:.2g} MB" if own else "",
                reasons=lost.get(name, [] if verdict else given),
                recommended=name == chosen,
                epochs=_epochs(name, own),
            )
        )
    return found


def _epochs(name: str, own: Sequence[Row]) -> str:
    """The epochs of the trials of an optimizer with early stopping."""
    used = EpochsUsed.of(name, (row.record for row in own))
    return "" if used is None else used.spread


def warnings(evidence: Evidence) -> list[str]:
    """What a reader must know before trusting the rest."""
    verdict = evidence.verdict
    found = [*_doubts(verdict)]
    if verdict is None:
        of = f" of {evidence.trials}" if evidence.trials else ""
        found.append(
            f"This study is not finished: {len(evidence.search)}{of} trials are there, and what follows shows them. "
            + (
                evidence.unusable
                or "There is no recommendation yet; the command that started the study goes on with it."
            )
        )
    elif not evidence.finished:
        found.append(
            f"The verdict is of {sum(verdict.runs.values())} trainings, and the study has gone on to "
            f"{len(evidence.rows)}: pictures and table show them all, the verdict does not know of the later ones."
        )
    if verdict is not None:
        found += _of_verdict(verdict)
    failed = [row.record for row in evidence.rows if row.record.outcome == "failed"]
    if failed:
        said = next((line for record in failed for line in record.message.splitlines() if line), "no message")
        found.append(f"{len(failed)} trainings failed, the first with: {said}")
    names = {"check": "the check with plain model.fit", "refit": "training the model to keep"}
    found += [f"{names[kind].capitalize()} failed: {error}" for kind, error in evidence.failures.items() if error]
    return found


def _doubts(verdict: Verdict | None) -> list[str]:
    """What the trainings themselves speak against; that they lose to a constant is in the verdict's first line."""
    context = verdict.context if verdict else None
    return [f"{oddity[0].upper()}{oddity[1:]}." for oddity in context.oddities] if context else []


def _of_verdict(verdict: Verdict) -> Iterator[str]:
    if not verdict.confirmed:
        yield "Nothing was confirmed on held-out data: the same validation rows chose and judge."
    for edge in verdict.edges:
        yield f"The best trial of the recommended optimizer has {edge}: a wider one may hold better ones."
    for standing in verdict.ranking:
        if standing.broken:
            yield f"{standing.label} broke down under {standing.broken} of its fresh seeds."


def how(evidence: Evidence) -> list[tuple[str, str]]:
    """Data, split, model, budget, seeds, stages, versions, machine."""
    task, description, asked = evidence.task, evidence.description, evidence.fingerprint
    stages = {stage: sum(row.record.stage == stage for row in evidence.rows) for stage in _STAGES}
    unit = "sequences or rows" if not task.rows else "rows"
    found: list[tuple[str, Any]] = [
        ("Data", description.get("data") or task.data),
        ("Target", task.target),
        ("Split", _split(task, unit)),
        ("What was found in the data", "; ".join(task.notes)),
        ("Model", f"{task.model}, {task.parameters:,} parameters" if task.parameters else task.model),
        ("Loss and metrics", ", ".join([task.loss, *task.metrics]) if task.loss else None),
        ("Compared with model.fit", task.comparison.told() if task.comparison else None),
        ("Without a network", _simple(task, evidence.verdict)),
        ("Objective", f"{evidence.objective}, {'larger' if evidence.objective.maximize else 'smaller'} is better"),
        (
            "Search space",
            f"{description['space']} ({len(evidence.optimizers)} optimizers)" if "space" in description else None,
        ),
        ("Budget", _budget(evidence, asked)),
        ("Trainings", ", ".join(f"{n} {_STAGES[stage]}" for stage, n in stages.items() if n)),
        ("Seeds", _seeds(evidence, asked)),
        ("Sampler and pruner", f"{asked['sampler']}, {asked['pruner']}" if "sampler" in asked else None),
        ("Processes", f"{task.workers} with {task.threads} threads each" if task.workers else None),
        ("Precision", task.precision),
        ("Data's digest", asked.get("data")),
    ]
    environment = dict(task.environment or {})
    found += [("Machine", environment.pop("machine", None))]
    found += [("Versions", ", ".join(f"{name} {version}" for name, version in environment.items()))]
    return [(name, str(value)) for name, value in found if value]


def _simple(task: TaskDescription, verdict: Verdict | None) -> str | None:
    """What a constant and a linear model score on the rows of the verdict's numbers."""
    headline = verdict.headline if verdict else task.headline.name
    figure = f"{'test' if verdict is None or verdict.confirmed else 'val'}_{headline}"
    said = []
    for name, found in (task.baselines or {}).items():
        if (value := found.metrics.get(figure)) is not None:
            what = f"{name} answer" if name == "constant" else f"{name} model"
            detail = f" ({found.answer})" if found.answer else ""
            said.append(f"{what}{detail}: {headline.replace('_', ' ')} {number(value)}")
    return "; ".join(said)


def _split(task: TaskDescription, unit: str) -> str | None:
    parts = {
        "to train": task.train_rows,
        "to validate": task.validation_rows,
        "held out for the end": task.test_rows,
    }
    rows = ", ".join(f"{rows:,} {unit} {name}" for name, rows in parts.items())
    return (f"{rows}; {task.partition}" if task.partition else rows) if task.train_rows else None


def _budget(evidence: Evidence, asked: Mapping[str, str]) -> str | None:
    trials = f"{evidence.trials} trials" if evidence.trials else "by time"
    if "care" not in asked:
        return None
    if stopping := asked.get("early stopping"):
        found = EarlyStopping.from_dict(json.loads(stopping))
        long = f"at most {asked['epochs']} epochs each, stopped after {found.patience} without a better {found.monitor}"
    else:
        long = f"{asked['epochs']} epochs each"
    return f"{trials}, {long}, care {asked['care']}"


def _seeds(evidence: Evidence, asked: Mapping[str, str]) -> str | None:
    fresh = len({row.record.seed for row in evidence.rows if row.record.stage in ("race", "confirm")})
    redrawn = evidence.verdict is not None and evidence.verdict.redrawn
    splits = ", each with its own split of training and validation rows" if redrawn else ""
    if evidence.task.covers:
        splits = f": intervals cover {evidence.task.covers}"
    return (
        f"master seed {asked['seed']}" + (f"; {fresh} fresh ones{splits}" if fresh else "") if "seed" in asked else None
    )


def command(evidence: Evidence) -> str | None:
    """The command that does the study again; None where it came from Python objects.

    Studies of earlier versions recorded neither their budget nor their optimizers, which are then what was seen.
    """
    settings = evidence.settings
    if not settings:
        return None
    if "trials" not in settings:
        space = _other(evidence.description.get("space"), "default")
        seen = {"trials": evidence.trials, "optimizers": _optimizers(evidence), "space": space}
        settings = {**settings, **seen}
    return command_line(settings)


def _optimizers(evidence: Evidence) -> str | None:
    """Those that were searched, unless they are all of a space that is still what it was."""
    space = evidence.description.get("space")
    with contextlib.suppress(OptselectError):  # a file that is not here
        if load_space(space).digest() == evidence.fingerprint.get("space"):
            return None
    seen = sorted(arm for arm in evidence.optimizers if evidence.of(arm) or arm in evidence.probes)
    return ",".join(seen) or None


def _other(value: Any, usual: Any) -> Any:
    return None if value == usual else value
