"""A table with categories and missing values: find the optimizer, then ask the saved model about raw rows.

uv run python examples/table.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import optselect

PENGUINS = Path(__file__).parent / "data" / "penguins.csv"  # palmerpenguins, CC0


def main(trials: int = 21, epochs: int = 10) -> None:
    """Tune on the penguins and predict three of them."""
    result = optselect.tune(
        None, PENGUINS, target="species", trials=trials, epochs=epochs, tracking=optselect.Tracking(mlflow=None)
    )
    print(result.verdict.text())
    print(result.snippet)
    rows = pd.read_csv(PENGUINS).drop(columns="species").sample(3, random_state=0)
    print(rows.assign(**result.predict(rows)))


if __name__ == "__main__":
    main()
