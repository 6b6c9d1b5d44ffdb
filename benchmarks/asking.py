"""What a proposal and its record cost the parent: `python -m benchmarks.asking`.

An arm with so many trials behind it is asked for more; a finished trial with the curves of 20 epochs is appended to a
ledger. Milliseconds of processor time and by the clock, the median over some; workers train meanwhile, one trial ahead.
What TPE finds on a made-up surface when it sees a bounded history, as it does, and when it sees all trials.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
import time
from pathlib import Path

import optuna

from optselect.model.objective import Objective
from optselect.record import Ledger
from optselect.record.entries import TrialRecord
from optselect.spaces import default_space
from optselect.study.arm import Arm, Proposal
from optselect.study.pruners import make_pruner
from optselect.study.samplers import make_sampler
from optselect.util.seeds import derive

_SHARE = 100  # trials an arm, by which it searches all its dimensions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--samplers", nargs="*", default=["tpe", "qmc", "random"])
    parser.add_argument("--surface", type=int, default=1000, help="trials on a made-up surface")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--asks", type=int, default=15)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{'sampler':10} {'trials':>7} {'ask, cpu ms':>12} {'by clock':>9} {'told again, s':>14}")
    for name in options.samplers:
        for count in options.trials:
            arm, restored = _arm(name, count)
            cpu, clock = _asks(arm, count, options.asks)
            print(f"{name:10} {count:7} {cpu:12.1f} {clock:9.1f} {restored:14.1f}", flush=True)
    for name in ("all trials", "a bounded history"):
        found = [_reached(name == "all trials", options.surface, seed) for seed in range(options.seeds)]
        print(
            f"TPE, {name}: best of {options.surface} trials less the optimum, {options.seeds} seeds: "
            f"median {statistics.median(found):.4f}, {min(found):.4f} to {max(found):.4f}",
            flush=True,
        )
    cpu, clock = _appends(200)
    print(f"a trial in the ledger: {cpu:.2f} ms cpu, {clock:.2f} ms by the clock")


def _arm(sampler: str, count: int) -> tuple[Arm, float]:
    """An arm with `count` trials, and the seconds that telling it of them took."""
    space = default_space().only(["adamw"])
    made = [
        Arm(
            "adamw",
            ["adamw"],
            space,
            [],
            seed=0,
            rows=10_000,
            objective=Objective("val_loss"),
            sampler=make_sampler(name),
            pruner=make_pruner("none", shortest=1, epochs=20),
        )
        for name in ("random", sampler)
    ]
    for arm in made:
        arm.widen(_SHARE)
    records = [_record(slot, made[0].ask(slot)) for slot in range(count)]
    started = time.perf_counter()
    for record in records:
        made[1].learn(record, {})
    return made[1], time.perf_counter() - started


def _record(slot: int, proposal: Proposal) -> TrialRecord:
    value = random.Random(slot).random()
    curve = [value] * 20
    return TrialRecord(
        number=slot,
        stage="search",
        arm="adamw",
        configuration=proposal.configuration,
        seed=0,
        outcome="complete",
        value=value,
        metrics={"val_loss": value},
        curves={"loss": curve, "val_loss": curve, "val_accuracy": curve, "learning_rate": curve},
        epochs=20,
        started=0.0,
        seconds=0.2,
        attributes=proposal.attributes,
    )


def _asks(arm: Arm, count: int, asks: int) -> tuple[float, float]:
    cpu, clock = [], []
    for k in range(asks):
        before = time.process_time(), time.perf_counter()
        proposal = arm.ask(count + k)
        cpu.append(time.process_time() - before[0])
        clock.append(time.perf_counter() - before[1])
        arm.learn(_record(count + k, proposal), {})
    return 1e3 * statistics.median(cpu), 1e3 * statistics.median(clock)


def _reached(whole: bool, trials: int, seed: int) -> float:
    """The best true value that TPE finds on a noisy surface with a cliff, where it diverges.

    whole: it sees all trials.
    """
    sampler_of = (
        (lambda s, k, n: optuna.samplers.TPESampler(seed=s, n_startup_trials=n)) if whole else make_sampler("tpe")
    )
    study = optuna.create_study()
    noise, best = random.Random(seed), math.inf
    for slot in range(trials):
        study.sampler = sampler_of(derive(seed, "surface", slot), slot, 10)
        trial = study.ask()
        true = _surface(trial)
        if math.isnan(true):
            trial.report(true, 1)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            best = min(best, true)
            study.tell(trial, true + noise.gauss(0.0, 0.01))
    return best


def _surface(trial: optuna.Trial) -> float:
    """A narrow, bent valley in learning rate and momentum, two more settings and a choice; 0 at its best."""
    rate, rest = trial.suggest_float("rate", 1e-5, 10, log=True), trial.suggest_float("rest", 1e-3, 1, log=True)
    decay, smooth = trial.suggest_float("decay", 1e-6, 1, log=True), trial.suggest_float("smooth", 0.0, 1.0)
    size = trial.suggest_categorical("size", [16, 32, 64, 128])
    away = math.log10(rate / rest) + 0.3 * math.log2(size / 32)
    if away > 1.0:
        return math.nan
    return (
        away**2 + 0.1 * (math.log10(rest) + 1.3) ** 2 + 0.02 * (math.log10(decay) + 3) ** 2 + 0.1 * (smooth - 0.3) ** 2
    )


def _appends(count: int) -> tuple[float, float]:
    arm, _ = _arm("random", 0)
    entry = _record(0, arm.ask(0)).to_dict()
    cpu, clock = [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, Ledger.open(Path(folder, "ledger.jsonl")) as ledger:
        for _ in range(count):
            before = time.process_time(), time.perf_counter()
            ledger.append("trial", entry)
            cpu.append(time.process_time() - before[0])
            clock.append(time.perf_counter() - before[1])
    return 1e3 * statistics.median(cpu), 1e3 * statistics.median(clock)


if __name__ == "__main__":
    main()
