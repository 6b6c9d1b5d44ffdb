"""What the benchmark prints, 100 columns wide, and draws."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.kinds import KINDS

__all__ = ["Speaker", "aims", "alone", "cold", "head", "kind", "long", "long_mlflow", "machine", "picture"]

TITLES = {
    "optselect": "optselect",
    "optuna": "Optuna + model.fit",
    "keras_tuner": "KerasTuner",
    "sklearn": "MLPClassifier",
}
_COLORS = {"optselect": "#0072b2", "optuna": "#e69f00", "keras_tuner": "#cc79a7", "sklearn": "#999999"}
_HOW = {
    "optselect": (
        "optselect: its study loop, ledger and worker processes; the list stands in for its samplers, and",
        "MLflow is off.",
    ),
    "optuna": ("Optuna: as its example for Keras is written; the trials are enqueued.",),
    "keras_tuner": (
        "KerasTuner: its tuner and its random search, which hands out the list in place of random values.",
    ),
    "sklearn": (
        "MLPClassifier: the MLP alone, trials with Adam and SGD alone, its own initial weights; it validates",
        "once, at the end.",
    ),
}
_AIMS = {"mlp": 40, "lstm": 10, "cnn": 3, "transformer": 3}  # times faster a trial than `model.fit`


class Speaker:
    """Prints lines as they come, and keeps them in a folder's log.txt."""

    def __init__(self, folder: Path | None) -> None:
        self._log = None if folder is None else folder / "log.txt"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "log.txt").write_text("")

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(line, flush=True)
            if self._log:
                with self._log.open("a") as log:
                    log.write(line + "\n")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    packages = ("tensorflow", "keras", "optuna", "keras-tuner", "scikit-learn", "numpy")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "cores": str(os.cpu_count()),
        "processor": platform.machine(),
        "python": platform.python_version(),
        **versions,
    }


def head(found: dict[str, Any], tools: list[str]) -> Iterator[str]:
    """What is compared with what, and the head of the table."""
    about, settings = found["machine"], found["settings"]
    trials, epochs, threads, workers = (settings[name] for name in ("trials", "epochs", "threads", "workers"))
    yield (
        f"{about['cores']} cores, Python {about['python']}, TensorFlow {about['tensorflow']}, Keras {about['keras']}, "
        f"Optuna {about['optuna']},"
    )
    yield f"KerasTuner {about['keras-tuner']}, scikit-learn {about['scikit-learn']}. No GPU is used."
    yield ""
    yield (
        f"Every tool trains the same {_trials(trials)} of {epochs} epochs on 1,149 of sklearn's digits, and "
        "validates on"
    )
    yield f"288 more. Threads of a training, in every tool: {threads}. Each tool has a process of its own, and they"
    yield "take turns, so that a change of load hits all."
    yield ""
    yield "ready      seconds from the start of the process to the first trial: imports, data, compilation"
    yield "a trial    seconds, the median over trials, one at a time"
    yield f"a study    seconds of {_trials(trials)}, ready included; optselect trains {workers} at once, the others one"
    yield f"           after the other. * = reckoned from fewer trials: as many as fit in {settings['seconds']:g} s"
    yield "ratio      over optselect's time"
    yield "val_loss   after the last epoch, the median over the tool's trials; beside it optselect's in the"
    yield "           same trials, and how far apart the two are, the median over trials"
    yield ""
    for tool in tools:
        yield from _HOW[tool]
    yield ""
    yield (
        f"{'':<22}{'ready':>7}{'a trial':>9}{'ratio':>7}{'a study':>10}{'ratio':>8}"
        f"{'val_loss':>12}{'optselect':>11}{'apart':>9}"
    )


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def kind(name: str, measured: dict[str, Any], trials: int) -> Iterator[str]:
    """The lines of one kind of model."""
    yield KINDS[name].title
    ours = measured["tools"]["optselect"]
    for tool, theirs in measured["tools"].items():
        reckoned = "*" if theirs["trials"] < trials else " "
        row = f"  {TITLES[tool]:<20}{theirs['ready']:>7.1f}{theirs['trial']:>9.3f}"
        if tool == "optselect":
            yield f"{row}{'':>7}{theirs['study']:>9.1f} {'':>8}{theirs['val_loss']:>12.4f}"
            continue
        trial, study = theirs["trial"] / ours["trial"], theirs["study"] / ours["study"]
        yield (
            f"{row}{_times(trial):>7}{theirs['study']:>9.1f}{reckoned}{_times(study):>8}"
            f"{theirs['val_loss']:>12.4f}{theirs['val_loss_optselect']:>11.4f}{theirs['apart']:>9.4f}"
        )


def alone(found: dict[str, Any]) -> Iterator[str]:
    """optselect's trials beside their arithmetic, and several at once."""
    workers = found["settings"]["workers"]
    rates = [measured["bound"]["gflops"] for measured in found["kinds"].values()]
    yield ""
    yield "optselect beside the arithmetic: seconds of a trial's products of matrices and convolutions, on one"
    yield "thread. Counted: their operations over the speed of a product of 1,024 x 1,024 matrices,"
    speed = f"{min(rates):.0f} to {max(rates):.0f} GFLOP/s here"
    yield f"{speed}; embedding, pooling, normalising and activations are not counted."
    yield "Same shapes: the MLP's own products, timed with numpy."
    yield ""
    yield f"{'':<36}{'way':>6}{'ms a step':>11}{'a trial':>9}{'counted':>9}{'x':>6}{'same shapes':>13}{'x':>6}"
    for name, measured in found["kinds"].items():
        trial, bound = measured["tools"]["optselect"]["trial"], measured["bound"]
        row = f"{KINDS[name].title:<36}{measured['way']:>6}{1e3 * measured['step']:>11.3f}{trial:>9.3f}"
        row += f"{bound['counted']:>9.4f}{trial / bound['counted']:>6.1f}"
        yield row if math.isnan(bound["exact"]) else f"{row}{bound['exact']:>13.4f}{trial / bound['exact']:>6.1f}"
    if workers > 1:
        yield ""
        yield f"Trials at once, {workers} for 1: so many times faster the same trials are done"
        yield "  " + ", ".join(f"{name} {measured['at_once']:.2f}" for name, measured in found["kinds"].items())


