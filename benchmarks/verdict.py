"""Is the verdict right? On real data sets every claim is checked by trainings that the study never saw.

    just bench-verdict
    uv run --extra bench python -m benchmarks.verdict --only iris,wine --trials 21

A study is run on every data set, the default network, and then the configurations that matter are trained again
under many seeds that were used nowhere: the recommended one, Keras's default Adam, and the winner of the search,
which other tools would report (best of N trials on one seed). From that:

- coverage: how often the mean of the new runs lies in the stated 95 % interval (widened for the new runs' own noise);
- words: how often "clearly best" is followed by a difference in its favour;
- regret on test data: how far each choice is behind the best of the three, in per cent of the default's loss;
- the price: trainings and seconds beside those of the search alone.

Finished data sets are kept in --out and not run again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.data_sets import DATA_SETS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.command()
@click.option("--only", help="Data sets, with commas.")
@click.option("--trials", default=49, show_default=True)
@click.option("--epochs", default=15, show_default=True)
@click.option("--care", default="standard", show_default=True)
@click.option("--reruns", default=20, show_default=True, help="New seeds for each configuration that is checked.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench-verdict"), show_default=True)
def main(only: str | None, trials: int, epochs: int, care: str, reruns: int, out: Path) -> None:
    """Check the verdicts on many data sets."""
    out.mkdir(parents=True, exist_ok=True)
    names = only.split(",") if only else list(DATA_SETS)
    rows = []
    print(_HEAD, flush=True)
    for name in names:
        kept = out / f"{name}.json"
        if not kept.exists():
            kept.write_text(json.dumps(check(name, trials, epochs, care, reruns), indent=1) + "\n")
        rows.append(json.loads(kept.read_text()))
        print(_line(rows[-1]), flush=True)
    print()
    summary = summarised(rows)
    for text in summary.pop("lines"):
        print(text)
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def check(name: str, trials: int, epochs: int, care: str, reruns: int) -> dict[str, Any]:
    """One data set: the study, then the same three configurations under new seeds."""
    from optselect import RunOptions, Tracking, tune

    frame, target = DATA_SETS[name].read()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = tune(
            None,
            frame,
            target=target,
            trials=trials,
            epochs=epochs,
            evaluation=care,
            run=RunOptions(out=folder, study="check"),
            tracking=Tracking(mlflow=None),
        )
        seconds = time.perf_counter() - began
        verdict = result.verdict
        searched = [r for r in result.records if r.stage == "search"]
        winner = min((r for r in searched if r.value is not None), key=lambda r: r.value)  # val_loss
        chosen = {
            "recommended": result.best,
            "winner": winner.configuration,
            "default": verdict.baseline,
        }
        found = _again(result, chosen, reruns, Path(folder) / "again.log")
    held = verdict.recommended.held_out
    return {
        "data": name,
        "rows": len(frame),
        "headline": verdict.headline,
        "maximize": verdict.maximize,
        "word": verdict.word,
        "is_default": verdict.is_default,
        "stated": dataclasses.asdict(held),
        "search_value": winner.value,
        "search_trainings": len(searched),
        "all_trainings": len(result.records),
        "search_seconds": sum(r.seconds for r in searched),
        "all_seconds": sum(r.seconds for r in result.records),
        "wall_seconds": seconds,
        "text": verdict.text(),
        "again": found,
    }


def _again(result: Any, chosen: dict[str, Any], reruns: int, log: Path) -> dict[str, dict[str, list[float]]]:
    """Test metrics of each configuration under the same new seeds, splits redrawn where the study redrew them."""
    from optselect.session.rerun import run_all
    from optselect.trainer.messages import Job
    from optselect.util.seeds import derive

    seeds = [derive(0, "checked by the benchmark", k) for k in range(reruns)]
    different = list(dict.fromkeys(chosen.values()))
    redraw, epochs = result.verdict.redrawn, result.spec.epochs
    jobs = [
        Job(configuration=configuration, seed=seed, epochs=epochs, test=True, redraw=redraw)
        for configuration in different
        for seed in seeds
    ]
    runs = run_all(result.spec, jobs, log=log)
    names = sorted({name for run in runs for name in run.metrics if name.startswith(("test_", "val_loss"))})
    tables = {
        configuration: {
            name: [run.metrics.get(name, math.nan) for run in runs[i * reruns : (i + 1) * reruns]] for name in names
        }
        for i, configuration in enumerate(different)
    }
    return {who: tables[configuration] for who, configuration in chosen.items()}


# -- what it says -----------------------------------------------------------------------------------------------

_HEAD = (
    f"{'data set':<26}{'rows':>6}  {'word':<15}{'stated interval':>22}{'again':>9}{'in':>4}"
    f"{'test loss: recommended':>24}{'winner':>9}{'default':>9}"
)


def covered(row: dict[str, Any]) -> bool:
    """Whether the mean of the new runs lies where a mean of so many should: the stated interval and its own noise."""
    from optselect.verdict.statistics import Estimate, prediction

    again = row["again"]["recommended"][f"test_{row['headline']}"]
    low, high = prediction(Estimate(**row["stated"]), len(again))
    slack = 1e-6 * abs(row["stated"]["mean"])
    return bool(low - slack <= _mean(again) <= high + slack)


def behind(row: dict[str, Any], who: str) -> float:
    """Mean test loss behind the best of the three, in per cent of the default's; infinite where it broke down."""
    means = {name: _mean(found["test_loss"]) for name, found in row["again"].items()}
    return 100 * (means[who] - min(means.values())) / abs(means["default"])


