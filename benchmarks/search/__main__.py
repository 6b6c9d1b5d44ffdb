"""How soon a search finds good settings: optselect beside Optuna and KerasTuner.

    just bench-search                              # all of it
    just bench-search --repetitions 5 --no-live    # a shorter look

First over the table of real trainings (`benchmarks.search.make`), where every contender is run many times; then live,
on the trainer. Every contender searches the same space, buys trainings of the same seed with the same budget, and is
judged on held-out rows with other seeds: 0 is the best configuration of the table, 1 the median one.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click
import pandas as pd

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_OURS = "optselect"
_SAME = 0.005  # of regret; a smaller lead of another is not worth a word


@click.command()
@click.option("--contenders", help="Names with semicolons; all of them else.")
@click.option("--tasks", help="Data sets with commas; all of the table else.")
@click.option("--budgets", default="8,16,32,64,128", show_default=True, help="Whole trainings.")
@click.option("--repetitions", default=20, show_default=True)
@click.option("--live/--no-live", "with_live", default=True, help="Search on the trainer too.")
@click.option("--live-budgets", default="28,63", show_default=True)
@click.option("--live-repetitions", default=8, show_default=True)
@click.option("--workers", type=int, default=os.cpu_count(), show_default=True, help="Processes over the table.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for search.json and search.png.")
def main(
    contenders: str | None,
    tasks: str | None,
    budgets: str,
    repetitions: int,
    with_live: bool,
    live_budgets: str,
    live_repetitions: int,
    workers: int,
    out: Path | None,
) -> None:
    """Compare searches."""
    from benchmarks.search import grid, simulate
    from benchmarks.search.contenders import CONTENDERS

    began = time.perf_counter()
    names = contenders.split(";") if contenders else list(CONTENDERS)
    on = tasks.split(",") if tasks else [task.data for task in grid.TASKS]
    found = simulate.simulate(names, on, _numbers(budgets), repetitions, workers)
    means = simulate.summary(found, names[0] if _OURS not in names else _OURS)
    print("\n".join(_table(found, means)))
    kept: dict[str, Any] = {"summary": _records(means), "repetitions": _records(found.drop(columns="took"))}
    if with_live:
        kept |= _live(_numbers(live_budgets), live_repetitions)
    kept["seconds"] = round(time.perf_counter() - began)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "search.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")
        _picture(found, means, out / "search.png")
    print(f"\n{kept['seconds']} s")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records", double_precision=5))


def _table(found: pd.DataFrame, means: pd.DataFrame) -> list[str]:
    """Mean regret with intervals, budgets across; then who is better than optselect where."""
    budgets = sorted(means.budget.unique())
    names = list(dict.fromkeys(means.contender))
    lines = [
        f"\nRegret on held-out rows after so many trainings, mean over {found.task.nunique()} tasks x "
        f"{found.repetition.nunique()} repetitions [95 %]",
        f"{'':<26}" + "".join(f"{budget:>20}" for budget in budgets),
    ]
    cells = means.set_index(["contender", "budget"])
    for name in names:
        row = [cells.loc[name, budget] if (name, budget) in cells.index else None for budget in budgets]
        shown = "".join(f"{f'{c.regret:.3f} [{c.low:.3f} {c.high:.3f}]' if c is not None else '-':>20}" for c in row)
        lines.append(f"{name:<26}{shown}")
    largest = found[found.budget == found.groupby("contender").budget.transform("max")]
    bad = largest.groupby("contender").agg({"diverged": "mean", "trainings": "mean"})
    lines += ["", f"{'of the largest budget':<26}{'trainings':>20}{'broke down':>20}"]
    lines += [f"{name:<26}{bad.trainings[name]:>20.1f}{bad.diverged[name]:>20.1f}" for name in names]
    return [*lines, *_verdict(found, means)]


def _verdict(found: pd.DataFrame, means: pd.DataFrame) -> list[str]:
    """Where optselect wins, where it does not, and on which tasks."""
    lines = [""]
    for name, rows in means[means.contender != _OURS].groupby("contender"):
        words = []
        for row in rows.itertuples():
            sure = row.difference_low > 0 or row.difference_high < 0
            word = ("better" if row.difference > 0 else "WORSE") if sure else "no difference"
            words.append(f"{row.budget}: {word} ({row.difference:+.3f})")
        lines.append(f"{_OURS} beside {name}: {', '.join(words)}")
    worse = []
    pivot = found.groupby(["task", "budget", "contender"]).regret.mean().unstack("contender")
    for (task, budget), row in pivot.iterrows():
        if _OURS in row and row[_OURS] > row.min() + _SAME:
            worse.append(f"{task} at {budget} ({row.idxmin()} {row.min():.3f}, {_OURS} {row[_OURS]:.3f})")
    return [*lines, f"\nNot {_OURS} but another has the lowest mean on: " + ("; ".join(worse) or "no task") + "."]


def _live(budgets: tuple[int, ...], repetitions: int) -> dict[str, Any]:
    from benchmarks.search import live

    print("\nLive, on the trainer:", flush=True)
    found = live.live(budgets, repetitions)
    shown = found.groupby(["task", "budget", "contender"], sort=False).agg(
        test_loss=("test_loss", "mean"),
        low=("test_loss", "min"),
        high=("test_loss", "max"),
        val_loss=("val_loss", "mean"),
        diverged=("diverged", "mean"),
        seconds=("seconds", "mean"),
    )
    print(shown.round(4).to_string())
    bad = live.diverging(40, repetitions)
    print("\nSGD on diabetes at rates from 1e-3 to 1e4, of which most diverge:")
    print(bad.groupby("contender", sort=False)[["diverged", "of", "best"]].mean().round(3).to_string())
    return {"live": _records(found), "diverging": _records(bad)}


def _picture(found: pd.DataFrame, means: pd.DataFrame, path: Path) -> None:
    """Regret against budget: over all tasks, and for each."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    tasks = sorted(found.task.unique())
    budgets = sorted(found.budget.unique())
    pairs = [[*tasks[i : i + 2], *["."] * (2 - len(tasks[i : i + 2]))] for i in range(0, len(tasks), 2)]
    figure, axes = plt.subplot_mosaic(
        [["all", "all", *pair] for pair in pairs], figsize=(13, 7.5), layout="constrained"
    )
    colours = dict(zip(means.contender.unique(), plt.get_cmap("tab10").colors, strict=False))
    for name, rows in means.groupby("contender"):
        style = {"color": colours[name], "lw": 2.6 if name == _OURS else 1.4, "marker": "o", "ms": 4}
        axes["all"].plot(rows.budget, rows.regret, label=name, **style)
        axes["all"].fill_between(rows.budget, rows.low, rows.high, color=colours[name], alpha=0.12, lw=0)
        for task in tasks:
            one = found[(found.task == task) & (found.contender == name)].groupby("budget").regret.mean()
            axes[task].plot(one.index, one, **{**style, "ms": 2})
    for title, axis in axes.items():
        axis.set_xscale("log", base=2)
        axis.set_xticks(budgets, [str(budget) for budget in budgets])
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
        axis.tick_params(axis="y", which="both", labelsize=9 if title == "all" else 7)
        axis.set_title("mean over all tasks, 95 % of repetitions" if title == "all" else title, fontsize=10)
        axis.grid(alpha=0.25, which="both")
    axes["all"].set_xlabel("budget: whole trainings, paid in epochs")
    axes["all"].set_ylabel("held-out regret: 0 best of the table, 1 its median")
    axes["all"].legend(fontsize=9)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
