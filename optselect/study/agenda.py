"""Who gets which trial: arms in turn, all of them waiting for each other at checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

__all__ = ["Agenda", "Place"]

Place = tuple[str, int]
"""An arm and a slot: the how-manieth of its trials."""


class Agenda:
    """The places of a search in their order, written up to the next checkpoint.

    At a checkpoint every arm has as many trials as every other, and all of them are over. What is decided there, who
    goes on and which rungs are trusted, depends on those trials alone and not on which worker was the faster.

    done: places that have a trial already, with its number.

    >>> agenda = Agenda(["adam", "sgd"])
    >>> agenda.extend(["adam", "sgd"], 2)
    >>> agenda.take(set()), agenda.take({"adam"}), agenda.take({"adam", "sgd"})
    (('adam', 0), ('sgd', 0), None)
    >>> agenda.number(("sgd", 1))
    3
    """

    def __init__(self, arms: Sequence[str], done: Mapping[Place, int] = MappingProxyType({})) -> None:
        self._arms = list(arms)
        self._numbers: dict[Place, int] = {}
        self._waiting: dict[str, list[int]] = {arm: [] for arm in arms}
        self._open: set[Place] = set()
        self._before = dict(done)
        self._taken = set(done.values())
        self.reached = 0

    @property
    def written(self) -> int:
        """How many places there are."""
        return len(self._numbers)

    @property
    def over(self) -> bool:
        """Whether all places that were written have their trial."""
        return not self._open

    def extend(self, arms: Sequence[str], to: int) -> None:
        """Write places for these arms until each has `to` slots."""
        for slot in range(self.reached, to):
            for arm in arms:
                self._write((arm, slot))
        self.reached = to

    def append(self, arms: Sequence[str]) -> None:
        """Write one more place for each of some arms: what is left of a budget that does not go round."""
        for arm in arms:
            self._write((arm, self.reached))

    def take(self, busy: Collection[str], *, crowded: bool = False) -> Place | None:
        """The next place of an arm that is not busy. crowded: if all are, of one that is."""
        able = [arm for arm in self._arms if self._waiting[arm]]
        free = [arm for arm in able if arm not in busy] or (able if crowded else [])
        if not free:
            return None
        arm = min(free, key=lambda a: self._waiting[a][0])
        return arm, self._waiting[arm].pop(0)

    def finish(self, place: Place) -> None:
        """A place has its trial."""
        self._open.discard(place)

    def number(self, place: Place) -> int:
        """The trial's number: where its place stands among all, from 0, however many workers there are.

        Only where a raised budget has moved the places, a number that is taken is passed over.
        """
        return self._numbers[place]

    def _write(self, place: Place) -> None:
        number = self._before.get(place, len(self._numbers))
        if place not in self._before and number in self._taken:
            number = 1 + max(self._taken)
        self._numbers[place] = number
        self._taken.add(number)
        if place not in self._before:
            self._open.add(place)
            self._waiting[place[0]].append(place[1])
