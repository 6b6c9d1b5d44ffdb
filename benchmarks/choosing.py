"""Which optimizer should one choose? Real tables, the same number of trials for each, judged under new seeds.

    uv run --extra bench python -m benchmarks.choosing
    uv run --extra bench python -m benchmarks.choosing --only diabetes,digits --each 5

On every data set, with the default network, each optimizer is searched with the same number of trials. Its three best
trials run again under new seeds, and the best of these by validation loss is its tuned configuration. That, and the
optimizer at its defaults, then run under further seeds and are judged on held-out rows; and at a tenth, a third, three
times and ten times its learning rate. From that, over the data sets:

- as good: on how many it is within the region of practical equivalence of the best (the larger of one standard error
  and half a point of accuracy, or one per cent of the error), tuned, and at its defaults;
- rank: its place by held-out loss among the tuned ones;
- gain: what tuning takes off the held-out loss of its own defaults;
- missed: how much the held-out loss grows where the learning rate is three times, or ten times, too low or too high.

A second table says the same of learning rates over the grid of trainings in benchmarks/data. Finished data sets are
kept in --out and not run again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.data_sets import DATA_SETS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_ROWS = (400, 2500)  # of the tables: fewer leave too few to judge on, more take too long for an hour
_BEYOND = ("lion", "muon", "prodigy", "radam", "schedule_free_adamw", "soap")  # beside those of the default space
_FACTORS = (0.1, 1 / 3, 1.0, 3.0, 10.0)  # of the tuned learning rate
_BY_10, _BY_3, _TUNED = (0, 4), (1, 3), 2  # their places
_AGAIN = 3  # trials of each optimizer that run again, and under how many seeds; also seeds at other rates
Losses = dict[str, dict[str, Any]]


@click.command()
@click.option("--only", help="Data sets, with commas.  [default: all of 400 to 2,500 rows]")
@click.option("--optimizers", help="Names, with commas.  [default: those of the default space, and six more]")
@click.option("--each", default=10, show_default=True, help="Trials of each optimizer.")
@click.option("--epochs", default=15, show_default=True)
@click.option("--seeds", default=10, show_default=True, help="New seeds that judge.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench-choosing"), show_default=True)
def main(only: str, optimizers: str | None, each: int, epochs: int, seeds: int, out: Path) -> None:
    """Compare optimizers over data sets."""
    from optselect.spaces import default_space

    out.mkdir(parents=True, exist_ok=True)
    names = optimizers.split(",") if optimizers else [*default_space().optimizers, *_BEYOND]
    rows = []
    for data in only.split(",") if only else _of_a_size():
        kept = out / f"{data}.json"
        if not kept.exists():
            kept.write_text(json.dumps(compared(data, names, each, epochs, seeds)) + "\n")
        rows.append(json.loads(kept.read_text()))
        print(_line(rows[-1]), flush=True)
    found = summarised(rows)
    print("\n".join(["", *_table(found, len(rows)), "", *_in_short(rows), "", *_of_the_grid()]))
    (out / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    _picture(found, len(rows), out / "choosing.png")


def _of_a_size() -> list[str]:
    return [name for name, one in DATA_SETS.items() if _ROWS[0] <= len(one.read()[0]) <= _ROWS[1]]


def compared(data: str, names: Sequence[str], each: int, epochs: int, seeds: int) -> dict[str, Any]:
    """One data set: held-out losses and scores of every optimizer, tuned, at its defaults and off its rate."""
    from optselect import Evaluation, RunOptions, SearchOptions, Tracking, tune

    frame, target = DATA_SETS[data].read()
    with tempfile.TemporaryDirectory() as folder:
        result = tune(
            None,
            frame,
            target=target,
            optimizers=names,
            trials=each * len(names),
            epochs=epochs,
            search=SearchOptions(elimination=False),
            evaluation=Evaluation(care="quick", confirm=0),
            run=RunOptions(out=folder, study="choosing"),
            tracking=Tracking(mlflow=None),
        )
        tuned = _tuned(result, names, Path(folder))
        found = _judged(result, tuned, seeds, Path(folder))
    return {
        "data": data,
        "rows": len(frame),
        "headline": result.verdict.headline,
        "maximize": result.verdict.maximize,
        "share": result.verdict.share,
        "trials_each": each,
        "epochs": epochs,
        "optimizers": found,
    }


def _tuned(result: Any, names: Sequence[str], folder: Path) -> dict[str, Any]:
    """The best configuration of each optimizer: of its best trials that one which does best under new seeds."""
    candidates = {}
    for name in names:
        trials = [r for r in result.records if r.stage == "search" and r.arm == name and r.value is not None]
        ranked = sorted(trials, key=lambda r: r.value)
        candidates[name] = list(dict.fromkeys(r.configuration for r in ranked))[:_AGAIN]
    everything = [configuration for some in candidates.values() for configuration in some]
    losses = _trained(result, everything, _AGAIN, "screening", folder)
    return {
        name: min(some, key=lambda configuration: _mean(losses[configuration]["val_loss"]))
        for name, some in candidates.items()
    }


def _judged(result: Any, tuned: dict[str, Any], seeds: int, folder: Path) -> Losses:
    """Metrics on held-out rows by optimizer: tuned, at its defaults, and at other learning rates."""
    from optselect.optim.configuration import Configuration
    from optselect.optim.rules import RULES

    default = {name: Configuration(rule=RULES[name]()) for name in tuned}
    off = {name: [_at(configuration, factor) for factor in _FACTORS] for name, configuration in tuned.items()}
    runs = _trained(result, [*tuned.values(), *default.values()], seeds, "judging", folder)
    missed = _trained(result, [one for some in off.values() for one in some], _AGAIN, "rates", folder)
    headline = f"test_{result.verdict.headline}"
    return {
        name: {
            "tuned": {"configuration": configuration.to_dict(), "label": str(configuration)},
            "loss": runs[configuration]["test_loss"],
            "score": runs[configuration][headline],
            "default_loss": runs[default[name]]["test_loss"],
            "default_score": runs[default[name]][headline],
            "off": [_mean(missed[one]["test_loss"]) for one in off[name]],
        }
        for name, configuration in tuned.items()
    }


def _trained(result: Any, wanted: Sequence[Any], seeds: int, use: str, folder: Path) -> dict[Any, dict[str, Any]]:
    """Metrics of each configuration under the same new seeds, NaN where a training broke down."""
    from optselect.session.rerun import run_all
    from optselect.trainer.messages import Job
    from optselect.util.seeds import derive

    redraw, epochs, different = result.verdict.redrawn, result.spec.epochs, list(dict.fromkeys(wanted))
    jobs = [
        Job(configuration=configuration, seed=derive(0, use, k), epochs=epochs, test=True, redraw=redraw)
        for configuration in different
        for k in range(seeds)
    ]
    runs = run_all(result.spec, jobs, log=folder / f"{use}.log")
    names = sorted({name for run in runs for name in run.metrics})
    groups = [runs[i * seeds : (i + 1) * seeds] for i in range(len(different))]
    return {
        configuration: {name: [run.metrics.get(name, math.nan) for run in group] for name in names}
        for configuration, group in zip(different, groups, strict=True)
    }


def _at(configuration: Any, factor: float) -> Any:
    rate = configuration.rule.values()["learning_rate"]
    return dataclasses.replace(configuration, rule=configuration.rule.replaced(learning_rate=rate * factor))


# -- what it says -----------------------------------------------------------------------------------------------


def as_good(row: dict[str, Any], which: str = "score") -> dict[str, bool]:
    """By optimizer, whether its mean held-out score is equivalent to that of the best tuned one.

    which: "score" for the tuned ones, "default_score" for them at their defaults.
    """
    from optselect.verdict.statistics import rope

    sign = 1 if row["maximize"] else -1
    tuned = {name: sign * _mean(found["score"], -sign) for name, found in row["optimizers"].items()}
    best = max(tuned, key=lambda name: tuned[name])
    width = rope(row["optimizers"][best]["score"], share=row["share"])
    return {name: sign * _mean(found[which], -sign) >= tuned[best] - width for name, found in row["optimizers"].items()}


def summarised(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Figures by optimizer, those that are oftenest as good as the best first."""
    good, default = [as_good(row) for row in rows], [as_good(row, "default_score") for row in rows]
    ranks = [_ranks({name: _mean(found["loss"]) for name, found in row["optimizers"].items()}) for row in rows]
    found = {}
    for name in rows[0]["optimizers"]:
        of = [row["optimizers"][name] for row in rows]
        gains = [100 * (1 - _mean(one["loss"]) / _mean(one["default_loss"])) for one in of]
        found[name] = {
            "as_good": sum(flags[name] for flags in good),
            "default_as_good": sum(flags[name] for flags in default),
            "rank": float(np.mean([rank[name] for rank in ranks])),
            "rank_interval": _bootstrapped([rank[name] for rank in ranks], np.mean),
            "gain": float(np.median(gains)),
            "missed_by_3": _median_worse(of, _BY_3),
            "missed_by_10": _median_worse(of, _BY_10),
        }
    return dict(sorted(found.items(), key=lambda item: (-item[1]["as_good"], item[1]["rank"])))


