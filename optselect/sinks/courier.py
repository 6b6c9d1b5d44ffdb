"""Deliver things to a store that may be slow or away, from a background thread that nobody waits for."""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

__all__ = ["Abandoned", "Courier", "ItemFailed", "Outbox", "State", "counted"]

Item = TypeVar("Item")

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds between attempts at a store that does not answer
_LAST_TRY = 3.0  # seconds that a store in trouble has to answer in the end
_TRIES = 2  # of the last delivery, and of an item before it is refused for good


class Abandoned(Exception):
    """The courier was closed and its time is up; no further request may be made."""


class ItemFailed(Exception):
    """The store did not take one item, which has a try left; the cause says why."""


class State(enum.Enum):
    """How a courier stands. NEW: nothing was tried. WELL: the store took what there was. TROUBLED: it did not."""

    NEW = enum.auto()
    WELL = enum.auto()
    TROUBLED = enum.auto()


class Outbox(Generic[Item]):
    """Numbered items, each of which the store takes once; one that it fails to take twice is passed over.

    refused: why, by the numbers of those passed over.

    >>> outbox = Outbox({0: "a", 1: "b"})
    >>> outbox.deliver(print, explain=str)
    a
    b
    >>> outbox.left, outbox.arrived
    (0, ['a', 'b'])
    """

    def __init__(self, items: Mapping[int, Item] | None = None) -> None:
        self._items = dict(items or {})
        self._arrived: set[int] = set()
        self._failures: Counter[int] = Counter()
        self.refused: dict[int, str] = {}

    def put(self, number: int, item: Item) -> None:
        """Add an item."""
        self._items[number] = item

    def found(self, numbers: Iterable[int]) -> None:
        """Take note of what the store has, in place of what was known of it."""
        self._arrived = set(numbers)

    @property
    def items(self) -> list[Item]:
        """All items."""
        return [item for _, item in list(self._items.items())]

    @property
    def arrived(self) -> list[Item]:
        """The items that the store has."""
        return [item for number, item in list(self._items.items()) if number in self._arrived]

    @property
    def left(self) -> int:
        """How many have neither arrived nor been refused."""
        return len(self._items.keys() - self._arrived - self.refused.keys())

    def deliver(self, send: Callable[[Item], None], explain: Callable[[Exception], str]) -> None:
        """Send all that are left. Raises `ItemFailed` where one fails for the first time."""
        for number, item in list(self._items.items()):
            if number in self._arrived or number in self.refused:
                continue
            try:
                send(item)
            except Exception as error:
                self._failures[number] += 1
                if self._failures[number] < _TRIES:
                    raise ItemFailed from error
                self.refused[number] = explain(error)
            else:
                self._arrived.add(number)


class Courier:
    """Calls `attempt` again and again until it is closed: one time after the other, more rarely while it fails.

    attempt: delivers what is there, knowing whether it is the last time, and returns for how many seconds there is
    nothing to do without news. What it raises goes no further. explain: an error as words that follow the name of the
    store. thread: the name of the background thread.

    state: what the last attempt showed. trouble: why it failed, "" if it did not. troubled: whether any has failed.

    >>> calls = []
    >>> courier = Courier(lambda last: calls.append(last) or 60.0, explain=str, thread="example")
    >>> courier.start()
    >>> courier.close(timeout=60.0), calls
    ('', [False, True])
    """

    def __init__(self, attempt: Callable[[bool], float], *, explain: Callable[[Exception], str], thread: str) -> None:
        self._deliver, self._explain = attempt, explain
        self._name = thread
        self._thread: threading.Thread | None = None
        self._letters: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True: the last
        self._abandoned = threading.Event()
        self.state, self.trouble, self.troubled = State.NEW, "", False

    def start(self) -> None:
        """Begin to call."""
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def news(self) -> None:
        """Have `attempt` called soon, unless the store is in trouble."""
        self._letters.put(False)

    def close(self, timeout: float) -> str:
        """Deliver the rest, for at most `timeout` seconds, far fewer if the store did not answer and still does not.

        What is wrong with the store, "" if everything arrived.
        """
        if self._thread is None:
            return ""
        self._letters.put(True)
        began = time.monotonic()
        while self._thread.is_alive() and (passed := time.monotonic() - began) < timeout:
            if self.state is State.TROUBLED and passed > _LAST_TRY:
                break
            self._thread.join(min(0.1, timeout - passed))
        late = self._thread.is_alive()
        self._abandoned.set()
        return self.trouble or (f"did not take everything within {timeout:g} s" if late else "")

    def finish(self) -> bool:
        """Deliver the last, in the thread that calls, with another try where the store fails; whether it arrived."""
        failures = 0
        while failures < _TRIES and not self._abandoned.is_set():
            found = self._attempt(last=True)
            if self.state is State.WELL:
                return True
            failures += not isinstance(found, ItemFailed)  # an item that fails again is passed over
        return False

    def answers(self) -> None:
        """Note, within an attempt, that the store is there again."""
        self.state, self.trouble = State.WELL, ""

    def check(self) -> None:
        """Raise `Abandoned` if what is under way has to end."""
        if self._abandoned.is_set():
            raise Abandoned

    def _work(self) -> None:
        pause, closing = _FIRST_PAUSE, False
        while not closing:
            found = self._attempt(last=False)
            pause = min(2 * pause, _LONGEST_PAUSE) if isinstance(found, Exception) else _FIRST_PAUSE
            closing = self._wait(pause if isinstance(found, Exception) else found)
        self.finish()

    def _attempt(self, *, last: bool) -> float | Exception:
        """One delivery: for how many seconds there is nothing to do, or what it raised."""
        try:
            seconds = self._deliver(last)
        except Exception as error:  # whatever it is, it must not reach the study
            cause = error.__cause__ if isinstance(error, ItemFailed) else error
            self.trouble = self._explain(cause if isinstance(cause, Exception) else error)
            self.state, self.troubled = State.TROUBLED, True
            return error
        self.answers()
        return seconds

    def _wait(self, seconds: float) -> bool:
        """Wait for news, in trouble for the whole time; whether the courier is being closed."""
        until = time.monotonic() + seconds
        while True:
            try:
                closing = self._letters.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return False
            if closing or not (self.state is State.TROUBLED or not self._letters.empty()):
                return closing


def counted(count: int, otherwise: str) -> str:
    """How many trials, with their verb; something else for none.

    >>> counted(1, "the study is"), counted(2, "the study is"), counted(0, "the study is")
    ('1 trial is', '2 trials are', 'the study is')
    """
    return f"{count} trial{' is' if count == 1 else 's are'}" if count else otherwise
