"""The compiled program beside `model.fit`, over layers and hooks of Keras.

    python -m benchmarks.equality [WORD ...]    the members whose name holds a word; all without one

A line a member: equal, with the largest relative difference of losses, metrics and all variables after three epochs
whose last batch is a smaller one; or trained by `model.fit`, with the reason; or refused, with the message.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
import warnings
from typing import Any

import keras
import numpy as np

from benchmarks.equality_models import MODELS, Member
from optselect.data import read
from optselect.errors import InvalidModel
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.rules import RULES
from optselect.task import make_spec
from optselect.task.prepared import Task
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.evaluation import CHUNK
from optselect.trainer.feeding import parts, row_order
from optselect.trainer.messages import Job
from optselect.trainer.trainer_choice import make_trainer

__all__ = ["BATCH", "EPOCHS", "Outcome", "compared"]

EPOCHS, BATCH, SEED = 3, 36, 7  # 96 training rows: the last batch has 24
RULE = RULES["sgd"](learning_rate=0.05, momentum=0.9)  # smooth: rounding stays rounding


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a member. difference: the largest relative one, None where nothing was compared; where: of what.

    reason: why `model.fit` trains it. refused: why a study refuses it.
    """

    difference: float | None = None
    where: str = ""
    reason: str = ""
    refused: str = ""
    note: str = ""


def compared(member: Member, *, way: str = "graph") -> Outcome:
    """Train a member both ways. What Keras warns of (weights without a gradient, masks that are lost) is as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _compared(member, way)


def _compared(member: Member, way: str) -> Outcome:
    x, y = member.data()
    settings = member.task()
    weights = settings.pop("sample_weight", None)
    data = (x, y) if weights is None else (x, y, weights)
    configuration = dataclasses.replace(BASELINE, rule=RULE, batch_size=BATCH)
    try:
        task = Task.from_spec(make_spec(read(data), model=member.build, epochs=EPOCHS, seed=0, **settings))
        probe = Job(configuration=dataclasses.replace(BASELINE, batch_size=BATCH), seed=SEED, epochs=1)
        trainer, note = make_trainer(task, [RULE, BASELINE.rule], [SEED], probe)
    except InvalidModel as error:
        return Outcome(refused=str(error))
    if not isinstance(trainer, CompiledTrainer):
        return Outcome(reason=note)
    program = trainer.program
    program.way = way  # type: ignore[assignment]
    state, ours, _ = program.train(
        program.start(configuration, SEED), configuration, seed=SEED, epochs=EPOCHS, total_epochs=EPOCHS
    )
    mine = task.build(SEED)
    program.load(state, configuration, mine)
    theirs, model = by_fit(task, configuration)
    found = {name: _far(ours[name], values) for name, values in theirs.items() if name in ours}
    found |= {v.path: _far(a, v) for a, v in zip(mine.variables, model.variables, strict=True)}
    where = max(found, key=lambda name: found[name])
    return Outcome(found[where], where, note=note)


def by_fit(task: Task, configuration: Configuration) -> tuple[dict[str, list[float]], Any]:
    """The curves of `model.fit` over the same rows in the same order, and the trained model."""
    model, data = task.build(SEED), parts(task)
    task.compile(model, configuration.optimizer(total_steps=EPOCHS * 3))
    found: dict[str, list[float]] = {}
    x, y, w = (*data["train"], None)[:3]
    rows = len(keras.tree.flatten(y)[0])
    for epoch in range(EPOCHS):
        order = row_order(SEED, epoch, rows)
        given = [
            None if part is None else keras.tree.map_structure(lambda a, o=order: a[o], part) for part in (x, y, w)
        ]
        history = model.fit(
            given[0],
            given[1],
            sample_weight=given[2],
            batch_size=configuration.batch_size,
            shuffle=False,
            verbose=0,
            validation_data=data["validation"],
            validation_batch_size=CHUNK,
        ).history
        for name, values in history.items():
            found.setdefault(name, []).extend(values)
    return found, model


def _far(ours: Any, theirs: Any) -> float:
    a, b = (v.value.numpy() if isinstance(v, keras.Variable) else np.asarray(v) for v in (ours, theirs))
    if not np.issubdtype(b.dtype, np.floating):
        return 0.0 if (a == b).all() else float("inf")
    return float(np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0), 1e-3))


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    print(f"$ python -m benchmarks.equality {' '.join(words)}".rstrip())
    print(f"Keras {keras.__version__}, {platform.processor() or platform.machine()}, {platform.python_version()}\n")
    print("| layer or hook | the compiled program | |\n|---|---|---|")
    for name, member in MODELS.items():
        if words and not any(word in name for word in words):
            continue
        found = compared(member)
        if found.difference is None:
            what = "model.fit" if found.reason else "refused"
            print(f"| {name} | {what} | {found.reason or found.refused} |", flush=True)
        else:
            verdict = "equal" if found.difference <= 1e-5 else "DIFFERS"
            print(f"| {name} | {verdict}: {found.difference:.1e} | {found.note or found.where} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