def long(study: dict[str, Any]) -> Iterator[str]:
    """The long study."""
    yield ""
    yield (
        f"A study of {study['trials']:,} trials of the MLP, `tune` with its default space, MLflow off: the search took "
        f"{study['search_seconds']:.1f} s"
    )
    yield (
        f"with {study['workers']} workers; its trials took {study['trial_seconds']:.1f} s inside them. Outside, "
        f"asking, telling, the ledger, waiting: {_percent(study['overhead'])}."
    )
    points = ", ".join(f"{1e3 * seconds:.1f} ms at trial {int(n):,}" for n, seconds in study["at"].items())
    yield f"An epoch of a trial, setting up included, took {points}."


def long_mlflow(without: dict[str, Any], study: dict[str, Any]) -> Iterator[str]:
    """The same with MLflow."""
    whole = study["whole_seconds"], without["whole_seconds"]
    yield (
        f"The same with MLflow on, a SQLite file: {_percent(study['overhead'])} outside the trials; the search took "
        f"{study['search_seconds']:.1f} s, the"
    )
    yield f"whole call {whole[0]:.1f} s for {whole[1]:.1f} s."


def cold(study: dict[str, float]) -> Iterator[str]:
    """The cold start."""
    yield ""
    yield f"optselect tune sklearn:digits --trials {study['trials']} --epochs {study['epochs']} --mlflow none"
    yield (
        f"  from a cold start, everything included: first result after {study['first_seconds']:.1f} s, done after "
        f"{study['whole_seconds']:.1f} s ({study['trainings']} trainings)."
    )


def aims(found: dict[str, Any]) -> Iterator[str]:
    """What was aimed at, and what came out."""
    rows: list[tuple[str, float, float, str, bool]] = []
    for name, aim in _AIMS.items():
        tools = found["kinds"].get(name, {}).get("tools", {})
        if "optuna" in tools:
            ratio = tools["optuna"]["trial"] / tools["optselect"]["trial"]
            rows.append((f"{name}: a trial, times faster than `model.fit`", aim, ratio, "x", True))
    if "mlp" in found["kinds"]:
        mlp = found["kinds"]["mlp"]
        over = mlp["tools"]["optselect"]["trial"] / mlp["bound"]["exact"]
        rows.append(("mlp: a trial, times its products of matrices", 2, over, "x", False))
    if found["settings"]["workers"] == 2:
        for name, measured in found["kinds"].items():
            rows.append((f"{name}: two trials at once, times faster", 1.8, measured["at_once"], "x", True))
    if "long" in found:
        long_study = found["long"]
        what = f"a study of {long_study['trials']:,} trials: outside its trials"
        rows.append((what, 5, 100 * long_study["overhead"], "%", False))
    if "cold" in found:
        cold_study = found["cold"]
        rows.append(("cold start: first result", 15, cold_study["first_seconds"], "s", False))
        if cold_study["trials"] == 100:
            rows.append(("cold start: 100 trials of 20 epochs", 45, cold_study["whole_seconds"], "s", False))
    if rows:
        yield ""
        yield f"{'':<48}{'aim':>14}{'measured':>12}"
    for what, aim, got, unit, larger in rows:
        reached = got >= aim if larger else got <= aim
        wanted = f"{'at least' if larger else 'at most'} {aim:g} {unit}"
        yield f"{what:<46}{wanted:>16}{got:>10.1f} {unit}  {'reached' if reached else 'missed'}"


def picture(found: dict[str, Any], path: Path) -> None:
    """Bars of the seconds a trial, for each kind and tool."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tools = [tool for tool in TITLES if any(tool in m["tools"] for m in found["kinds"].values())]
    figure, axes = pyplot.subplots(figsize=(9, 0.7 + 1.1 * len(found["kinds"])), layout="constrained")
    labels, place = [], 0.0
    for name, measured in found["kinds"].items():
        first, ours = place, measured["tools"]["optselect"]["trial"]
        for tool, numbers in measured["tools"].items():
            axes.barh(place, numbers["trial"], 0.85, color=_COLORS[tool])
            times = "" if tool == "optselect" else f"   {_times(numbers['trial'] / ours)}"
            axes.text(numbers["trial"] * 1.06, place, f"{numbers['trial']:.2g} s{times}", va="center", fontsize=9)
            place += 1
        labels.append(((first + place - 1) / 2, KINDS[name].title.replace(", ", ",\n", 1)))
        place += 0.8
    axes.set_yticks([at for at, _ in labels], [label for _, label in labels])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xscale("log")
    shown = [m["tools"][t]["trial"] for m in found["kinds"].values() for t in m["tools"]]
    axes.set_xlim(min(shown) / 2, max(shown) * 4)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(
        f"seconds a trial of {found['settings']['epochs']} epochs, median, on a logarithmic scale; beside them the "
        "ratio to optselect"
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=_COLORS[tool]) for tool in tools]
    figure.legend(handles, [TITLES[t] for t in tools], loc="outside upper center", ncols=len(tools), frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _times(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