def _median_worse(of: Sequence[dict[str, Any]], places: tuple[int, int]) -> float:
    """Over data sets."""
    return float(np.median([_worse(one, places) for one in of]))


def _worse(one: dict[str, Any], places: tuple[int, int]) -> float:
    """Per cent by which the worse of two missed rates raises the loss of the tuned one."""
    return float(100 * (max(one["off"][place] for place in places) / one["off"][_TUNED] - 1))


def _ranks(losses: dict[str, float]) -> dict[str, int]:
    return {name: place for place, name in enumerate(sorted(losses, key=lambda name: losses[name]), start=1)}


def _table(found: dict[str, dict[str, Any]], total: int) -> list[str]:
    head = (
        f"{'optimizer':<21}{'as good':>9}{'untuned':>9}{'rank (95 %)':>20}{'gain':>9}{'missed by 3':>13}{'by 10':>11}"
    )
    lines = [f"{total} data sets. As good as the best, of {total}; the rest as the module says.", head]
    for name, one in found.items():
        rank = f"{one['rank']:.1f} ({one['rank_interval'][0]:.1f} to {one['rank_interval'][1]:.1f})"
        lines.append(
            f"{name:<21}{one['as_good']:>9}{one['default_as_good']:>9}{rank:>20}{one['gain']:>7.1f} %"
            f"{one['missed_by_3']:>11.1f} %{one['missed_by_10']:>9.0f} %"
        )
    return lines


