"""The courier: it tries again, it gives up, it ends in time, and nobody waits for it."""

from __future__ import annotations

import threading
import time

import pytest

from optselect.sinks import courier as module
from optselect.sinks.courier import Courier, ItemFailed, Outbox, State

WEEK = 7 * 24 * 3600.0


class Store:
    """Takes numbers. away: how many attempts it fails. refuses: the numbers that it never takes."""

    def __init__(self, outbox: Outbox[int], *, away: int = 0, refuses: tuple[int, ...] = ()) -> None:
        self.outbox, self.away, self.refuses = outbox, away, refuses
        self.calls: list[bool] = []
        self.got: list[int] = []
        self.courier = Courier(self._attempt, explain=str, thread="courier-test")

    def _attempt(self, last: bool) -> float:
        self.calls.append(last)
        if self.away:
            self.away -= 1
            raise OSError("away")
        self.outbox.deliver(self._take, explain=str)
        return WEEK

    def _take(self, number: int) -> None:
        if number in self.refuses:
            raise ValueError(f"not {number}")
        self.got.append(number)


def until(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.005)


def test_news_are_delivered_and_each_item_once() -> None:
    """What is put while it runs arrives without waiting for the next round, and nothing arrives twice."""
    store = Store(Outbox({0: 0}))
    store.courier.start()
    until(lambda: store.got)
    store.outbox.put(1, 1)
    store.courier.news()
    until(lambda: len(store.got) == 2)
    assert store.courier.close(WEEK) == ""
    assert (store.got, store.outbox.left, store.courier.state) == ([0, 1], 0, State.WELL)
    assert store.calls[-1] is True
    assert sum(store.calls) == 1


@pytest.mark.parametrize(("away", "trouble"), [(1, ""), (2, ""), (3, "away"), (9, "away")])
def test_a_store_in_trouble_has_two_last_tries(away: int, trouble: str) -> None:
    """News do not hurry a store that failed; at the end it is asked twice more, and what is wrong with it is told."""
    store = Store(Outbox({0: 0}), away=away)
    store.courier.start()
    until(lambda: store.courier.state is State.TROUBLED)
    store.courier.news()
    time.sleep(0.3)
    assert store.calls == [False]
    assert store.courier.close(WEEK) == trouble
    assert store.calls == [False, *[True] * min(away, 2)]
    assert store.outbox.left == bool(trouble)
    assert store.courier.troubled


def test_pauses_grow_and_end_with_the_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as long after each failure, up to a longest one; after a success as at first."""
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 20.0)
    store, waited = Store(Outbox(), away=4), list[float]()

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 5:
            store.away = 1
        return len(waited) == 6

    monkeypatch.setattr(store.courier, "_wait", wait)
    store.courier._work()
    assert waited == [10.0, 20.0, 20.0, 20.0, WEEK, 10.0]


def test_an_item_that_fails_twice_is_passed_over() -> None:
    """It holds up no other one, and why it was refused is kept."""
    store = Store(Outbox({0: 0, 1: 1, 2: 2}), refuses=(1,))
    assert store.courier.finish()
    assert (store.got, store.outbox.refused, store.outbox.left) == ([0, 2], {1: "not 1"}, 0)
    many = Store(Outbox({n: n for n in range(9)}), refuses=tuple(range(9)))
    assert many.courier.finish()
    assert len(many.outbox.refused) == 9


def test_the_cause_is_told_of_an_item_that_fails() -> None:
    """Not that an item has failed, but why."""
    outbox = Outbox({1: 1})
    store = Store(outbox, refuses=(1,))
    with pytest.raises(ItemFailed):
        outbox.deliver(store._take, explain=str)
    store = Store(Outbox({1: 1}), refuses=(1,))
    store.courier.start()
    until(lambda: store.courier.trouble)
    assert store.courier.trouble == "not 1"
    assert store.courier.close(WEEK) == ""


def test_it_ends_in_time() -> None:
    """A delivery that hangs is abandoned when the time is up, and may not go on."""
    hangs, ended = threading.Event(), list[str]()

    def attempt(last: bool) -> float:
        hangs.wait(60)
        try:
            courier.check()
        except module.Abandoned:
            ended.append("abandoned")
            raise
        return 0.0

    courier = Courier(attempt, explain=repr, thread="courier-test")
    courier.start()
    began = time.monotonic()
    assert courier.close(0.2) == "did not take everything within 0.2 s"
    assert time.monotonic() - began < 5
    hangs.set()
    until(lambda: ended)
    assert ended == ["abandoned"]
    until(lambda: "courier-test" not in [thread.name for thread in threading.enumerate()])
    assert ended == ["abandoned"], "it was tried again after its end"
