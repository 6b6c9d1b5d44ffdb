"""Whether two commits give the same answers: small studies of fixed seed, every number of every training compared.

    python -m benchmarks.same_answers --before c7bcff8

Each study runs by the command line of each commit, in a process that imports that commit alone. Compared to the last
bit are the trials (order, configuration, seed, outcome, every metric and curve), the range tests, and of the verdict
what does not rest on measured times. `--before` is any revision; the working tree is the other side. Old ledgers are
opened too: the studies of the earlier commit are reported by the working tree, which must train nothing and say the
same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_SMALL = ("--epochs", "3", "--care", "quick", "--confirm", "2")
STUDIES: dict[str, tuple[str, ...]] = {
    "classes": ("sklearn:iris", "--trials", "14", "--seed", "1", *_SMALL),
    "numbers": ("sklearn:diabetes", "--trials", "10", "--seed", "2", "--optimizers", "adam,sgd,muon", *_SMALL),
    "table": (
        str(ROOT / "examples/data/penguins.csv"), "--target", "species", "--trials", "10", "--seed", "3",
        "--optimizers", "adamw,lion", "--class-weight", "balanced", "--objective", "val_accuracy", *_SMALL,
    ),
    "pruned": (
        "sklearn:wine", "--trials", "12", "--seed", "4", "--optimizers", "adam,rmsprop", "--pruner", "halving",
        "--epochs", "8", "--care", "quick", "--confirm", "2",
    ),
    "joint": (
        "sklearn:iris", "--trials", "8", "--seed", "5", "--strategy", "joint", "--sampler", "random",
        "--optimizers", "adam,sgd,radam", "--no-range-test", *_SMALL,
    ),
}  # fmt: skip
_TRIAL = ("number", "stage", "arm", "configuration", "seed", "outcome", "value", "metrics", "curves")
_VERDICT = ("recommended", "baseline", "chosen", "confirmed", "runs", "minimize")


def main() -> None:
    """Run both sides and print what is equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="a revision")
    parser.add_argument("--only", choices=STUDIES, action="append", help="some of the studies")
    asked = parser.parse_args()
    names = asked.only or list(STUDIES)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        _git("worktree", "add", "--detach", "--quiet", str(tree), asked.before)
        try:
            print(f"{'study':<9} {'trainings':>9} {'trials':>7} {'range tests':>12} {'verdict':>8} {'reopened':>9}")
            for name in names:
                before = _run(tree, Path(folder) / "old", name)
                after = _run(ROOT, Path(folder) / "new", name)
                again = _run(ROOT, Path(folder) / "old", name)  # the earlier commit's ledger, opened by this one
                equal = [
                    before["trials"] == after["trials"],
                    before["probes"] == after["probes"],
                    before["verdict"] == after["verdict"],
                    again == before,
                ]
                wrong += equal.count(False)
                words = ["equal" if one else "DIFFER" for one in equal]
                for key in before:
                    for where in list(_apart(before[key], after[key], key))[:3]:
                        print(f"  {name}: {where}")
                print(f"{name:<9} {len(after['trials']):>9} {words[0]:>7} {words[1]:>12} {words[2]:>8} {words[3]:>9}")
        finally:
            _git("worktree", "remove", "--force", str(tree))
    sys.exit(bool(wrong))


def _git(*words: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *words], check=True)


def _run(tree: Path, out: Path, name: str) -> dict[str, Any]:
    """The study by the package of a tree; what of it must be equal."""
    command = [sys.executable, "-m", "optselect", "tune", *STUDIES[name], "--study", name, "--out", str(out)]
    command += ["--mlflow", "none", "--storage", "none", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} in {tree}: {done.stderr[-3000:]}")
    entries = [json.loads(line) for line in (out / name / "ledger.jsonl").read_text().splitlines()]
    answer = json.loads((out / name / "recommendation.json").read_text())
    trials = sorted((e for e in entries if e["kind"] == "trial"), key=lambda e: e["number"])  # written as they ended
    probes = sorted((e for e in entries if e["kind"] == "probe"), key=lambda e: e["arm"])
    found = {
        "trials": [{key: e.get(key) for key in _TRIAL} for e in trials],
        "probes": [{key: e[key] for key in ("arm", "steps", "whole", "run")} for e in probes],
        "verdict": {key: answer["verdict"][key] for key in _VERDICT},
    }
    return json.loads(json.dumps(_untimed(found)).replace("NaN", '"NaN"'))  # NaN does not equal itself


def _apart(one: Any, other: Any, where: str) -> Iterator[str]:
    """The places where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _apart(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _apart(a, b, f"{where}[{k}]")
    elif one != other:
        yield f"{where}: {one!r:.60}, now {other!r:.60}"


def _untimed(value: Any) -> Any:
    """Without what a clock measured."""
    if isinstance(value, dict):
        return {key: _untimed(one) for key, one in value.items() if "second" not in key and key != "to_default"}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