def _in_short(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What counts for how much, in held-out loss: the choice of the optimizer, the rate, tuning at all."""
    middle, missed, default = [], [], []
    for row in rows:
        losses = sorted(_mean(one["loss"]) for one in row["optimizers"].values())
        middle.append(100 * (float(np.median(losses)) / losses[0] - 1))
        default.append(100 * (_mean(row["optimizers"]["adam"]["default_loss"]) / losses[0] - 1))
        missed.append(float(np.median([_worse(one, _BY_3) for one in row["optimizers"].values()])))
    return [
        "Held-out loss, the median over data sets:",
        f"  the middle one of the tuned optimizers is behind the best by {np.median(middle):.1f} %",
        f"  a tuned learning rate missed by 3 costs the middle optimizer {np.median(missed):.1f} %",
        f"  Adam at its defaults is behind the best tuned one by {np.median(default):.1f} %",
    ]


def _of_the_grid() -> list[str]:
    """Decades of learning rate that are good, by optimizer, in benchmarks/data: read, not trained."""
    import pandas as pd

    from benchmarks.search.table import TABLE

    table = pd.read_parquet(TABLE)
    table = table[table.epochs == table.groupby("task", observed=True).epochs.transform("max")]
    setting = ["task", "rule", "learning_rate", "second", "value", "schedule", "batch_size"]
    whole = table.assign(loss=table.test_loss.fillna(math.inf))
    means = whole.groupby(setting, observed=True).loss.mean().reset_index()
    best = means.groupby(["task", "rule", "learning_rate"], observed=True).loss.min().unstack("rule")
    tasks = best.index.unique("task")
    lines = [
        f"Decades of learning rate in which the best setting is within 10 % of the best of all: {', '.join(tasks)}.",
        "Half a decade is one point of the grid.",
    ]
    for rule in best.columns:
        good = [int((best.loc[task, rule].dropna() <= 1.1 * best.loc[task].min().min()).sum()) / 2 for task in tasks]
        lines.append(f"{rule:<21}" + "".join(f"{width:>7.1f}" for width in good) + f"{np.mean(good):>9.2f} in the mean")
    return lines


def _picture(found: dict[str, dict[str, Any]], total: int, path: Path) -> None:
    """How often each is as good as the best, and what a missed learning rate costs."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    names = list(found)[::-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 0.32 * len(names) + 1.4), sharey=True, layout="constrained")
    left.barh(names, [found[name]["as_good"] for name in names], color="#0072b2", label="tuned")
    left.plot(
        [found[name]["default_as_good"] for name in names],
        names,
        "D",
        color="#e69f00",
        clip_on=False,
        label="at its defaults",
    )
    left.set(title=f"as good as the best, of {total} tables", xlim=(0, total))
    for by, mark in ((3, "o"), (10, "s")):
        worse = [max(found[name][f"missed_by_{by}"], 1.0) for name in names]
        right.plot(worse, names, mark, color="#0072b2", fillstyle="full" if by == 3 else "none", label=f"by {by}")
    right.set(title="loss where the learning rate is missed", xscale="log")
    right.xaxis.set_major_formatter(lambda value, _: f"+{value:g} %")
    right.xaxis.set_minor_formatter("")
    for axes in (left, right):
        axes.grid(axis="x", color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize="small", loc="lower right" if axes is left else "upper right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _line(row: dict[str, Any]) -> str:
    good, losses = as_good(row), {name: _mean(found["loss"]) for name, found in row["optimizers"].items()}
    best = min(losses, key=lambda name: losses[name])
    left = [name for name, flag in good.items() if not flag]
    words = f"not as good: {', '.join(left)}" if left else "all as good"
    return f"{row['data']:<26}{row['rows']:>6}  lowest loss {losses[best]:.4g} by {best}; {words}"


def _bootstrapped(values: Sequence[float], of: Callable[..., Any]) -> tuple[float, float]:
    draws = np.random.default_rng(0).choice(np.asarray(values, float), (4000, len(values)))
    low, high = np.quantile(of(draws, axis=1), [0.025, 0.975])
    return float(low), float(high)


def _mean(values: Sequence[float], sign: int = 1) -> float:
    """Infinitely bad where a training broke down; sign: of what is bad."""
    return float(np.mean(values)) if all(math.isfinite(v) for v in values) else sign * math.inf


if __name__ == "__main__":
    main()
