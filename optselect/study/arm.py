"""An arm: one rule with its own search space and its own Optuna study; or several rules in one, for comparison."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, distribution_to_json, json_to_distribution
from optuna.trial import TrialState

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord
from optselect.spaces import Space
from optselect.study.grid import Grid
from optselect.study.pruners import FAMILY
from optselect.study.rungs import family, reported
from optselect.study.samplers import SamplerOf
from optselect.util.seeds import derive

__all__ = ["Arm", "Proposal", "Strategy"]

Strategy = Literal["arms", "joint"]
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What to train next. attributes: what the arm must find in the record to restore itself."""

    configuration: Configuration
    attributes: Mapping[str, Any]


class Arm:
    """Asks for configurations of its rules and learns from their records.

    The first ones are `points`, in their order, of which half the share at most. Each later one is drawn by a sampler
    that is seeded anew from (seed, arm, slot), where the slot says how many came before it: the proposal for a slot
    depends on the records before it and on nothing else, so that a study that was killed goes on as if it had not been.

    members: keys of rules, in `space`; with several, the rule is one more thing that is searched. rows: of the
    training part. sampler, pruner: of the Optuna study. grid: the points of a grid are tried, in a shuffled order,
    until it is through.
    """

    def __init__(
        self,
        name: str,
        members: Sequence[str],
        space: Space,
        points: Sequence[Configuration],
        *,
        seed: int,
        rows: int,
        objective: Objective,
        sampler: SamplerOf,
        pruner: optuna.pruners.BasePruner,
        grid: bool = False,
    ) -> None:
        self.name, self.members = name, list(members)
        self._space, self._points, self._seed, self._rows = space, list(points), seed, rows
        self._share: int | None = None
        self._gridded, self._grid = grid, cast(Grid | None, None)
        self._sampler_of = sampler
        with _quiet():
            self.study = optuna.create_study(
                direction=objective.direction, study_name=name, sampler=sampler(0, 0, 1), pruner=pruner
            )
        self._running: dict[int, optuna.Trial] = {}
        self._early: list[tuple[TrialRecord, Mapping[int, float]]] = []

    def widen(self, share: int) -> None:
        """Fix how many trials each rule will have, and with it how many dimensions are searched and points tried."""
        self._share = share
        self._points = self._points[: len(self.members) * max(1, share // 2)]
        if self._gridded:
            seed, wanted = derive(self._seed, "grid", self.name), max(1, share * len(self.members) - len(self._points))
            self._grid = Grid(lambda t: self._suggest(t, share), share=wanted, seed=seed, besides=self._points)
        for record, reports in self._early:
            self.learn(record, reports)
        self._early.clear()

    @property
    def points(self) -> int:
        """How many configurations it is given."""
        return len(self._points)

    @property
    def slots(self) -> float:
        """How many trials it can have; infinite where it draws."""
        return math.inf if self._grid is None else len(self._points) + self._grid.size

    def given(self, slot: int) -> bool:
        """Whether the slot's configuration is one of the points."""
        return slot < len(self._points)

    def ask(self, slot: int) -> Proposal:
        """The configuration of a slot."""
        if self.given(slot):
            return Proposal(self._points[slot], {"slot": slot})
        assert self._share is not None
        startup = len(self.members) * max(3, min(10, self._share // 3))
        self.study.sampler = self._sampler_of(derive(self._seed, "sampler", self.name, slot), slot, startup)
        with _quiet():
            if self._grid is not None:
                self.study.enqueue_trial(dict(self._grid.params(slot - len(self._points))))
            trial = self.study.ask()
            configuration = self._suggest(trial, self._share)
        trial.set_user_attr(FAMILY, family(configuration))
        self._running[slot] = trial
        drawn = _attributes(trial.params, trial.distributions)
        return Proposal(configuration, {"slot": slot, "startup": slot < startup, **drawn})

    def report(self, slot: int, epochs: int, value: float) -> bool:
        """Note the objective at a rung; whether the pruner would end the trial here."""
        trial = self._running[slot]
        trial.report(value, epochs)
        return trial.should_prune()

    def learn(self, record: TrialRecord, reports: Mapping[int, float]) -> None:
        """Take in a finished trial, also one of an earlier process. reports: the objective at rungs, by epochs.

        Divergence is told as PRUNED with a NaN report: TPE learns to keep away from it. (Told as FAIL, as Optuna does
        with a NaN value, it would teach nothing.)
        """
        if self._share is None:
            self._early.append((record, reports))
            return
        trial = self._running.pop(record.attributes.get("slot", -1), None) or self._again(record)
        if trial is None:
            return
        if record.outcome == "diverged":
            reports = {**reports, max(record.epochs, 1): math.nan}
        judged_at = {*reported(record), *([max(reports)] if record.outcome == "pruned" else [])}
        there = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for epochs, value in sorted(reports.items()):
            if epochs not in there:
                trial.report(value, epochs)
                if epochs in judged_at:  # a pruner may keep books of what it was asked
                    trial.should_prune()
        self.study.tell(trial, record.value if record.outcome == "complete" else None, _STATES[record.outcome])

    def _suggest(self, trial: optuna.Trial, share: int) -> Configuration:
        member = self.members[0]
        if len(self.members) == 1:
            return self._space.suggest(trial, member, share=share, rows=self._rows)
        member = trial.suggest_categorical("optimizer", self.members)
        named = cast(optuna.Trial, _Prefixed(trial, f"{member}: "))
        return self._space.suggest(named, member, share=share, rows=self._rows)

    def _known(self, configuration: Configuration) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
        """The Optuna parameters and distributions of a configuration; None if it lies outside the space."""
        assert self._share is not None
        member = configuration.rule.key
        found = self._space.known(configuration, share=self._share, rows=self._rows)
        if found is None or len(self.members) == 1:
            return found
        params, distributions = ({f"{member}: {name}": value for name, value in part.items()} for part in found)
        choice = CategoricalDistribution(self.members)
        return {"optimizer": member, **params}, {"optimizer": choice, **distributions}

    def _again(self, record: TrialRecord) -> optuna.Trial | None:
        """An Optuna trial with the parameters of a record; None if they lie outside the space."""
        if "params" in record.attributes:
            params = dict(record.attributes["params"])
            distributions = {n: json_to_distribution(d) for n, d in record.attributes["distributions"].items()}
        else:
            known = self._known(record.configuration)
            if known is None:
                return None
            params, distributions = known
        self.study.sampler = optuna.samplers.RandomSampler()  # nothing is left to draw
        with _quiet():
            self.study.enqueue_trial(params)
            trial = self.study.ask(distributions)
        trial.set_user_attr(FAMILY, family(record.configuration))
        return trial


class _Prefixed:
    """A trial whose parameters have a rule's name before theirs: another rule's learning rate is another parameter."""

    def __init__(self, trial: optuna.Trial, prefix: str) -> None:
        self._trial, self._prefix = trial, prefix

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return self._trial.suggest_float(self._prefix + name, low, high, **options)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._trial.suggest_categorical(self._prefix + name, choices)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna greets every new study and tells of every draw by a fallback; its user asked for both."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _attributes(params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {
        "params": dict(params),
        "distributions": {name: distribution_to_json(d) for name, d in distributions.items()},
    }
