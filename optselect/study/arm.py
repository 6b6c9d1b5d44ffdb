"""An arm: one rule with its own search space and its own Optuna study."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import TrialState, create_trial

from optselect.configuration import Configuration
from optselect.records import TrialRecord
from optselect.rules import parse
from optselect.seeds import derive
from optselect.spaces import Space

__all__ = ["Arm", "Proposal"]

Direction = Literal["minimize", "maximize"]
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
    """Asks for configurations of one rule and learns from their records.

    The first configuration is the rule at Keras's defaults. Each later one is drawn by a sampler that is seeded
    anew from (seed, arm, how many were asked before), so that the k-th proposal depends on the records before it
    and on nothing else: a study that was killed goes on as if it had not been.
    """

    def __init__(self, name: str, space: Space, *, seed: int, share: int, rows: int, direction: Direction) -> None:
        self.name = name
        self._space, self._seed, self._share, self._rows = space, seed, share, rows
        with _quiet():
            self.study = optuna.create_study(direction=direction, study_name=name, sampler=self._sampler(0))
        self.asked = 0
        self._running: dict[int, optuna.Trial] = {}

    def ask(self) -> Proposal:
        """The next configuration."""
        if self.asked == 0:
            self.asked = 1
            default = Configuration(rule=parse(self.name), batch_size=min(32, self._rows))
            known = self._space.known(default, share=self._share, rows=self._rows)
            return Proposal(default, _attributes(*known) if known else {})
        self.study.sampler = self._sampler(self.asked)
        trial = self.study.ask()
        configuration = self._space.suggest(trial, self.name, share=self._share, rows=self._rows)
        self.asked += 1
        self._running[self.asked] = trial
        return Proposal(configuration, {"asked": self.asked, **_attributes(trial.params, trial.distributions)})

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Learn what an earlier process found, in the order in which it was asked."""
        for record in sorted(records, key=lambda r: r.number):
            self.learn(record)
            self.asked += 1

    def learn(self, record: TrialRecord) -> None:
        """Take in a finished trial. Divergence is told as PRUNED with a NaN report: TPE learns to keep away from it.

        (Told as FAIL, as Optuna does with a NaN value, it would teach nothing.)
        """
        trial = self._running.pop(record.attributes.get("asked", 0), None)
        state = _STATES[record.outcome]
        reports = {max(record.epochs, 1): math.nan} if record.outcome == "diverged" else {}
        if trial is not None:
            for step, value in reports.items():
                trial.report(value, step)
            self.study.tell(trial, record.value if record.outcome == "complete" else None, state)
        elif "params" in record.attributes and record.outcome != "failed":
            distributions = record.attributes["distributions"]
            self.study.add_trial(
                create_trial(
                    state=state,
                    value=record.value if record.outcome == "complete" else None,
                    params=dict(record.attributes["params"]),
                    distributions={name: json_to_distribution(text) for name, text in distributions.items()},
                    intermediate_values=reports,
                )
            )

    def _sampler(self, asked: int) -> optuna.samplers.BaseSampler:
        startup = max(3, min(10, self._share // 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                seed=derive(self._seed, "sampler", self.name, asked), n_startup_trials=startup
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna greets every new study; its user asked for one."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _attributes(params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {
        "params": dict(params),
        "distributions": {name: distribution_to_json(d) for name, d in distributions.items()},
    }
