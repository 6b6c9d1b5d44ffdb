"""Where a tool that is compared with others lives: a process of its own, and what it is asked there."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

__all__ = ["SEED", "Block", "Room", "Setup", "Side", "Trained", "fresh_process", "one_by_one"]

SEED = 1  # of the initial weights, in every trial of every tool that starts as Keras does


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """What a side is to train. threads: of one training. workers: trainings at once, where the tool can. way: how
    optselect runs the steps; None: the way that it would choose for as many trials. patience: of early stopping, None
    for none."""

    kind: str
    configurations: Sequence[Any]
    epochs: int
    threads: int
    workers: int = 1
    way: str | None = None
    patience: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained:
    """number: of the configuration. seconds: from one result to the next, NaN where several train at once."""

    number: int
    seconds: float
    val_loss: float
    step_seconds: float = math.nan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Some trials one after the other. seconds: of all of them. way: how optselect ran the steps."""

    trials: list[Trained]
    seconds: float
    way: str = ""


class Side(Protocol):
    """A tool, ready to train."""

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """Train the configurations of these numbers, no new one after so many seconds."""
        ...

    def close(self) -> None: ...


def fresh_process() -> ProcessPoolExecutor:
    """A process of its own, started anew, whose libraries keep their remarks to themselves."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_hush)


def _hush() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


class Room:
    """A fresh process in which one tool lives; it does nothing while it is not asked.

    ready: seconds from starting the process until the tool could train: imports, data, compilation.
    """

    def __init__(self, side: Callable[[Setup], Side], setup: Setup) -> None:
        began = time.perf_counter()
        self._pool = fresh_process()
        self._pool.submit(_enter, side, setup).result()
        self.ready = time.perf_counter() - began

    def block(self, numbers: Sequence[int], seconds: float) -> Block:
        """As `Side.block`."""
        return self._pool.submit(_block, numbers, seconds).result()

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenProcessPool):
            self._pool.submit(_leave).result()
        self._pool.shutdown()


_HERE: dict[str, Side] = {}  # the side that lives in this process


def _enter(side: Callable[[Setup], Side], setup: Setup) -> None:
    _HERE["side"] = side(setup)


def _block(numbers: Sequence[int], seconds: float) -> Block:
    return _HERE["side"].block(numbers, seconds)


def _leave() -> None:
    _HERE.pop("side").close()


def one_by_one(train: Callable[[int], float], numbers: Sequence[int], seconds: float) -> Block:
    """A block of a tool that trains one configuration at a time and answers with its validation loss."""
    trials: list[Trained] = []
    began = last = time.perf_counter()
    for number in numbers:
        if trials and last - began >= seconds:
            break
        val_loss = train(number)
        now = time.perf_counter()
        trials.append(Trained(number=number, seconds=now - last, val_loss=val_loss))
        last = now
    return Block(trials=trials, seconds=last - began)