def summarised(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all data sets, and the lines that say them."""
    who = ("recommended", "winner", "default")
    regret = {name: [behind(row, name) for row in rows] for name in who}
    worse = {
        name: [_mean(r["again"][name]["test_loss"]) > _mean(r["again"]["default"]["test_loss"]) for r in rows]
        for name in who
    }
    clear = [row for row in rows if row["word"] == "clearly best"]
    right = [_gain(row) > 0 for row in clear]
    mean = {name: _average(rows, name) for name in rows[0] if name.endswith(("trainings", "seconds"))}
    optimism = [
        100 * (_mean(r["again"]["winner"]["val_loss"]) / r["search_value"] - 1) if r["search_value"] else math.inf
        for r in rows
    ]
    counted: dict[str, int] = {}
    for row in rows:
        counted[row["word"]] = counted.get(row["word"], 0) + 1
    inside = [covered(row) for row in rows]
    lines = [
        f"{len(rows)} data sets. Words: " + ", ".join(f"{word} {n}" for word, n in sorted(counted.items())) + ".",
        f"The stated 95 % interval held the mean of the new runs on {sum(inside)} of {len(rows)}.",
        f"'clearly best' was followed by a better mean than the default's in {sum(right)} of {len(right)}.",
        f"{'':<26}{'median regret':>15}{'mean regret (95 % interval)':>32}{'worse than default':>22}",
        *(
            f"{name:<26}{np.median(regret[name]):>13.2f} %{_bootstrapped(regret[name]):>32}"
            f"{f'{sum(worse[name])} of {len(rows)}':>22}"
            for name in who
        ),
        f"The best of N on validation promised a loss that its own new runs exceed by {np.median(optimism):.1f} % "
        "in the median.",
        f"Trainings: {mean['search_trainings']:.0f} in the search, {mean['all_trainings']:.0f} with race and "
        f"confirmation; training seconds {mean['search_seconds']:.1f} and {mean['all_seconds']:.1f}; "
        f"{mean['wall_seconds']:.0f} s by the clock, start included.",
    ]
    return {
        "data_sets": len(rows),
        "words": counted,
        "covered": sum(inside),
        "clearly_best": len(clear),
        "clearly_best_right": sum(right),
        "regret": regret,
        "worse_than_default": {name: sum(flags) for name, flags in worse.items()},
        "optimism_percent": optimism,
        "lines": lines,
    }


def _line(row: dict[str, Any]) -> str:
    low, high = row["stated"]["low"], row["stated"]["high"]
    again = row["again"]
    losses = [_mean(again[name]["test_loss"]) for name in ("recommended", "winner", "default")]
    new = statistics.fmean(_whole(again["recommended"][f"test_{row['headline']}"]))
    word = "default kept" if row["is_default"] else row["word"]
    return (
        f"{row['data']:<26}{row['rows']:>6}  {word:<15}{f'{low:.4g} to {high:.4g}':>22}{new:>9.4g}"
        f"{'yes' if covered(row) else 'no':>4}{losses[0]:>24.4g}{losses[1]:>9.4g}{losses[2]:>9.4g}"
    )


def _gain(row: dict[str, Any]) -> float:
    name = f"test_{row['headline']}"
    ours, default = (_mean(row["again"][who][name]) for who in ("recommended", "default"))
    return ours - default if row["maximize"] else default - ours


def _average(rows: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.fmean(row[name] for row in rows)


def _bootstrapped(values: Iterable[float]) -> str:
    x = np.asarray(list(values))
    if not np.isfinite(x).all():
        return "infinite: a training broke down"
    draws = np.random.default_rng(0).choice(x, (4000, len(x))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{x.mean():.2f} % ({low:.2f} to {high:.2f})"


def _whole(values: Iterable[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def _mean(values: Sequence[float]) -> float:
    return math.inf if any(not math.isfinite(v) for v in values) else statistics.fmean(values)


if __name__ == "__main__":
    main()
