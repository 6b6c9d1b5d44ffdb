"""What rungs and elimination save and what they cost, replayed on trials that all ran to their end.

`python -m benchmarks.halting --trials 210 --epochs 20` trains studies in which nothing is ended early, but trials whose
schedule depends on the length are trained to every rung too; then it replays, on the same trials in the same order, the
rule of the rungs with several factors and the elimination of arms. Printed: what share of the epochs is saved, and by
how much the best value is worse (in shares of the spread between the best and the median value).
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import optuna

from optselect.model.objective import Objective
from optselect.record import read
from optselect.record.entries import TrialRecord
from optselect.study import elimination
from optselect.study.rung_reliability import rank_correlation
from optselect.study.rungs import Rungs, family

_TASKS = ("digits", "breast_cancer", "wine", "diabetes")
_FACTORS = (2.0, 3.0, 4.0)
_OPTIMISM = (1.0, 2.0, 3.0)
_PEERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=210)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", help="where the studies are, or are kept for a next time")
    parser.add_argument("--tasks", default=",".join(_TASKS))
    options = parser.parse_args()
    for task in options.tasks.split(","):
        for seed in range(options.seeds):
            records, rows = _trained(task, seed, options)
            print(f"{task}, seed {seed}: {len(records)} trials of {options.epochs} epochs", flush=True)
            _replay_rungs(records, Rungs(options.epochs, rows=rows, objective="val_loss", folder=Path()))
            _replay_elimination(records, options.trials)


def _trained(task: str, seed: int, options: argparse.Namespace) -> tuple[list[TrialRecord], int]:
    from optselect import Evaluation, RunOptions, SearchOptions, Tracking, tune

    with tempfile.TemporaryDirectory() as folder:
        result = tune(
            None,
            f"sklearn:{task}",
            trials=options.trials,
            epochs=options.epochs,
            seed=seed,
            search=SearchOptions(pruner=optuna.pruners.NopPruner(), elimination=False),
            evaluation=Evaluation(care="quick", confirm=0),
            run=RunOptions(out=options.out or folder, study=f"{task}-{seed}"),
            tracking=Tracking(mlflow=None),
        )
        entries = read(result.directory / "ledger.jsonl")
    bare = [{k: v for k, v in e.items() if k not in ("kind", "crc")} for e in entries if e["kind"] == "trial"]
    records = sorted((TrialRecord.from_dict(e) for e in bare if e["stage"] == "search"), key=lambda r: r.number)
    return records, len(result.spec.split.train)


def _regret(kept: Iterable[TrialRecord], records: list[TrialRecord]) -> float:
    """How much worse the best of some trials is than that of all; 1 is the way from the best to the median."""
    values = [r.value for r in records if r.value is not None]
    best = min(values)
    return (min(r.value for r in kept if r.value is not None) - best) / (statistics.median(values) - best)


def _replay_rungs(records: list[TrialRecord], rungs: Rungs) -> None:
    for kind in sorted({r.configuration.schedule.key for r in records}):
        for length in rungs.lengths:
            pairs = [
                (rungs.values(r)[length], r.value)
                for r in records
                if r.configuration.schedule.key == kind and r.value is not None and length in rungs.values(r)
            ]
            top = sorted(pairs, key=lambda pair: pair[1])[: max(8, len(pairs) // 4)]
            print(
                f"  rung {length}, {kind}: rank correlation {rank_correlation(pairs):.2f} over {len(pairs)}, "
                f"{rank_correlation(top):.2f} over the best {len(top)}"
            )
    whole = len(records) * rungs.lengths[-1] * 2
    for factor in _FACTORS:
        seen: dict[tuple[str, int], list[float]] = {}
        kept, epochs = [], 0
        for record in records:
            ended = _walk(record, rungs, seen, factor)
            epochs += _cost(record, rungs, ended)
            if ended is None:
                kept.append(record)
        arms = [_arm_regret(arm, kept, records) for arm in {r.arm for r in records}]
        print(
            f"  one of {factor:g} goes on: {1 - epochs / whole:6.1%} of the epochs saved, {len(records) - len(kept)} "
            f"ended, best worse by {_regret(kept, records):.3f}, an arm's best by {statistics.mean(arms):.3f} in the "
            f"mean and {max(arms):.3f} at most"
        )


def _arm_regret(arm: str, kept: list[TrialRecord], records: list[TrialRecord]) -> float:
    mine = [r for r in records if r.arm == arm]
    return _regret([r for r in kept if r.arm == arm], mine)


def _walk(record: TrialRecord, rungs: Rungs, seen: dict[tuple[str, int], list[float]], factor: float) -> int | None:
    """The rung at which a trial ends under the rule of `Halving`, None if it does not."""
    values = rungs.values(record)
    for length in rungs.lengths:
        if length not in values:
            continue
        others = seen.setdefault((family(record.configuration), length), [])
        better = sum(other < values[length] for other in others)
        ends = len(others) >= _PEERS and better >= -(-(len(others) + 1) // factor)
        others.append(values[length])
        if ends and "slot" in record.attributes and "params" in record.attributes:
            return length
    return None


def _cost(record: TrialRecord, rungs: Rungs, ended: int | None) -> int:
    """Epochs that the trial takes: a training that cannot go on is paid at every rung where it paused, and anew."""
    whole = 2 * rungs.lengths[-1]
    if "params" not in record.attributes or rungs.endures(record.configuration):
        return ended or whole
    paused = [length for length in rungs.values(record) if ended is None or length <= ended]
    return sum(paused) + (whole if ended is None else 0)


def _replay_elimination(records: list[TrialRecord], total: int) -> None:
    """Who would have been eliminated at checkpoints, and which bounds an arm passed with all its trials."""
    arms = {arm: [r for r in records if r.arm == arm] for arm in sorted({r.arm for r in records})}
    each = total // len(arms)
    final = {arm: min((r.value for r in found if r.value is not None), default=math.inf) for arm, found in arms.items()}
    for optimism in _OPTIMISM:
        live, gone, bounds, passed, saved = list(arms), [], 0, 0, 0
        for checkpoint in itertools.takewhile(lambda c: c < each, (each // 4 * 2**k for k in itertools.count())):
            shared = [r for found in arms.values() for r in found[:checkpoint]]
            values = {a: [r.value for r in arms[a][:checkpoint] if r.value is not None] for a in live}
            plan = {
                "further": 2 * (total - checkpoint * len(live) - saved) // len(live),
                "noise": elimination.noise(shared, Objective("val_loss")),
            }
            for arm, found in values.items():
                bound = elimination.optimistic_bound(found, trials=checkpoint, optimism=optimism, **plan)
                bounds, passed = bounds + 1, passed + (final[arm] < bound)
            for one in elimination.eliminated(values, checkpoint=checkpoint, sign=1.0, optimism=optimism, **plan):
                gone.append(f"{one.arm} after {checkpoint} (reached {final[one.arm]:.4g})")
                live.remove(one.arm)
                saved += each - checkpoint
        best = min(final, key=lambda arm: final[arm])
        kept = "kept" if best in live else "LOST"
        print(
            f"  optimism {optimism:g}: {passed} of {bounds} bounds passed, {saved / total:.1%} of the trials freed, "
            f"best arm {best} ({final[best]:.4g}) {kept}; gone: {', '.join(gone) or 'none'}"
        )


if __name__ == "__main__":
    main()
