"""optselect tune DATA"""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from optselect.cli.data_options import reading_options


class Duration(click.ParamType):
    """A time such as 90, 90s, 10m or 1.5h, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if not match:
            self.fail(f"{value!r} is not a time. Write 90s, 10m or 1.5h.", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


class ClassWeights(click.ParamType):
    """Weights of classes: the word balanced, or weights by class such as no=1,yes=3."""

    name = "weights"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "balanced":
            return value
        weights = {}
        for part in str(value).split(","):
            label, _, number = part.rpartition("=")
            try:
                weights[label.strip()] = float(number)
            except ValueError:
                self.fail(f"{value!r} is neither 'balanced' nor weights by class. Write no=1,yes=3.", param, ctx)
        return weights


@click.command("tune")
@click.argument("data")
@click.option("--target", help="The column to predict; several with commas, for a model with an output each.")
@click.option("--model", help="FILE.py:FUNCTION that returns a keras.Model, or a .keras file; a default else.")
@click.option("--trials", type=int, help="Trials in total, over all optimizers.  [default: 60]")
@click.option("--time", "time", type=Duration(), help="Time for the whole study, to its end: 90s, 10m, 1.5h.")
@click.option("--epochs", type=int, default=20, show_default=True, help="Epochs of every training.")
@click.option("--optimizers", help="Only these, with commas: adam,sgd.")
@click.option("--space", help="A search space: a shipped name (see `optselect spaces`) or a YAML file.")
@click.option("--objective", default="val_loss", show_default=True, help="What to optimise: val_ and a metric.")
@click.option("--kind", type=click.Choice(["classification", "regression"]), help="Inferred from the target else.")
@click.option("--weight", "sample_weight", help="The column that says what each row counts in the loss.")
@click.option("--class-weight", type=ClassWeights(), help="What classes count in training: balanced, or no=1,yes=3.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
    help="What layers compute in.  [default: as the model says]",
)
@click.option(
    "--care",
    type=click.Choice(["quick", "standard", "careful"]),
    default="standard",
    show_default=True,
    help="How many candidates are re-run on how many fresh seeds: 4, 8 or 16 to begin with.",
)
@click.option("--confirm", type=int, help="Confirmations of a finalist, 0 for none.  [default: 5, 10 or 30, by --care]")
@click.option("--rope", type=float, help="A difference that does not matter, in the metric reported: 0.005.")
@click.option(
    "--prefer",
    type=click.Choice(["simplest", "best", "fastest", "cheapest"]),
    default="simplest",
    show_default=True,
    help="What to recommend among those that the race cannot tell apart; cheapest in memory.",
)
@click.option(
    "--strategy", default="arms", show_default=True, help="arms: a fair share each; joint: one study for all."
)
@click.option("--sampler", default="tpe", show_default=True, help="tpe, gp (needs PyTorch), grid, qmc or random.")
@click.option(
    "--pruner",
    default="none",
    show_default=True,
    help="Who ends trials early: none, halving, hyperband, median, patient, percentile, successive_halving, wilcoxon.",
)
@click.option("--range-test/--no-range-test", default=True, help="Try learning rates a little first, or do not.")
@click.option("--elimination/--no-elimination", default=True, help="Give the trials of hopeless optimizers to others.")
@click.option("--start", help="Known to be good, tried first: a JSON or YAML file, or an earlier study.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the whole study.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where to train; auto: a process a GPU, if there are GPUs.",
)
@click.option("--workers", type=int, help="Training processes.  [default: what cores and memory allow]")
@click.option(
    "--mlflow", default="default", help="Tracking URI, or 'none'.  [default: MLFLOW_TRACKING_URI, else ./mlflow.db]"
)
@click.option(
    "--storage",
    default="default",
    help="Database for a copy that Optuna reads, or 'none': postgresql://...  [default: OPTSELECT_STORAGE]",
)
@click.option("--register", metavar="NAME", help="Make the trained model a version in MLflow's registry.")
@click.option("--study", help="Name of the study.  [default: from the data]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the studies.  [default: optselect-studies]")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no progress.")
def command(
    data: str,
    model: str | None,
    optimizers: str | None,
    mlflow: str,
    storage: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the best optimizer and settings for DATA.

    DATA is a CSV, TSV, JSON, Excel, Parquet, Feather or .npz file (text also .gz, .bz2, .xz, .zst), sklearn:NAME, or
    FILE.py:FUNCTION returning (x, y) or (x, y, sample_weight), where x and y may be dicts by the names of inputs and
    outputs. The same command goes on with a study that was stopped, and reports one that is finished.

    \b
    Examples:
      optselect tune sklearn:digits --trials 60 --epochs 20
      optselect tune houses.csv --target price --time 5m
      optselect tune loans.csv --target default --weight amount --class-weight balanced
      optselect tune data.npz --model my_model.py:build --optimizers adam,adamw,sgd
    """
    from optselect import api
    from optselect.cli.board import Board
    from optselect.cli.summary import show
    from optselect.study.listener import Silent

    signal.signal(signal.SIGTERM, _interrupt)
    board = None if as_json else Board()
    try:
        result = api.tune(
            model,
            data,
            optimizers=[name.strip() for name in optimizers.split(",") if name.strip()] if optimizers else None,
            mlflow=None if mlflow.lower() == "none" else mlflow,
            storage=None if storage.lower() == "none" else storage,
            listener=board or Silent(),
            **options,
        )
    except KeyboardInterrupt:
        if board:
            board.close()
            click.echo(f"{board.interrupted()} The same command goes on from there:\n  {_typed()}", err=True)
        raise SystemExit(130) from None
    finally:
        if board:
            board.close()
    if board:
        show(result)
    else:
        click.echo(json.dumps(result.to_dict()))


def _typed() -> str:
    """The command as it was typed, without passwords."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]+@", r"\1:***@", shlex.join(["optselect", *sys.argv[1:]]))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
