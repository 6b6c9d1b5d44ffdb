"""Many trainings in one step: each member with its own weights, numbers, order of rows, random numbers and fate."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.trainer import memory
from optselect.trainer.program import Program
from optselect.trainer.side_by_side import Crew, Kinds, SideBySide, stacked, unstacked, where
from optselect.trainer.state import TrialState
from optselect.trainer.watching import ran_at

__all__ = ["Member", "Populations"]

Curves = dict[str, list[float]]
_SAMPLES = 4, 16  # members on which the need of memory is measured
_SHARE = 0.5  # of the memory that is free, for the members of a step
_COPIES = 3  # of a member's state, at least: before and after a step, and its gradient


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """A training in a population: what it is, and how far it is."""

    configuration: Configuration
    seed: int
    state: TrialState


class Populations:
    """Trains many configurations of a program's task side by side, by `tf.vectorized_map` over the program's step.

    A member's curves and state are those of the same training by itself but for the last bits, random numbers
    included: they come from the member's own seed generators, and the order of the rows from its own seed. One that
    diverges stands still from its first bad batch on while the others go on. Steps run in TensorFlow's graph,
    whatever `program.way` says.

    budget: bytes that the members of one step may take; None for half of what the device has free. Where they need
    more, they are trained in several goes.
    """

    def __init__(self, program: Program, *, budget: int | None = None) -> None:
        self.program, self.budget = program, budget
        self._beside = SideBySide(program.traced.step, program.traced.judge)
        self._needs: dict[Any, int] = {}

    def start(self, configurations: Sequence[Configuration], seeds: Sequence[int]) -> list[Member]:
        """Members before their first step."""
        states = map(self.program.start, configurations, seeds)
        return [
            Member(configuration=c, seed=seed, state=state)
            for c, seed, state in zip(configurations, seeds, states, strict=True)
        ]

    def train(self, members: Sequence[Member], *, epochs: int, total_epochs: int) -> list[tuple[TrialState, Curves]]:
        """Train each member up to `epochs` more of a training of `total_epochs`: its state, and curves of these epochs.

        Members may differ in everything; those of one rule and one batch size share a step.
        """
        found: dict[int, Any] = {}
        with tf.device(self.program.traced.device):
            for numbers in self._groups(members, total_epochs):
                trained = self._train([members[n] for n in numbers], epochs, total_epochs)
                found |= dict(zip(numbers, trained, strict=True))
        return [found[n] for n in range(len(members))]

    def evaluate(self, members: Sequence[Member], part: str) -> list[dict[str, float]]:
        """Loss and metrics of each member on "train", "validation" or "test"."""
        found: dict[int, dict[str, float]] = {}
        with tf.device(self.program.traced.device):
            for numbers in self._groups(members, 1):
                group = [members[n] for n in numbers]
                if len(group) == 1:
                    found[numbers[0]] = self.program.evaluate(group[0].state, group[0].configuration, part)
                    continue
                points, others = stacked([self.program.weights(m.state, m.configuration) for m in group])
                rows, _ = self._beside.evaluate(points, others, self.program.feed.chunks(part))
                for n, row in zip(numbers, rows, strict=True):
                    found[n] = dict(zip(self.program.traced.result_names, map(float, row), strict=True))
        return [found[n] for n in range(len(members))]

    def try_rates(
        self, state: TrialState, configuration: Configuration, *, seed: int, rates: Sequence[float], steps: int
    ) -> list[tuple[float, float]]:
        """What `Program.try_rate` gives for each of some learning rates."""
        size = min(configuration.batch_size, self.program.feed.rows)
        late = steps - steps * 3 // 4
        member, found = Member(configuration=configuration, seed=seed, state=state), []
        with tf.device(self.program.traced.device):
            data, order = self.program.feed.batches(seed, size, steps)
            kinds, at_once = self._kinds([member]), self._at_once([member], 1)
            for start in range(0, len(rates), at_once):
                some = np.asarray(rates[start : start + at_once], "float32")
                if len(some) == 1:
                    found.append(self.program.try_rate(state, configuration, seed=seed, rate=rates[start], steps=steps))
                    continue
                crew = self._crew([member] * len(some), np.repeat(some[:, None], state.step + steps, 1))
                orders = tf.tile(order[None], (len(some), 1))
                crew = self._beside.steps(crew, kinds, data, orders[:, : (steps - late) * size], size)
                crew = self._beside.steps(crew.counting_anew(), kinds, data, orders[:, (steps - late) * size :], size)
                values = self._validated(crew, kinds)[0][:, 0]
                losses = crew.sums.numpy()[:, 0] / (late * size)
                for loss, value, good in zip(losses, values, crew.alive.numpy(), strict=True):
                    found.append((float(loss), float(value)) if good else (math.nan, math.nan))
        return found

    # -- who trains together ----------------------------------------------------------------------------------

    def _groups(self, members: Sequence[Member], total_epochs: int) -> Iterator[list[int]]:
        """The numbers of members that share a step, as many at once as the memory allows."""
        feed = self.program.feed
        groups: dict[Any, list[int]] = {}
        for n, m in enumerate(members):
            reading = (m.seed, m.state.epoch) if feed.on_disk else ()  # on disk an order of rows is one of reading
            size = min(m.configuration.batch_size, feed.rows)
            groups.setdefault((m.configuration.rule.key, size, reading, bool(m.state.watch)), []).append(n)
        for numbers in groups.values():
            several = len(numbers) > 1
            at_once = self._at_once([members[n] for n in numbers[: _SAMPLES[0]]], total_epochs) if several else 1
            yield from (numbers[i : i + at_once] for i in range(0, len(numbers), at_once))

    def _at_once(self, sample: Sequence[Member], total_epochs: int) -> int:
        """How many such members fit in the memory: by what a step and an evaluation of some of them take."""
        budget = self.budget or int(_SHARE * memory.free(self.program.traced.device))
        configuration = sample[0].configuration
        key = configuration.rule.key, configuration.batch_size
        if key not in self._needs:
            self._needs[key] = self._need(sample, total_epochs, budget)
        kept = 2 * _bytes(sample[0].state.watch)
        return max(1, budget // (self._needs[key] + kept))

    def _need(self, sample: Sequence[Member], total_epochs: int, budget: int) -> int:
        """Bytes a member."""
        state = _COPIES * _bytes(sample[0].state.carried)
        few, many = _SAMPLES
        if few * state > budget:
            return state
        self._work(sample, few, total_epochs)  # what tracing takes is taken once
        taken = memory.taken(self.program.traced.device, lambda: self._work(sample, few, total_epochs))
        need = max(state, taken // few)
        if many * need > budget:
            return need
        # By the difference: some of what a few take comes from what the process has kept for itself.
        more = memory.taken(self.program.traced.device, lambda: self._work(sample, many, total_epochs)) - taken
        return max(need, more // (many - few))

    def _work(self, sample: Sequence[Member], count: int, total_epochs: int) -> None:
        """A step and an evaluation of so many members, for nothing but their need of memory."""
        members = list(itertools.islice(itertools.cycle(sample), count))
        size, kinds = min(members[0].configuration.batch_size, self.program.feed.rows), self._kinds(members)
        rates = [self.program.rates(m.configuration, total_epochs) for m in members]
        data, order = self.program.feed.batches(members[0].seed, size, 1)
        crew = self._beside.steps(
            self._crew(members, np.stack(rates)), kinds, data, tf.tile(order[None], (count, 1)), size
        )
        self._validated(crew, kinds)

    # -- a group ----------------------------------------------------------------------------------------------

    def _train(self, members: Sequence[Member], epochs: int, total_epochs: int) -> list[tuple[TrialState, Curves]]:
        rates = np.stack([self.program.rates(m.configuration, total_epochs) for m in members])
        states, lines = [m.state for m in members], [[] for _ in members]  # type: ignore[var-annotated]
        going, left = self._going(range(len(members)), states, total_epochs), epochs
        crew = self._crew([members[n] for n in going], rates[going]) if len(going) > 1 else None
        if crew and crew.watch:  # one that went on may have had its rate reduced
            crew = crew._replace(rates=ran_at(crew.watch, crew.rates))
        while left and crew is not None:
            crew, found = self._one_epoch([members[n] for n in going], [states[n].epoch for n in going], crew)
            left -= 1
            stopped = crew.watch.stopped.numpy() if crew.watch else [False] * len(going)
            for n, line, over in zip(going, found, stopped, strict=True):
                states[n] = _after(states[n], line, over)
                lines[n].append(line)
            on = self._going(going, states, total_epochs)
            if on != going or not left:
                for i, n in enumerate(going):
                    carried, watch = unstacked((crew.carried, crew.watch), i)
                    states[n] = dataclasses.replace(states[n], carried=carried, watch=watch)
                crew = crew.those([going.index(n) for n in on]) if len(on) > 1 else None
                going = on
        trained = [
            (state, self.program.curves(m.configuration, r, found, state.epoch))
            for m, r, found, state in zip(members, rates, lines, states, strict=True)
        ]
        for n in going if left else ():  # one alone is faster by itself
            trained[n] = self._alone(members[n], *trained[n], left, total_epochs)
        return trained

    def _alone(
        self, member: Member, state: TrialState, curves: Curves, epochs: int, total_epochs: int
    ) -> tuple[TrialState, Curves]:
        """Go on with one member as a single training."""
        state, more, _ = self.program.train(
            state, member.configuration, seed=member.seed, epochs=epochs, total_epochs=total_epochs
        )
        return state, {name: curves[name] + values for name, values in more.items()}

    def _going(self, numbers: Any, states: Sequence[TrialState], total_epochs: int) -> list[int]:
        return [n for n in numbers if states[n].going and states[n].epoch < total_epochs]

    def _one_epoch(
        self, members: Sequence[Member], epochs: Sequence[int], crew: Crew
    ) -> tuple[Crew, list[list[float]]]:
        """Train and judge; a line of figures a member, as `Program.curves` takes them."""
        program, kinds = self.program, self._kinds(members)
        size = min(members[0].configuration.batch_size, program.feed.rows)
        keys = [(m.seed, epoch) for m, epoch in zip(members, epochs, strict=True)]
        crew = crew.counting_anew()
        different = list(dict.fromkeys(keys))
        for pieces in zip(*(program.feed.epoch(*key, size) for key in different), strict=True):
            orders = [pieces[different.index(key)][1] for key in keys]
            crew = self._beside.steps(crew, kinds, pieces[0][0], tf.stack(orders), size)
        results, others, points = self._validated(crew, kinds)
        crew = crew._replace(carried=crew.carried._replace(others=where(crew.alive, others, crew.carried.others)))
        results = np.where(crew.alive.numpy()[:, None], results, np.nan)
        lines = [crew.sums.numpy(), crew.done.numpy(), results]
        if crew.watch:
            lines.append(crew.watch.rate.numpy())
            figures = np.column_stack([lines[0][:, 0] / program.feed.rows, results]).astype("float32")
            crew = self._beside.watched(crew, tf.constant(figures), program.traced.kept(points, others))
        return crew, np.column_stack(lines).tolist()

    def _validated(self, crew: Crew, kinds: Kinds) -> tuple[np.ndarray, Any, Any]:
        """Validation loss and metrics of each, (members, 1 + metrics); the other variables; where each is judged."""
        points = self._beside.points(crew, kinds)
        found, others = self._beside.evaluate(points, crew.carried.others, self.program.feed.chunks("validation"))
        return found, others, points

    def _crew(self, members: Sequence[Member], rates: np.ndarray) -> Crew:
        """The members' tensors. rates: (members, steps)."""
        selections = stacked([self.program.traced.step.selection(m.configuration) for m in members])
        return Crew(
            carried=stacked([m.state.carried for m in members]),
            rates=tf.convert_to_tensor(rates),
            values=selections["values"],
            clip=selections["clip"],
            clip_values=selections["clip_values"],
            alive=tf.fill([len(members)], True),
            sums=tf.zeros((len(members), 3)),
            done=tf.zeros(len(members), tf.int32),
            watch=stacked([m.state.watch for m in members]),
            terms=stacked([self.program.terms(m.configuration) if m.state.watch else () for m in members]),
        )

    def _kinds(self, members: Sequence[Member]) -> Kinds:
        clips = {list(CLIPPINGS).index(m.configuration.clipping.name) for m in members}
        return Kinds(
            list(self.program.traced.step.layouts).index(members[0].configuration.rule.key), tuple(sorted(clips))
        )


def _after(state: TrialState, line: Sequence[float], stopped: bool) -> TrialState:
    """The state after an epoch with such figures; what it carries is still that from before."""
    done, finite = int(line[3]), math.isfinite(line[4])
    watch = state.watch and state.watch._replace(stopped=stopped)
    return TrialState(state.carried, step=state.step + done, epoch=state.epoch + 1, finite=finite, watch=watch)


def _bytes(tree: Any) -> int:
    return sum(int(leaf.dtype.size * math.prod(leaf.shape)) for leaf in tf.nest.flatten(tree))
