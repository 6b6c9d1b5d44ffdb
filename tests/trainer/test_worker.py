"""A worker answers messages, whatever carries them: here nothing does."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from optselect.optim.configuration import BASELINE
from optselect.trainer.messages import (
    Answer,
    Done,
    Failed,
    Job,
    Plan,
    Probe,
    ProbeRun,
    Ready,
    Request,
    Rest,
    Rested,
    Run,
    SetUp,
    Work,
)
from optselect.trainer.worker import Worker
from optselect.workers.executor import Executor

JOB = Job(configuration=BASELINE, seed=0, epochs=2)


@pytest.fixture(scope="module")
def set_up(iris: Any) -> SetUp:
    """Iris, by a plan that leaves nothing to find out."""
    return SetUp(spec=iris, rules=(), seeds=(0,), plan=Plan(steps=0, way="graph", compare=False))


def asked(worker: Worker, request: Request) -> Answer:
    """The answer, through what any carrier does to messages."""
    answer: Answer = pickle.loads(pickle.dumps(worker.answer(pickle.loads(pickle.dumps(request)))))
    return answer


def test_a_task_is_set_up_trained_and_left(set_up: SetUp) -> None:
    """Each request gets its answer; the next task finds what the last one left, and gives the same to the bit."""
    worker, found = Worker(), []
    for _ in range(2):
        ready = asked(worker, set_up)
        assert isinstance(ready, Ready)
        assert ready.memory > 0
        done = asked(worker, Work(job=JOB, way=None))
        assert isinstance(done, Done)
        assert isinstance(done.result, Run)
        found.append((done.result.curves, done.result.metrics, done.result.epochs))
        rested = asked(worker, Rest())
        assert isinstance(rested, Rested)
    assert found[0] == found[1]
    probe = Probe(configuration=BASELINE, seed=0, rates=(1e-3,), steps=2)
    asked(worker, set_up)
    done = asked(worker, Work(job=probe, way="graph"))
    assert isinstance(done, Done)
    assert isinstance(done.result, ProbeRun)


def test_what_is_wrong_is_an_answer_too(set_up: SetUp) -> None:
    """A task that cannot be set up is `Failed`; a training that fails is `Done` and says why."""
    worker = Worker()
    wrong = dataclasses.replace(set_up, spec=dataclasses.replace(set_up.spec, objective="val_nothing"))
    failed = asked(worker, wrong)
    assert isinstance(failed, Failed)
    assert "val_nothing" in str(failed.error)
    assert isinstance(asked(worker, set_up), Ready)
    broken = dataclasses.replace(JOB, plain=True, keep="nowhere")  # type: ignore[arg-type]
    done = asked(worker, Work(job=broken, way=None))
    assert isinstance(done, Done)
    assert "cannot be paused" in done.result.error


def test_an_executor_has_all_methods() -> None:
    """One that lacks a method cannot be made."""

    class Half(Executor):
        capacity = 1

        def submit(self, ticket: int, job: Job | Probe) -> None:
            raise NotImplementedError

        def results(self, timeout: float) -> Iterator[tuple[int, Any]]:
            raise NotImplementedError

    with pytest.raises(TypeError, match="close"):
        Half()  # type: ignore[abstract]
